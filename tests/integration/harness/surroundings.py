"""What there is to reach in a world of harness/namespaces.py: servers on every address of their namespace."""

import contextlib

from .http2_upstream import Http2Upstream
from .namespaces import FIRST, World
from .raw import RawServer, echo
from .scripted_names import ScriptedNames
from .tls_upstream import TlsUpstream, server_context
from .upstream import Upstream

HTTP, TLS, MAIL, ECHO, HTTP2, NAMES = 80, 443, 25, 7, 8080, 53
GREETING = b"220 mail.example.com is here\r\n"


def address_of(place):
    """Of what getsockname() or getpeername() says."""
    return place[0].removeprefix("::ffff:")


def tell(peer, request):
    """Answers with the address that was reached, that of the client, the Host field and the target."""
    peer.read_body(request)
    told = (address_of(peer.socket.getsockname()), address_of(peer.socket.getpeername()))
    peer.respond(body=" ".join([*told, request.get("host", "-"), request.target]).encode())


def tell_http2(stream):
    stream.read_body()
    stream.respond(body=f"{stream.request.pseudo[':authority']} {stream.request.target}".encode())


def greet(connection):
    """Speaks first, and sends back what comes then."""
    connection.sendall(GREETING)
    echo(connection)


class Surroundings(World):
    """Outside are `http`, `tls` with a certificate of `authority` for *.example.com,
    `mail`, `echo`, `http2` and the
    name server `names`; `private` and the gateway's own machine have an HTTP server as well, which count who comes.
    """

    def __init__(self, authority, *interception):
        super().__init__(*interception)
        try:
            self.authority = authority
            pair = authority.issue("outside", *(f"DNS:{name}" for name in ("*.example.com", "*.wild.example.com")))
            self.http = self._running(Upstream(self.outside.listen(HTTP)).serve(tell))
            self.tls = self._running(TlsUpstream(server_context(pair), listener=self.outside.listen(TLS)).serve(tell))
            self.mail = self._running(RawServer(greet, listener=self.outside.listen(MAIL)))
            self.echo = self._running(RawServer(echo, listener=self.outside.listen(ECHO)))
            self.http2 = self._running(Http2Upstream(listener=self.outside.listen(HTTP2)).serve(tell_http2))
            self.private_http = self._running(Upstream(self.private.listen(HTTP)).serve(tell))
            self.own_http = self._running(Upstream(self.gateway.listen(HTTP)).serve(tell))
            self.names = self._running(ScriptedNames(self.outside.bind_datagrams(NAMES), {}))
        except BaseException:
            self.close()
            raise

    def _running(self, server):
        self._stack.callback(server.stop)
        return server

    @property
    def name_server(self):
        """As --dns-servers has it."""
        return f"{FIRST[0]}:{NAMES}"

    @contextlib.contextmanager
    def nothing_forbidden_is_reached(self):
        """Neither the gateway's own machine nor the private network, whatever is asked for meanwhile."""
        forbidden = (self.private_http, self.own_http)
        before = [len(server.connections) for server in forbidden]
        yield
        assert [len(server.connections) for server in forbidden] == before, "private, own"

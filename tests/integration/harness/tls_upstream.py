"""An upstream that speaks TLS, and remembers how each connection began."""

import socket
import ssl
import threading

from .upstream import Upstream


def server_context(pair, *, client_ca_file=None, maximum=ssl.TLSVersion.TLSv1_3, alpn=()):
    """With `client_ca_file` the client must show a certificate of that CA; without `alpn` there is no ALPN."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = maximum
    context.load_cert_chain(pair.certificate_file, pair.key_file)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if client_ca_file:
        context.load_verify_locations(client_ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class TlsUpstream(Upstream):
    """`handshakes` has one entry for each that succeeded, `refusals` the error of each that did not."""

    class Handshake:
        """How a connection began: version, server_name (None: none was sent), is_resumed, peer_certificate (DER)."""

        def __init__(self, connection, server_name):
            self.version = connection.version()
            self.server_name = server_name
            self.is_resumed = connection.session_reused
            self.peer_certificate = connection.getpeercert(binary_form=True)

    def __init__(self, context, *, listener=None):
        super().__init__(listener)
        self.context = context
        self.handshakes = []
        self.refusals = []
        self._names = threading.local()  # the callback runs on the thread of the handshake
        context.sni_callback = self._on_server_name

    def _on_server_name(self, _socket, name, _context):
        self._names.last = name

    def _serve(self, peer):
        self._names.last = None
        try:
            peer.socket = self.context.wrap_socket(peer.socket, server_side=True)
        except OSError as failure:  # ssl.SSLError is one
            self.refusals.append(failure)
            peer.close()
            return
        self.handshakes.append(self.Handshake(peer.socket, self._names.last))
        super()._serve(peer)

    def hang_up(self, peer):
        """FIN without close_notify, from any thread.

        Only the thread that reads may close the descriptor: OpenSSL goes on to read from one of that number.
        """
        socket.socket.shutdown(peer.socket, socket.SHUT_RDWR)
        assert self.wait_for(lambda: peer.closed)

    @property
    def server_names(self):
        return [handshake.server_name for handshake in self.handshakes]

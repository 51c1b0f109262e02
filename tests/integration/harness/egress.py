"""Documents about outbound traffic, applied to a gateway in the middle of harness/surroundings.py, and its clients."""

import contextlib
import ssl

import pytest

from . import documents, namespaces, ports
from .client import Client, tls_context
from .gateway import Gateway
from .namespaces import FIRST, REDIRECT
from .proxy_client import Conversation, Proxy
from .surroundings import HTTP, TLS, Surroundings

PORT = 15001
REDIRECTED, EXPLICIT = "redirected", "explicit"
HOWS = pytest.mark.parametrize("how", [REDIRECTED, EXPLICIT])
REFUSED = "refused"  # what a connection is that ends before anything comes of it


class Egress:
    """A gateway that takes what the client of `world` sends, and is a proxy for those on its own machine.

    Only what documents register may be reached.
    """

    def __init__(self, world, folder, *texts):
        self.world = world
        with world.gateway.entered():
            proxy_port = ports.free_port()
        policy = {"mode": "REGISTRY_ONLY"}
        self.gateway = Gateway(
            folder,
            {
                "mesh.yaml": documents.mesh(
                    proxyListenPort=PORT, proxyHttpPort=proxy_port, outboundTrafficPolicy=policy
                ),
                "documents.yaml": documents.join(*texts),
            },
            namespace=world.gateway,
            service_ports=(),
            concurrency=2,
            extra_arguments=("--dns-servers", world.name_server),
        )
        self.proxy = Proxy(world.gateway, proxy_port)

    def __enter__(self):
        """The documents are nothing to warn of."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.gateway)
            assert " warning " not in self.gateway.log, self.gateway.log
            stack.pop_all()
        return self

    def __exit__(self, *ending):
        self.gateway.__exit__(*ending)

    def apply(self, *texts):
        """These, instead of what was applied before."""
        self.gateway.write("documents.yaml", documents.join(*texts))
        return self.gateway.reload()

    @property
    def trusting(self):
        """A context that trusts the outside's CA only: the handshake proves that nobody is in between."""
        return tls_context(ca_file=str(self.world.authority.file), alpn=())

    # --- clients ---

    def connect(self, number, host="", *, address=FIRST[0], **options):
        """The client's connection, as it believes, to a port of an address."""
        with self.world.client.entered():
            return Client(number, host, address=address, **options)

    def get(self, how, host, target="/", headers=(), *, number=HTTP, address=FIRST[0]):
        """The answer to a request for the host; a redirected client has connected to `address`."""
        if how == EXPLICIT:
            return self.proxy.get(f"http://{host}{'' if number == HTTP else f':{number}'}{target}", headers)
        with self.connect(number, host, address=address) as client:
            return client.request("GET", target, headers)

    def get_tls(self, how, host, target="/", *, number=TLS, address=FIRST[0], authority=None, context=None):
        """The same over TLS to the server itself, or REFUSED. CONNECT may name another host than TLS: `authority`."""
        context = context or self.trusting
        if how == EXPLICIT:
            with contextlib.closing(self.proxy.tunnel(f"{authority or host}:{number}")) as tunnel:
                if tunnel.status == 200:
                    return Conversation(tunnel.begin_tls(host, context), host).request("GET", target)
                return REFUSED
        try:
            client = self.connect(number, host, address=address, tls=context)
        except (ConnectionResetError, ssl.SSLEOFError):
            return REFUSED
        with client:
            return client.request("GET", target)

    def is_refused(self, number, *, address=FIRST[0], data=b"\x00 anything\n"):
        """Whether the connection of a client ends without an answer."""
        with contextlib.suppress(ConnectionError), self.connect(number, address=address) as client:
            client.send(data)
            return client.is_closed_by_peer()
        return True


def reached(response):
    """The address of who has answered: tell() of harness/surroundings.py."""
    assert response not in (None, REFUSED) and response.status == 200, response
    return response.body.decode().split()[0]


def make_world(authority):
    """Whose firewall hands over what the client sends."""
    if reason := namespaces.obstacle():
        pytest.skip(reason)
    return Surroundings(authority, REDIRECT, PORT)

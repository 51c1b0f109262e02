"""PROXY protocol: a load balancer in front says who the client is, and upstreams that want to know are told."""

import contextlib
import re
import socket
import ssl
import time
import types

import pytest

from harness import documents, proxy_header
from harness.authority import Authority
from harness.client import Client, tls_context
from harness.commands import curl
from harness.gateway import Gateway, wait_until
from harness.http2_client import Http2Client
from harness.http2_upstream import Http2Upstream
from harness.limits import FACTOR, IO_SECONDS
from harness.ports import LOOPBACK
from harness.raw import RawServer, echo
from harness.tls_upstream import TlsUpstream, server_context
from harness.upstream import Upstream

DOMAIN = "proxied.example.com"
APP, V1, V2, SECURE, HTTP2, SECURE_HTTP2, MIRRORED, RETRIED = (
    f"{name}.{DOMAIN}" for name in ("app", "v1", "v2", "secure", "http2", "securehttp2", "mirrored", "retried")
)
PASSED, PASSED_ECHO = "named.pass.example.com", "echo.pass.example.com"
TCP, NAMED_TCP, TLS_TCP = 9000, 9001, 9100
HANDSHAKE_SECONDS = 15  # limits::handshake_timeout

CLIENT, SERVER = ("203.0.113.7", 5555), ("198.51.100.1", 443)
CLIENT6, SERVER6 = ("2001:db8::7", 65535), ("2001:db8::1", 443)
TLVS = proxy_header.tlv(1, b"h2") + proxy_header.tlv(2, b"app.example.com") + proxy_header.tlv(0xEA, b"x" * 3000)

# name -> (bytes, client, server); no client: the connection's own addresses
HEADERS = {
    "v1": (proxy_header.v1(CLIENT, SERVER), CLIENT, SERVER),
    "v1-ipv6": (proxy_header.v1(CLIENT6, SERVER6), CLIENT6, SERVER6),
    "v1-unknown": (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None, None),
    "v2": (proxy_header.v2(CLIENT, SERVER), CLIENT, SERVER),
    "v2-ipv6": (proxy_header.v2(CLIENT6, SERVER6), CLIENT6, SERVER6),
    "v2-tlvs": (proxy_header.v2(CLIENT, SERVER, TLVS), CLIENT, SERVER),
    "v2-local": (proxy_header.v2_block(proxy_header.LOCAL, 0, b""), None, None),
}
EVERY_HEADER = pytest.mark.parametrize("header", HEADERS.values(), ids=list(HEADERS))
BAD_HEADERS = {
    "http": (b"GET / HTTP/1.1\r\nHost: app.proxied.example.com\r\n\r\n", "there_is_no_PROXY_header"),
    "http2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "there_is_no_PROXY_header"),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "there_is_no_PROXY_header"),
    "junk": (bytes(range(255, -1, -1)) * 300, "there_is_no_PROXY_header"),
    "v1-endless": (b"PROXY TCP4 " + b"1" * 100_000, "the_PROXY_header_is_too_long"),
    "v1-no-address": (b"PROXY TCP4 a b 1 2\r\n", "the_PROXY_header_is_malformed"),
    "v2-huge": (proxy_header.v2(CLIENT, SERVER, b"x" * 65_000), "the_PROXY_header_is_too_long"),
    "v2-unix": (proxy_header.v2_block(0x21, 0x31, b"/" * 216), "the_PROXY_header_is_of_an_unknown_kind"),
    "v2-short": (
        proxy_header.v2_block(0x21, 0x21, b"x" * 12),
        "the_PROXY_header_is_too_short_for_its_addresses",
    ),
}


class NamedMixin:
    """An upstream whose connections begin with a PROXY header; `named` has what it said, by number of connection."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.named = {}

    def _serve(self, peer):
        self.named[peer.number] = proxy_header.read(peer.socket)
        super()._serve(peer)


class NamedUpstream(NamedMixin, Upstream):
    """HTTP/1 in the clear."""


class NamedTlsUpstream(NamedMixin, TlsUpstream):
    """HTTP/1 over TLS, which begins behind the header."""


class NamedHttp2Upstream(NamedMixin, Http2Upstream):
    """HTTP/2, with TLS or without."""


def rule(name, version=None, **policy):
    proxy_protocol = {"version": version} if version else {}
    spec = {"host": f"{name}.upstream.test", "trafficPolicy": {"proxyProtocol": proxy_protocol} | policy}
    return documents.document("DestinationRule", name, spec)


def http_routes(hosts):
    """`hosts`: host -> (name of the service, more of the route)."""
    return [
        documents.document(
            "VirtualService",
            name,
            {
                "hosts": [host],
                "gateways": ["kyma-system/front"],
                "http": [documents.connection_route(name, number=80) | more],
            },
        )
        for host, (name, more) in hosts.items()
    ]


def connection_routes():
    tcp = [
        documents.connection_route("tcp", {"port": TCP}),
        documents.connection_route("tcp", {"port": TLS_TCP}),
        documents.connection_route("namedtcp", {"port": NAMED_TCP}),
    ]
    tls = [
        documents.connection_route(name, {"port": 443, "sniHosts": [host]})
        for name, host in (("passed", PASSED), ("passedecho", PASSED_ECHO))
    ]
    return documents.document(
        "VirtualService",
        "connections",
        {"hosts": ["*"], "gateways": ["kyma-system/front"], "tcp": tcp, "tls": tls},
    )


def documents_of(world, authority, *more):
    """The whole configuration; every kind of listener that there is."""
    terminated = {"mode": "SIMPLE", "credentialName": "front"}
    upstream_tls = {"tls": {"mode": "SIMPLE", "caCertificates": str(authority.file)}}
    mirror = {"mirrors": [{"destination": {"host": "v2.upstream.test", "port": {"number": 80}}}]}
    retries = {"retries": {"attempts": 2, "retryOn": "503", "backoff": "1ms"}}
    return documents.join(
        documents.gateway(
            "front",
            documents.server(8080, "HTTP", [f"*.{DOMAIN}"]),
            documents.server(443, "HTTPS", [f"*.{DOMAIN}"], terminated),
            documents.server(443, "TLS", ["*.pass.example.com"], {"mode": "PASSTHROUGH"}),
            documents.server(TCP, "TCP", ["*"]),
            documents.server(NAMED_TCP, "TCP", ["*"]),
            documents.server(TLS_TCP, "TLS", [f"*.{DOMAIN}"], terminated),
        ),
        documents.secret(world.pair, "front"),
        documents.service_entry("app", world.app.port),
        *[documents.service_entry(name, world.v1.port) for name in ("v1", "mirrored", "retried")],
        documents.service_entry("v2", world.v2.port),
        documents.service_entry("secure", world.secure.port),
        documents.service_entry("http2", world.http2.port, protocol="HTTP2"),
        documents.service_entry("securehttp2", world.securehttp2.port, protocol="HTTP2"),
        documents.tcp_service_entry("tcp", world.tcp.port),
        documents.tcp_service_entry("namedtcp", world.named_tcp.port),
        documents.tcp_service_entry("passed", world.passed.port),
        documents.tcp_service_entry("passedecho", world.passed_echo.port),
        *[rule(name) for name in ("v1", "mirrored", "retried")],
        rule("v2", "V2"),
        rule("secure", "V1", **upstream_tls),
        rule("http2", "V2"),
        rule("securehttp2", "V2", **upstream_tls),
        rule("namedtcp", "V2"),
        rule("passed", "V1"),
        *http_routes(
            {
                APP: ("app", {}),
                V1: ("v1", {}),
                V2: ("v2", {}),
                SECURE: ("secure", {}),
                HTTP2: ("http2", {}),
                SECURE_HTTP2: ("securehttp2", {}),
                MIRRORED: ("mirrored", mirror),
                RETRIED: ("retried", retries),
            }
        ),
        connection_routes(),
        *more,
    )


@pytest.fixture(scope="module", name="world")
def make_world(tmp_path_factory):
    authority = Authority()
    world = types.SimpleNamespace(pair=authority.issue(f"*.{DOMAIN}", f"DNS:*.{DOMAIN}"), authority=authority)
    upstream_pair = authority.issue("upstream", f"DNS:{SECURE}", f"DNS:{SECURE_HTTP2}", f"DNS:{PASSED}")
    with contextlib.ExitStack() as stack:

        def running(server):
            stack.callback(server.stop)
            return server

        def serve_named_tcp(connection):
            world.named_connections.append(proxy_header.read(connection))
            connection.sendall(b"ready\n")
            echo(connection)

        world.named_connections = []
        world.app = running(Upstream().serve())
        world.v1 = running(NamedUpstream().serve())
        world.v2 = running(NamedUpstream().serve())
        world.secure = running(NamedTlsUpstream(server_context(upstream_pair)).serve())
        world.http2 = running(NamedHttp2Upstream().serve())
        world.securehttp2 = running(NamedHttp2Upstream(server_context(upstream_pair, alpn=["h2"])).serve())
        world.passed = running(NamedTlsUpstream(server_context(upstream_pair)).serve())
        world.passed_echo = running(RawServer(echo, server_context(authority.issue(PASSED_ECHO))))
        world.tcp = running(RawServer(echo))
        world.named_tcp = running(RawServer(serve_named_tcp))
        texts = {"all.yaml": documents_of(world, authority, documents.mesh_config(proxyProtocol={}))}
        numbers = (443, 8080, TCP, NAMED_TCP, TLS_TCP)
        folder = tmp_path_factory.mktemp("proxy-protocol")
        world.gateway = stack.enter_context(Gateway(folder, texts, service_ports=numbers, concurrency=2))
        yield world


@pytest.fixture(name="gateway")
def check_gateway(world):
    """No test but those of bad headers may make one count."""
    before = failures(world.gateway)
    yield world.gateway
    world.gateway.check_health()
    assert failures(world.gateway) == before


def failures(gateway):
    return gateway.metric("sluice_proxy_header_failures_total")


def text_of(address):
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"


def connect(gateway, host, header, *, tls=False, number=None):
    return Client(gateway.port(number or (443 if tls else 8080)), host, tls=tls, prelude=header)


def connect_http2(gateway, host, header, *, tls=False):
    return Http2Client(gateway.port(443 if tls else 8080), host, tls=tls, prelude=header)


KINDS = {
    "http1": lambda *arguments: connect(*arguments),
    "https1": lambda *arguments: connect(*arguments, tls=True),
    "http2": lambda *arguments: connect_http2(*arguments),
    "https2": lambda *arguments: connect_http2(*arguments, tls=True),
}
EVERY_KIND = pytest.mark.parametrize("open_client", KINDS.values(), ids=list(KINDS))


# --- what a load balancer says ---


@EVERY_HEADER
@EVERY_KIND
def test_client_is_whom_the_header_names(world, gateway, header, open_client):
    data, client, server = header
    start = len(gateway.access_lines())
    with contextlib.closing(open_client(gateway, APP, data)) as connection:
        own = connection.socket.getsockname()
        ip = (client or own)[0]
        for number in (1, 2):  # the header is of the connection, not of a request
            assert connection.request("GET", f"/{number}").status == 200
            request = world.app.requests[-1]
            assert request.all("x-forwarded-for") == [ip]
            assert request.all("x-envoy-external-address") == [ip]
        line = gateway.wait_for_access_line('"GET /2 ', start=start)
        assert f" {text_of(server or connection.socket.getpeername())} {text_of(client or own)} " in line


@pytest.mark.parametrize("kind", ["plain", "terminated", "passed"])
@EVERY_HEADER
def test_connections_without_http_too(gateway, header, kind):
    data, client, server = header
    number, host, tls = {
        "plain": (TCP, APP, None),
        "terminated": (TLS_TCP, APP, tls_context(alpn=())),
        "passed": (443, PASSED_ECHO, tls_context(alpn=())),
    }[kind]
    start = len(gateway.access_lines())
    with connect(gateway, host, data, tls=tls, number=number) as connection:
        expected = (
            text_of(server or connection.socket.getpeername()),
            text_of(client or connection.socket.getsockname()),
        )
        connection.send(b"what the client says")
        got = b""
        while len(got) < 20:
            got += connection.socket.recv(100)
        assert got == b"what the client says"
    assert gateway.wait_for_access_line(" ".join(expected), start=start)


@pytest.mark.parametrize("name", ["v1", "v2", "v2-tlvs"])
def test_pieces_may_come_one_by_one(gateway, name):
    data, client, _ = HEADERS[name]
    start = len(gateway.access_lines())
    with connect(gateway, APP, b"") as connection:
        for at in range(min(len(data), 200)):
            connection.send(data[at : at + 1])
        connection.send(data[200:])
        assert connection.request("GET", "/pieces").status == 200
    assert f" {text_of(client)} " in gateway.wait_for_access_line('"GET /pieces', start=start)


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_client_hello_may_come_with_the_header(gateway, size):
    """In pieces of any size, also of both."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = tls_context().wrap_bio(incoming, outgoing, server_hostname=APP)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    data = HEADERS["v1"][0] + outgoing.read()
    with connect(gateway, APP, b"", number=443) as connection:
        for at in range(0, len(data), size):
            connection.send(data[at : at + size])
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                incoming.write(connection.socket.recv(65536))
        connection.send(outgoing.read())
    assert tls.version() == "TLSv1.3"


@pytest.mark.parametrize("scheme, number", [("http", 8080), ("https", 443)])
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_curl(world, gateway, scheme, number, version):
    where = {"host": APP, "port": gateway.port(number)}
    url = f"{scheme}://{APP}:{where['port']}/curl"
    version = "--http2-prior-knowledge" if (scheme, version) == ("http", "--http2") else version
    trust = ["--cacert", str(world.authority.file)]
    shown = curl("--haproxy-protocol", version, *trust, "-w", "%{http_code}", url, **where)
    assert shown.stdout == "hello200", shown
    assert world.app.requests[-1].all("x-forwarded-for") == [LOOPBACK]


def test_curl_without_a_header_gets_nothing(world):
    gateway = world.gateway
    before = failures(gateway)
    where = {"host": APP, "port": gateway.port(443)}
    refused = curl("-k", f"https://{APP}:{where['port']}/", **where)
    assert (refused.returncode, refused.stdout) == (35, ""), refused
    assert failures(gateway) == before + 1


@pytest.mark.parametrize("number", [8080, 443, TCP, TLS_TCP])
@pytest.mark.parametrize("bad", BAD_HEADERS.values(), ids=list(BAD_HEADERS))
def test_bad_header_ends_the_connection_without_an_answer(world, bad, number):
    data, reason = bad
    gateway = world.gateway
    before, start = failures(gateway), len(gateway.access_lines())
    begin = time.monotonic()
    with connect(gateway, APP, b"", number=number) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(data)
        assert connection.read_to_end() == b""
    assert time.monotonic() - begin < HANDSHAKE_SECONDS / 2
    pattern = re.compile(rf" 0 DPE proxy_header_failed {reason} .* {LOOPBACK}:{gateway.port(number)} {LOOPBACK}:\d+ ")
    assert wait_until(lambda: any(pattern.search(line) for line in gateway.access_lines()[start:]))
    assert failures(gateway) == before + 1
    assert gateway.metric("sluice_tls_handshake_failures_total") == 0


@pytest.mark.parametrize("number", [8080, 443, TCP, TLS_TCP])
def test_probes_make_no_noise(world, gateway, number):
    """A load balancer looks whether somebody listens, and perhaps says that it does."""
    start, log, count = len(gateway.access_lines()), gateway.log, world.tcp.count
    accepted = gateway.metric("sluice_downstream_connections_total")
    for header in (b"", HEADERS["v2-local"][0]):
        for end in (Client.close, Client.reset):
            if header and number in (TCP, TLS_TCP):
                continue  # bytes could follow: they have a destination, to which it is connected
            connection = connect(gateway, APP, header, number=number)
            end(connection)
    assert wait_until(lambda: gateway.metric("sluice_downstream_connections_total") > accepted + 1)
    assert wait_until(lambda: not established(gateway.port(number)))
    assert (gateway.access_lines()[start:], gateway.log, world.tcp.count) == ([], log, count)
    assert gateway.metric("sluice_tls_handshake_failures_total") == 0


def established(port):
    """Whether a connection to this port is still open on the gateway's side."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return any(row[1].endswith(f":{port:04X}") and row[3] in ("01", "08") for row in rows)


def test_slow_header_times_out(world):
    """Whoever says nothing, or not enough, on whatever port, is gone after the time that handshakes have."""
    gateway = world.gateway
    before = failures(gateway)
    begin = time.monotonic()
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(
                Client(gateway.port(number), APP, prelude=some, timeout=HANDSHAKE_SECONDS + IO_SECONDS)
            )
            for number in (8080, 443, TCP, TLS_TCP)
            for some in (b"", HEADERS["v1"][0][:-1], HEADERS["v2-tlvs"][0][:-1])
        ]
        for client in clients:
            assert client.read_to_end() == b""
            assert HANDSHAKE_SECONDS - 1 < time.monotonic() - begin < HANDSHAKE_SECONDS + 5 * FACTOR
    assert failures(gateway) == before + len(clients)


def test_proxies_before_the_load_balancer_are_trusted_behind_the_header(world, tmp_path):
    """numTrustedProxies counts from the client that the header names; a reload changes what connections begin with."""
    texts = {"all.yaml": documents_of(world, world.authority)}
    claim = [("x-forwarded-for", "192.0.2.1")]
    numbers = (443, 8080, TCP, NAMED_TCP, TLS_TCP)
    with Gateway(tmp_path, texts, service_ports=numbers) as gateway:
        with connect(gateway, APP, b"") as before:
            assert before.request("GET", "/").status == 200
            with connect(gateway, APP, HEADERS["v1"][0]) as refused:
                assert refused.read_response().status == 501, "PROXY is no method that anybody knows"
            mesh = documents.mesh_config(proxyProtocol={}, numTrustedProxies=1)
            gateway.write("all.yaml", documents_of(world, world.authority, mesh))
            gateway.reload()
            assert gateway.admin_json("/config_dump")["snapshot"]["gatewayTopology"]["proxyProtocol"] is True
            assert before.request("GET", "/", claim).status == 200, "a connection stays what it is"
        assert world.app.requests[-1].all("x-envoy-external-address") == ["192.0.2.1"]
        with connect(gateway, APP, HEADERS["v1"][0]) as client:
            assert client.request("GET", "/", claim).status == 200
            request = world.app.requests[-1]
            assert request.all("x-forwarded-for") == [f"192.0.2.1,{CLIENT[0]}"]
            assert request.all("x-envoy-external-address") == ["192.0.2.1"]


# --- what upstreams are told ---


def clients_header(number):
    """As the load balancer names client `number`, and as an upstream is to hear it."""
    source = (f"203.0.113.{number}", 5000 + number)
    return proxy_header.v1(source, SERVER), source


def last_named(upstream):
    return upstream.named[max(upstream.named)]


@pytest.mark.parametrize(
    "host, upstream, version",
    [
        (V1, "v1", 1),
        (V2, "v2", 2),
        (SECURE, "secure", 1),
        (HTTP2, "http2", 2),
        (SECURE_HTTP2, "securehttp2", 2),
    ],
)
@EVERY_KIND
def test_upstream_is_told_the_client_of_every_request(world, gateway, host, upstream, version, open_client):
    upstream = getattr(world, upstream)
    with contextlib.ExitStack() as stack:
        clients = []
        for number in (1, 2):
            header, source = clients_header(number)
            clients.append((stack.enter_context(contextlib.closing(open_client(gateway, host, header))), source))
        for client, source in (clients[0], clients[1], clients[0], clients[0], clients[1]):
            before = len(upstream.connections)
            assert client.request("GET", "/").status == 200
            assert len(upstream.connections) == before + 1, "no connection serves two requests"
            assert last_named(upstream) == (version, source, SERVER)
            assert upstream.requests[-1].all("x-forwarded-for") == [source[0]]
    assert upstream.wait_for(lambda: not upstream.open_connections), "none is kept"


def test_requests_of_one_connection_at_a_time_are_told_apart(world, gateway):
    """Streams of two clients, side by side, none of them answered before all are there."""
    with contextlib.ExitStack() as stack:
        clients = []
        for number in (3, 4):
            header, source = clients_header(number)
            client = stack.enter_context(contextlib.closing(connect_http2(gateway, HTTP2, header, tls=True)))
            clients.append((client, source))
        before = len(world.http2.requests)

        def answer(stream):
            world.http2.wait_for(lambda: len(world.http2.requests) == before + 10)
            stream.respond(body=str(world.http2.named[stream.connection.number][1]).encode())

        with world.http2.answering(answer):
            streams = [(client, client.open("GET", "/"), source) for _ in range(5) for client, source in clients]
            for client, stream, source in streams:
                assert client.read_response(stream).body == str(source).encode()


def test_upstream_that_speaks_first_is_told_at_once(world, gateway):
    header, source = clients_header(5)
    with connect(gateway, APP, header, number=NAMED_TCP) as client:
        assert client.socket.recv(100) == b"ready\n"
        assert world.named_connections[-1] == (2, source, SERVER)
        client.send(b"hello")
        assert client.socket.recv(100) == b"hello"


def test_passed_tls_follows_the_header(world, gateway):
    header, source = clients_header(6)
    context = tls_context(ca_file=str(world.authority.file), alpn=())
    with connect(gateway, PASSED, header, tls=context) as client:
        assert client.request("GET", "/").body == b"hello"
    assert last_named(world.passed) == (1, source, SERVER)


def test_own_addresses_are_told_of_whom_the_load_balancer_does_not_name(world, gateway):
    with connect(gateway, V2, HEADERS["v2-local"][0]) as client:
        assert client.request("GET", "/").status == 200
        own = (2, client.socket.getsockname(), client.socket.getpeername())
        assert last_named(world.v2) == own


def test_mirrors_are_told_too(world, gateway):
    header, source = clients_header(7)
    before = len(world.v2.requests)
    with connect(gateway, MIRRORED, header) as client:
        assert client.request("POST", "/", body=b"x" * 100_000).status == 200
    assert last_named(world.v1) == (1, source, SERVER)
    world.v2.wait_for_requests(before + 1)
    assert last_named(world.v2) == (2, source, SERVER)
    assert world.v2.requests[-1].get("host").startswith(MIRRORED + "-shadow")


def test_every_attempt_is_told(world, gateway):
    header, source = clients_header(8)
    before = len(world.v1.connections)
    with world.v1.answering(lambda peer, _: peer.respond(503)), connect(gateway, RETRIED, header) as client:
        assert client.request("GET", "/").status == 503
    assert len(world.v1.connections) == before + 3
    assert [world.v1.named[before + number] for number in range(3)] == [(1, source, SERVER)] * 3


def test_upgraded_connection_begins_with_it(world, gateway):
    header, source = clients_header(9)

    def switch(peer, _):
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
        peer.send(peer.socket.recv(100))
        peer.close()

    with world.v1.answering(switch), connect(gateway, V1, header) as client:
        client.send_head("GET", "/", [("connection", "upgrade"), ("upgrade", "echo")])
        assert client.read_response().status == 101
        client.send(b"through")
        assert client.read_to_end() == b"through"
    assert last_named(world.v1) == (1, source, SERVER)


def test_nobody_is_told_without_a_rule(gateway):
    header, _ = clients_header(10)
    with connect(gateway, APP, header) as client:
        assert client.request("GET", "/").body == b"hello"
    with contextlib.closing(socket.create_connection((LOOPBACK, gateway.port(TCP)), timeout=IO_SECONDS)) as plain:
        plain.sendall(header + b"x")
        assert plain.recv(100) == b"x"

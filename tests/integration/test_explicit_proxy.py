"""The explicit proxy (issue 7): absolute-form requests and CONNECT, who may use it, and where it does not go."""

import base64
import contextlib
import re
import socket
import ssl
import types

import pytest

from harness import documents, namespaces, pattern, ports
from harness.authority import Authority
from harness.client import tls_context
from harness.gateway import Gateway, wait_until
from harness.http2_client import ErrorCodes, StreamReset
from harness.limits import IO_SECONDS, MIB
from harness.namespaces import CLIENT, FIRST, METADATA, PRIVATE, SECOND, TO_CLIENT
from harness.proxy_client import Conversation, Http2Tunnel, Proxy, basic
from harness.raw import digest_of_all
from harness.scripted_names import FAILS
from harness.surroundings import ECHO, GREETING, HTTP, HTTP2, MAIL, TLS, Surroundings

WWW, SECOND_HOST, SIX = "www.example.com", "second.example.com", "six.example.com"
PROXY_HOST = "proxy.example.com"
SIZE = 8 * MIB
VERSIONS = pytest.mark.parametrize("version", ["http1", "http2"])
ECHOING = f"{WWW}:{ECHO}"
TLS_OPENING = b"\x16\x03\x01"

NAMES = {
    WWW: list(FIRST),
    SECOND_HOST: [SECOND[0]],
    SIX: [SECOND[1]],
    "fails.example.com": FAILS,
    "nothing.example.com": [],
    "registered.example.com": [FIRST[0]],
    "inner.example.com": [PRIVATE[0]],
    # What must not be gone to, unless it is registered.
    "private.example.com": [PRIVATE[0]],
    "private-six.example.com": [PRIVATE[1]],
    "loopback.example.com": ["127.0.0.1"],
    "loopback-six.example.com": ["::1"],
    "metadata.example.com": [METADATA],
    "mapped.example.com": ["::ffff:127.0.0.1"],
    "zero.example.com": ["0.0.0.0"],
    "zero-six.example.com": ["::"],
    "link-local.example.com": ["fe80::1"],
    "shared.example.com": ["100.64.0.1"],
}
FORBIDDEN_NAMES = list(NAMES)[list(NAMES).index("private.example.com") :]


def entry(name, host, resolution, number=HTTP, protocol="HTTP", **more):
    port = {"number": number, "name": f"{protocol}-{number}".lower(), "protocol": protocol}
    spec = {"hosts": [host], "ports": [port], "location": "MESH_EXTERNAL", "resolution": resolution}
    return documents.document("ServiceEntry", name, spec | more)


REGISTRY = documents.join(
    entry("registered", "registered.example.com", "DNS"),
    entry("registered-tls", "registered.example.com", "DNS", TLS, "TLS"),
    entry("inner", "inner.example.com", "DNS"),
    entry("static", "static.example.com", "STATIC", endpoints=[{"address": PRIVATE[0]}]),
    entry("routed", "routed.example.com", "STATIC", endpoints=[{"address": SECOND[0]}]),
    documents.document(
        "VirtualService",
        "routed",
        {
            "hosts": ["routed.example.com"],
            "gateways": ["mesh"],
            "http": [
                {
                    "match": [{"uri": {"prefix": "/moved"}}],
                    "redirect": {"uri": "/here"},
                },
                {
                    "headers": {"request": {"set": {"x-route": "mesh"}}},
                    "route": [{"destination": {"host": "routed.example.com", "port": {"number": HTTP}}}],
                },
            ],
        },
    ),
)


@pytest.fixture(scope="module", name="authority")
def make_authority():
    return Authority("Outside CA")


@pytest.fixture(scope="module", name="around")
def make_around(authority):
    """What the proxies of this module have around them."""
    if reason := namespaces.obstacle():
        pytest.skip(reason)
    with Surroundings(authority) as around:
        around.names.records = dict(NAMES)
        yield around


def start(around, folder, annotations=None, documents_too=(), **mesh):
    """A gateway with a proxy in the world: (the Gateway, not started yet; the proxy's port)."""
    with around.gateway.entered():
        port = ports.free_port()
    texts = {
        "mesh.yaml": documents.mesh(annotations, proxyHttpPort=port, **mesh),
        "registry.yaml": documents.join(REGISTRY, *documents_too),
    }
    sluice = Gateway(
        folder,
        texts,
        namespace=around.gateway,
        concurrency=2,
        extra_arguments=("--dns-servers", around.name_server),
    )
    return sluice, port


@pytest.fixture(scope="module", name="shared")
def make_shared(around, tmp_path_factory):
    """A proxy without annotations: `sluice`, `proxy`."""
    sluice, port = start(around, tmp_path_factory.mktemp("proxy"))
    with sluice:
        yield types.SimpleNamespace(sluice=sluice, proxy=Proxy(around.gateway, port))


@pytest.fixture(name="sluice")
def make_sluice(shared):
    shared.sluice.check_health()
    yield shared.sluice
    shared.sluice.check_health()


@pytest.fixture(name="proxy")
def make_proxy(shared, sluice):  # pylint: disable=unused-argument
    return shared.proxy


@pytest.fixture(scope="module", name="closed")
def make_closed(around, tmp_path_factory):
    """The same where only the registry counts."""
    mesh = {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}
    sluice, port = start(around, tmp_path_factory.mktemp("closed"), **mesh)
    with sluice:
        yield types.SimpleNamespace(sluice=sluice, proxy=Proxy(around.gateway, port))


@pytest.fixture(name="own")
def make_own(around, tmp_path):
    """own(annotations, documents, ...) starts a gateway: its `proxy` is a Proxy on 127.0.0.1."""
    with contextlib.ExitStack() as stack:

        def make(annotations=None, documents_too=(), tls=None, **mesh):
            sluice, port = start(around, tmp_path / "gateway", annotations, documents_too, **mesh)
            stack.enter_context(sluice)
            sluice.proxy = Proxy(around.gateway, port, tls=tls, name=PROXY_HOST)
            return sluice

        yield make


def told(response):
    """What tell() says: [address reached, address of who asked, Host, target]."""
    assert response is not None and response.status == 200, response
    return response.body.decode().split()


def status_of(proxy, how, host, number=HTTP):
    """Of an absolute-form request or of a CONNECT by either version."""
    if how == "absolute":
        return proxy.get(f"http://{host}/" if number == HTTP else f"http://{host}:{number}/").status
    return proxy.tunnel(f"{host}:{number}", version=how).status


def server_count(server):
    """Of the connections that came."""
    return server.count if hasattr(server, "count") else len(server.connections)


HOWS = pytest.mark.parametrize("how", ["absolute", "http1", "http2"])


# --- requests in absolute form ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri, reached, host, target",
    [
        (f"http://{WWW}/a?b=c", FIRST, WWW, "/a?b=c"),
        (f"http://{WWW}:80/", FIRST, WWW, "/"),
        (f"http://{WWW}", FIRST, WWW, "/"),
        (f"http://{WWW}?query", FIRST, WWW, "/?query"),
        (f"HTTP://{WWW.upper()}/", FIRST, WWW, "/"),
        (f"http://{SIX}/", [SECOND[1]], SIX, "/"),
        (f"http://{FIRST[0]}/", [FIRST[0]], FIRST[0], "/"),
        (f"http://[{FIRST[1]}]/", [FIRST[1]], f"[{FIRST[1]}]", "/"),
    ],
)
def test_absolute_form_reaches_the_host_of_its_uri(proxy, uri, reached, host, target):
    where, _, seen_host, seen_target = told(proxy.get(uri))
    assert where in reached and seen_target == target
    assert seen_host.lower().removesuffix(":80") == host


def test_uri_wins_over_the_host_field(proxy, around):
    """RFC 9112 3.2.2: a proxy replaces Host by what the URI says."""
    where, _, host, _ = told(proxy.get(f"http://{WWW}/", host=SECOND_HOST))
    assert where in FIRST and host == WWW
    assert all(request.get("host") == WWW for request in around.http.requests[-1:])


def test_fields_for_the_proxy_stay_with_it(proxy, around):
    proxy.get(f"http://{WWW}/", [("proxy-connection", "keep-alive"), ("te", "gzip"), basic("a", "b"), ("x-kept", "1")])
    request = around.http.requests[-1]
    assert "proxy-connection" not in request and "proxy-authorization" not in request
    assert request.get("x-kept") == "1"


def test_requests_of_one_connection_may_be_for_several_hosts(proxy):
    with proxy.connect() as client:
        for host, reached in ((WWW, FIRST), (SECOND_HOST, SECOND), (WWW, FIRST), (SIX, SECOND)):
            assert told(client.request("GET", f"http://{host}/", host=host))[0] in reached


def test_content_passes_both_ways(proxy, around):
    def script(peer, request):
        peer.respond(body=peer.read_body(request).body[::-1])

    body = b"".join(pattern.blocks(MIB))
    with around.http.answering(script), proxy.connect() as client:
        assert client.request("POST", f"http://{WWW}/", body=body, host=WWW).body == body[::-1]


def test_absolute_form_over_http2(proxy):
    """There the URI is in :scheme and :authority (RFC 9113 8.3.1)."""
    with proxy.connect_http2() as client:
        streams = [client.open("GET", f"/{index}", host=WWW, scheme="http") for index in range(10)]
        for index, stream in enumerate(streams):
            response = client.read_response(stream)
            assert response.status == 200
            where, _, host, target = bytes(response.body).decode().split()
            assert (where in FIRST, host, target) == (True, WWW, f"/{index}")


def test_request_is_logged(proxy, sluice):
    lines = len(sluice.access_lines())
    proxy.get(f"http://{SECOND_HOST}/logged")
    line = sluice.wait_for_access_line("/logged", start=lines)
    assert re.search(r'"GET \S*/logged HTTP/1.1" 200 - ', line), line
    assert f'"{SECOND_HOST}" "{SECOND[0]}:{HTTP}" PassthroughCluster ' in line, line


def test_registered_host_takes_the_route_for_the_mesh(proxy, around):
    where = told(proxy.get("http://routed.example.com/"))[0]
    assert where == SECOND[0] and around.http.requests[-1].get("x-route") == "mesh"
    response = proxy.get("http://routed.example.com/moved")
    assert (response.status, response.get("location")) == (301, "http://routed.example.com/here")


# --- tunnels ---------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("host", [WWW, SECOND_HOST, FIRST[0], f"[{FIRST[1]}]"])
def test_tunnel_carries_bytes(proxy, version, host):
    with contextlib.closing(proxy.tunnel(f"{host}:{ECHO}", version=version)) as tunnel:
        assert tunnel.status == 200
        for text in (b"a", b"\x00 anything\n", b"\r\n\r\n", bytes(range(256))):
            tunnel.sendall(text)
            assert tunnel.read_exactly(len(text)) == text


@VERSIONS
def test_tunnel_carries_tls_of_the_server(proxy, around, sluice, version):
    """The client trusts the outside's CA only: the handshake proves that nobody is in between."""
    lines = len(sluice.access_lines())
    context = tls_context(ca_file=str(around.authority.file), alpn=())
    with contextlib.closing(proxy.tunnel(f"{WWW}:{TLS}", version=version)) as tunnel:
        inside = Conversation(tunnel.begin_tls(WWW, context), WWW)
        for target in ("/one", "/two"):
            where, _, host, seen = told(inside.request("GET", target))
            assert (where in FIRST, host, seen) == (True, WWW, target)
    line = sluice.wait_for_access_line(f":{tunnel.local_port} ", start=lines)
    assert f'"{WWW}:{TLS}"' in line, line
    assert re.search(r'"CONNECT \S+ HTTP/\S+" 200 - ', line) and " PassthroughCluster " in line, line


@VERSIONS
def test_tunnel_carries_plain_http(proxy, version):
    with contextlib.closing(proxy.tunnel(f"{WWW}:{HTTP}", version=version)) as tunnel:
        inside = Conversation(tunnel, WWW)
        assert told(inside.request("GET", "/one"))[3] == "/one"
        assert told(inside.request("GET", "/two"))[3] == "/two"


@VERSIONS
def test_tunnel_to_a_server_that_speaks_first(proxy, version):
    with contextlib.closing(proxy.tunnel(f"{WWW}:{MAIL}", version=version)) as tunnel:
        assert tunnel.read_exactly(len(GREETING)) == GREETING
        tunnel.sendall(b"EHLO client\r\n")
        assert tunnel.read_exactly(13) == b"EHLO client\r\n"


@VERSIONS
def test_bytes_that_follow_at_once_are_the_tunnels(proxy, version):
    """RFC 9110 9.3.6 lets a client send before it knows; nobody else may take these bytes for a request."""
    early = b"GET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with contextlib.closing(proxy.tunnel(ECHOING, version=version, early=early)) as tunnel:
        assert tunnel.status == 200
        assert tunnel.read_exactly(len(early)) == early


@VERSIONS
def test_large_content_is_exact_in_both_directions(proxy, version):
    with contextlib.closing(proxy.tunnel(ECHOING, version=version)) as tunnel:

        def pieces():
            left = 0
            for block in pattern.blocks(SIZE):
                tunnel.sendall(block)
                left += len(block)
                while left > 4 * pattern.BLOCK:
                    piece = tunnel.recv(2 * pattern.BLOCK)
                    left -= len(piece)
                    yield piece
            while left > 0 and (piece := tunnel.recv(65536)):
                left -= len(piece)
                yield piece

        assert pattern.digest_of(pieces()) == pattern.digest(SIZE)


@pytest.fixture(name="outside_does")
def make_outside_does(around):
    """outside_does(serve): what the echo server does instead."""
    before = around.echo.serve

    def change(serve):
        around.echo.serve = serve

    yield change
    around.echo.serve = before


@VERSIONS
def test_client_may_end_first_and_still_get_the_answer(proxy, outside_does, version):
    def listen(connection):
        count, digest = digest_of_all(connection)
        connection.sendall(f"{count} {digest}".encode())

    outside_does(listen)
    with contextlib.closing(proxy.tunnel(ECHOING, version=version)) as tunnel:
        for block in pattern.blocks(SIZE):
            tunnel.sendall(block)
        tunnel.end_writing()
        answer = tunnel.read_to_end().decode()
    count, digest = pattern.digest(SIZE)
    assert answer == f"{count} {digest}"


@VERSIONS
def test_server_may_end_first_and_still_be_told(proxy, outside_does, version):
    heard = []

    def speak(connection):
        connection.sendall(b"that is all")
        connection.shutdown(socket.SHUT_WR)
        heard.append(digest_of_all(connection))

    outside_does(speak)
    with contextlib.closing(proxy.tunnel(ECHOING, version=version)) as tunnel:
        assert tunnel.read_to_end() == b"that is all"
        for block in pattern.blocks(SIZE):
            tunnel.sendall(block)
        tunnel.end_writing()
        assert wait_until(lambda: heard) == [pattern.digest(SIZE)]


@VERSIONS
def test_client_that_resets_takes_the_server_with_it(proxy, outside_does, version):
    ends = []

    def wait_for_end(connection):
        try:
            while connection.recv(65536):
                connection.sendall(b"x")
            ends.append("end")
        except ConnectionResetError:
            ends.append("reset")

    outside_does(wait_for_end)
    tunnel = proxy.tunnel(ECHOING, version=version)
    tunnel.sendall(b"half of it")
    assert tunnel.read_exactly(1) == b"x"
    if version == "http1":
        tunnel.client.reset()
    else:
        tunnel.reset()
    assert wait_until(lambda: ends) == ["reset"]
    tunnel.close()


@VERSIONS
def test_server_that_resets_is_no_end(proxy, outside_does, version):
    """The client must not take what it has for everything."""

    def reset(connection):
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    outside_does(reset)
    with contextlib.closing(proxy.tunnel(ECHOING, version=version)) as tunnel:
        tunnel.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            tunnel.read_to_end()


def test_tunnels_of_one_http2_connection_are_apart(proxy):
    with proxy.connect_http2() as client:
        tunnels = [Http2Tunnel(client, ECHOING) for _ in range(20)]
        for index, tunnel in enumerate(tunnels):
            tunnel.sendall(b"%08d" % index)
        for index, tunnel in enumerate(tunnels):
            assert tunnel.read_exactly(8) == b"%08d" % index
        tunnels[0].reset()
        tunnels[1].end_writing()
        assert tunnels[1].read_to_end() == b""
        tunnels[2].sendall(b"still here")
        assert tunnels[2].read_exactly(10) == b"still here"
        assert told(client.request("GET", "/", host=WWW, scheme="http"))[0] in FIRST


@VERSIONS
def test_port_where_nobody_listens_is_told(proxy, sluice, version):
    lines = len(sluice.access_lines())
    tunnel = proxy.tunnel(f"{WWW}:9", version=version)
    assert tunnel.status == 503
    line = sluice.wait_for_access_line(f":{tunnel.local_port} ", start=lines)
    assert re.search(r'" 503 \S*UF', line), line


def test_connection_goes_on_after_a_refused_connect(proxy):
    with proxy.connect() as client:
        client.send_head("CONNECT", f"missing.example.com:{ECHO}", host=f"missing.example.com:{ECHO}")
        response = client.read_response("GET")
        assert response.status == 503
        if response.get("connection") != "close":
            assert told(client.request("GET", f"http://{WWW}/", host=WWW))[0] in FIRST


# --- where it listens ------------------------------------------------------------------------------


def test_only_the_loopback_interface_is_listened_on(around, shared):
    for address in ("127.0.0.1", "::1"):
        assert told(Proxy(around.gateway, shared.proxy.port, address).get(f"http://{WWW}/"))[0] in FIRST
    for address in TO_CLIENT:
        with pytest.raises(ConnectionRefusedError):
            Proxy(around.client, shared.proxy.port, address).connect()


def test_other_addresses_by_annotation(around, own):
    sluice = own({"sluice.io/proxy-bind": ",".join(TO_CLIENT)})
    for address, client in zip(TO_CLIENT, CLIENT):
        proxy = Proxy(around.client, sluice.proxy.port, address)
        lines = len(sluice.access_lines())
        assert told(proxy.get(f"http://{WWW}/"))[0] in FIRST
        assert client in sluice.wait_for_access_line('"GET ', start=lines)
    with pytest.raises(ConnectionRefusedError):
        sluice.proxy.connect()


# --- who may use it --------------------------------------------------------------------------------

CREDENTIALS = {"sluice.io/proxy-credentials": "proxy-users"}


def users(username="alice", password="open sesame: ü"):
    text = {"username": username, "password": password}
    return documents.document(
        "Secret", "proxy-users", namespace="istio-system", type="kubernetes.io/basic-auth", stringData=text
    )


@pytest.fixture(scope="module", name="guarded")
def make_guarded(around, tmp_path_factory):
    sluice, port = start(around, tmp_path_factory.mktemp("guarded"), CREDENTIALS, [users()])
    with sluice:
        yield types.SimpleNamespace(sluice=sluice, proxy=Proxy(around.gateway, port))


GOOD = basic("alice", "open sesame: ü")
WRONG = {
    "none": [],
    "password": [basic("alice", "open sesame")],
    "name": [basic("bob", "open sesame: ü")],
    "case": [basic("Alice", "open sesame: ü")],
    "empty": [basic("", "")],
    "nothing": [("proxy-authorization", "")],
    "scheme": [("proxy-authorization", GOOD[1].replace("Basic", "Bearer"))],
    "base64": [("proxy-authorization", "Basic ???")],
    "colon": [("proxy-authorization", "Basic " + base64.b64encode(b"alice").decode())],
    "more": [("proxy-authorization", GOOD[1] + "AAAA")],
    "origin": [("authorization", GOOD[1])],
    "long": [("proxy-authorization", "Basic " + "A" * 4000)],
}


@pytest.mark.parametrize("fields", WRONG.values(), ids=WRONG)
@HOWS
def test_who_shows_no_credentials_is_asked_for_them(around, guarded, how, fields):
    before = len(around.http.connections)
    if how == "absolute":
        response = guarded.proxy.get(f"http://{WWW}/", fields)
    else:
        response = guarded.proxy.tunnel(f"{WWW}:{HTTP}", fields, version=how).response
    assert response.status == 407
    assert response.get("proxy-authenticate") == 'Basic realm="sluice"'
    assert len(around.http.connections) == before


@pytest.mark.parametrize("fields", [GOOD, (GOOD[0], GOOD[1].replace("Basic", "bASIC"))], ids=["as it is", "case"])
@HOWS
def test_who_shows_credentials_is_let_in(around, guarded, how, fields):
    if how == "absolute":
        assert told(guarded.proxy.get(f"http://{WWW}/", [fields]))[0] in FIRST
        assert "proxy-authorization" not in around.http.requests[-1]
    else:
        with contextlib.closing(guarded.proxy.tunnel(ECHOING, [fields], version=how)) as tunnel:
            tunnel.sendall(b"in")
            assert tunnel.read_exactly(2) == b"in"


def test_each_request_of_a_connection_shows_credentials(guarded):
    with guarded.proxy.connect() as client:
        assert client.request("GET", f"http://{WWW}/", host=WWW).status == 407
        assert client.request("GET", f"http://{WWW}/", [GOOD], host=WWW).status == 200
        assert client.request("GET", f"http://{WWW}/", host=WWW).status == 407
        assert client.request("POST", f"http://{WWW}/", host=WWW, body=b"x" * 1000).status == 407


def test_credentials_are_not_in_any_log(guarded):
    guarded.proxy.get(f"http://{WWW}/", [GOOD])
    secret = GOOD[1].removeprefix("Basic ")
    for text in (guarded.sluice.log, "\n".join(guarded.sluice.access_lines())):
        assert secret not in text and "open sesame" not in text


def test_credentials_change_with_the_secret(own):
    sluice = own(CREDENTIALS, [users()])
    assert sluice.proxy.get(f"http://{WWW}/", [GOOD]).status == 200
    sluice.write("registry.yaml", documents.join(REGISTRY, users("carol", "other")))
    sluice.reload()
    assert sluice.proxy.get(f"http://{WWW}/", [GOOD]).status == 407
    assert sluice.proxy.get(f"http://{WWW}/", [basic("carol", "other")]).status == 200


# --- over TLS --------------------------------------------------------------------------------------


@pytest.fixture(scope="module", name="people")
def make_people():
    """Who has client certificates: those of `authority` are good."""
    authority, stranger = Authority("Proxy CA"), Authority("Somebody else's CA")
    return types.SimpleNamespace(
        authority=authority,
        server=authority.issue(PROXY_HOST),
        good=authority.issue("good client"),
        foreign=stranger.issue("foreign client"),
    )


def client_context(people, pair=None, alpn=("h2", "http/1.1")):
    context = tls_context(ca_file=str(people.authority.file), alpn=alpn)
    if pair:
        context.load_cert_chain(pair.certificate_file, pair.key_file)
    return context


@pytest.fixture(name="over_tls")
def make_over_tls(own, people):
    """over_tls(mode) is a proxy that speaks TLS."""

    def make(mode=None):
        annotations = {"sluice.io/proxy-credential-name": "proxy-certs"}
        if mode:
            annotations["sluice.io/proxy-tls-mode"] = mode
        secret = {"tls.crt": people.server.certificate, "tls.key": people.server.key}
        secret |= {"ca.crt": people.authority.certificate} if mode not in (None, "SIMPLE") else {}
        return own(annotations, [documents.opaque_secret("proxy-certs", secret)])

    return make


def proxy_of(sluice, context):
    return Proxy(sluice.proxy.namespace, sluice.proxy.port, tls=context, name=PROXY_HOST)


def test_everything_over_tls(over_tls, people, around):
    sluice = over_tls()
    http1 = proxy_of(sluice, client_context(people, alpn=("http/1.1",)))
    http2 = proxy_of(sluice, client_context(people))
    assert told(http1.get(f"http://{WWW}/"))[0] in FIRST
    with http2.connect_http2() as client:
        assert client.request("GET", "/", host=WWW, scheme="http").status == 200
    context = tls_context(ca_file=str(around.authority.file), alpn=())
    for proxy, version in ((http1, "http1"), (http2, "http2")):
        with contextlib.closing(proxy.tunnel(f"{WWW}:{TLS}", version=version)) as tunnel:
            inside = Conversation(tunnel.begin_tls(WWW, context), WWW)
            assert told(inside.request("GET", "/inside"))[3] == "/inside"


def test_without_alpn_it_is_http1(over_tls, people):
    assert told(proxy_of(over_tls(), client_context(people, alpn=())).get(f"http://{WWW}/"))[0] in FIRST


def test_plain_client_gets_nothing_from_a_proxy_over_tls(over_tls):
    with over_tls().proxy.connect() as client:
        client.send(f"GET http://{WWW}/ HTTP/1.1\r\nHost: {WWW}\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            assert b"200" not in client.read_to_end()


@pytest.mark.parametrize(
    "mode, who, is_let_in",
    [
        ("SIMPLE", None, True),
        ("MUTUAL", "good", True),
        ("MUTUAL", None, False),
        ("MUTUAL", "foreign", False),
        ("OPTIONAL_MUTUAL", None, True),
        ("OPTIONAL_MUTUAL", "good", True),
        ("OPTIONAL_MUTUAL", "foreign", False),
    ],
)
def test_client_certificates(over_tls, people, mode, who, is_let_in):
    pair = getattr(people, who) if who else None
    proxy = proxy_of(over_tls(mode), client_context(people, pair, alpn=("http/1.1",)))
    if is_let_in:
        assert told(proxy.get(f"http://{WWW}/"))[0] in FIRST
        return
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        assert proxy.get(f"http://{WWW}/") is None


# --- hosts that agree ------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[None, "warn", "enforce", "off"], ids=str, name="agreement")
def make_agreement(request, around, tmp_path_factory):
    """A proxy for each mode, and none given: `mode`, `sluice`, `proxy`."""
    annotations = {"sluice.io/host-agreement": request.param} if request.param else None
    sluice, port = start(around, tmp_path_factory.mktemp("agreement"), annotations)
    with sluice:
        yield types.SimpleNamespace(mode=request.param or "warn", sluice=sluice, proxy=Proxy(around.gateway, port))


class Logs:
    """What the logs say of the one tunnel that is made meanwhile."""

    def __init__(self, sluice):
        self._sluice = sluice
        self._start, self._lines = len(sluice.log), len(sluice.access_lines())

    def line(self, tunnel):
        return self._sluice.wait_for_access_line(f":{tunnel.local_port} ", start=self._lines)

    def mention_mismatch(self, tunnel):
        return "host_mismatch" in self.line(tunnel) + self._sluice.log[self._start :]

    def fit(self, mode, tunnel, *, passed):
        """After the tunnel's end, of which `passed` is what happened to what did not agree."""
        if mode == "enforce":
            assert not passed, "the tunnel was not closed"
            assert "host_mismatch" in self.line(tunnel)
        else:
            assert passed, "the tunnel was closed"
            assert self.mention_mismatch(tunnel) == (mode == "warn")


def handshake(around, tunnel, name):
    """Whether it succeeds."""
    try:
        inside = Conversation(tunnel.begin_tls(name, tls_context(ca_file=str(around.authority.file), alpn=())), name)
        return told(inside.request("GET", "/"))[0] in FIRST
    except (OSError, AssertionError):
        return False


@VERSIONS
def test_server_name_that_differs(around, agreement, version):
    logs, before = Logs(agreement.sluice), len(around.tls.handshakes)
    with contextlib.closing(agreement.proxy.tunnel(f"{WWW}:{TLS}", version=version)) as tunnel:
        assert tunnel.status == 200
        passed = handshake(around, tunnel, SECOND_HOST)
    logs.fit(agreement.mode, tunnel, passed=passed)
    if agreement.mode == "enforce":
        assert len(around.tls.handshakes) == before


@VERSIONS
def test_host_field_that_differs(around, agreement, version):
    logs, before = Logs(agreement.sluice), len(around.http.requests)
    with contextlib.closing(agreement.proxy.tunnel(f"{WWW}:{HTTP}", version=version)) as tunnel:
        try:
            response = Conversation(tunnel, SECOND_HOST).request("GET", "/")
        except ConnectionError:
            response = None
    logs.fit(agreement.mode, tunnel, passed=response is not None and response.status == 200)
    if agreement.mode == "enforce":
        assert len(around.http.requests) == before


def test_opening_in_single_bytes_hides_nothing(around, agreement):
    logs = Logs(agreement.sluice)

    class Slow:
        """Sends byte by byte."""

        def __init__(self, tunnel):
            self.recv = tunnel.recv
            self._tunnel = tunnel

        def sendall(self, data):
            for byte in data:
                self._tunnel.sendall(bytes([byte]))

    with contextlib.closing(agreement.proxy.tunnel(f"{WWW}:{HTTP}")) as tunnel:
        tunnel.client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            response = Conversation(Slow(tunnel), SECOND_HOST).request("GET", "/")
        except ConnectionError:
            response = None
    logs.fit(agreement.mode, tunnel, passed=response is not None and response.status == 200)


@pytest.mark.parametrize(
    "target, name",
    [(f"{WWW}:{TLS}", WWW), (f"{WWW.upper()}:{TLS}", WWW), (f"{WWW}:{TLS}", WWW.upper()), (f"{WWW}.:{TLS}", WWW)],
)
def test_names_that_agree_are_never_mentioned(around, agreement, target, name):
    logs = Logs(agreement.sluice)
    with contextlib.closing(agreement.proxy.tunnel(target)) as tunnel:
        assert tunnel.status == 200
        assert handshake(around, tunnel, name)
    assert not logs.mention_mismatch(tunnel)


@pytest.mark.parametrize("host", [WWW, f"{WWW}:{HTTP}", WWW.upper()])
def test_host_fields_that_agree_are_never_mentioned(agreement, host):
    logs = Logs(agreement.sluice)
    with contextlib.closing(agreement.proxy.tunnel(f"{WWW}:{HTTP}")) as tunnel:
        assert Conversation(tunnel, host).request("GET", "/").status == 200
    assert not logs.mention_mismatch(tunnel)


@pytest.mark.parametrize("number", [ECHO, MAIL])
def test_what_is_neither_tls_nor_http_has_nothing_to_agree(agreement, number):
    with contextlib.closing(agreement.proxy.tunnel(f"{WWW}:{number}")) as tunnel:
        if number == MAIL:
            assert tunnel.read_exactly(len(GREETING)) == GREETING
        tunnel.sendall(b"\x00 anything\n")
        assert tunnel.read_exactly(11) == b"\x00 anything\n"


# --- where it does not go --------------------------------------------------------------------------

FORBIDDEN_ADDRESSES = [
    "127.0.0.1",
    "127.1.2.3",
    "[::1]",
    "0.0.0.0",
    "[::]",
    "localhost",
    "LOCALHOST",
    PRIVATE[0],
    f"[{PRIVATE[1]}]",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "100.64.0.1",
    METADATA,
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    f"[::ffff:{PRIVATE[0]}]",
    f"[::ffff:{METADATA}]",
]
# What some resolvers take for 127.0.0.1, or for 169.254.169.254, and others for a name that does not exist.
ODD_ADDRESSES = [
    "2130706433",
    "0x7f000001",
    "0X7F000001",
    "017700000001",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "0x7f.1",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "127.000.000.001",
    "2852039166",
    "0",
    "localhost.",
    "any.localhost",
    "localhost.localdomain",
    "[::127.0.0.1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[::1%25lo]",
    "[fe80::1%25to-private]",
    "127.0.0.1%2f.example.com",
    "224.0.0.1",
    "255.255.255.255",
    "[ff02::1]",
    "\u2460\u2461\u2466.0.0.1",
    "127。0。0。1",
]


def is_denied(proxy, sluice, how, host, number=HTTP):
    lines = len(sluice.access_lines())
    assert status_of(proxy, how, host, number) == 403
    line = sluice.wait_for_access_line("private_address", start=lines)
    assert re.search(r'" 403 \S+ private_address ', line), line
    return " BlackHoleCluster " in line


@pytest.mark.parametrize("host", FORBIDDEN_ADDRESSES + FORBIDDEN_NAMES)
@HOWS
def test_address_that_is_not_public_is_denied(around, proxy, sluice, how, host):
    with around.nothing_forbidden_is_reached():
        assert is_denied(proxy, sluice, how, host)


@pytest.mark.parametrize("host", ODD_ADDRESSES)
@pytest.mark.parametrize("how", ["absolute", "http1"])
def test_odd_spelling_of_an_address_leads_nowhere(around, proxy, how, host):
    encoded = host.encode("utf-8").decode("latin-1")
    with around.nothing_forbidden_is_reached():
        assert status_of(proxy, how, encoded) in (400, 403, 503)


def test_port_does_not_matter(around, proxy, sluice):
    """Also the gateway's own: its administration, and the proxy, which would go to itself."""
    for number in (TLS, ECHO, sluice.admin_port, sluice.status_port, proxy.port):
        with around.nothing_forbidden_is_reached():
            for how in ("absolute", "http1", "http2"):
                assert is_denied(proxy, sluice, how, "127.0.0.1", number)


@HOWS
def test_one_good_address_does_not_excuse_the_others(around, proxy, how):
    """Wherever it goes then, it is the public one."""
    host = "mixed.example.com"
    for answer in ([FIRST[0], "127.0.0.1"], ["127.0.0.1", FIRST[0]], [FIRST[0], PRIVATE[0]], [FIRST[0], "::1"]):
        around.names.records[host] = answer
        with around.nothing_forbidden_is_reached():
            assert status_of(proxy, how, host) in (200, 403)


@HOWS
@pytest.mark.parametrize("other", ["127.0.0.1", PRIVATE[0], METADATA])
def test_name_that_changes_its_address_between_lookups(around, proxy, how, other):
    """Rebinding: what is checked is what is gone to, however often the name server is asked."""
    host = f"rebinding-{how}-{other.replace('.', '-')}.example.com"
    around.names.records[host] = lambda count: [FIRST[0]] if count % 2 else [other]
    with around.nothing_forbidden_is_reached():
        statuses = [status_of(proxy, how, host) for _ in range(6)]
    assert set(statuses) <= {200, 403}, statuses
    assert 200 in statuses, statuses


def test_registered_private_address_is_gone_to(around, proxy):
    for host in ("inner.example.com", "static.example.com"):
        before = len(around.private_http.connections)
        assert told(proxy.get(f"http://{host}/"))[0] == PRIVATE[0]
        assert len(around.private_http.connections) >= before
        with contextlib.closing(proxy.tunnel(f"{host}:{HTTP}")) as tunnel:
            assert told(Conversation(tunnel, host).request("GET", "/"))[0] == PRIVATE[0]


def test_registered_name_on_another_port_is_no_excuse(around, proxy):
    with around.nothing_forbidden_is_reached():
        assert status_of(proxy, "absolute", "inner.example.com", ECHO) == 403
        assert status_of(proxy, "http1", "inner.example.com", ECHO) == 403


# --- names that are not there ----------------------------------------------------------------------


@HOWS
@pytest.mark.parametrize("host", ["missing.example.com", "nothing.example.com", "fails.example.com"])
def test_unknown_name_is_told(proxy, sluice, how, host):
    lines = len(sluice.access_lines())
    assert status_of(proxy, how, host) == 503
    line = sluice.wait_for_access_line("dns_resolution_failure", start=lines)
    assert re.search(r'" 503 \S*DF\S* dns_resolution_failure ', line), line


# --- only what is registered -----------------------------------------------------------------------


@HOWS
@pytest.mark.parametrize("host", [WWW, "missing.example.com", FIRST[0], f"[{FIRST[1]}]"])
def test_unregistered_host_is_answered_with_502(around, closed, how, host):
    lines, before = len(closed.sluice.access_lines()), len(around.http.connections)
    asked = len(around.names.asked)
    if how == "absolute":
        response = closed.proxy.get(f"http://{host}/")
    else:
        response = closed.proxy.tunnel(f"{host}:{HTTP}", version=how).response
    assert (response.status, bytes(response.body)) == (502, b"")
    line = closed.sluice.wait_for_access_line("not_registered", start=lines)
    assert re.search(r'" 502 \S+ not_registered ', line) and " BlackHoleCluster " in line, line
    assert len(around.http.connections) == before
    assert not [name for name, _ in around.names.asked[asked:] if name == host], "nobody need know who was asked for"


@HOWS
def test_unregistered_port_is_answered_with_502(closed, how):
    assert status_of(closed.proxy, how, "registered.example.com", ECHO) == 502


@HOWS
def test_registered_host_is_gone_to(closed, how):
    assert status_of(closed.proxy, how, "registered.example.com") == 200


def test_tls_to_a_registered_host(around, closed):
    host = "registered.example.com"
    with contextlib.closing(closed.proxy.tunnel(f"{host}:{TLS}")) as tunnel:
        inside = Conversation(tunnel.begin_tls(host, tls_context(ca_file=str(around.authority.file), alpn=())), host)
        assert told(inside.request("GET", "/"))[0] == FIRST[0]


# --- requests that are not as they should be -------------------------------------------------------



def shown(text):
    """In a test's name."""
    return repr(text)[:60]


BAD_AUTHORITIES = [
    WWW,
    f"{WWW}:",
    f"{WWW}:0",
    f"{WWW}:65536",
    f"{WWW}:99999999999999999999",
    f"{WWW}:-1",
    f"{WWW}:+80",
    f"{WWW}:80:443",
    f"{WWW}:http",
    f"{WWW}:80/path",
    f"{WWW}:80?query",
    f"{WWW}:80#fragment",
    f"user@{WWW}:80",
    f"user:password@{WWW}:80",
    f"{WWW}:80@127.0.0.1:80",
    f"http://{WWW}:80",
    f"//{WWW}:80",
    "/",
    "*",
    ":80",
    "[]:80",
    "[::1:80",
    "::1:80",
    f"[{FIRST[0]}]:80",
    "[v1.fe80::a]:80",
    f"{WWW}\\:80",
    f"{WWW},{SECOND_HOST}:80",
    f"{WWW}%00.example.com:80",
    f"{WWW}\x00:80",
    f"{WWW}\t:80",
    "." * 255 + ":80",
    "a" * 64 + ".example.com:80",
    "a." * 200 + "example.com:80",
]


@pytest.mark.parametrize("target", BAD_AUTHORITIES, ids=shown)
def test_bad_authority_of_a_tunnel_is_a_bad_request(around, proxy, target):
    before = len(around.http.connections)
    with around.nothing_forbidden_is_reached(), proxy.connect() as client:
        client.send(f"CONNECT {target} HTTP/1.1\r\nHost: {WWW}:80\r\n\r\n".encode("latin-1"))
        response = client.read_response("GET")
        assert response is None or response.status == 400, response
    assert len(around.http.connections) == before


@pytest.mark.parametrize("target", BAD_AUTHORITIES, ids=shown)
def test_bad_authority_of_a_tunnel_of_http2_is_a_bad_request(around, proxy, target):
    before = len(around.http.connections)
    with around.nothing_forbidden_is_reached():
        try:
            tunnel = proxy.tunnel(target, version="http2")
            assert tunnel.status == 400, tunnel.response
        except StreamReset as reset:
            assert reset.code == ErrorCodes.PROTOCOL_ERROR
    assert len(around.http.connections) == before


@pytest.mark.parametrize(
    "pseudo",
    [
        [(":method", "CONNECT"), (":authority", ECHOING), (":path", "/")],
        [(":method", "CONNECT"), (":authority", ECHOING), (":scheme", "https")],
        [(":method", "CONNECT"), (":authority", ECHOING), (":scheme", "https"), (":path", "/")],
        [(":method", "CONNECT")],
        [(":method", "CONNECT"), (":authority", "")],
        [(":method", "CONNECT"), (":authority", ECHOING), (":authority", ECHOING)],
    ],
    ids=["path", "scheme", "both", "no authority", "empty authority", "two authorities"],
)
def test_malformed_connect_of_http2_is_a_stream_error(around, proxy, pseudo):
    """RFC 9113 8.5."""
    before = server_count(around.echo)
    with proxy.connect_http2() as client:
        stream = client.open(pseudo=pseudo, end=False)
        try:
            assert client.read_response(stream).status == 400
        except StreamReset as reset:
            assert reset.code == ErrorCodes.PROTOCOL_ERROR
        assert client.request("GET", "/", host=WWW, scheme="http").status == 200, "the others go on"
    assert server_count(around.echo) == before


@pytest.mark.parametrize(
    "fields, body",
    [
        ([("content-length", "5")], b"hello"),
        ([("transfer-encoding", "chunked")], b"5\r\nhello\r\n0\r\n\r\n"),
        ([("content-length", "5"), ("transfer-encoding", "chunked")], b"0\r\n\r\n"),
        ([("transfer-encoding", "gzip, chunked")], b"0\r\n\r\n"),
        ([("content-length", "x")], b""),
    ],
    ids=["length", "chunked", "both", "gzip", "no number"],
)
def test_connect_with_content_is_a_bad_request(around, proxy, fields, body):
    """It has no meaning (RFC 9110 9.3.6), and two meanings would be one too many: content, or the tunnel's first bytes."""
    before = server_count(around.echo)
    with proxy.connect() as client:
        client.send_head("CONNECT", ECHOING, fields, host=ECHOING)
        with contextlib.suppress(ConnectionError):
            client.send(body)
        response = client.read_response("GET")
        assert response is not None and response.status == 400
        assert client.is_closed_by_peer()
    assert server_count(around.echo) == before


@pytest.mark.parametrize("hosts", [[], [WWW, SECOND_HOST], ["a b"], [f"{WWW}/"]], ids=str)
def test_connect_without_one_good_host_field_is_a_bad_request(around, proxy, hosts):
    """RFC 9112 3.2."""
    before = server_count(around.echo)
    with proxy.connect() as client:
        lines = "".join(f"Host: {host}\r\n" for host in hosts)
        client.send(f"CONNECT {ECHOING} HTTP/1.1\r\n{lines}\r\n".encode())
        assert client.read_response("GET").status == 400
    assert server_count(around.echo) == before


@pytest.mark.parametrize(
    "uri",
    [
        f"http://user@{WWW}/",
        f"http://user:password@{WWW}/",
        f"http://{WWW}@127.0.0.1/",
        f"http://127.0.0.1@{WWW}/",
        "http:///path",
        "http://",
        "http:/www.example.com/",
        "http://:80/",
        f"http://{WWW}:0/",
        f"http://{WWW}:65536/",
        f"http://{WWW}:80:80/",
        f"http://{WWW}:x/",
        f"http://{WWW}\\@127.0.0.1/",
        f"http://127.0.0.1\\@{WWW}/",
        f"http://{WWW}%00/",
        f"http://{WWW} /",
        f"http://{WWW}\t/",
        "http://[::1/",
        "http://::1/",
        f"ftp://{WWW}/",
        f"file://{WWW}/etc/passwd",
        f"gopher://{WWW}/",
        f"://{WWW}/",
        f"//{WWW}/",
        "javascript:alert(1)",
    ],
    ids=shown,
)
def test_bad_uri_is_a_bad_request(around, proxy, uri):
    before = len(around.http.connections)
    with around.nothing_forbidden_is_reached(), proxy.connect() as client:
        client.send(f"GET {uri} HTTP/1.1\r\nHost: {WWW}\r\n\r\n".encode())
        response = client.read_response("GET")
        assert response is None or 400 <= response.status < 600, response
    assert len(around.http.connections) == before


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", METADATA, PRIVATE[0], "private.example.com"])
@pytest.mark.parametrize("target", ["/", "*", "//www.example.com/", "/http://www.example.com/"])
def test_origin_form_leads_nowhere_private(around, proxy, host, target):
    """As to a server: the Host field is all there is, and no better than a URI."""
    with around.nothing_forbidden_is_reached(), proxy.connect() as client:
        client.send_head("OPTIONS" if target == "*" else "GET", target, host=host)
        response = client.read_response("GET")
        assert response is None or response.status >= 400, response


def test_request_smuggled_behind_another_is_refused(around, proxy):
    """Two lengths, of which a server outside would believe the other one (RFC 9112 6.1)."""
    hidden = b"0\r\n\r\nGET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    before = len(around.http.requests)
    with around.nothing_forbidden_is_reached(), proxy.connect() as client:
        fields = [("content-length", str(len(hidden))), ("transfer-encoding", "chunked")]
        client.send_head("POST", f"http://{WWW}/", fields, host=WWW)
        client.send(hidden)
        assert client.read_response("POST").status == 400
        assert client.is_closed_by_peer()
    assert len(around.http.requests) == before


def test_answer_to_a_connect_has_no_length(proxy):
    """RFC 9110 9.3.6, 8.6."""
    with contextlib.closing(proxy.tunnel(ECHOING)) as tunnel:
        assert "content-length" not in tunnel.response and "transfer-encoding" not in tunnel.response


def test_connect_of_http_1_0(proxy):
    with proxy.connect() as client:
        client.send(f"CONNECT {ECHOING} HTTP/1.0\r\n\r\n".encode())
        head = client.reader.read_head()
        assert head.status == 200
        client.send(b"bytes")
        assert client.reader.read_exactly(5) == b"bytes"


# --- while the configuration changes ---------------------------------------------------------------


@VERSIONS
def test_tunnels_outlive_a_reload(own, version):
    sluice = own()
    with contextlib.closing(sluice.proxy.tunnel(ECHOING, version=version)) as tunnel:
        for text in (b"before", b"after"):
            tunnel.sendall(text)
            assert tunnel.read_exactly(len(text)) == text
            sluice.reload()


def test_policy_changes_with_the_configuration(own):
    sluice = own()
    assert sluice.proxy.get(f"http://{WWW}/").status == 200
    sluice.write(
        "mesh.yaml",
        documents.mesh(proxyHttpPort=sluice.proxy.port, outboundTrafficPolicy={"mode": "REGISTRY_ONLY"}),
    )
    sluice.reload()
    assert sluice.proxy.get(f"http://{WWW}/").status == 502


def test_client_that_stays_away_does_not_hold_the_end_up(own):
    """A tunnel that is open ends with the drain's time."""
    sluice = own()
    with contextlib.closing(sluice.proxy.tunnel(ECHOING)) as tunnel:
        sluice.stop()
        with contextlib.suppress(ConnectionResetError):
            assert tunnel.read_to_end() == b""

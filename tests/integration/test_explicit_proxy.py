"""The explicit proxy: absolute-form requests and CONNECT, and what becomes of them."""

import contextlib
import re
import socket

import pytest

from harness import documents, pattern
from harness.client import tls_context
from harness.explicit_proxy import ECHOING, HOWS, SECOND_HOST, SIX, VERSIONS, WWW, status_of, told
from harness.gateway import wait_until
from harness.limits import IO_SECONDS, MIB
from harness.namespaces import CLIENT, FIRST, SECOND, TO_CLIENT
from harness.proxy_client import Conversation, Http2Tunnel, Proxy, basic
from harness.raw import EndWatch, digest_of_all
from harness.surroundings import ECHO, GREETING, HTTP, MAIL, TLS

SIZE = 8 * MIB


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


def test_uri_and_host_that_differ_are_refused(proxy, around):
    """A proxy would have to replace Host by what the URI says (RFC 9112 3.2.2). Whoever sends two answers to one
    question is told so instead, as by a gateway: somebody might decide by the other one."""
    before = len(around.http.requests)
    assert proxy.get(f"http://{WWW}/", host=SECOND_HOST).status == 400
    assert len(around.http.requests) == before


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


def test_connection_may_be_upgraded(proxy, around):
    """As by a WebSocket without TLS."""

    def script(peer, request):
        assert request.get("upgrade") == "websocket"
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        while data := peer.socket.recv(65536):
            peer.send(data)

    with around.http.answering(script), proxy.connect() as client:
        client.send_head("GET", f"http://{WWW}/", [("connection", "upgrade"), ("upgrade", "websocket")], host=WWW)
        assert client.reader.read_head().status == 101
        client.send(b"\x81\x02hi")
        assert client.reader.read_exactly(4) == b"\x81\x02hi"


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
        tunnel.end_writing()
        tunnel.read_to_end()
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
    watch = EndWatch()
    outside_does(watch)
    tunnel = proxy.tunnel(ECHOING, version=version)
    tunnel.sendall(b"half of it")
    assert watch.begun.wait(IO_SECONDS)
    if version == "http1":
        tunnel.client.reset()
    else:
        tunnel.reset()
    assert wait_until(lambda: watch.ends) == ["reset"]
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


@HOWS
def test_address_that_cannot_be_reached_gives_way_to_another(around, proxy, how):
    """Many names have an address of IPv6, and many machines no IPv6."""
    for index, addresses in enumerate((["2606:4700::1", FIRST[0]], [FIRST[0], "2606:4700::1"], ["1.0.0.1", FIRST[1]])):
        host = f"half-{index}.example.com"
        around.names.records[host] = addresses
        for _ in range(4):
            assert status_of(proxy, how, host) == 200


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


def test_only_the_loopback_interface_is_listened_on(around, open_proxy):
    for address in ("127.0.0.1", "::1"):
        assert told(Proxy(around.gateway, open_proxy.proxy.port, address).get(f"http://{WWW}/"))[0] in FIRST
    for address in TO_CLIENT:
        with pytest.raises(ConnectionRefusedError):
            Proxy(around.client, open_proxy.proxy.port, address).connect()


def test_other_addresses_by_annotation(around, own_proxy):
    sluice = own_proxy({"sluice.io/proxy-bind": ",".join(TO_CLIENT)})
    for address, client in zip(TO_CLIENT, CLIENT):
        proxy = Proxy(around.client, sluice.proxy.port, address)
        lines = len(sluice.access_lines())
        assert told(proxy.get(f"http://{WWW}/"))[0] in FIRST
        assert client in sluice.wait_for_access_line('"GET ', start=lines)
    with pytest.raises(ConnectionRefusedError):
        sluice.proxy.connect()


@VERSIONS
def test_tunnels_leave_no_descriptor_behind(own_proxy, version):
    """However they end."""
    sluice = own_proxy()

    def open_and_end():
        for how in ("client", "server", "reset", "refused", "unknown"):
            number = {"refused": 9}.get(how, ECHO)
            host = {"unknown": "missing.example.com"}.get(how, WWW)
            tunnel = sluice.proxy.tunnel(f"{host}:{number}", version=version)
            if tunnel.status != 200:
                tunnel.close()
                continue
            tunnel.sendall(b"x")
            assert tunnel.read_exactly(1) == b"x"
            if how == "server":
                tunnel.end_writing()
                assert tunnel.read_to_end() == b""
            if how == "reset" and version == "http2":
                tunnel.reset()
            if how == "reset" and version == "http1":
                tunnel.client.reset()
            tunnel.close()

    open_and_end()
    counts = []
    assert wait_until(lambda: counts.append(len(sluice.descriptors())) or counts[-3:] == [counts[-1]] * 3)
    for _ in range(10):
        open_and_end()
    assert wait_until(lambda: len(sluice.descriptors()) <= counts[-1]), sluice.descriptors()


# --- while the configuration changes ---------------------------------------------------------------


@VERSIONS
def test_tunnels_outlive_a_reload(own_proxy, version):
    sluice = own_proxy()
    with contextlib.closing(sluice.proxy.tunnel(ECHOING, version=version)) as tunnel:
        for text in (b"before", b"after"):
            tunnel.sendall(text)
            assert tunnel.read_exactly(len(text)) == text
            sluice.reload()


def test_policy_changes_with_the_configuration(own_proxy):
    sluice = own_proxy()
    assert sluice.proxy.get(f"http://{WWW}/").status == 200
    sluice.write(
        "mesh.yaml",
        documents.mesh(proxyHttpPort=sluice.proxy.port, outboundTrafficPolicy={"mode": "REGISTRY_ONLY"}),
    )
    sluice.reload()
    assert sluice.proxy.get(f"http://{WWW}/").status == 502


def test_client_that_stays_away_does_not_hold_the_end_up(own_proxy):
    """A tunnel that is open ends with the drain's time."""
    sluice = own_proxy()
    with contextlib.closing(sluice.proxy.tunnel(ECHOING)) as tunnel:
        sluice.stop()
        with contextlib.suppress(ConnectionResetError):
            assert tunnel.read_to_end() == b""

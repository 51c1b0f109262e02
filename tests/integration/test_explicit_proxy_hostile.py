"""Requests to the explicit proxy that are not as they should be: nobody outside hears of them."""

import contextlib

import pytest

from harness.explicit_proxy import ECHOING, SECOND_HOST, VERSIONS, WWW, server_count
from harness.http2_client import ErrorCodes, StreamReset
from harness.namespaces import FIRST, METADATA, PRIVATE
from harness.proxy_client import Http2Tunnel
from harness.surroundings import MAIL


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
]
NO_NAMES = ["." * 255 + ":80", "a" * 64 + ".example.com:80", "a." * 200 + "example.com:80"]  # too long for DNS


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


@pytest.mark.parametrize("target", NO_NAMES, ids=shown)
@VERSIONS
def test_name_that_cannot_be_one_is_not_found(proxy, version, target):
    assert proxy.tunnel(target, version=version).status in (400, 503)


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
        assert server_count(around.echo) == before
        assert Http2Tunnel(client, f"{WWW}:{MAIL}").status == 200, "the others go on"


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
    """It has no meaning (RFC 9110 9.3.6), and could be taken for content or for the tunnel's first bytes."""
    before = server_count(around.echo)
    with proxy.connect() as client:
        client.send_head("CONNECT", ECHOING, fields, host=ECHOING)
        with contextlib.suppress(ConnectionError):
            client.send(body)
        response = client.read_response("GET")
        assert response is not None and response.status in (400, 501)  # RFC 9112 6.1: 501 for an unknown coding
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

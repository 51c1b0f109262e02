"""What a client may not do: requests that are too large, or that two readers could understand differently.

None of it reaches the upstream, and the connection ends.
"""

import pytest

from harness import documents, message
from harness.gateway import Gateway
from harness.upstream import Upstream

HOST = f"limits.{documents.DOMAIN}"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, certificate):
    """A gateway and an upstream for this module: whatever arrives there is on record."""
    upstream = Upstream().serve()
    texts = documents.kyma_texts(certificate) | {"limits.yaml": documents.routes("limits", upstream.port)}
    with Gateway(tmp_path_factory.mktemp("limits"), texts) as gateway:
        yield gateway, upstream
    upstream.stop()


def head(*lines, end=b"\r\n\r\n"):
    return b"\r\n".join(line.replace(b"HOST", HOST.encode()) for line in lines) + end


def get(*fields, **options):
    return head(b"GET / HTTP/1.1", b"Host: HOST", *fields, **options)


def post(*fields, body=b""):
    return head(b"POST / HTTP/1.1", b"Host: HOST", *fields) + body


LAST_CHUNK = b"0\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: " + HOST.encode() + b"\r\n\r\n"

# name: (the request, the statuses that may answer it)
HOSTILE = {
    # --- where the content ends (RFC 9112 6) ---
    "length_and_chunked": (post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=LAST_CHUNK), {400}),
    "chunked_and_length": (post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=LAST_CHUNK), {400}),
    "two_lengths_that_differ": (post(b"Content-Length: 0", b"Content-Length: 5"), {400}),
    "two_lengths_alike": (post(b"Content-Length: 0", b"Content-Length: 0"), {400}),
    "length_list": (post(b"Content-Length: 0, 0"), {400}),
    "length_negative": (post(b"Content-Length: -1"), {400}),
    "length_signed": (post(b"Content-Length: +0"), {400}),
    "length_hexadecimal": (post(b"Content-Length: 0x0"), {400}),
    "length_empty": (post(b"Content-Length:"), {400}),
    "length_overflow": (post(b"Content-Length: 18446744073709551616"), {400}),
    "length_with_space": (post(b"Content-Length: 0 0"), {400}),
    "coding_gzip_chunked": (post(b"Transfer-Encoding: gzip, chunked", body=LAST_CHUNK), {400, 501}),
    "coding_chunked_gzip": (post(b"Transfer-Encoding: chunked, gzip", body=LAST_CHUNK), {400, 501}),
    "coding_chunked_chunked": (post(b"Transfer-Encoding: chunked, chunked", body=LAST_CHUNK), {400, 501}),
    "coding_chunked_twice": (
        post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=LAST_CHUNK),
        {400, 501},
    ),
    "coding_identity": (post(b"Transfer-Encoding: identity"), {400, 501}),
    "coding_unknown": (post(b"Transfer-Encoding: xchunked", body=LAST_CHUNK), {400, 501}),
    "coding_with_vertical_tab": (post(b"Transfer-Encoding: \x0bchunked", body=LAST_CHUNK), {400, 501}),
    "coding_quoted": (post(b'Transfer-Encoding: "chunked"', body=LAST_CHUNK), {400, 501}),
    "coding_empty": (post(b"Transfer-Encoding:"), {400, 501}),
    "coding_in_1_0": (head(b"POST / HTTP/1.0", b"Host: HOST", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", {400}),
    # --- how lines end and fields look (RFC 9112 2.2, 5) ---
    "bare_line_feeds": (head(b"GET / HTTP/1.1\nHost: HOST\n\n", end=b""), {400}),
    "bare_line_feed_after_a_field": (head(b"GET / HTTP/1.1", b"X: y\nHost: HOST"), {400}),
    "bare_line_feed_at_the_end": (get(end=b"\n\n"), {400}),
    "bare_carriage_return": (get(b"X: a\rb"), {400}),
    "folded_field": (get(b"X: a", b" b"), {400}),
    "folded_coding": (post(b"Transfer-Encoding:", b" chunked", body=LAST_CHUNK), {400}),
    "space_before_the_first_field": (head(b"GET / HTTP/1.1", b" Host: HOST"), {400}),
    "space_before_colon": (head(b"GET / HTTP/1.1", b"Host : HOST"), {400}),
    "tab_before_colon": (post(b"Content-Length\t: 0"), {400}),
    "space_in_name": (get(b"Bad Name: x"), {400}),
    "no_colon": (get(b"NoColon"), {400}),
    "empty_name": (get(b": x"), {400}),
    "nul_in_name": (get(b"X\0Y: x"), {400}),
    "nul_in_value": (get(b"X: a\0b"), {400}),
    "nul_in_target": (head(b"GET /\0 HTTP/1.1", b"Host: HOST"), {400}),
    "control_in_value": (get(b"X: a\x01b"), {400}),
    "latin_in_name": (get(b"X\xe4: x"), {400}),
    # --- the request line (RFC 9112 3) ---
    "two_spaces": (head(b"GET  / HTTP/1.1", b"Host: HOST"), {400}),
    "tab_instead_of_space": (head(b"GET\t/ HTTP/1.1", b"Host: HOST"), {400, 501}),
    "space_in_target": (head(b"GET /a b HTTP/1.1", b"Host: HOST"), {400}),
    "space_after_version": (head(b"GET / HTTP/1.1 ", b"Host: HOST"), {400}),
    "no_version": (head(b"GET /", b"Host: HOST"), {400, 505}),
    "version_2": (head(b"GET / HTTP/2.0", b"Host: HOST"), {400, 505}),
    "version_1_2": (head(b"GET / HTTP/1.2", b"Host: HOST"), {400, 505}),
    "version_lower_case": (head(b"GET / http/1.1", b"Host: HOST"), {400}),
    "part_of_the_preface_of_http_2": (b"PRI * HTTP/2.0\r\n\r\n", {400, 505}),
    "empty_method": (head(b" / HTTP/1.1", b"Host: HOST"), {400, 501}),
    "method_with_control": (head(b"GE\x01T / HTTP/1.1", b"Host: HOST"), {400, 501}),
    "target_without_slash": (head(b"GET index.html HTTP/1.1", b"Host: HOST"), {400}),
    "target_of_another_scheme": (head(b"GET ftp://HOST/ HTTP/1.1", b"Host: HOST"), {400}),
    "asterisk_with_get": (head(b"GET * HTTP/1.1", b"Host: HOST"), {400}),
    "tls_on_the_plain_port": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100, {400}),
    # --- where it goes (RFC 9112 3.2) ---
    "no_host": (head(b"GET / HTTP/1.1", b"Accept: */*"), {400}),
    "two_hosts": (get(b"Host: other.example"), {400}),
    "two_hosts_alike": (get(b"Host: HOST"), {400}),
    "host_list": (head(b"GET / HTTP/1.1", b"Host: HOST, HOST"), {400}),
    "host_with_path": (head(b"GET / HTTP/1.1", b"Host: HOST/x"), {400}),
    "host_with_user": (head(b"GET / HTTP/1.1", b"Host: user@HOST"), {400}),
    "host_with_bad_port": (head(b"GET / HTTP/1.1", b"Host: HOST:99999"), {400}),
    "host_that_differs_from_target": (head(b"GET http://other.example/ HTTP/1.1", b"Host: HOST"), {400, 404}),
    # --- too much ---
    "long_target": (head(b"GET /" + b"a" * 70_000 + b" HTTP/1.1", b"Host: HOST"), {414, 431}),
    "long_field": (get(b"X: " + b"a" * 70_000), {431}),
    "long_field_name": (get(b"X" * 70_000 + b": a"), {431}),
    "many_fields": (get(*[b"X-%d: y" % index for index in range(200)]), {431}),
    "large_head": (get(*[b"X-%d: " % index + b"y" * 1000 for index in range(90)]), {431}),
    "endless_blank_lines": (b"\r\n" * 10_000, {400}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_request_is_refused(guarded, name):
    gateway, upstream = guarded
    raw, statuses = HOSTILE[name]
    before = len(upstream.requests)
    with gateway.connect(HOST) as client:
        try:
            client.send(raw + SMUGGLED)
        except ConnectionError:
            pass  # refused while it was still being sent
        response = client.read_response()
        assert response is not None, "closed without a word"
        assert response.status in statuses, response.start_line
        assert response.get("connection") == "close"
        assert client.is_closed_by_peer(), "what followed was answered"
    with gateway.connect(HOST) as client:
        assert client.request("GET", "/after").status == 200
    assert [request.target for request in upstream.requests[before:]] == ["/after"]


def test_hostile_request_over_tls_is_refused_alike(guarded):
    gateway, upstream = guarded
    before = len(upstream.requests)
    for name in ("length_and_chunked", "bare_line_feeds", "space_before_colon", "two_hosts", "long_field"):
        raw, statuses = HOSTILE[name]
        with gateway.connect(HOST, tls=True) as client:
            try:
                client.send(raw + SMUGGLED)
            except OSError:
                pass
            assert client.read_response().status in statuses, name
    assert len(upstream.requests) == before


def test_hostile_request_in_single_bytes_is_refused_alike(guarded):
    """Where the input is cut must not matter."""
    gateway, _ = guarded
    for name in (
        "length_and_chunked",
        "bare_line_feed_after_a_field",
        "folded_field",
        "two_hosts",
        "coding_chunked_gzip",
        "bare_carriage_return",
    ):
        raw, statuses = HOSTILE[name]
        with gateway.connect(HOST) as client:
            try:
                for byte in raw:
                    client.send(bytes([byte]))
            except ConnectionError:
                pass
            response = client.read_response()
            assert response is None or response.status in statuses, name


@pytest.mark.parametrize("target", ["/a%00b", "/%", "/%g0", "/a%2"])
def test_path_that_cannot_be_normalised_is_refused(guarded, target):
    """The framing is in order, so the connection may go on."""
    gateway, upstream = guarded
    before = len(upstream.requests)
    with gateway.connect(HOST) as client:
        assert client.request("GET", target).status == 400
    assert len(upstream.requests) == before


def test_as_many_fields_as_allowed(guarded):
    gateway, upstream = guarded
    with gateway.connect(HOST) as client:
        fields = [(f"x-{index}", "y") for index in range(90)]
        assert client.request("GET", "/", fields).status == 200
        assert all(field in upstream.requests[-1].headers for field in fields)


def test_head_of_half_the_bound_passes(guarded):
    gateway, upstream = guarded
    with gateway.connect(HOST) as client:
        assert client.request("GET", "/", [("cookie", "c" * 30_000)]).status == 200
        assert upstream.requests[-1].get("cookie") == "c" * 30_000
        assert client.request("GET", "/", [("cookie", "c" * 30_000)]).status == 200


def test_long_field_in_small_pieces_passes(guarded):
    """A large cookie in many segments costs no more than in one."""
    gateway, upstream = guarded
    with gateway.connect(HOST) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: " + HOST.encode() + b"\r\nCookie: ")
        for _ in range(1500):
            client.send(b"c" * 20)
        client.send(b"\r\n\r\n")
        assert client.read_response().status == 200
        assert upstream.requests[-1].get("cookie") == "c" * 30_000


def test_long_target_within_the_bound_passes(guarded):
    gateway, upstream = guarded
    with gateway.connect(HOST) as client:
        target = "/" + "a" * 8000 + "?" + "b" * 4000
        assert client.request("GET", target).status == 200
        assert upstream.requests[-1].target == target


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "REPORT"]
)
def test_methods_pass(guarded, method):
    gateway, upstream = guarded
    with gateway.connect(HOST) as client:
        response = client.request(method, "/method")
        assert response.status == 200
        assert upstream.requests[-1].method == method


def test_options_asterisk_passes_or_is_answered(guarded):
    gateway, _ = guarded
    with gateway.connect(HOST) as client:
        assert client.request("OPTIONS", "*").status in (200, 404)


def test_connect_is_refused(guarded):
    """The gateway is no forward proxy for CONNECT."""
    gateway, upstream = guarded
    before = len(upstream.requests)
    with gateway.connect(HOST) as client:
        client.send(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
        response = client.read_response("CONNECT")
        assert response.status in (403, 404, 405, 501)
    assert len(upstream.requests) == before


def test_large_response_head_is_refused(guarded):
    """An upstream is bounded as well; its connection is given up."""
    gateway, upstream = guarded

    def script(peer, request):
        peer.read_body(request)
        peer.send(
            message.head_bytes(
                "HTTP/1.1 200 OK", [(f"x-{index}", "y" * 1000) for index in range(90)] + [("content-length", "0")]
            )
        )
        peer.wait_for_close()

    with upstream.answering(script), gateway.connect(HOST) as client:
        assert client.request("POST", "/", body=b"x").status in (502, 503)

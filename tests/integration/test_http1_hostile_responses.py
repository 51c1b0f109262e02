"""Responses of HTTP/1 that no upstream should send (RFC 9112, RFC 9110): each is answered in its place, or cut short.

Behind each stands another response, which nobody has asked for: it must reach nobody, least of all the next client.
The connection that such bytes came on is not used again.
"""

import contextlib
import dataclasses

import pytest

from harness import documents, message
from harness.gateway import Gateway
from harness.hostile import (
    BAD_CONTENTS,
    BAD_LENGTHS,
    CONTROLS,
    CONTROLS_BUT_TAB,
    HELLO,
    MALFORMED_CODINGS,
    NO_TOKEN,
    UNKNOWN_CODINGS,
    VALID_CONTENTS,
    cases,
    changed_lines,
    named,
)
from harness.http2_client import PREFACE
from harness.upstream import Upstream

HOST = f"hostile.{documents.DOMAIN}"
BEHIND = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"


def head(*lines):
    return b"\r\n".join(lines) + b"\r\n\r\n"


def response(*fields, line=b"HTTP/1.1 200 OK", body=b""):
    return head(line, *fields) + body


def hello(*fields, line=b"HTTP/1.1 200 OK"):
    """Framed as it should be; whatever is wrong is the line or another field."""
    return head(line, b"Content-Length: 5", *fields) + b"hello"


def chunked(body, *fields):
    return response(b"Transfer-Encoding: chunked", *fields, body=body)


# --- what is expected ---


@dataclasses.dataclass(frozen=True)
class Replaced:
    """502, and the client's connection goes on. `informational`: what had gone to the client before."""

    informational: tuple = ()


@dataclasses.dataclass(frozen=True)
class CutShort:
    """The response has begun, and never looks complete; or 502 in its place."""


@dataclasses.dataclass(frozen=True)
class Passed:
    """`fields`: the values of these that the client sees."""

    status: int = 200
    body: bytes = b"hello"
    fields: tuple = ()
    informational: tuple = ()


ROWS = {}


def expect(outcome, rows):
    for name, sent in rows.items():
        assert name not in ROWS, name
        ROWS[name] = (sent, outcome)


# --- the status line (RFC 9112 4) ---

BAD_LINES = [
    b"", b" ", b"OK", b"200 OK", b"200", b"HTTP/1.1", b"HTTP/1.1 ", b"HTTP/1.1 OK", b"HTTP/1.1 2", b"HTTP/1.1 20",
    b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1 000 OK", b"HTTP/1.1 020 OK", b"HTTP/1.1 099 OK",
    b"HTTP/1.1 -20 OK", b"HTTP/1.1 +200 OK", b"HTTP/1.1 2x0 OK", b"HTTP/1.1 0x200 OK", b"HTTP/1.1 200OK",
    b"HTTP/1.1 200\tOK", b"HTTP/1.1 200\0OK", b"HTTP/1.1 2 00 OK", b"HTTP/1.1 \xb200 OK", b"HTTP/1.1  200 OK",
    b"HTTP/1.1\t200 OK", b"HTTP/1.1200 OK", b"HTTP/1.1,200 OK", b" HTTP/1.1 200 OK", b"\tHTTP/1.1 200 OK",
    b"\0HTTP/1.1 200 OK", b"\xef\xbb\xbfHTTP/1.1 200 OK", b"\r\nHTTP/1.1 200 OK", b"\nHTTP/1.1 200 OK",
    b"\rHTTP/1.1 200 OK", b"HTTP 200 OK", b"HTTP/ 200 OK", b"HTTP/1 200 OK", b"HTTP/1. 200 OK", b"HTTP/.1 200 OK",
    b"HTTP/11 200 OK", b"HTTP/01.1 200 OK", b"HTTP/1.01 200 OK", b"HTTP/1.10 200 OK", b"HTTP/1.1.1 200 OK",
    b"HTTP/1,1 200 OK", b"HTTP/-1.1 200 OK", b"HTTP/a.b 200 OK", b"HTTP/1 .1 200 OK", b"HTTP /1.1 200 OK",
    b"http/1.1 200 OK", b"Http/1.1 200 OK", b"HTTPS/1.1 200 OK", b"XHTTP/1.1 200 OK", b"HTP/1.1 200 OK",
    b"HTTP\\1.1 200 OK", b"ICY 200 OK", b"RTSP/1.0 200 OK", b"SIP/2.0 200 OK", b"HTTP/0.9 200 OK", b"HTTP/1.2 200 OK",
    b"HTTP/1.9 200 OK", b"HTTP/2 200", b"HTTP/2.0 200 OK", b"HTTP/3 200", b"HTTP/3.0 200 OK", b"GET / HTTP/1.1",
    b"HTTP/1.1 GET /", b"Content-Type: text/plain", b"hello",
]
expect(
    Replaced(),
    named("line", BAD_LINES, lambda line: hello(line=line))
    | named("byte_in_status", CONTROLS, lambda byte: hello(line=b"HTTP/1.1 2" + byte + b"0 OK"))
    | named("byte_in_version", CONTROLS, lambda byte: hello(line=b"HTTP/1" + byte + b"1 200 OK"))
    | named("byte_in_reason", CONTROLS_BUT_TAB, lambda byte: hello(line=b"HTTP/1.1 200 O" + byte + b"K"))
    | {
        "html_without_head": b"<!DOCTYPE html>\r\n<p>hello\r\n\r\n",
        "text_without_head": b"hello\n",
        "preface_of_http2": PREFACE,
        "settings_of_http2": b"\0\0\0\4\0\0\0\0\0",
        "goaway_of_http2": b"\0\0\x08\7\0\0\0\0\0" + b"\0" * 8,
        "alert_of_tls": b"\x15\3\3\0\2\2\x28",
        "ssh": b"SSH-2.0-OpenSSH_9.6\r\n",
        "smtp": b"220 mail.example ESMTP\r\n",
        "redis": b"-ERR unknown command\r\n",
        "zeros": b"\0" * 64,
        "ones": b"\xff" * 64,
        "blank_lines": b"\r\n" * 20,
        "chunks_without_head": HELLO,
    },
)
expect(
    Passed(),
    named(
        "valid_line",
        [b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.1 200 \tO \xe4K\t", b"HTTP/1.1 200 200 200", b"HTTP/1.0 200 OK"],
        lambda line: hello(line=line),
    ),
)
expect(Passed(299), {"status_of_nobody": hello(line=b"HTTP/1.1 299 Odd")})

# --- where the content ends (RFC 9112 6.3) ---

expect(
    Replaced(),
    named("length", BAD_LENGTHS, lambda value: response(b"Content-Length: " + value, body=b"hello"))
    | named("coding", MALFORMED_CODINGS, lambda value: response(b"Transfer-Encoding: " + value, body=HELLO))
    | named("unknown_coding", UNKNOWN_CODINGS, lambda value: response(b"Transfer-Encoding: " + value, body=HELLO))
    | {
        "length_and_coding": response(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=HELLO),
        "coding_and_length": chunked(HELLO, b"Content-Length: 15"),
        "length_and_unknown_coding": response(b"Content-Length: 5", b"Transfer-Encoding: gzip", body=b"hello"),
        "length_and_identity": response(b"Content-Length: 5", b"Transfer-Encoding: identity", body=b"hello"),
        "length_and_empty_coding": response(b"Content-Length: 5", b"Transfer-Encoding:", body=b"hello"),
        "two_lengths_that_differ": response(b"Content-Length: 5", b"Content-Length: 50", body=b"hello"),
        "two_lengths_alike": response(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
        "length_list": response(b"Content-Length: 5, 5", body=b"hello"),
        "length_empty": response(b"Content-Length:", body=b"hello"),
        "length_with_space_before_colon": response(b"Content-Length : 5", body=b"hello"),
        "length_behind_a_fold": response(b"X-A: b", b" Content-Length: 5", body=b"hello"),
        "length_behind_a_bare_line_feed": response(b"X-A: b\nContent-Length: 5", body=b"hello"),
        "length_behind_a_bare_carriage_return": response(b"X-A: b\rContent-Length: 5", body=b"hello"),
        "coding_empty": response(b"Transfer-Encoding:", body=HELLO),
        "coding_twice": chunked(HELLO, b"Transfer-Encoding: chunked"),
        "coding_then_identity": chunked(HELLO, b"Transfer-Encoding: identity"),
        "coding_quoted": response(b'Transfer-Encoding: "chunked"', body=HELLO),
        "coding_with_space_before_colon": response(b"Transfer-Encoding : chunked", body=HELLO),
        "coding_with_nul_in_its_name": response(b"Transfer-Encoding\0: chunked", body=HELLO),
        "coding_in_1_0": response(b"Transfer-Encoding: chunked", line=b"HTTP/1.0 200 OK", body=HELLO),
        "coding_folded": response(b"Transfer-Encoding:", b" chunked", body=HELLO),
        "length_of_204_that_is_none": response(b"Content-Length: x", line=b"HTTP/1.1 204 No Content"),
        "lengths_of_304_that_differ": response(
            b"Content-Length: 1", b"Content-Length: 2", line=b"HTTP/1.1 304 Not Modified"
        ),
    },
)
expect(
    Passed(),
    {
        "length": hello(),
        "length_with_leading_zeros": response(b"Content-Length: 0000005", body=b"hello"),
        "coding": chunked(HELLO),
        "coding_among_empty_elements": response(b"Transfer-Encoding: ,, chunked ,,", body=HELLO),
        "coding_in_upper_case": response(b"TRANSFER-ENCODING: CHUNKED", body=HELLO),
        "length_named_by_connection": hello(b"Connection: content-length, keep-alive"),
        "coding_named_by_connection": chunked(HELLO, b"Connection: transfer-encoding"),
        "connection_close": hello(b"Connection: close"),
        "upgrade_that_is_only_advertised": hello(b"Upgrade: h2c", b"Connection: upgrade"),
        "trailers": chunked(HELLO[:-2] + b"X-T: v\r\n\r\n"),
    }
    | {name: chunked(content) for name, content in VALID_CONTENTS.items()},
)
expect(CutShort(), {name: chunked(content) for name, content in BAD_CONTENTS.items()})

# --- responses without content (RFC 9110 15.3.5, 15.4.5) ---

NO_CONTENT, NOT_MODIFIED = b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Not Modified"
expect(
    Passed(204, b"", (("content-length", []), ("transfer-encoding", []))),
    {
        "204": response(line=NO_CONTENT),
        "204_with_content": response(line=NO_CONTENT, body=b"hello"),
        "204_with_length": response(b"Content-Length: 5", line=NO_CONTENT, body=b"hello"),
        "204_with_chunks": response(b"Transfer-Encoding: chunked", line=NO_CONTENT, body=HELLO),
    },
)
expect(
    Passed(304, b"", (("transfer-encoding", []),)),
    {
        "304": response(line=NOT_MODIFIED),
        "304_with_content": response(line=NOT_MODIFIED, body=b"hello"),
        "304_with_length": response(b"Content-Length: 5", line=NOT_MODIFIED, body=b"hello"),
        "304_with_chunks": response(b"Transfer-Encoding: chunked", line=NOT_MODIFIED, body=HELLO),
    },
)

# --- informational responses (RFC 9110 15.2) ---

HINTS = head(b"HTTP/1.1 103 Early Hints", b"Link: </a>")
CONTINUE = head(b"HTTP/1.1 100 Continue")
expect(
    Replaced(),
    {
        "switching_protocols": head(b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: upgrade"),
        "switching_to_h2c": head(b"HTTP/1.1 101 Switching Protocols", b"Upgrade: h2c", b"Connection: upgrade"),
        "switching_to_nothing": head(b"HTTP/1.1 101 Switching Protocols"),
        "flood_of_continue": CONTINUE * 17 + hello(),
        "flood_of_continue_without_end": CONTINUE * 5000,
        "informational_that_is_malformed": head(b"HTTP/1.1 103 Early Hints", b"Link : </a>") + hello(),
        "informational_with_bare_line_feeds": b"HTTP/1.1 103 Early Hints\n\n" + hello(),
    },
)
expect(
    Replaced(informational=(103,)),
    {
        "hints_and_then_nonsense": HINTS + b"hello\r\n\r\n",
        "hints_and_then_http2": HINTS + PREFACE,
        "hints_and_then_a_bad_length": HINTS + response(b"Content-Length: x"),
        "hints_and_then_a_blank_line": HINTS + b"\r\n" + hello(),
        "hints_and_then_switching_protocols": HINTS + head(b"HTTP/1.1 101 Switching Protocols"),
        "hints_and_then_their_content": HINTS + b"hello" + hello(),
    },
)
expect(Replaced(informational=(103,) * 16), {"flood_of_hints": HINTS * 17 + hello()})
expect(Passed(informational=(103,) * 16), {"as_many_hints_as_allowed": HINTS * 16 + hello()})
expect(Passed(), {"continue_that_nobody_has_asked_for": CONTINUE + hello()})

# --- fields (RFC 9112 5, RFC 9110 5.5) ---

expect(
    Replaced(),
    named("byte_in_name", CONTROLS, lambda byte: hello(b"X" + byte + b"Y: z"))
    | named("delimiter_in_name", NO_TOKEN, lambda byte: hello(b"X" + byte + b"Y: z"))
    | named("byte_before_name", CONTROLS, lambda byte: hello(byte + b"X: y"))
    | named("byte_before_colon", CONTROLS, lambda byte: hello(b"X" + byte + b": y"))
    | named("byte_in_value", CONTROLS_BUT_TAB, lambda byte: hello(b"X: a" + byte + b"b"))
    | {
        "space_in_name": hello(b"X Y: z"),
        "space_before_colon": hello(b"X : y"),
        "no_colon": hello(b"X"),
        "empty_name": hello(b": y"),
        "only_a_colon": hello(b":"),
        "fold": hello(b"X: y", b" z"),
        "fold_of_a_tab": hello(b"X: y", b"\tz"),
        "fold_after_an_empty_value": hello(b"X:", b" y"),
        "space_before_the_first_name": response(b" X: y", b"Content-Length: 5", body=b"hello"),
        "status_line_as_field": hello(b"HTTP/1.1 200 OK"),
        "request_line_as_field": hello(b"GET / HTTP/1.1"),
        "one_field_too_many": hello(*[b"X: y"] * 100),
        "head_too_long": hello(b"X: " + b"y" * 62_000),
        "name_too_long": hello(b"X" * 62_000 + b": y"),
        "reason_too_long": hello(line=b"HTTP/1.1 200 " + b"O" * 62_000),
        "more_connection_options_than_anybody_has": hello(b"Connection: " + b"x," * 33),
    },
)
expect(
    Passed(fields=(("x", ["a\tb \xe4\xff"]), ("y", [": z"]), ("e", [""]), ("!#$%&'*+-.^_`|~0", ["y"]))),
    {"odd_but_valid_fields": hello(b"X: \t a\tb \xe4\xff \t", b"Y:: z", b"E:", b"!#$%&'*+-.^_`|~0: y")},
)
expect(
    Passed(fields=(("connection", []), ("x-a", []), ("x-b", ["2"]), ("server", ["istio-envoy"]))),
    {"connection_names_a_field": hello(b"Connection: X-A, server", b"x-a: 1", b"x-b: 2", b"Server: other")},
)

# --- a byte more, or less: every place of a well-formed head ---


def makes_a_longer_reason(sent):
    """The status line goes on with the next one, which is a response of another kind."""
    return sent.startswith((b"HTTP/1.1 200 OKContent-Length", b"HTTP/1.1 200 OK Content-Length"))


WELL_FORMED = response(b"Content-Length: 0", b"X-A: b")
CHANGED = dict(changed_lines("head", WELL_FORMED))
expect(Replaced(), {name: sent for name, sent in CHANGED.items() if not makes_a_longer_reason(sent)})


# --- the tests ---


class HostileUpstream(Upstream):
    """GET /bad is answered by `pieces`, everything else as it should be."""

    def __init__(self):
        super().__init__()
        self.pieces = []
        self.spoilt = None  # the connection of the last GET /bad

    def answer(self, peer, request):
        peer.read_body(request)
        if request.target != "/bad":
            peer.respond(body=b"well")
            return
        self.spoilt = peer
        with contextlib.suppress(ConnectionError):  # the gateway has seen enough
            for piece in self.pieces:
                peer.send(piece)


@pytest.fixture(name="guarded", scope="module")
def start_guarded(tmp_path_factory, certificate):
    """A gateway and an upstream for this module."""
    upstream = HostileUpstream()
    upstream.serve(upstream.answer)
    texts = documents.kyma_texts(certificate) | {"hostile.yaml": documents.routes("hostile", upstream.port)}
    with Gateway(tmp_path_factory.mktemp("hostile2"), texts) as gateway:
        yield gateway, upstream
    upstream.stop()


def read_responses(client):
    """(statuses of informational responses, the final one); None in its place: it did not come, or not to its end."""
    informational = []
    try:
        while got := client.read_response(keep_informational=True):
            if got.status >= 200:
                return tuple(informational), got
            informational.append(got.status)
    except message.Truncated:
        pass
    return tuple(informational), None


def cut_message(sent, expected, cut):
    """The pieces that the upstream sends. What stands behind the end of a response comes with its last byte: by itself,
    it could come so late that it is the answer to the next request."""
    end = len(sent)
    if isinstance(expected, Passed) and expected.status in (204, 304):
        end = sent.index(b"\r\n\r\n") + 4  # whatever the fields say (RFC 9112 6.3)
    pieces = [*cut(sent[:end])] or [b""]
    pieces[-1] += sent[end:] + BEHIND
    return pieces


def check_next(gateway, upstream):
    """The next client gets what is its own, and on another connection."""
    with gateway.connect(HOST) as client:
        assert client.request("GET", "/after").body == b"well"
    assert upstream.paths.count("/bad") == 1, "what had its answer was sent again"
    assert upstream.wait_for(lambda: upstream.spoilt.closed), "the gateway does not end the connection"
    gateway.check_health()


@pytest.mark.parametrize("name, cut", cases(ROWS))
def test_response(guarded, name, cut):
    gateway, upstream = guarded
    sent, expected = ROWS[name]
    upstream.pieces = cut_message(sent, expected, cut)
    del upstream.requests[:]
    with gateway.connect(HOST) as client:
        client.send_head("GET", "/bad")
        informational, got = read_responses(client)
        match expected:
            case Replaced():
                assert (informational, got.status) == (expected.informational, 502)
                assert b"reset reason: protocol error" in got.body
            case CutShort():
                assert got is None or got.status == 502
            case Passed():
                assert (informational, got.status, got.body) == (expected.informational, expected.status, expected.body)
                assert {name: got.all(name) for name, _ in expected.fields} == dict(expected.fields)
        if got is not None:
            assert client.request("GET", "/after").body == b"well"
    check_next(gateway, upstream)


UNASKED = {
    "response": BEHIND,
    "response_that_says_goodbye": b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "informational_response": CONTINUE,
    "line_end": b"\r\n",
    "letter": b"x",
    "nul": b"\0",
}


@pytest.mark.parametrize("name", UNASKED)
def test_bytes_on_an_idle_connection(guarded, name):
    """What comes while nobody has asked for anything is nobody's answer."""
    gateway, upstream = guarded
    upstream.pieces = [hello()]
    del upstream.requests[:]
    with gateway.connect(HOST) as client:
        assert client.request("GET", "/bad").body == b"hello"
        upstream.spoilt.send(UNASKED[name])
        assert upstream.wait_for(lambda: upstream.spoilt.closed), "the gateway does not end the connection"
        assert client.request("GET", "/after").body == b"well"
    check_next(gateway, upstream)


def test_switch_to_another_protocol_than_the_one_asked_for(guarded):
    """Whatever it is, the connection is one client's until it ends."""
    gateway, upstream = guarded
    upstream.pieces = [head(b"HTTP/1.1 101 Switching Protocols", b"Upgrade: h2c", b"Connection: upgrade"), BEHIND]
    del upstream.requests[:]
    with gateway.connect(HOST) as client:
        client.send_head("GET", "/bad", [("connection", "upgrade"), ("upgrade", "websocket")])
        got = client.read_response(keep_informational=True)
        assert got.status in (101, 502)
        client.reset()
    check_next(gateway, upstream)

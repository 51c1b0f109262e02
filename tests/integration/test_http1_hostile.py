"""Requests of HTTP/1 that two readers could understand differently, or that nobody should send (RFC 9112, RFC 9110).

Each row says what the client gets and what the upstream sees. Behind each stands another request: on a connection
that goes on it is the next one, behind what is refused it must never arrive. Rows of test_limits.py are not repeated.
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
    CONTROLS_BUT_LINE_FEED,
    CONTROLS_BUT_TAB,
    HELLO,
    LAST_CHUNK,
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

HOST = f"hostile.{documents.DOMAIN}".encode()
BEHIND = b"GET /smuggled HTTP/1.1\r\nHost: " + HOST + b"\r\nConnection: close\r\n\r\n"
SMUGGLED = "GET /smuggled HTTP/1.1"


def head(*lines, end=b"\r\n\r\n"):
    return b"\r\n".join(lines) + end


def request(line, *fields, body=b"", host=HOST):
    return head(line, b"Host: " + host, *fields) + body


def get(*fields, target=b"/bad", **options):
    return request(b"GET " + target + b" HTTP/1.1", *fields, **options)


def post(*fields, **options):
    return request(b"POST /bad HTTP/1.1", *fields, **options)


def with_host(value):
    return head(b"GET /bad HTTP/1.1", b"Host:" + value)


def chunked(body, *fields):
    return post(b"Transfer-Encoding: chunked", *fields, body=body)


# --- what is expected ---


@dataclasses.dataclass(frozen=True)
class Refused:
    """Answered, and the connection ends. `begun`: the head had gone on; its content never ends there."""

    status: int = 400
    begun: bool = False


@dataclasses.dataclass(frozen=True)
class Answered:
    """By the gateway itself, and the connection goes on."""

    status: int


@dataclasses.dataclass(frozen=True)
class Passed:
    """200. The upstream sees `line` with `body`, and of the fields named here exactly these values."""

    line: str = "GET /bad HTTP/1.1"
    body: bytes = b""
    fields: tuple = ()
    closes: bool = False  # after the response, as the client has said


ROWS = {}


def expect(outcome, rows):
    for name, sent in rows.items():
        assert name not in ROWS, name
        ROWS[name] = (sent, outcome)


# --- Content-Length (RFC 9110 8.6, RFC 9112 6.3) ---

expect(
    Refused(),
    named("length", BAD_LENGTHS, lambda value: post(b"Content-Length: " + value, body=b"hello"))
    | {
        "length_three_times": post(*[b"Content-Length: 5"] * 3, body=b"hello"),
        "length_twice_in_different_cases": post(b"content-length: 5", b"CONTENT-LENGTH: 6", body=b"hello!"),
        "length_valid_then_bad": post(b"Content-Length: 5", b"Content-Length: x", body=b"hello"),
        "length_empty_then_valid": post(b"Content-Length:", b"Content-Length: 5", body=b"hello"),
        "length_of_get_twice": get(b"Content-Length: 0", b"Content-Length: 44"),
        "length_with_space_before_colon": post(b"Content-Length : 44"),
        "length_behind_a_fold": post(b"X-A: b", b" Content-Length: 44"),
        "length_with_nul_in_its_name": post(b"Content-Length\0: 44"),
        "length_with_vertical_tab_in_its_name": post(b"Content-Length\x0b: 44"),
        "length_and_coding_in_lower_case": chunked(LAST_CHUNK, b"content-length: 5"),
        "length_and_unknown_coding": post(b"Content-Length: 5", b"Transfer-Encoding: xchunked", body=b"hello"),
        "length_and_identity": post(b"Content-Length: 5", b"Transfer-Encoding: identity", body=b"hello"),
        "length_and_empty_coding": post(b"Content-Length: 5", b"Transfer-Encoding:", body=b"hello"),
        "length_and_coding_with_space_before_colon": post(
            b"Content-Length: 5", b"Transfer-Encoding : chunked", body=LAST_CHUNK
        ),
        "length_and_folded_coding": post(
            b"Content-Length: 5", b"X: y", b" Transfer-Encoding: chunked", body=LAST_CHUNK
        ),
        "length_zero_and_coding": post(b"Content-Length: 0", b"Transfer-Encoding: chunked", body=LAST_CHUNK),
        "length_of_what_the_chunks_take_and_coding": chunked(LAST_CHUNK, b"Content-Length: 5"),
        "coding_between_lengths": post(b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Content-Length: 5"),
        "length_and_coding_of_get": get(b"Content-Length: 5", b"Transfer-Encoding: chunked") + LAST_CHUNK,
        "length_and_coding_in_1_0": request(
            b"POST /bad HTTP/1.0", b"Content-Length: 5", b"Transfer-Encoding: chunked", body=LAST_CHUNK
        ),
    },
)
FIVE = Passed("POST /bad HTTP/1.1", b"hello", (("content-length", ["5"]),))
expect(
    FIVE,
    {
        "length_with_leading_zeros": post(b"Content-Length: 0000000000000000000000005", body=b"hello"),
        "length_with_blanks_around": post(b"Content-Length: \t 5 ", body=b"hello"),
        "length_without_blank": post(b"Content-Length:5", body=b"hello"),
        "length_in_odd_case": post(b"cOnTeNt-LeNgTh: 5", body=b"hello"),
        "length_and_te": post(b"Content-Length: 5", b"TE: chunked", body=b"hello"),
        "length_and_trailer": post(b"Content-Length: 5", b"Trailer: transfer-encoding", body=b"hello"),
        "length_named_by_connection": post(b"Content-Length: 5", b"Connection: content-length", body=b"hello"),
    },
)
expect(
    Passed(fields=(("content-length", ["5"]),), body=b"hello"),
    {"length_of_get": get(b"Content-Length: 5") + b"hello"},
)
expect(
    Passed("POST /bad HTTP/1.1", BEHIND, (("content-length", [str(len(BEHIND))]),)),
    {"request_as_content": post(b"Content-Length: %d" % len(BEHIND), body=BEHIND)},
)
# An underscore is no hyphen: fields of other names, which frame nothing here. They go on as Envoy lets them.
expect(
    Passed("POST /bad HTTP/1.1", fields=(("content_length", ["44"]), ("content-length", ["0"]))),
    {"length_with_underscore": post(b"Content_Length: 44", b"Content-Length: 0")},
)

# --- Transfer-Encoding (RFC 9112 6.1, 7) ---

expect(
    Refused(),
    named("coding", MALFORMED_CODINGS, lambda value: post(b"Transfer-Encoding: " + value, body=LAST_CHUNK)),
)
expect(
    Refused(501),
    named("unknown_coding", UNKNOWN_CODINGS, lambda value: post(b"Transfer-Encoding: " + value, body=LAST_CHUNK)),
)
expect(
    Refused(),
    {
        "coding_before_an_empty_element": post(b"Transfer-Encoding: chunked,", body=LAST_CHUNK),
        "coding_among_empty_elements": post(b"Transfer-Encoding: ,, chunked ,,", body=LAST_CHUNK),
        "coding_twice_in_other_case": chunked(LAST_CHUNK, b"transfer-encoding: CHUNKED"),
        "coding_then_identity": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=LAST_CHUNK),
        "coding_then_an_empty_one": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: ,", body=LAST_CHUNK),
        "coding_behind_an_empty_one": post(b"Transfer-Encoding: ,", b"Transfer-Encoding: chunked", body=LAST_CHUNK),
        "coding_then_gzip": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", body=LAST_CHUNK),
        "coding_with_space_before_colon": post(b"Transfer-Encoding : chunked", body=LAST_CHUNK),
        "coding_with_tab_before_colon": post(b"Transfer-Encoding\t: chunked", body=LAST_CHUNK),
        "coding_with_blank_before_its_name": post(b"X: y", b"\tTransfer-Encoding: chunked", body=LAST_CHUNK),
        "coding_with_nul_in_its_name": post(b"Transfer-Encoding\0: chunked", body=LAST_CHUNK),
        "coding_with_nul_before_its_name": post(b"\0Transfer-Encoding: chunked", body=LAST_CHUNK),
        "coding_with_vertical_tab_in_its_name": post(b"Transfer-Encoding\x0b: chunked", body=LAST_CHUNK),
        "coding_with_space_in_its_name": post(b"Transfer Encoding: chunked", body=LAST_CHUNK),
        "coding_with_soft_hyphen_in_its_name": post(b"Transfer\xadEncoding: chunked", body=LAST_CHUNK),
        "coding_with_latin_in_its_name": post(b"Tr\xe4nsfer-Encoding: chunked", body=LAST_CHUNK),
        "coding_with_semicolon_in_its_name": post(b"Transfer-Encoding;: chunked", body=LAST_CHUNK),
        "coding_behind_a_bare_carriage_return": post(b"X: y\rTransfer-Encoding: chunked", body=LAST_CHUNK),
        "coding_behind_a_bare_line_feed": post(b"X: y\nTransfer-Encoding: chunked", body=LAST_CHUNK),
        "coding_of_get_in_1_0": request(b"GET /bad HTTP/1.0", b"Transfer-Encoding: chunked", body=LAST_CHUNK),
        "coding_in_1_0_with_keep_alive": request(
            b"POST /bad HTTP/1.0", b"Connection: keep-alive", b"Transfer-Encoding: chunked", body=LAST_CHUNK
        ),
        "unknown_coding_in_1_0": request(b"POST /bad HTTP/1.0", b"Transfer-Encoding: gzip", body=LAST_CHUNK),
        "coding_of_connect": request(
            b"CONNECT " + HOST + b":443 HTTP/1.1", b"Transfer-Encoding: chunked", body=LAST_CHUNK
        ),
    },
)
expect(
    Refused(501),
    {
        "identity_then_coding": post(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked", body=LAST_CHUNK),
        "gzip_then_coding": post(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked", body=LAST_CHUNK),
    },
)
CHUNKED = Passed("POST /bad HTTP/1.1", b"hello", (("transfer-encoding", ["chunked"]), ("content-length", [])))
expect(
    CHUNKED,
    named(
        "valid_coding",
        [b"CHUNKED", b"cHuNkEd", b" chunked", b"chunked ", b"\tchunked\t", b", chunked", b",,\t,chunked"],
        lambda value: post(b"Transfer-Encoding:" + value, body=HELLO),
    )
    | {
        "coding_in_odd_case": post(b"tRANSFER-eNCODING: chunked", body=HELLO),
        "coding_named_by_connection": chunked(HELLO, b"Connection: transfer-encoding"),
        "coding_and_te": chunked(HELLO, b"TE: chunked, identity"),
    },
)
expect(
    Passed("GET /bad HTTP/1.1", b"hello", (("transfer-encoding", ["chunked"]),)),
    {"coding_of_get": get(b"Transfer-Encoding: chunked") + HELLO},
)
expect(
    Passed("POST /bad HTTP/1.1", fields=(("transfer_encoding", ["chunked"]), ("transfer-encoding", []))),
    {"coding_with_underscore": post(b"Transfer_Encoding: chunked", b"Content-Length: 0")},
)
expect(
    Passed("POST /bad HTTP/1.1", BEHIND, (("transfer-encoding", ["chunked"]),)),
    {"request_as_chunk": chunked(message.chunked(BEHIND))},
)

# --- chunks (RFC 9112 7.1) ---

expect(Refused(begun=True), {name: chunked(content) for name, content in BAD_CONTENTS.items()})
expect(CHUNKED, {name: chunked(content) for name, content in VALID_CONTENTS.items()})

# --- where the request goes (RFC 9112 3.2) ---

BAD_HOSTS = [
    b"HOST:-1", b"HOST:+80", b"HOST:0x50", b"HOST:80a", b"HOST:80:80", b"HOST:080000", b"HOST:65536", b"HOST: 80",
    b"HOST :80", b"HOST:80 80", b"HOST:80,", b"HOST:\xb2", b":80", b":", b"[::1", b"::1", b"::1]", b"[]", b"[::1]x",
    b"[::1]80", b"[::1%25eth0]", b"[fe80::1%eth0]", b"[v1.x]", b"[127.0.0.1]", b"[HOST]", b"HOST]", b"HOST[",
    b"[[::1]]", b"a b", b"HOST other.example", b"HOST\tother.example", b"HOST%20", b"%68ostile", b"@HOST", b"u:p@HOST",
    b"HOST@other.example", b"HOST@", b"HOST?x", b"HOST#x", b"HOST\\x", b"HOST/..", b"http://HOST", b"//HOST", b"HOST,",
    b",HOST", b"HOST;", b"'HOST'", b'"HOST"', b"<HOST>", b"HOST|", b"HOST^", b"HOST`", b"{HOST}", b"HOST*", b"*",
    b"(HOST)", b"HOST&", b"HOST=", b"HOST!", b"HOST\xe4", b"b\xc3\xbccher.example", b"HOST\0", b"\0HOST",
    b"HOST\0.other", b"HOST\x7f", b"HOST\x0b", b"HOST\r\n ", b"\r\n HOST", b"HOST\rX: y", b"HOST\nHost: other.example",
    b"a" * 256, b"a." * 200,
]
expect(
    Refused(),
    named("host", BAD_HOSTS, lambda value: with_host(b" " + value.replace(b"HOST", HOST)))
    | {
        "hosts_in_different_cases": get(b"hOST: other.example"),
        "host_then_an_empty_one": get(b"Host:"),
        "empty_host_then_another": with_host(b"\r\nHost: " + HOST),
        "three_hosts": get(b"Host: " + HOST, b"Host: " + HOST),
        "host_twice_in_1_0": request(b"GET /bad HTTP/1.0", b"Host: other.example"),
        "host_with_tab_before_colon": head(b"GET /bad HTTP/1.1", b"Host\t: " + HOST),
        "host_with_nul_in_its_name": head(b"GET /bad HTTP/1.1", b"Host\0: " + HOST),
        "host_folded_into_another": get(b"X: y", b" Host: other.example"),
        "no_host_but_absolute_form": head(b"GET http://" + HOST + b"/bad HTTP/1.1", b"X: y"),
    },
)
expect(
    Answered(404),
    {
        "empty_host": with_host(b""),
        "host_of_blanks": with_host(b" \t "),
        "host_of_nobody": with_host(b" nobody.example"),
        "host_of_two_dots": with_host(b" .."),
        "host_of_a_dot": with_host(b" ."),
        "host_with_dot_before": with_host(b" ." + HOST),
        "host_with_dots_behind": with_host(b" " + HOST + b".."),
        "host_in_brackets": with_host(b" [::1]:80"),
        "host_that_is_an_address": with_host(b" 127.0.0.1"),
        "host_with_hyphen_before": with_host(b" -" + HOST),
        "absolute_form_of_nobody": request(b"GET http://nobody.example/bad HTTP/1.1", host=b"nobody.example"),
    },
)
expect(
    Passed(fields=(("host", [HOST.decode() + "."]),)),
    {"host_with_dot_behind": with_host(b" " + HOST + b".")},
)
expect(
    Passed(fields=(("host", [HOST.decode() + ":"]),)),
    {"host_with_empty_port": with_host(b" " + HOST + b":")},
)
expect(
    Passed(fields=(("host", [HOST.decode()]),)),
    {
        "host_without_blank": with_host(HOST),
        "host_with_blanks_around": with_host(b" \t" + HOST + b"\t "),
        "absolute_form": get(target=b"http://" + HOST + b"/bad"),
        "absolute_form_in_upper_case": get(target=b"HTTP://" + HOST.upper() + b"/bad"),
        "absolute_form_of_https": get(target=b"https://" + HOST + b"/bad"),
    },
)
expect(
    Passed("GET / HTTP/1.1"),
    {"absolute_form_without_path": get(target=b"http://" + HOST)},
)
expect(
    Passed("GET /?x HTTP/1.1"),
    {"absolute_form_with_query_only": get(target=b"http://" + HOST + b"?x")},
)
expect(
    Passed("OPTIONS * HTTP/1.1"),
    {
        "asterisk_form": request(b"OPTIONS * HTTP/1.1"),
        "asterisk_in_absolute_form": request(b"OPTIONS http://" + HOST + b" HTTP/1.1"),
    },
)
BAD_TARGETS = [
    b"http://other.example/", b"http://HOST:80/", b"http://HOST:/", b"http://HOST./", b"http://HOST.other/",
    b"http:///bad", b"http://", b"http:", b"http:/", b"http:/HOST/", b"http:HOST", b"http:\\\\HOST/",
    b"http://user@HOST/", b"http://HOST@other.example/", b"http://HOST\\@other.example/",
    b"http://HOST#@other.example/", b"http://HOST#x", b"http://[::1/", b"http://[::1]/", b"http://HOST:x/",
    b"http://HOST:99999/", b"http:// HOST/", b"://HOST/", b"ws://HOST/", b"wss://HOST/", b"file:///etc/passwd",
    b"gopher://HOST/", b"javascript:alert(1)", b"htttp://HOST/", b"http2://HOST/", b"h\0ttp://HOST/", b"HOST",
    b"HOST:80", b"HOST/bad", b"HOST:443/", b"user@HOST:80", b"**", b"*x", b"*/bad", b"?x", b"#x", b"#", b".", b"..",
    b"../bad", b"./bad", b"\\bad", b"\\\\HOST\\bad", b"%2fbad", b"bad", b"~", b"@HOST", b":80", b"a:b@c", b"/bad#x",
    b"/bad#", b"/#/bad", b"/bad?x#y", b"/b\\\0", b"/ HTTP/1.1 x", b"/bad /bad", b"/bad\t/bad", b"/bad\t", b"\t/bad",
    b" /bad", b"/bad ", b"/bad\x0b", b"/bad\x0c", b"/bad\xa0", b"/b\xe4d", b"/b\xc3\xa4d", b"/bad?\xff", b"/\x80",
]
expect(Refused(), named("target", BAD_TARGETS, lambda target: get(target=target.replace(b"HOST", HOST))))
expect(
    Refused(),
    {
        "asterisk_with_head": request(b"HEAD * HTTP/1.1"),
        "asterisk_with_post": request(b"POST * HTTP/1.1", b"Content-Length: 0"),
        "asterisks_with_options": request(b"OPTIONS ** HTTP/1.1"),
        "asterisk_and_path_with_options": request(b"OPTIONS *x HTTP/1.1"),
        "authority_form_with_options": request(b"OPTIONS " + HOST + b":80 HTTP/1.1"),
        "authority_form_with_post": request(b"POST " + HOST + b":443 HTTP/1.1", b"Content-Length: 0"),
        "connect_without_port": request(b"CONNECT " + HOST + b" HTTP/1.1"),
        "connect_with_empty_port": request(b"CONNECT " + HOST + b": HTTP/1.1"),
        "connect_to_a_path": request(b"CONNECT /bad HTTP/1.1"),
        "connect_to_asterisk": request(b"CONNECT * HTTP/1.1"),
        "connect_in_absolute_form": request(b"CONNECT http://" + HOST + b":443/ HTTP/1.1"),
        "connect_with_user": request(b"CONNECT user@" + HOST + b":443 HTTP/1.1"),
        "connect_with_content": request(b"CONNECT " + HOST + b":443 HTTP/1.1", b"Content-Length: 5", body=b"hello"),
        "connect_without_host": head(b"CONNECT " + HOST + b":443 HTTP/1.1", b"X: y"),
        "connect_to_port_zero_of_nobody": request(b"CONNECT :0 HTTP/1.1"),
    },
)
expect(
    Answered(400),
    named("path", [b"/%", b"/%0", b"/%zz", b"/bad%00", b"/%00/bad", b"/bad%0"], lambda target: get(target=target)),
)
expect(
    Passed("GET //" + HOST.decode() + "/bad HTTP/1.1"),
    {"path_that_looks_like_a_host": get(target=b"//" + HOST + b"/bad")},
)
expect(
    Passed("GET /http://other.example/ HTTP/1.1"),
    {"path_that_looks_like_absolute_form": get(target=b"/http://other.example/")},
)
expect(
    Passed("GET /bad?http://other.example/../%00 HTTP/1.1"),
    {"query_that_looks_like_absolute_form": get(target=b"/bad?http://other.example/../%00")},
)
expect(
    Passed("GET /bad%0d%0aX:%20y HTTP/1.1"),
    {"encoded_line_end": get(target=b"/bad%0d%0aX:%20y")},
)
expect(
    Passed("GET /b/d HTTP/1.1"),
    {"backslash": get(target=b"/b\\d"), "backslash_that_climbs": get(target=b"/a\\..\\b\\d")},
)

# --- the request line (RFC 9112 3) ---

BAD_LINES = {
    "leading_space": b" GET /bad HTTP/1.1",
    "leading_tab": b"\tGET /bad HTTP/1.1",
    "leading_nul": b"\0GET /bad HTTP/1.1",
    "leading_byte_order_mark": b"\xef\xbb\xbfGET /bad HTTP/1.1",
    "leading_colon": b":GET /bad HTTP/1.1",
    "three_spaces": b"GET   /bad HTTP/1.1",
    "two_spaces_before_version": b"GET /bad  HTTP/1.1",
    "tab_before_version": b"GET /bad\tHTTP/1.1",
    "tab_after_version": b"GET /bad HTTP/1.1\t",
    "vertical_tab_as_space": b"GET\x0b/bad\x0bHTTP/1.1",
    "form_feed_as_space": b"GET\x0c/bad\x0cHTTP/1.1",
    "carriage_return_as_space": b"GET\r/bad\rHTTP/1.1",
    "no_target": b"GET HTTP/1.1",
    "empty_target": b"GET  HTTP/1.1",
    "only_a_method": b"GET",
    "method_and_space": b"GET ",
    "request_line_twice": b"GET /bad HTTP/1.1 GET /bad HTTP/1.1",
    "more_behind_version": b"GET /bad HTTP/1.1 x",
    "colon_behind_version": b"GET /bad HTTP/1.1:",
    "target_first": b"/bad GET HTTP/1.1",
    "quoted": b'"GET /bad HTTP/1.1"',
}
expect(Refused(), {name: request(line) for name, line in BAD_LINES.items()})
BAD_VERSIONS = [
    b"HTTP/1", b"HTTP/1.", b"HTTP/.1", b"HTTP/", b"HTTP", b"HTTP/11", b"HTTP/01.1", b"HTTP/1.01", b"HTTP/1.10",
    b"HTTP/1.1.1", b"HTTP/ 1.1", b"HTTP /1.1", b"HTTP/1 .1", b"HTTP/1. 1", b"HTTP/1,1", b"HTTP/1:1", b"HTTP/-1.1",
    b"HTTP/+1.1", b"HTTP/a.b", b"HTTP/1.x", b"HTTP\\1.1", b"HTTP-1.1", b"HTP/1.1", b"HHTTP/1.1", b"HTTPS/1.1",
    b"XHTTP/1.1", b"HTTP/1.1x", b"HTTP/1.1\0", b"HTTP/1.1\x0b", b"HTTP/\xb9.1", b"HTTP/1\xb7.1", b"Http/1.1",
    b"hTTP/1.1", b"RTSP/1.0", b"SIP/2.0", b"ICE/1.0", b"ICY/1.1", b"GET/1.1", b"1.1", b"/1.1", b"HTTP/0x1.1",
    b"HTTP/1.1,HTTP/1.0",
]
expect(Refused(), named("version", BAD_VERSIONS, lambda version: request(b"GET /bad " + version)))
expect(
    Refused(505),
    named(
        "unsupported_version",
        [b"HTTP/0.9", b"HTTP/0.0", b"HTTP/1.3", b"HTTP/1.9", b"HTTP/2.1", b"HTTP/3.0", b"HTTP/9.9"],
        lambda version: request(b"GET /bad " + version),
    ),
)
expect(Refused(505), {"version_of_0_9": b"GET /bad\r\n", "version_of_0_9_with_line_feed": b"GET /bad\n"})
expect(Refused(), {"version_of_0_9_with_space": b"GET /bad \r\n"})
UNKNOWN_METHODS = [
    b"get", b"Get", b"gET", b"GETT", b"GE", b"G", b"XGET", b"FOO", b"123", b"-", b"*", b"!#$%&'*+-.^_`|~", b"PRIX",
    b"DESCRIBE", b"ANNOUNCE", b"SETUP", b"PLAY", b"PAUSE", b"TEARDOWN", b"GET_PARAMETER", b"SET_PARAMETER", b"RECORD",
    b"FLUSH", b"SOURCE", b"REDIRECT", b"CONNECT-UDP", b"A" * 100, b"A" * 20_000,
]
expect(
    Refused(501),
    named("method", UNKNOWN_METHODS, lambda method: request(method + b" /bad HTTP/1.1"))
    | {
        "status_line": request(b"HTTP/1.1 200 OK"),
        "version_first": request(b"HTTP/1.1 GET /bad"),
        "field_first": request(b"Host: " + HOST),
    },
)
expect(
    Refused(),
    named("byte_in_method", CONTROLS, lambda byte: request(b"GE" + byte + b"T /bad HTTP/1.1"))
    | named("byte_before_method", CONTROLS, lambda byte: request(byte + b"GET /bad HTTP/1.1"))
    | named("byte_in_target", CONTROLS_BUT_LINE_FEED, lambda byte: get(target=b"/b" + byte + b"d"))
    | named("byte_in_query", CONTROLS_BUT_LINE_FEED, lambda byte: get(target=b"/bad?" + byte + b"x"))
    | named("byte_in_version", CONTROLS, lambda byte: request(b"GET /bad HTTP/1." + byte + b"1"))
    | named("delimiter_in_method", NO_TOKEN, lambda byte: request(b"GE" + byte + b"T /bad HTTP/1.1")),
)

# --- fields (RFC 9112 5, RFC 9110 5.5) ---

expect(
    Refused(),
    named("byte_in_name", CONTROLS, lambda byte: get(b"X" + byte + b"Y: z"))
    | named("delimiter_in_name", NO_TOKEN, lambda byte: get(b"X" + byte + b"Y: z"))
    | named("byte_before_name", CONTROLS, lambda byte: get(byte + b"X: y"))
    | named("byte_before_colon", CONTROLS, lambda byte: get(b"X" + byte + b": y"))
    | named("byte_in_value", CONTROLS_BUT_TAB, lambda byte: get(b"X: a" + byte + b"b"))
    | named("byte_before_value", CONTROLS_BUT_TAB, lambda byte: get(b"X:" + byte + b"b"))
    | named("byte_behind_value", [byte for byte in CONTROLS if byte not in b"\t\r"], lambda byte: get(b"X: b" + byte))
    | named("byte_in_host", CONTROLS_BUT_TAB, lambda byte: with_host(b" ho" + byte + b"st"))
    | {
        "space_before_the_first_name": head(b"GET /bad HTTP/1.1", b" X: y", b"Host: " + HOST),
        "tab_before_the_first_name": head(b"GET /bad HTTP/1.1", b"\tHost: " + HOST),
        "fold_of_nothing": get(b"X: y", b" "),
        "fold_of_a_tab": get(b"X: y", b"\t"),
        "fold_after_an_empty_value": get(b"X:", b" y"),
        "fold_with_a_field_in_it": get(b"X: y", b" Z: a"),
        "fold_of_the_last_field": get(b"X: y", b"\tz"),
        "name_of_a_space": get(b" : y"),
        "only_a_colon": get(b":"),
        "colons": get(b":::"),
        "request_line_as_field": get(b"GET /smuggled HTTP/1.1"),
        "request_line_behind_a_bare_line_feed": get(b"X: y\n\nGET /smuggled HTTP/1.1", b"Host: " + HOST),
        "request_line_behind_a_bare_carriage_return": get(b"X: y\r\rGET /smuggled HTTP/1.1", b"Host: " + HOST),
        "head_without_its_end": head(b"GET /bad HTTP/1.1", b"Host: " + HOST, end=b"\r\n"),
        "request_line_without_fields": b"GET /bad HTTP/1.1\r\n",
        "name_without_line_end": b"GET /bad HTTP/1.1\r\nHost: " + HOST + b"\r\nX",
    },
)
expect(
    Passed(fields=(("x", ["a\tb \xe4\xff"]), ("y", [": z"]), ("e", [""]))),
    {"odd_but_valid_values": get(b"X: \t a\tb \xe4\xff \t", b"Y:: z", b"E:")},
)
expect(
    Passed(fields=(("!#$%&'*+-.^_`|~0", ["y"]),)),
    {"odd_but_valid_name": get(b"!#$%&'*+-.^_`|~0: y")},
)

# --- too much ---

expect(
    Refused(431),
    {
        "one_field_too_many": get(*[b"X: y"] * 100),
        "thousands_of_fields": get(*[b"X:"] * 9000),
        "head_one_byte_too_long": get(b"X: " + b"y" * (60 * 1024 - len(get(b"X: ")) + 1)),
        "many_connection_fields": get(*[b"Connection: close"] * 100),
    },
)
expect(Refused(414), {"target_one_byte_too_long": get(target=b"/" + b"a" * 16 * 1024)})
expect(
    Refused(),
    {
        "more_connection_options_than_anybody_has": get(b"Connection: " + b"x," * 33),
        "blank_lines": b"\r\n" * 17 + get(),
        "blank_line_of_a_line_feed": b"\n" + get(),
        "blank_line_of_a_carriage_return": b"\r" + get(),
        "blank_line_of_a_space": b" \r\n" + get(),
        "blank_line_the_wrong_way_round": b"\n\r" + get(),
    },
)
expect(Passed(), {"few_blank_lines": b"\r\n" * 16 + get()})
expect(Passed(f"GET /{'a' * (16 * 1024 - 1)} HTTP/1.1"), {"longest_target": get(target=b"/" + b"a" * (16 * 1024 - 1))})

# --- Upgrade (RFC 9110 7.8) and other versions ---

NOT_UPGRADED = Passed(fields=(("upgrade", []), ("connection", []), ("http2-settings", [])))
SETTINGS = b"HTTP2-Settings: AAMAAABkAAQAAP__"
expect(
    NOT_UPGRADED,
    {
        "upgrade_h2c": get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", SETTINGS),
        "upgrade_h2c_without_settings": get(b"Connection: Upgrade", b"Upgrade: h2c"),
        "upgrade_h2c_in_upper_case": get(b"Connection: UPGRADE, HTTP2-SETTINGS", b"UPGRADE: H2C", SETTINGS),
        "upgrade_h2c_not_named_by_connection": get(b"Upgrade: h2c", SETTINGS),
        "upgrade_h2c_settings_not_named": get(b"Connection: Upgrade", b"Upgrade: h2c", SETTINGS),
        "upgrade_settings_alone": get(SETTINGS),
        "upgrade_settings_named_alone": get(b"Connection: HTTP2-Settings", SETTINGS),
        "upgrade_h2c_first": get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c, websocket", SETTINGS),
        "upgrade_h2c_last": get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: websocket,h2c", SETTINGS),
        "upgrade_h2c_with_a_version": get(b"Connection: Upgrade", b"Upgrade: h2c/1"),
        "upgrade_h2c_in_quotes": get(b"Connection: Upgrade", b'Upgrade: "h2c"'),
        "upgrade_h2c_with_a_parameter": get(b"Connection: Upgrade", b"Upgrade: h2c;x"),
        "upgrade_h2c_before_a_space": get(b"Connection: Upgrade", b"Upgrade: h2c websocket"),
        "upgrade_h2c_behind_obs_text": get(b"Connection: Upgrade", b"Upgrade: \xffh2c"),
        "upgrade_h2c_before_obs_text": get(b"Connection: Upgrade", b"Upgrade: h2c\xa0"),
        "upgrade_h2": get(b"Connection: Upgrade", b"Upgrade: h2"),
        "upgrade_http_2": get(b"Connection: Upgrade", b"Upgrade: HTTP/2.0"),
        "upgrade_to_a_version_of_nothing": get(b"Connection: Upgrade", b"Upgrade: /1"),
        "upgrade_to_no_version": get(b"Connection: Upgrade", b"Upgrade: websocket/"),
        "upgrade_twice": get(b"Connection: Upgrade", b"Upgrade: websocket", b"Upgrade: h2c"),
        "upgrade_twice_alike": get(b"Connection: Upgrade", b"Upgrade: websocket", b"Upgrade: websocket"),
        "upgrade_without_connection": get(b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
        "upgrade_with_connection_keep_alive": get(b"Connection: keep-alive", b"Upgrade: websocket"),
        "upgrade_with_connection_of_another_field": get(b"Connection: sec-websocket-key", b"Upgrade: websocket"),
        "upgrade_empty": get(b"Connection: upgrade", b"Upgrade:"),
        "connection_upgrade_alone": get(b"Connection: upgrade"),
    },
)
expect(
    Passed("POST /bad HTTP/1.1", b"hello", (("upgrade", []), ("connection", []))),
    {"upgrade_with_content": post(b"Connection: upgrade", b"Upgrade: websocket", b"Content-Length: 5", body=b"hello")},
)
expect(
    Passed(fields=(("upgrade", ["websocket"]), ("connection", ["upgrade"]), ("http2-settings", []))),
    {
        "upgrade_that_is_not_taken": get(b"Connection: upgrade", b"Upgrade: websocket"),
        "upgrade_with_settings_of_h2c": get(b"Connection: upgrade, http2-settings", b"Upgrade: websocket", SETTINGS),
    },
)
expect(
    Passed("POST /bad HTTP/1.1", BEHIND, (("upgrade", []), ("http2-settings", []))),
    {
        "upgrade_h2c_with_content": post(
            b"Connection: Upgrade, HTTP2-Settings",
            b"Upgrade: h2c",
            SETTINGS,
            b"Content-Length: %d" % len(BEHIND),
            body=BEHIND,
        ),
        "upgrade_h2c_with_chunks": chunked(message.chunked(BEHIND), b"Connection: Upgrade", b"Upgrade: h2c", SETTINGS),
    },
)
expect(
    Passed("GET /bad HTTP/1.1", fields=(("upgrade", []),), closes=True),
    {"upgrade_in_1_0": request(b"GET /bad HTTP/1.0", b"Connection: Upgrade", b"Upgrade: websocket")},
)
expect(
    Refused(505),
    {
        "preface_and_then_http1": b"PRI * HTTP/2.0\r\n\r\n",
        "preface_with_other_letters": b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        "preface_with_a_part_missing": b"PRI * HTTP/2.0\r\n\r\nSM\r\n",
        "preface_with_fields": head(b"PRI * HTTP/2.0", b"Host: " + HOST) + b"SM\r\n\r\n",
        "preface_with_another_target": b"PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "preface_behind_a_blank_line": b"\r\n" + PREFACE,
    },
)
expect(
    Refused(),
    {
        "method_of_the_preface": request(b"PRI /bad HTTP/1.1"),
        "preface_of_1_1": request(b"PRI * HTTP/1.1", body=b"SM\r\n\r\n"),
    },
)

# --- Expect (RFC 9110 10.1.1) ---

EXPECTATIONS = [
    b"100-continue", b"100-CONTINUE", b"100-continue, 100-continue", b"100-continue;a=b", b"200-ok", b"", b"\xff",
]
expect(
    FIVE,
    named("expect", EXPECTATIONS, lambda value: post(b"Expect: " + value, b"Content-Length: 5", body=b"hello"))
    | {"expect_twice": post(b"Expect: 100-continue", b"Expect: 100-continue", b"Content-Length: 5", body=b"hello")},
)
expect(Passed(fields=(("expect", []),)), {"expect_without_content": get(b"Expect: 100-continue")})
expect(
    Refused(),
    {"expect_with_nul": get(b"Expect: 100-continue\0"), "expect_folded": get(b"Expect:", b" 100-continue")},
)

# --- Connection (RFC 9110 7.6.1) ---

KEPT = (
    ("host", [HOST.decode()]),
    ("x-forwarded-for", ["127.0.0.1"]),
    ("x-forwarded-proto", ["http"]),
    ("x-envoy-external-address", ["127.0.0.1"]),
    ("x-envoy-attempt-count", ["1"]),
    ("connection", []),
)
NAMED = [
    b"x-forwarded-for", b"X-Forwarded-Proto", b"x-envoy-external-address", b"x-envoy-attempt-count", b"x-request-id",
    b"host", b"Host, x-forwarded-for", b"keep-alive", b"te", b"trailer", b"upgrade", b"connection", b"x-nobody", b"",
    b",,,", b'"host"', b"host;x", b"*", b":path", b":authority", b"@", b"a b", b"\xff",
]
CLOSING = [
    b"close", b"CLOSE", b"close, x-forwarded-for", b"host,close", b"keep-alive, close",
    b"close, keep-alive", b" ,close,",
]
expect(Passed(fields=KEPT), named("connection", NAMED, lambda value: get(b"Connection: " + value)))
expect(
    Passed(fields=KEPT, closes=True),
    named("connection_closes", CLOSING, lambda value: get(b"Connection: " + value))
    | {
        "connection_twice_and_close": get(b"Connection: keep-alive", b"Connection: close"),
        "connection_in_1_0": request(b"GET /bad HTTP/1.0", b"Connection: x-forwarded-for"),
    },
)
expect(
    Passed(fields=(*KEPT, ("x-a", []), ("x-b", ["2"]))),
    {"connection_names_a_field": get(b"Connection: X-A", b"x-a: 1", b"x-b: 2", b"X-A: 3")},
)
expect(
    Refused(),
    {
        "connection_with_nul": get(b"Connection: close\0"),
        "connection_folded": get(b"Connection:", b" close"),
        "connection_with_space_before_colon": get(b"Connection : close"),
    },
)

# --- what is not HTTP at all ---

STRANGERS = {
    "proxy_protocol_2": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\0" * 12 + get(),
    "json": b'{"jsonrpc": "2.0"}\r\n\r\n',
    "xml": b"<policy-file-request/>\0",
    "ones": b"\xff" * 64,
    "zeros": b"\0" * 64,
    "frames_of_http2": b"\0\0\0\x04\0\0\0\0\0",
    "record_of_tls": b"\x17\x03\x03\0\x10" + b"x" * 16,
    "ssl_2": b"\x80\x2e\x01\0\x02\0\x15\0\0\0\x10",
    "socks_5": b"\x05\x01\x00",
    "socks_4": b"\x04\x01\x00\x50\x7f\0\0\x01\0",
    "rdp": b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0",
}
TALKATIVE_STRANGERS = {  # what they begin with could be a method
    "ssh": b"SSH-2.0-OpenSSH_9.6\r\n",
    "proxy_protocol_1": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + get(),
    "redis": b"*1\r\n$4\r\nPING\r\n",
    "smtp": b"EHLO there\r\n",
    "memcached": b"stats items\r\n",
    "finger": b"root\r\n",
}
expect(Refused(), {f"stranger:{name}": sent for name, sent in STRANGERS.items()})
expect(Refused(501), {f"stranger:{name}": sent for name, sent in TALKATIVE_STRANGERS.items()})

# --- a byte more, or less: every place of a well-formed request ---

WELL_FORMED = post(b"Content-Length: 0", b"X-A: b")
TARGET_AT = WELL_FORMED.index(b"/bad")


def is_line_of_0_9(sent):
    """The line feed stands in the target or right behind it."""
    return TARGET_AT < sent.find(b"\n") <= TARGET_AT + len(b"/bad")


for row_name, row_sent in changed_lines("head", WELL_FORMED):
    expect(Refused(505 if is_line_of_0_9(row_sent) else 400), {row_name: row_sent})


# --- the test ---


class WatchedUpstream(Upstream):
    """Knows which requests it has got from their first byte to their last."""

    def __init__(self):
        super().__init__()
        self.complete = []
        self.over = 0  # requests that are complete, or never will be

    def answer(self, peer, asked):
        try:
            peer.read_body(asked)
            self.complete.append(asked)
        finally:
            self.over += 1
        peer.respond(body=b"hello")

    def forget(self):
        del self.complete[:], self.requests[:]
        self.over = 0

    def wait_until_over(self):
        assert self.wait_for(lambda: self.over == len(self.requests)), "a request that has begun does not end"


@pytest.fixture(name="guarded", scope="module")
def start_guarded(tmp_path_factory, certificate):
    """A gateway and an upstream for this module: whatever arrives there is on record."""
    upstream = WatchedUpstream()
    upstream.serve(upstream.answer)
    texts = documents.kyma_texts(certificate) | {"hostile.yaml": documents.routes("hostile", upstream.port)}
    with Gateway(tmp_path_factory.mktemp("hostile1"), texts) as gateway:
        yield gateway, upstream
    upstream.stop()


def read_responses(client, method):
    """All that come: of the first request, which has this method, and of what stands behind it."""
    responses = []
    while response := client.read_response(method if not responses else "GET"):
        responses.append(response)
        if response.get("connection") == "close":
            assert client.is_closed_by_peer(), "more came behind the last response"
            break
    return responses


def exchange(gateway, upstream, pieces):
    """Sends these and BEHIND; the responses, once the upstream has seen all that it will."""
    upstream.forget()
    pieces = list(pieces)
    with gateway.connect(HOST.decode()) as client:
        with contextlib.suppress(ConnectionError):  # it is refused while it is still being sent
            for piece in pieces:
                client.send(piece)
            client.send(BEHIND)
        method = b"".join(pieces).split(b" ")[0].decode("latin-1")
        responses = read_responses(client, method)
    upstream.wait_until_over()
    return responses


def check_others(gateway):
    with gateway.connect(HOST.decode()) as client:
        assert client.request("GET", "/after").status == 200


@pytest.mark.parametrize("name, cut", cases(ROWS))
def test_request(guarded, name, cut):
    gateway, upstream = guarded
    sent, expected = ROWS[name]
    statuses = [response.status for response in exchange(gateway, upstream, cut(sent))]
    begun = [request.start_line for request in upstream.requests]
    complete = [request.start_line for request in upstream.complete]
    match expected:
        case Refused():
            assert (statuses, complete) == ([expected.status], [])
            assert begun in ([[], ["POST /bad HTTP/1.1"]] if expected.begun else [[]])
        case Answered():
            assert (statuses, complete, begun) == ([expected.status, 200], [SMUGGLED], [SMUGGLED])
        case Passed():
            behind = [] if expected.closes else [SMUGGLED]
            assert (statuses, complete) == ([200] + [200] * len(behind), [expected.line, *behind])
            assert begun == complete
            request = upstream.complete[0]
            assert request.body == expected.body
            assert {name: request.all(name) for name, _ in expected.fields} == dict(expected.fields)
            assert len(request.all("host")) == 1
    check_others(gateway)
    assert not upstream.failures, "what the upstream got is not well-formed"
    gateway.check_health()


# --- what does not come to its end ---

UNFINISHED = {
    "request_line": (b"GET /bad HTT", []),
    "head": (get(b"X: y")[:-2], []),
    "last_line_feed": (get(b"X: y")[:-1], []),
    "content": (post(b"Content-Length: 1000", body=b"hello"), ["POST /bad HTTP/1.1"]),
    "content_that_is_a_request": (post(b"Content-Length: 1000", body=BEHIND), ["POST /bad HTTP/1.1"]),
    "content_of_2_to_63": (post(b"Content-Length: 9223372036854775807", body=BEHIND), ["POST /bad HTTP/1.1"]),
    "chunk": (chunked(b"1000\r\n" + BEHIND), ["POST /bad HTTP/1.1"]),
    "chunk_of_2_to_64": (chunked(b"ffffffffffffffff\r\n" + BEHIND), ["POST /bad HTTP/1.1"]),
    "size": (chunked(b"5\r\nhello\r\n5"), ["POST /bad HTTP/1.1"]),
    "extension": (chunked(b"5;a="), ["POST /bad HTTP/1.1"]),
    "last_chunk": (chunked(b"5\r\nhello\r\n0\r\n"), ["POST /bad HTTP/1.1"]),
    "last_line": (chunked(b"5\r\nhello\r\n0\r\n\r"), ["POST /bad HTTP/1.1"]),
    "trailer": (chunked(b"5\r\nhello\r\n0\r\nX-T: v\r\n"), ["POST /bad HTTP/1.1"]),
}


@pytest.mark.parametrize("leaves", ["shutdown_write", "close", "reset"])
@pytest.mark.parametrize("name", UNFINISHED)
def test_end_within_a_request(guarded, name, leaves):
    """What the upstream has of it never looks complete, and its connection is not used again."""
    gateway, upstream = guarded
    sent, begun = UNFINISHED[name]
    upstream.forget()
    client = gateway.connect(HOST.decode())
    client.send(sent)
    upstream.wait_for_requests(len(begun))
    getattr(client, leaves)()
    upstream.wait_until_over()
    if leaves == "shutdown_write":
        assert b" 200 " not in client.read_to_end()
        client.close()
    assert ([request.start_line for request in upstream.requests], upstream.complete) == (begun, [])
    check_others(gateway)


def test_preface_behind_a_request(guarded):
    """A connection does not change its version."""
    gateway, upstream = guarded
    responses = exchange(gateway, upstream, [get() + PREFACE + b"\0\0\0\4\0\0\0\0\0"])
    assert [response.status for response in responses] == [200, 505]
    assert upstream.paths == ["/bad"]

"""Frames that no client should send (RFC 9113, RFC 7541): each is answered as the RFCs say, and goes no further.

Where they leave the choice, between a response and a reset, or a stream and its connection, a row says which it is.
"""

import contextlib
import dataclasses
import socket
import struct
import threading

import pytest

from harness import documents
from harness.documents import DOMAIN
from harness.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WHOLE,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    block,
    data,
    frame,
    head,
    literal,
    setting,
    settings,
    word,
)
from harness.gateway import Gateway, is_sanitized
from harness.http2_client import PREFACE, ErrorCodes
from harness.limits import IO_SECONDS, MIB, QUIET_SECONDS
from harness.upstream import Upstream

HOST = f"hostile.{DOMAIN}".encode()
AFTER = 2**20 + 1  # the stream of the request that comes after each row's frames
PROTOCOL_ERROR = ErrorCodes.PROTOCOL_ERROR
FLOW_CONTROL_ERROR = ErrorCodes.FLOW_CONTROL_ERROR
STREAM_CLOSED = ErrorCodes.STREAM_CLOSED
FRAME_SIZE_ERROR = ErrorCodes.FRAME_SIZE_ERROR
COMPRESSION_ERROR = ErrorCodes.COMPRESSION_ERROR
ENHANCE_YOUR_CALM = ErrorCodes.ENHANCE_YOUR_CALM
REFUSED_STREAM = ErrorCodes.REFUSED_STREAM
NO_ERROR = ErrorCodes.NO_ERROR

METHOD, SCHEME, AUTHORITY, PATH = (b":method", b"GET"), (b":scheme", b"http"), (b":authority", HOST), (b":path", b"/")
GET = (METHOD, SCHEME, AUTHORITY, PATH)
POST = ((b":method", b"POST"), SCHEME, AUTHORITY, PATH)


def get(*fields, **options):
    return head(*GET, *fields, **options)


def post(*fields, **options):
    """Content is to follow."""
    return head(*POST, *fields, flags=END_HEADERS, **options)


# --- what is expected ---


@dataclasses.dataclass(frozen=True)
class Outcome:
    """`statuses` and `resets` by stream; `goaway` ends the connection. `requests`: complete ones that went on."""

    statuses: dict
    resets: dict
    goaway: ErrorCodes | None = None
    requests: tuple = ()


def served(*streams):
    streams = streams or (1,)
    return Outcome({stream: 200 for stream in streams}, {}, requests=("/",) * len(streams))


def answered(status, *, then=None):
    """`then`: how the stream is reset after that, because its request is not complete."""
    return Outcome({1: status}, {} if then is None else {1: then})


def reset(code, stream=1):
    return Outcome({}, {stream: code})


def broken(code, *, statuses=(), requests=()):
    return Outcome(dict(statuses), {}, goaway=code, requests=requests)


NOTHING = Outcome({}, {})  # not a word, and the connection goes on

ROWS = {
    # --- pseudo-header fields (RFC 9113 8.3) ---
    "no_method": (head(SCHEME, AUTHORITY, PATH), reset(PROTOCOL_ERROR)),
    "no_scheme": (head(METHOD, AUTHORITY, PATH), reset(PROTOCOL_ERROR)),
    "no_path": (head(METHOD, SCHEME, AUTHORITY), reset(PROTOCOL_ERROR)),
    "no_authority_and_no_host": (head(METHOD, SCHEME, PATH), reset(PROTOCOL_ERROR)),
    "no_fields_at_all": (head(), reset(PROTOCOL_ERROR)),
    "only_regular_fields": (head((b"host", HOST)), reset(PROTOCOL_ERROR)),
    "two_methods": (get(METHOD), reset(PROTOCOL_ERROR)),
    "two_schemes": (get(SCHEME), reset(PROTOCOL_ERROR)),
    "two_authorities": (get(AUTHORITY), reset(PROTOCOL_ERROR)),
    "two_paths": (get(PATH), reset(PROTOCOL_ERROR)),
    "two_paths_that_differ": (get((b":path", b"/smuggled")), reset(PROTOCOL_ERROR)),
    "unknown_pseudo_field": (get((b":foo", b"bar")), reset(PROTOCOL_ERROR)),
    "pseudo_field_of_responses": (get((b":status", b"200")), reset(PROTOCOL_ERROR)),
    "empty_pseudo_name": (get((b":", b"x")), reset(PROTOCOL_ERROR)),
    "pseudo_field_after_a_regular_one": (
        head(METHOD, SCHEME, AUTHORITY, (b"x-a", b"b"), PATH),
        reset(PROTOCOL_ERROR),
    ),
    "upper_case_pseudo_name": (head((b":Method", b"GET"), SCHEME, AUTHORITY, PATH), reset(PROTOCOL_ERROR)),
    "empty_method": (head((b":method", b""), SCHEME, AUTHORITY, PATH), reset(PROTOCOL_ERROR)),
    "method_with_space": (head((b":method", b"GET /x HTTP/1.1"), SCHEME, AUTHORITY, PATH), reset(PROTOCOL_ERROR)),
    "method_with_line_end": (head((b":method", b"GET\r\n"), SCHEME, AUTHORITY, PATH), reset(PROTOCOL_ERROR)),
    "unknown_method": (head((b":method", b"FETCH"), SCHEME, AUTHORITY, PATH), answered(501)),
    "lower_case_method": (head((b":method", b"get"), SCHEME, AUTHORITY, PATH), answered(501)),
    "preface_method": (head((b":method", b"PRI"), SCHEME, AUTHORITY, PATH), answered(501)),
    "empty_scheme": (head(METHOD, (b":scheme", b""), AUTHORITY, PATH), reset(PROTOCOL_ERROR)),
    "unknown_scheme": (head(METHOD, (b":scheme", b"ftp"), AUTHORITY, PATH), answered(400)),
    "scheme_with_separator": (head(METHOD, (b":scheme", b"http://x"), AUTHORITY, PATH), reset(PROTOCOL_ERROR)),
    "scheme_with_control": (head(METHOD, (b":scheme", b"ht\ntp"), AUTHORITY, PATH), reset(PROTOCOL_ERROR)),
    "empty_path": (head(METHOD, SCHEME, AUTHORITY, (b":path", b"")), reset(PROTOCOL_ERROR)),
    "path_without_slash": (head(METHOD, SCHEME, AUTHORITY, (b":path", b"index.html")), reset(PROTOCOL_ERROR)),
    "path_that_is_a_query": (head(METHOD, SCHEME, AUTHORITY, (b":path", b"?a=b")), reset(PROTOCOL_ERROR)),
    "path_in_absolute_form": (
        head(METHOD, SCHEME, AUTHORITY, (b":path", b"http://" + HOST + b"/")),
        reset(PROTOCOL_ERROR),
    ),
    "asterisk_with_get": (head(METHOD, SCHEME, AUTHORITY, (b":path", b"*")), reset(PROTOCOL_ERROR)),
    "path_with_space": (head(METHOD, SCHEME, AUTHORITY, (b":path", b"/a b")), reset(PROTOCOL_ERROR)),
    "path_with_line_end": (
        head(METHOD, SCHEME, AUTHORITY, (b":path", b"/ HTTP/1.1\r\nhost: x\r\n\r\nGET /smuggled")),
        reset(PROTOCOL_ERROR),
    ),
    "path_with_nul": (head(METHOD, SCHEME, AUTHORITY, (b":path", b"/a\0b")), reset(PROTOCOL_ERROR)),
    "path_with_fragment": (head(METHOD, SCHEME, AUTHORITY, (b":path", b"/a#b")), answered(400)),
    "path_with_delete": (head(METHOD, SCHEME, AUTHORITY, (b":path", b"/a\x7fb")), reset(PROTOCOL_ERROR)),
    "path_that_cannot_be_normalised": (head(METHOD, SCHEME, AUTHORITY, (b":path", b"/a%00b")), answered(400)),
    # --- where it goes (RFC 9113 8.3.1) ---
    "empty_authority": (head(METHOD, SCHEME, (b":authority", b""), PATH), reset(PROTOCOL_ERROR)),
    "authority_with_user": (head(METHOD, SCHEME, (b":authority", b"user@" + HOST), PATH), answered(400)),
    "authority_with_password": (head(METHOD, SCHEME, (b":authority", b"u:p@" + HOST), PATH), answered(400)),
    "authority_with_path": (head(METHOD, SCHEME, (b":authority", HOST + b"/x"), PATH), reset(PROTOCOL_ERROR)),
    "authority_with_query": (head(METHOD, SCHEME, (b":authority", HOST + b"?x"), PATH), reset(PROTOCOL_ERROR)),
    "authority_with_bad_port": (head(METHOD, SCHEME, (b":authority", HOST + b":99999"), PATH), answered(400)),
    "authority_with_port_of_letters": (head(METHOD, SCHEME, (b":authority", HOST + b":http"), PATH), answered(400)),
    "authority_list": (head(METHOD, SCHEME, (b":authority", HOST + b", " + HOST), PATH), reset(PROTOCOL_ERROR)),
    "authority_with_space": (head(METHOD, SCHEME, (b":authority", b" " + HOST), PATH), reset(PROTOCOL_ERROR)),
    "authority_with_line_end": (head(METHOD, SCHEME, (b":authority", HOST + b"\r\nx: y"), PATH), reset(PROTOCOL_ERROR)),
    "authority_with_nul": (head(METHOD, SCHEME, (b":authority", HOST + b"\0"), PATH), reset(PROTOCOL_ERROR)),
    "host_that_differs_from_authority": (get((b"host", b"other.example")), answered(400)),
    "host_with_another_port_than_authority": (get((b"host", HOST + b":8080")), answered(400)),
    "two_hosts_of_which_one_differs": (get((b"host", HOST), (b"host", b"other.example")), reset(PROTOCOL_ERROR)),
    "host_twice": (head(METHOD, SCHEME, PATH, (b"host", HOST), (b"host", HOST)), reset(PROTOCOL_ERROR)),
    "host_with_user": (head(METHOD, SCHEME, PATH, (b"host", b"user@" + HOST)), answered(400)),
    "empty_host_beside_authority": (get((b"host", b"")), reset(PROTOCOL_ERROR)),
    # --- CONNECT (RFC 9113 8.5) ---
    "connect": (head((b":method", b"CONNECT"), (b":authority", HOST + b":443")), answered(405)),
    "connect_with_path": (head((b":method", b"CONNECT"), AUTHORITY, PATH), reset(PROTOCOL_ERROR)),
    "connect_with_scheme": (head((b":method", b"CONNECT"), AUTHORITY, SCHEME), reset(PROTOCOL_ERROR)),
    "connect_with_everything": (head((b":method", b"CONNECT"), SCHEME, AUTHORITY, PATH), reset(PROTOCOL_ERROR)),
    "connect_without_authority": (head((b":method", b"CONNECT")), reset(PROTOCOL_ERROR)),
    "connect_without_port": (head((b":method", b"CONNECT"), AUTHORITY), answered(400)),
    "extended_connect": (
        head((b":method", b"CONNECT"), (b":protocol", b"websocket"), SCHEME, AUTHORITY, PATH),
        Outcome({1: 502}, {}, requests=("/",)),  # whose answer does not switch protocols
    ),
    "extended_connect_to_h2c": (
        head((b":method", b"CONNECT"), (b":protocol", b"h2c"), SCHEME, AUTHORITY, PATH),
        answered(400),
    ),
    "extended_connect_with_a_length": (
        head((b":method", b"CONNECT"), (b":protocol", b"websocket"), SCHEME, AUTHORITY, PATH, (b"content-length", b"0")),
        answered(400),
    ),
    "extended_connect_without_path": (
        head((b":method", b"CONNECT"), (b":protocol", b"websocket"), SCHEME, AUTHORITY),
        reset(PROTOCOL_ERROR),
    ),
    "protocols": (
        head((b":method", b"CONNECT"), (b":protocol", b"websocket, h2c"), SCHEME, AUTHORITY, PATH),
        answered(400),
    ),
    "empty_protocol": (
        head((b":method", b"CONNECT"), (b":protocol", b""), SCHEME, AUTHORITY, PATH),
        reset(PROTOCOL_ERROR),
    ),
    "protocol_without_connect": (get((b":protocol", b"websocket")), reset(PROTOCOL_ERROR)),
    # --- fields about connections (RFC 9113 8.2.2) ---
    "connection": (get((b"connection", b"close")), reset(PROTOCOL_ERROR)),
    "connection_keep_alive": (get((b"connection", b"keep-alive")), reset(PROTOCOL_ERROR)),
    "keep_alive": (get((b"keep-alive", b"timeout=5")), reset(PROTOCOL_ERROR)),
    "proxy_connection": (get((b"proxy-connection", b"keep-alive")), reset(PROTOCOL_ERROR)),
    "transfer_encoding": (get((b"transfer-encoding", b"chunked")), reset(PROTOCOL_ERROR)),
    "transfer_encoding_of_content": (
        post((b"transfer-encoding", b"chunked")) + data(b"0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"),
        reset(PROTOCOL_ERROR),
    ),
    "transfer_encoding_identity": (get((b"transfer-encoding", b"identity")), reset(PROTOCOL_ERROR)),
    "upgrade": (get((b"upgrade", b"websocket")), reset(PROTOCOL_ERROR)),
    "upgrade_h2c": (get((b"upgrade", b"h2c")), reset(PROTOCOL_ERROR)),
    "te_gzip": (get((b"te", b"gzip")), reset(PROTOCOL_ERROR)),
    "te_list": (get((b"te", b"trailers, gzip")), reset(PROTOCOL_ERROR)),
    "te_trailers": (get((b"te", b"trailers")), served()),
    # --- names and values (RFC 9113 8.2.1) ---
    "upper_case_name": (get((b"X-Upper", b"x")), reset(PROTOCOL_ERROR)),
    "upper_case_in_the_middle": (get((b"x-uPper", b"x")), reset(PROTOCOL_ERROR)),
    "empty_name": (get((b"", b"x")), answered(400)),
    "nul_in_name": (get((b"x\0a", b"x")), answered(400)),
    "space_in_name": (get((b"x a", b"x")), answered(400)),
    "colon_in_name": (get((b"x:a", b"x")), answered(400)),
    "colon_at_the_end_of_a_name": (get((b"x-a:", b"x")), answered(400)),
    "line_end_in_name": (get((b"x\r\na", b"x")), answered(400)),
    "latin_in_name": (get((b"x\xe4", b"x")), answered(400)),
    "delete_in_name": (get((b"x\x7f", b"x")), answered(400)),
    "nul_in_value": (get((b"x-a", b"a\0b")), answered(400)),
    "carriage_return_in_value": (get((b"x-a", b"a\rb")), answered(400)),
    "line_feed_in_value": (get((b"x-a", b"a\nb")), answered(400)),
    "line_end_in_value": (get((b"x-a", b"a\r\nx-b: c")), answered(400)),
    "request_in_value": (get((b"x-a", b"a\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n")), answered(400)),
    "control_in_value": (get((b"x-a", b"a\x01b")), answered(400)),
    "delete_in_value": (get((b"x-a", b"a\x7fb")), answered(400)),
    "space_before_value": (get((b"x-a", b" b")), answered(400)),
    "space_behind_value": (get((b"x-a", b"b ")), answered(400)),
    "tab_before_value": (get((b"x-a", b"\tb")), answered(400)),
    "tab_behind_value": (get((b"x-a", b"b\t")), answered(400)),
    "value_of_one_space": (get((b"x-a", b" ")), answered(400)),
    "tab_within_value": (get((b"x-a", b"a\tb")), served()),
    "latin_in_value": (get((b"x-a", b"a\xe4b")), served()),
    "empty_value": (get((b"x-a", b"")), served()),
    "invalid_field_of_an_upload": (post((b"x-a", b"a\nb")), answered(400, then=NO_ERROR)),
    "line_end_in_cookie": (get((b"cookie", b"a=b\r\nx: y")), answered(400)),
    # --- content-length (RFC 9113 8.1.1) ---
    "length_larger_than_content": (post((b"content-length", b"10")) + data(b"short"), reset(PROTOCOL_ERROR)),
    "length_smaller_than_content": (post((b"content-length", b"2")) + data(b"longer"), reset(PROTOCOL_ERROR)),
    "length_smaller_than_content_in_two": (
        post((b"content-length", b"2")) + data(b"ab", flags=0) + data(b"c"),
        reset(PROTOCOL_ERROR),
    ),
    "length_without_content": (get((b"content-length", b"5")), reset(PROTOCOL_ERROR)),
    "length_zero_with_content": (post((b"content-length", b"0")) + data(b"x"), reset(PROTOCOL_ERROR)),
    "length_zero_without_content": (get((b"content-length", b"0")), served()),
    "length_and_trailers_too_soon": (
        post((b"content-length", b"5")) + data(b"abc", flags=0) + head((b"x-t", b"1")),
        reset(PROTOCOL_ERROR),
    ),
    "two_lengths_that_differ": (
        post((b"content-length", b"1"), (b"content-length", b"2")) + data(b"x"),
        reset(PROTOCOL_ERROR),
    ),
    "two_lengths_alike": (
        post((b"content-length", b"1"), (b"content-length", b"1")) + data(b"x"),
        reset(PROTOCOL_ERROR),
    ),
    "length_list": (post((b"content-length", b"1, 1")) + data(b"x"), reset(PROTOCOL_ERROR)),
    "length_negative": (post((b"content-length", b"-1")) + data(b"x"), reset(PROTOCOL_ERROR)),
    "length_signed": (post((b"content-length", b"+1")) + data(b"x"), reset(PROTOCOL_ERROR)),
    "length_empty": (post((b"content-length", b"")) + data(b"x"), reset(PROTOCOL_ERROR)),
    "length_hexadecimal": (post((b"content-length", b"0x1")) + data(b"x"), reset(PROTOCOL_ERROR)),
    "length_with_fraction": (post((b"content-length", b"1.0")) + data(b"x"), reset(PROTOCOL_ERROR)),
    "length_beyond_64_bits": (post((b"content-length", b"18446744073709551617")) + data(b"x"), reset(PROTOCOL_ERROR)),
    "length_of_2_to_63": (post((b"content-length", b"9223372036854775808")) + data(b"x"), reset(PROTOCOL_ERROR)),
    # --- trailers (RFC 9113 8.1) ---
    "trailers_without_end": (
        post() + data(b"x", flags=0) + head((b"x-t", b"1"), flags=END_HEADERS),
        reset(PROTOCOL_ERROR),
    ),
    "pseudo_field_in_trailers": (post() + data(b"x", flags=0) + head((b":path", b"/x")), reset(PROTOCOL_ERROR)),
    "host_in_trailers": (post() + data(b"x", flags=0) + head((b"host", HOST)), reset(PROTOCOL_ERROR)),
    "length_in_trailers": (post() + data(b"x", flags=0) + head((b"content-length", b"1")), reset(PROTOCOL_ERROR)),
    "transfer_encoding_in_trailers": (
        post() + data(b"x", flags=0) + head((b"transfer-encoding", b"chunked")),
        reset(PROTOCOL_ERROR),
    ),
    "upper_case_name_in_trailers": (post() + data(b"x", flags=0) + head((b"X-T", b"1")), reset(PROTOCOL_ERROR)),
    "line_end_in_trailers": (post() + data(b"x", flags=0) + head((b"x-t", b"1\r\n2")), reset(PROTOCOL_ERROR)),
    "large_trailers": (post() + data(b"x", flags=0) + head((b"x-t", b"1" * 10_000)), reset(PROTOCOL_ERROR)),
    "trailers_at_once": (post() + head((b"x-t", b"1")), served()),
    # --- DATA (RFC 9113 6.1) ---
    "data_on_stream_zero": (data(b"x", stream=0), broken(PROTOCOL_ERROR)),
    "data_on_idle_stream": (data(b"x"), broken(PROTOCOL_ERROR)),
    "data_on_even_stream": (data(b"x", stream=2), broken(PROTOCOL_ERROR)),
    "data_on_half_closed_stream": (get() + data(b"x"), broken(STREAM_CLOSED)),
    "data_on_half_closed_stream_without_end": (get() + data(b"x", flags=0), broken(STREAM_CLOSED)),
    "data_after_reset": (
        post() + frame(RST_STREAM, 0, 1, word(8)) + data(b"x"),
        NOTHING,
    ),
    "data_padded_beyond_the_frame": (post() + frame(DATA, PADDED, 1, b"\5abc"), broken(PROTOCOL_ERROR)),
    "data_padded_to_the_byte_too_far": (post() + frame(DATA, PADDED, 1, b"\4abc"), broken(PROTOCOL_ERROR)),
    "data_of_padding_only": (post() + frame(DATA, PADDED | END_STREAM, 1, b"\3\0\0\0"), served()),
    "data_with_padding": (post() + frame(DATA, PADDED | END_STREAM, 1, b"\3abc\0\0\0"), served()),
    "data_padded_without_its_length": (post() + frame(DATA, PADDED, 1), broken(PROTOCOL_ERROR)),
    "empty_data": (post() + data(flags=0) * 10 + data(b"x"), served()),
    "data_larger_than_a_frame_may_be": (post() + frame(DATA, 0, 1, b"x" * 16385), broken(FRAME_SIZE_ERROR)),
    # --- HEADERS (RFC 9113 5.1.1, 6.2) ---
    "headers_on_stream_zero": (get(stream=0), broken(PROTOCOL_ERROR)),
    "headers_on_even_stream": (get(stream=2), broken(PROTOCOL_ERROR)),
    # nghttp2 takes it for a stream that was closed and forgotten.
    "headers_on_lower_stream": (post(stream=5) + get(stream=3), NOTHING),
    "headers_on_half_closed_stream": (get() + get(), broken(STREAM_CLOSED)),
    "headers_after_reset": (post() + frame(RST_STREAM, 0, 1, word(8)) + get(), NOTHING),
    "headers_padded_beyond_the_frame": (
        frame(HEADERS, WHOLE | PADDED, 1, b"\xff" + block(*GET)),
        broken(PROTOCOL_ERROR),
    ),
    "headers_with_padding": (frame(HEADERS, WHOLE | PADDED, 1, b"\3" + block(*GET) + b"\0\0\0"), served()),
    "headers_with_priority": (
        frame(HEADERS, WHOLE | WITH_PRIORITY, 1, word(0) + b"\x10" + block(*GET)),
        served(),
    ),
    "headers_too_short_for_their_priority": (
        frame(HEADERS, WHOLE | WITH_PRIORITY, 1, b"\0\0"),
        broken(FRAME_SIZE_ERROR),
    ),
    "headers_that_depend_on_themselves": (
        frame(HEADERS, WHOLE | WITH_PRIORITY, 1, word(1) + b"\x10" + block(*GET)),
        broken(PROTOCOL_ERROR),
    ),
    "headers_larger_than_a_frame_may_be": (
        get((b"x-a", b"x" * 16384)),
        broken(FRAME_SIZE_ERROR),
    ),
    "reserved_bit_of_the_stream": (frame(HEADERS, WHOLE, 2**31 + 1, block(*GET)), served()),
    "unknown_flags": (frame(HEADERS, WHOLE | 0xD2, 1, block(*GET)), served()),
    # --- CONTINUATION (RFC 9113 6.10) ---
    "continuation_without_headers": (frame(CONTINUATION, END_HEADERS, 1, block(*GET)), broken(PROTOCOL_ERROR)),
    "continuation_after_the_end_of_headers": (
        get() + frame(CONTINUATION, END_HEADERS, 1, block((b"x-a", b"b"))),
        broken(PROTOCOL_ERROR),
    ),
    "continuation_on_another_stream": (
        head(*GET, flags=END_STREAM) + frame(CONTINUATION, END_HEADERS, 3),
        broken(PROTOCOL_ERROR),
    ),
    "continuation_on_stream_zero": (
        head(*GET, flags=END_STREAM) + frame(CONTINUATION, END_HEADERS, 0),
        broken(PROTOCOL_ERROR),
    ),
    "data_within_a_header_block": (head(*POST, flags=0) + data(b"x"), broken(PROTOCOL_ERROR)),
    "ping_within_a_header_block": (
        head(*GET, flags=END_STREAM) + frame(PING, payload=b"x" * 8),
        broken(PROTOCOL_ERROR),
    ),
    "headers_within_a_header_block": (head(*GET, flags=END_STREAM) + get(stream=3), broken(PROTOCOL_ERROR)),
    "unknown_frame_within_a_header_block": (head(*GET, flags=END_STREAM) + frame(0x42), broken(PROTOCOL_ERROR)),
    "empty_continuations": (
        head(*GET, flags=END_STREAM) + frame(CONTINUATION, 0, 1) * 3 + frame(CONTINUATION, END_HEADERS, 1),
        served(),
    ),
    "block_in_pieces": (
        frame(HEADERS, END_STREAM, 1, block(*GET)[:7]) + frame(CONTINUATION, END_HEADERS, 1, block(*GET)[7:]),
        served(),
    ),
    # --- PRIORITY (RFC 9113 6.3) ---
    # nghttp2 does not look at what RFC 9113 5.3.2 has made obsolete.
    "priority_on_stream_zero": (frame(PRIORITY, 0, 0, word(0) + b"\0"), NOTHING),
    "priority_of_a_wrong_size": (frame(PRIORITY, 0, 1, word(0)), broken(FRAME_SIZE_ERROR)),
    "priority_on_itself": (frame(PRIORITY, 0, 1, word(1) + b"\0"), NOTHING),
    "priority_of_an_idle_stream": (frame(PRIORITY, 0, 3, word(1) + b"\0"), NOTHING),
    # --- RST_STREAM (RFC 9113 6.4) ---
    "reset_of_stream_zero": (frame(RST_STREAM, 0, 0, word(8)), broken(PROTOCOL_ERROR)),
    "reset_of_an_idle_stream": (frame(RST_STREAM, 0, 1, word(8)), broken(PROTOCOL_ERROR)),
    "reset_of_a_wrong_size": (post() + frame(RST_STREAM, 0, 1, b"\0" * 3), broken(FRAME_SIZE_ERROR)),
    "reset_of_a_wrong_size_too_long": (post() + frame(RST_STREAM, 0, 1, b"\0" * 5), broken(FRAME_SIZE_ERROR)),
    "reset_with_an_unknown_code": (post() + frame(RST_STREAM, 0, 1, word(0xDEAD)), NOTHING),
    "reset_twice": (post() + frame(RST_STREAM, 0, 1, word(8)) * 2, NOTHING),
    # --- SETTINGS (RFC 9113 6.5) ---
    "settings_of_a_wrong_size": (frame(SETTINGS, payload=b"\0" * 5), broken(FRAME_SIZE_ERROR)),
    "settings_on_a_stream": (frame(SETTINGS, 0, 1), broken(PROTOCOL_ERROR)),
    "settings_acknowledgement_with_payload": (frame(SETTINGS, ACK, payload=setting(4, 100)), broken(FRAME_SIZE_ERROR)),
    "settings_enable_push_two": (settings((2, 2)), broken(PROTOCOL_ERROR)),
    "settings_window_too_large": (settings((4, 2**31)), broken(FLOW_CONTROL_ERROR)),
    "settings_frame_size_too_small": (settings((5, 16383)), broken(PROTOCOL_ERROR)),
    "settings_frame_size_too_large": (settings((5, 2**24)), broken(PROTOCOL_ERROR)),
    "settings_unknown": (settings((0x42, 1), (0xFFFF, 2**32 - 1)) + get(), served()),
    "settings_connect_protocol_two": (settings((8, 2)), broken(PROTOCOL_ERROR)),
    "settings_priorities_two": (settings((9, 2)), broken(PROTOCOL_ERROR)),
    "settings_priorities_change": (settings((9, 1)) + settings((9, 0)), broken(PROTOCOL_ERROR)),
    "settings_no_streams": (settings((3, 0)) + get(), served()),
    "settings_table_of_4_gib": (settings((1, 2**32 - 1)) + get(), served()),
    "settings_empty": (settings() * 3 + get(), served()),
    "settings_window_that_overflows_a_stream": (
        post() + frame(WINDOW_UPDATE, 0, 1, word(2**31 - 1 - 65535)) + settings((4, 65536)),
        reset(FLOW_CONTROL_ERROR),
    ),
    "settings_with_many_entries": (settings(*[(4, 65535)] * 100), broken(ENHANCE_YOUR_CALM)),
    # --- PUSH_PROMISE (RFC 9113 8.4) ---
    "push_promise": (get() + frame(PUSH_PROMISE, END_HEADERS, 1, word(2) + block(*GET)), broken(PROTOCOL_ERROR)),
    "push_promise_on_stream_zero": (
        frame(PUSH_PROMISE, END_HEADERS, 0, word(2) + block(*GET)),
        broken(PROTOCOL_ERROR),
    ),
    # --- PING (RFC 9113 6.7) ---
    "ping_too_short": (frame(PING, payload=b"x" * 7), broken(FRAME_SIZE_ERROR)),
    "ping_too_long": (frame(PING, payload=b"x" * 9), broken(FRAME_SIZE_ERROR)),
    "ping_on_a_stream": (frame(PING, 0, 1, b"x" * 8), broken(PROTOCOL_ERROR)),
    "ping_acknowledgement_that_nobody_asked_for": (frame(PING, ACK, 0, b"x" * 8), NOTHING),
    # --- GOAWAY (RFC 9113 6.8) ---
    "goaway_on_a_stream": (frame(GOAWAY, 0, 1, word(0) + word(0)), broken(PROTOCOL_ERROR)),
    "goaway_too_short": (frame(GOAWAY, payload=word(0)), broken(FRAME_SIZE_ERROR)),
    "goaway_on_a_stream_that_is_ours": (frame(GOAWAY, payload=word(1) + word(0)), broken(PROTOCOL_ERROR)),
    # --- WINDOW_UPDATE (RFC 9113 6.9) ---
    "window_update_of_zero": (frame(WINDOW_UPDATE, payload=word(0)), broken(PROTOCOL_ERROR)),
    "window_update_of_zero_of_a_stream": (post() + frame(WINDOW_UPDATE, 0, 1, word(0)), broken(PROTOCOL_ERROR)),
    "window_update_of_the_reserved_bit": (frame(WINDOW_UPDATE, payload=word(2**31)), broken(PROTOCOL_ERROR)),
    "window_update_with_the_reserved_bit": (frame(WINDOW_UPDATE, payload=word(2**31 + 5)) + get(), served()),
    "window_update_that_overflows": (frame(WINDOW_UPDATE, payload=word(2**31 - 1)), broken(FLOW_CONTROL_ERROR)),
    "window_update_that_overflows_a_stream": (
        post() + frame(WINDOW_UPDATE, 0, 1, word(2**31 - 1)),
        reset(FLOW_CONTROL_ERROR),
    ),
    "window_update_of_an_idle_stream": (frame(WINDOW_UPDATE, 0, 1, word(5)), broken(PROTOCOL_ERROR)),
    "window_update_of_a_wrong_size": (frame(WINDOW_UPDATE, payload=b"\0\0\1"), broken(FRAME_SIZE_ERROR)),
    "window_update_after_reset": (
        post() + frame(RST_STREAM, 0, 1, word(8)) + frame(WINDOW_UPDATE, 0, 1, word(5)),
        NOTHING,
    ),
    # --- frames that we do not know (RFC 9113 4.1, 5.5) ---
    "unknown_frame": (frame(0x42, 0xFF, 0, b"anything") + get(), served()),
    "unknown_frame_on_an_idle_stream": (frame(0x42, 0xFF, 7, b"anything") + get(), served()),
    "unknown_frame_on_an_open_stream": (post() + frame(0x42, 0, 1, b"anything") + data(b"x"), served()),
    "unknown_frame_too_large": (frame(0x42, 0, 0, b"x" * 16385), broken(FRAME_SIZE_ERROR)),
    "frame_with_the_largest_size": (frame(DATA, 0, 1, size=2**24 - 1), broken(FRAME_SIZE_ERROR)),
    "priority_update": (frame(0x10, 0, 0, word(1) + b"u=1") + get(), served()),
    "altsvc": (frame(0xA, 0, 0, b"\0\0") + get(), served()),
    "origin": (frame(0xC, 0, 0, b"\0\1x") + get(), served()),
    # --- HPACK (RFC 7541) ---
    "index_zero": (head(*GET, b"\x80"), broken(COMPRESSION_ERROR)),
    "index_beyond_the_tables": (head(*GET, b"\xff\x00"), broken(COMPRESSION_ERROR)),
    "index_of_4_gib": (head(*GET, b"\xff\xff\xff\xff\xff\x0f"), broken(COMPRESSION_ERROR)),
    "index_without_end": (head(*GET, b"\xff" + b"\xff" * 20), broken(COMPRESSION_ERROR)),
    "index_cut_off": (head(*GET, b"\xff"), broken(COMPRESSION_ERROR)),
    "name_index_beyond_the_tables": (head(*GET, b"\x7f\x20\1x"), broken(COMPRESSION_ERROR)),
    "name_cut_off": (head(*GET, b"\0\x0ax-a"), broken(COMPRESSION_ERROR)),
    "value_cut_off": (head(*GET, b"\0\3x-a\x0ab"), broken(COMPRESSION_ERROR)),
    "value_missing": (head(*GET, b"\0\3x-a"), broken(COMPRESSION_ERROR)),
    "value_of_4_gib": (head(*GET, b"\0\3x-a\x7f\xff\xff\xff\xff\x0f"), broken(COMPRESSION_ERROR)),
    "huffman_end_of_string": (head(*GET, b"\0\3x-a\x84\xff\xff\xff\xff"), broken(COMPRESSION_ERROR)),
    "huffman_padding_of_zeros": (head(*GET, b"\0\3x-a\x81\x00"), broken(COMPRESSION_ERROR)),
    "huffman_padding_too_long": (head(*GET, b"\0\3x-a\x82\x1f\xff"), broken(COMPRESSION_ERROR)),
    "table_size_too_large": (head(b"\x3f\xe2\x1f", *GET), broken(COMPRESSION_ERROR)),
    "table_size_after_a_field": (head(*GET, b"\x20"), broken(COMPRESSION_ERROR)),
    "table_size_of_the_bound": (head(b"\x3f\xe1\x1f", *GET), served()),
    "table_size_zero": (head(b"\x20", *GET), served()),
    "never_indexed": (get(literal(b"x-a", b"b", first=b"\x10")), served()),
    "entry_larger_than_the_table": (get(literal(b"x-a", b"b" * 5000, first=b"\x40")), served()),
    "block_that_is_dropped_changes_the_table": (
        head(*GET, literal(b"X-Bad", b"b", first=b"\x40")) + get(b"\xbe", stream=3),
        Outcome({}, {1: PROTOCOL_ERROR, 3: PROTOCOL_ERROR}),
    ),
}


@pytest.fixture(name="guarded", scope="module")
def start_guarded(tmp_path_factory, certificate):
    """A gateway and an upstream for this module: whatever arrives there is on record."""
    upstream = Upstream()
    upstream.complete = []

    upstream.unread = threading.Event()

    def script(peer, request):
        if request.target == "/unread":
            upstream.unread.wait(IO_SECONDS)
        peer.read_body(request)
        upstream.complete.append(request.target)
        peer.respond(body=b"hello")

    upstream.serve(script)
    texts = documents.kyma_texts(certificate) | {"hostile.yaml": documents.routes("hostile", upstream.port)}
    with Gateway(tmp_path_factory.mktemp("hostile"), texts) as gateway:
        yield gateway, upstream
    upstream.stop()


def after(stream=AFTER):
    return head(METHOD, SCHEME, AUTHORITY, (b":path", b"/after"), stream=stream)


def check_others(gateway):
    """Somebody else is served."""
    with gateway.connect_raw_http2() as client:
        client.send(settings() + after(1))
        assert client.read_until(lambda: client.is_over(1))
        assert client.statuses == {1: 200}


@pytest.mark.parametrize("name", ROWS)
def test_frames(guarded, name):
    gateway, upstream = guarded
    frames, expected = ROWS[name]
    gateway.check_health()
    del upstream.complete[:]
    with gateway.connect_raw_http2() as client:
        client.send(settings() + frames + after())
        wanted = {AFTER, *expected.statuses, *expected.resets}
        client.read_until(lambda: all(map(client.is_over, wanted)))
        if expected.goaway is not None:
            client.read_to_end()
        goes_on = client.statuses.pop(AFTER, None) == 200
        actual = Outcome(client.statuses, client.resets, client.goaway_code, tuple(upstream.complete))
        if goes_on:
            actual = dataclasses.replace(actual, requests=tuple(path for path in actual.requests if path != "/after"))
        assert actual == expected
        assert goes_on == (expected.goaway is None)
    check_others(gateway)
    assert "/smuggled" not in upstream.paths
    gateway.check_health()


# --- the preface (RFC 9113 3.4) ---

BAD_STARTS = {
    "no_settings": (PREFACE + get(), PROTOCOL_ERROR),
    "ping_before_settings": (PREFACE + frame(PING, payload=b"x" * 8), PROTOCOL_ERROR),
    "acknowledgement_before_settings": (PREFACE + frame(SETTINGS, ACK), PROTOCOL_ERROR),
    "window_update_before_settings": (PREFACE + frame(WINDOW_UPDATE, payload=word(5)), PROTOCOL_ERROR),
    "preface_twice": (PREFACE + PREFACE, PROTOCOL_ERROR),
    "http1_after_the_preface": (PREFACE + b"GET / HTTP/1.1\r\nhost: " + HOST + b"\r\n\r\n", PROTOCOL_ERROR),
    "http1_after_settings": (PREFACE + settings() + b"GET / HTTP/1.1\r\nhost: " + HOST + b"\r\n\r\n", FRAME_SIZE_ERROR),
    "tls_after_the_preface": (PREFACE + b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100, PROTOCOL_ERROR),
    "zeros_after_settings": (PREFACE + settings() + b"\0" * 100, PROTOCOL_ERROR),
    "ones_after_settings": (PREFACE + settings() + b"\xff" * 100, FRAME_SIZE_ERROR),
}


@pytest.mark.parametrize("name", BAD_STARTS)
def test_start(guarded, name):
    gateway, upstream = guarded
    start, code = BAD_STARTS[name]
    del upstream.complete[:]
    with gateway.connect_raw_http2(preface=start) as client:
        client.read_to_end()
        assert (client.goaway_code, client.statuses) == (code, {})
    assert not upstream.complete
    check_others(gateway)


@pytest.mark.parametrize("cut", [5, 9, 20, 40])
def test_end_within_a_frame(guarded, cut):
    gateway, upstream = guarded
    del upstream.complete[:]
    with gateway.connect_raw_http2() as client:
        client.send((settings() + get())[:cut])
        client.shutdown_write()
        client.read_to_end()
        assert client.statuses == {}
    assert not upstream.complete
    check_others(gateway)


# --- more content than a window (RFC 9113 6.9) ---


def test_content_beyond_the_windows(guarded):
    """The upstream does not read: at some point the client must not send on."""
    gateway, upstream = guarded
    upstream.unread.clear()
    before = gateway.memory_bytes()
    with gateway.connect_raw_http2() as client:
        path = (b":path", b"/unread")
        client.send(settings() + head(POST[0], SCHEME, AUTHORITY, path, flags=END_HEADERS))
        sender = send_in_background(client, data(b"x" * 16384, flags=0) * 4096)
        assert client.read_until(lambda: client.resets or client.goaways)
        assert client.resets.get(1, client.goaway_code) == FLOW_CONTROL_ERROR
        if not is_sanitized():
            assert gateway.memory_bytes() - before < 16 * MIB
        end_sending(client, sender)
    upstream.unread.set()
    check_others(gateway)


# --- more streams than there may be (RFC 9113 5.1.2) ---


def held_posts(count):
    return b"".join(post(stream=2 * index + 1) for index in range(count))


def test_more_streams_than_allowed_before_the_client_can_know(guarded):
    """Its SETTINGS are not acknowledged: the stream is refused, and may be tried again."""
    gateway, _ = guarded
    with gateway.connect_raw_http2() as client:
        client.send(settings() + held_posts(100) + get(stream=201))
        assert client.read_until(lambda: client.is_over(201))
        assert client.resets == {201: REFUSED_STREAM}
        client.send(b"".join(data(b"x", stream=2 * index + 1) for index in range(100)))
        assert client.read_until(lambda: len(client.ended) == 100)
        assert set(client.statuses.values()) == {200}
        client.send(get(stream=203))
        assert client.read_until(lambda: client.is_over(203))
        assert client.statuses[203] == 200


def test_more_streams_than_allowed_by_a_client_that_knows(guarded):
    """nghttp2 ends the connection: a stream error may be one of the connection (RFC 9113 5.4.1)."""
    gateway, _ = guarded
    with gateway.connect_raw_http2() as client:
        client.send(settings() + frame(SETTINGS, ACK) + held_posts(101))
        client.read_to_end()
        assert client.goaway_code == PROTOCOL_ERROR
    check_others(gateway)


# --- floods ---

FLOOD = 20_000


def many(make, count=FLOOD):
    return lambda: b"".join(make(index) for index in range(count))


def bomb(count=200):
    """HPACK: one entry of the table, named again and again (RFC 7541 7.3)."""
    first = get(literal(b"x-a", b"b" * 3900, first=b"\x40"))
    return first + b"".join(get(b"\xbe" * 16_000, stream=2 * index + 3) for index in range(count))


def small_bombs():
    """Each is a request that may be made, or one that is answered with 431."""
    first = get(literal(b"x-a", b"b" * 3900, first=b"\x40"))
    return first + b"".join(get(b"\xbe" * 14, stream=2 * index + 3) for index in range(3000))


CALM = {ENHANCE_YOUR_CALM}
TOO_MANY_RESETS = {ErrorCodes.INTERNAL_ERROR}  # nghttp2's word for it
FLOODS = {
    "rapid_reset": (many(lambda n: get(stream=2 * n + 1) + frame(RST_STREAM, 0, 2 * n + 1, word(8))), TOO_MANY_RESETS),
    "rapid_reset_of_uploads": (
        many(lambda n: post(stream=2 * n + 1) + frame(RST_STREAM, 0, 2 * n + 1, word(8))),
        TOO_MANY_RESETS,
    ),
    # Requests that we reset ourselves, because each is malformed or breaks a rule.
    "malformed_requests": (many(lambda n: head(METHOD, stream=2 * n + 1)), CALM),
    "requests_with_invalid_fields": (many(lambda n: get((b"X", b"y"), stream=2 * n + 1)), CALM | {None}),
    "made_you_reset": (
        many(lambda n: get(stream=2 * n + 1) + frame(WINDOW_UPDATE, 0, 2 * n + 1, word(2**31 - 1))),
        CALM,
    ),
    "ping": (many(lambda n: frame(PING, payload=struct.pack(">Q", n))), CALM),
    "ping_acknowledgements": (many(lambda n: frame(PING, ACK, 0, struct.pack(">Q", n))), CALM),
    "settings": (many(lambda n: settings((4, 65535 + n % 2))), CALM),
    "empty_settings": (many(lambda n: settings()), CALM),
    "settings_acknowledgements": (many(lambda n: frame(SETTINGS, ACK)), {PROTOCOL_ERROR}),
    "priority": (many(lambda n: frame(PRIORITY, 0, 2 * n + 1, word(0) + b"\0")), CALM),
    "window_updates": (many(lambda n: frame(WINDOW_UPDATE, payload=word(1))), CALM),
    "window_updates_of_a_stream": (lambda: post() + frame(WINDOW_UPDATE, 0, 1, word(1)) * FLOOD, CALM),
    "empty_data": (lambda: post() + data(flags=0) * FLOOD, CALM),
    "padding": (lambda: post() + frame(DATA, PADDED, 1, b"\xff" + b"\0" * 255) * 8000, CALM),
    "empty_continuations": (lambda: head(*GET, flags=END_STREAM) + frame(CONTINUATION, 0, 1) * FLOOD, CALM),
    "full_continuations": (
        lambda: head(*GET, flags=END_STREAM) + frame(CONTINUATION, 0, 1, block((b"x-a", b"b" * 16_000))) * 200,
        CALM,
    ),
    "goaway": (many(lambda n: frame(GOAWAY, payload=word(0) + word(0))), {None}),  # nothing is open: that is the end
    "resets_of_one_stream": (lambda: post() + frame(RST_STREAM, 0, 1, word(8)) * FLOOD, TOO_MANY_RESETS),
    "requests_over_the_bound": (lambda: held_posts(10_000), CALM),
    "hpack_bomb": (bomb, CALM),
    "hpack_bombs_within_the_bounds": (small_bombs, {None}),
    "table_size_updates": (many(lambda n: head(b"\x20\x3f\xe1\x1f", *GET, stream=2 * n + 1), 3000), {None}),
    # Skipped without a word: no more than bytes.
    "unknown_frames": (many(lambda n: frame(0x42, 0, n, b"x")), {None} | CALM),
}


@pytest.mark.parametrize("name", FLOODS)
def test_flood(guarded, name):
    """Nobody has to bear it for long, memory is bounded, and others are served."""
    gateway, upstream = guarded
    make, codes = FLOODS[name]
    before = gateway.memory_bytes()
    with gateway.connect_raw_http2() as client:
        flood = settings() + make()
        sender = send_in_background(client, flood + frame(PING, payload=b"the end!"))
        pings = sum(1 for kind, flags in kinds_of(flood) if kind == PING and not flags & ACK)
        client.read_until(lambda: client.goaways or client.pings > pings)
        sender.join(IO_SECONDS)
        assert client.goaway_code in codes
        if client.goaways:
            client.read_to_end()
        if not is_sanitized():
            assert gateway.memory_bytes() - before < 64 * MIB
    check_others(gateway)
    assert upstream.wait_for(lambda: len(upstream.open_connections) <= 100)


def test_reason_reaches_a_client_that_reads_late(guarded):
    """What was said to it is not lost because it sends on: the connection is not closed before it has taken that."""
    gateway, _ = guarded
    with gateway.connect_raw_http2() as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        make, codes = FLOODS["made_you_reset"]
        sender = send_in_background(client, settings() + make())
        sender.join(QUIET_SECONDS)
        client.read_until(lambda: client.goaways)
        assert client.goaway_code in codes
        end_sending(client, sender)
    check_others(gateway)


def kinds_of(frames):
    at = 0
    while at < len(frames):
        yield frames[at + 3], frames[at + 4]
        at += 9 + int.from_bytes(frames[at : at + 3], "big")


def send_in_background(client, flood):
    """Answers are read meanwhile, so that it is not the socket that stops it."""
    def send():
        with contextlib.suppress(OSError):
            client.socket.sendall(flood)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    return sender


def end_sending(client, sender):
    with contextlib.suppress(OSError):  # the gateway may have ended it
        client.socket.shutdown(socket.SHUT_RDWR)
    sender.join(IO_SECONDS)


def test_bomb_ends_its_connection_before_it_is_unpacked(guarded):
    """What is far beyond the bounds of a head is not even answered: unpacking the rest would be what it wants."""
    gateway, _ = guarded
    with gateway.connect_raw_http2() as client:
        client.send(settings() + bomb(0))
        assert client.read_until(lambda: client.is_over(1))
        client.send(bomb(1)[len(bomb(0)) :])
        client.read_until(lambda: False)
        assert (client.statuses, client.resets) == ({1: 200}, {})
        assert [code for code, _ in client.goaways] == [ENHANCE_YOUR_CALM]
    check_others(gateway)

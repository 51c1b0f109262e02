"""Bytes that are no HTTP/1, of requests and responses alike: the tables of the hostile suites are made of them."""

import pytest

CONTROLS = [*range(0x20), 0x7F]
CONTROLS_BUT_TAB = [byte for byte in CONTROLS if byte != 0x09]
CONTROLS_BUT_LINE_FEED = [byte for byte in CONTROLS if byte != 0x0A]  # behind a target it makes a line of HTTP/0.9
NO_TOKEN = b'"(),/;<=>?@[\\]{}' + bytes(range(0x80, 0x100, 9))  # but the colon, which ends a name, and blanks
LAST_CHUNK = b"0\r\n\r\n"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"


# --- rows ---


def named(prefix, values, make):
    """Rows of one kind: the byte or bytes that are tried, in hexadecimal when they cannot be read."""
    rows = {}
    for value in values:
        value = bytes([value]) if isinstance(value, int) else value
        text = value.decode("ascii", "replace")
        readable = text.isprintable() and value.isascii() and " " not in text
        rows[f"{prefix}:{text if readable else value.hex()}"] = make(value)
    return rows


def changed_lines(name, text):
    """A bare CR or LF at every place but the end, and every CRLF replaced by something else."""
    for added in (b"\r", b"\n"):
        for at in range(len(text) - 1):
            yield f"added_to_{name}:{added.hex()}@{at}", text[:at] + added + text[at:]
    for instead in (b"", b"\r", b"\n", b"\n\r", b"\r\r\n", b" ", b"\0"):
        at = text.find(b"\r\n")
        while at >= 0:
            yield f"line_end_of_{name}:{instead.hex()}@{at}", text[:at] + instead + text[at + 2 :]
            at = text.find(b"\r\n", at + 2)


# --- Content-Length (RFC 9110 8.6) ---

BAD_LENGTHS = [
    b"5, 6", b"5,5", b"5,", b",5", b"5;5", b"5 5", b"5\t5", b"5.0", b"5.", b".5", b"5e0", b"1_0", b"-0", b"-5", b"+5",
    b"- 5", b"0x5", b"5h", b"0b101", b"0o5", b'"5"', b"'5'", b"five", b"NaN", b"Infinity", b"chunked", b"\x0b5",
    b"5\x0b", b"5\x0c", b"5\xa0", b"\xa05", b"\xb2", b"\xd9\xa5", b"\xef\xbc\x95", b"\xef\xbb\xbf5", b"5%", b"%35",
    b"9223372036854775808", b"18446744073709551615", b"18446744073709551621", b"99999999999999999999999999999999",
    b"4294967301,", b"5\t", b"5\r\n 5", b"\r\n 5", b"5\r\n\t",
]

# --- Transfer-Encoding (RFC 9112 6.1) ---

MALFORMED_CODINGS = [
    b"chunked, identity", b"chunked,gzip", b"chunked, chunked, chunked", b"chunked\x0b", b"chunked\x0c", b"\x0cchunked",
    b"\xa0chunked", b"chunked\xa0", b"chunked\x85", b"\xe2\x80\x8bchunked", b"chu\xefnked", b"ch\xfcnked",
    b"'chunked', \"", b"chunked\0", b"\0chunked", b"chunked\x01", b"\x7fchunked", b"chunked\\", b"[chunked]",
    b"(chunked)", b"<chunked>", b"=chunked", b";chunked", b"chunked=1", b"chunked:chunked", b"chunked/1.1", b"@chunked",
    b",", b", ,", b"chunked\r\n ", b"chunked\r\n , identity", b"\r\n\tchunked",
    b"chunked\rX: y", b"chunked\nX: y", b"chun\r\n ked", b"{chunked}", b'chunked,"',
]
# Well-formed, but not what we could undo.
UNKNOWN_CODINGS = [
    b"gzip", b"deflate", b"compress", b"identity, chunked", b"br, chunked", b"gzip, gzip, chunked", b"x-chunked",
    b"chunked-x", b"xchunkedx", b"chunkedchunked", b"chun ked", b"c\thunked", b"chunked chunked", b"chunked ;q=1",
    b"chunked;", b"chunked;q=1", b"chunked;q=1, x", b'chunked; a="b"', b"'chunked'", b"chunke", b"hunked", b"0",
    b"true", b"none", b"null", b"*", b"trailers", b"chunked.", b"chunked%20", b"%63hunked", b"chunk-ed", b"chunked_",
    b"chunked\t\t.", b"identity",
]

# --- chunks (RFC 9112 7.1): sizes, extensions, and what follows the head of a message with chunks ---

_BAD_SIZES = [
    b"", b" ", b"-1", b"-5", b"+5", b"0x5", b"5h", b"h", b"g", b" 5", b"\t5", b"5 ", b"5\t", b"5 5", b"5_0", b"5.0",
    b"5,5", b"5\0", b"\0005", b"5\x0b", b"\x0b5", b"\xb2", b"5\xa0", b"5'", b'"5"', b"5:", b"5=a", b"5/", b"#5", b"%35",
    b"5\r", b"5\n", b"5\r\r", b"5\n\r", b"\r\n5", b"\n5", b"10000000000000000", b"10000000000000005",
    b"ffffffffffffffff5", b"f" * 20, b"5 ;a=b", b"5\r;a", b"5 \r\n;a",
]
_BAD_EXTENSIONS = [
    b"a\nb", b"\n", b"a=\nb", b"a=b\n", b"a\rb", b"\r", b'a="b\nc"', b'a="b\r\nc"', b'a="\r\n0\r\n\r\n"', b'a="b\rc"',
    b'a="\0"', b"a\0", b"a=\x01", b'a="b', b'a="b"c', b"a=\xff", b"\x7f", b"a=b\r\r", b"a=" + b"b" * 1100,
    b";".join([b"a=b"] * 600),
]
_BAD_CHUNKS = {
    "no_line_end_behind_content": b"5\r\nhello0\r\n\r\n",
    "line_feed_behind_content": b"5\r\nhello\n0\r\n\r\n",
    "carriage_return_behind_content": b"5\r\nhello\r0\r\n\r\n",
    "two_line_ends_behind_content": b"5\r\nhello\r\n\r\n0\r\n\r\n",
    "space_behind_content": b"5\r\nhello \r\n0\r\n\r\n",
    "content_longer_than_its_size": b"5\r\nhello!\r\n0\r\n\r\n",
    "content_shorter_than_its_size": b"6\r\nhello\r\n0\r\n\r\n",
    "content_that_ends_in_the_line_end": b"7\r\nhello\r\n0\r\n\r\n",
    "message_instead_of_a_size": b"5\r\nhello\r\n",
    "message_instead_of_the_last_line": b"5\r\nhello\r\n0\r\n",
    "message_behind_half_a_line_end": b"5\r\nhello\r\n0\r\n\r",
    "message_behind_a_bare_line_feed": b"5\r\nhello\r\n0\r\n\n",
    "negative_last_chunk": b"5\r\nhello\r\n-0\r\n\r\n",
    "last_chunk_with_line_feed": b"5\r\nhello\r\n0\n\r\n",
    "last_chunk_with_line_feeds": b"5\r\nhello\r\n0\n\n",
    "last_line_of_a_space": b"5\r\nhello\r\n0\r\n \r\n",
    "last_line_of_a_tab": b"5\r\nhello\r\n0\r\n\t\r\n",
    "zeros_without_end": b"0" * 20_000 + b"5\r\nhello\r\n" + LAST_CHUNK,
    "extensions_of_many_chunks": b"1;a=bcdefghijklmnopqrstuvwxyz\r\nx\r\n" * 60 + LAST_CHUNK,
}
_FORBIDDEN_TRAILERS = [
    b"Transfer-Encoding: chunked", b"transfer-encoding: identity", b"Content-Length: 0", b"CONTENT-LENGTH: 5",
    b"Host: other.example", b"Connection: close", b"Keep-Alive: timeout=5", b"Proxy-Connection: close", b"TE: trailers",
    b"Trailer: x", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__", b"Expect: 100-continue",
]
_BAD_TRAILERS = [
    b"X : y", b"X\t: y", b": y", b"X", b"X Y: z", b" X: y", b"\tX: y", b"X: y\r\n z", b"X: a\0b", b"X\0: y", b"X: a\rb",
    b"X: a\nb", b"X: y\n", b"X\xe4: y", b"X: a\x01b", b"X: a\x7fb", b"X(: y", b"Content-Length : 0",
    b"Content-Length\0: 0", b"X: " + b"y" * 9000, b"X" * 9000 + b": y",
]
_WELL_FORMED_CHUNKS = b"5;a=b\r\nhello\r\n0\r\nX-T: v\r\n\r\n"
# Each is to be refused, whatever message follows.
BAD_CONTENTS = (
    named("size", _BAD_SIZES, lambda size: size + b"\r\nhello\r\n" + LAST_CHUNK)
    | named("extension", _BAD_EXTENSIONS, lambda text: b"5;" + text + b"\r\nhello\r\n" + LAST_CHUNK)
    | _BAD_CHUNKS
    | named("trailer", _FORBIDDEN_TRAILERS + _BAD_TRAILERS, lambda line: HELLO[:-2] + line + b"\r\n\r\n")
    | {"too_many_trailers": HELLO[:-2] + b"X: y\r\n" * 101 + b"\r\n"}
    | dict(changed_lines("chunks", _WELL_FORMED_CHUNKS))
)
VALID_CONTENTS = {  # of "hello"
    "size_with_leading_zeros": b"0" * 100 + b"5\r\nhello\r\n" + LAST_CHUNK,
    "last_chunk_of_zeros": b"5\r\nhello\r\n0000\r\n\r\n",
    "last_chunk_with_extension": b"5\r\nhello\r\n0;a=b\r\n\r\n",
    "chunks_of_single_bytes": b"".join(b"1\r\n%c\r\n" % byte for byte in b"hello") + LAST_CHUNK,
} | named(
    "valid_extension",
    [b"a", b"a=b", b'a="b"', b"a=b;c=d", b'a="b;c,d"', b'a="b\\"c"'],
    lambda text: b"5;" + text + b"\r\nhello\r\n" + LAST_CHUNK,
)


# --- how they are cut ---


def in_one(sent):
    yield sent


def cases(rows):
    """Parameters of a test: the name of each row of (bytes, outcome), and how its bytes are cut. Long ones only in one:
    in single bytes they take long."""
    for name, (sent, _) in rows.items():
        yield pytest.param(name, in_one, id=name)
        if len(sent) < 2000:
            yield pytest.param(name, in_bytes, id=f"{name}-in_bytes")


def in_bytes(sent):
    """Each in a segment of its own: where the input is cut must not matter."""
    for byte in sent:
        yield bytes([byte])

"""Frames of HTTP/2 (RFC 9113 6) and header blocks (RFC 7541) as bytes, right or wrong."""

import struct

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, WITH_PRIORITY, ACK = 0x1, 0x4, 0x8, 0x20, 0x1
WHOLE = END_STREAM | END_HEADERS


def frame(kind, flags=0, stream=0, payload=b"", *, size=None):
    """`size`: what the head says instead of the payload's size."""
    length = len(payload) if size is None else size
    return struct.pack(">I", length)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def integer(value, prefix=7, first=0):
    """RFC 7541 5.1."""
    most = 2**prefix - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value % 128 | 128)
        value //= 128
    return bytes([*out, value])


def literal(name, value, first=b"\0"):
    """RFC 7541 6.2.2: neither indexed nor with Huffman codes, so that blocks do not depend on each other."""
    return first + integer(len(name)) + name + integer(len(value)) + value


def block(*fields):
    return b"".join(field if isinstance(field, bytes) else literal(*field) for field in fields)


def head(*fields, stream=1, flags=WHOLE):
    return frame(HEADERS, flags, stream, block(*fields))


def data(content=b"", *, stream=1, flags=END_STREAM):
    return frame(DATA, flags, stream, content)


def word(value):
    return struct.pack(">I", value)


def setting(number, value):
    return struct.pack(">HI", number, value)


def settings(*pairs):
    return frame(SETTINGS, payload=b"".join(setting(*pair) for pair in pairs))

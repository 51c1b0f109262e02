"""ClientHellos that no library of today would send, byte by byte (RFC 5246 7.4.1.2)."""

import os
import struct

PROTOCOL_VERSION_ALERT = 70


def vector(data, size_bytes):
    return len(data).to_bytes(size_bytes, "big") + data


def client_hello(
    version, server_name, suites=(0xC030, 0xC014, 0xC02F, 0xC013, 0x002F), *, extensions=b"", record_version=0x0301
):
    """One record with a ClientHello of `version` (0x0302 is TLS 1.1)."""
    name = server_name.encode()
    server_name_extension = struct.pack("!H", 0) + vector(vector(b"\0" + vector(name, 2), 2), 2) if name else b""
    groups = struct.pack("!H", 10) + vector(vector(struct.pack("!HH", 29, 23), 2), 2)
    formats = struct.pack("!H", 11) + vector(vector(b"\0", 1), 2)
    body = (
        struct.pack("!H", version)
        + os.urandom(32)
        + vector(b"", 1)
        + vector(b"".join(struct.pack("!H", suite) for suite in suites), 2)
        + vector(b"\0", 1)
        + vector(server_name_extension + groups + formats + extensions, 2)
    )
    handshake = b"\x01" + vector(body, 3)
    return b"\x16" + struct.pack("!H", record_version) + vector(handshake, 2)


def read_record(reader):
    """(type, version, content) of the next record."""
    head = reader.read_exactly(5)
    kind, version, size = struct.unpack("!BHH", head)
    return kind, version, reader.read_exactly(size)

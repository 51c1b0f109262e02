"""RFC 6455 frames by hand, on top of Client or Peer."""

import base64
import hashlib
import os
import struct

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_value(key):
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()


def frame(opcode, payload, *, masked):
    size = len(payload)
    bit = 0x80 if masked else 0
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, bit | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, bit | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, bit | 127, size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + _xor(payload, mask)


def _xor(payload, mask):
    if not payload:
        return b""
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(len(payload), "big")


def read_frame(reader):
    """(opcode, payload) of an unfragmented frame."""
    first, second = reader.read_exactly(2)
    size = second & 0x7F
    if size == 126:
        size = struct.unpack("!H", reader.read_exactly(2))[0]
    elif size == 127:
        size = struct.unpack("!Q", reader.read_exactly(8))[0]
    mask = reader.read_exactly(4) if second & 0x80 else b""
    payload = b"".join(reader.iterate(size))
    assert first & 0x80, "fragmented"
    return first & 0x0F, _xor(payload, mask) if mask else payload


class WebSocket:
    """A client's WebSocket: opens with a handshake, then sends and receives whole messages."""

    def __init__(self, client, target="/ws"):
        self.client = client
        key = base64.b64encode(os.urandom(16)).decode()
        client.send_head(
            "GET",
            target,
            [
                ("connection", "Upgrade"),
                ("upgrade", "websocket"),
                ("sec-websocket-version", "13"),
                ("sec-websocket-key", key),
            ],
        )
        self.response = client.read_response()
        assert self.response is not None, "the connection ended instead of switching"
        if self.response.status == 101:
            assert self.response.get("sec-websocket-accept") == accept_value(key)

    def send(self, payload, opcode=BINARY):
        self.client.send(frame(opcode, payload, masked=True))

    def receive(self):
        return read_frame(self.client.reader)

    def echo(self, payload, opcode=BINARY):
        self.send(payload, opcode)
        got = self.receive()
        assert got == (opcode, payload), f"{got[0]}, {len(got[1])} bytes instead of {opcode}, {len(payload)} bytes"


def accept(peer, request):
    """The upstream's half of the handshake."""
    peer.send(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: " + accept_value(request.get("sec-websocket-key")).encode() + b"\r\n\r\n"
    )


def echo_script(peer, request):
    """An upstream that echoes messages until it sees a close frame, which it answers."""
    accept(peer, request)
    while True:
        opcode, payload = read_frame(peer.reader)
        peer.send(frame(opcode, payload, masked=False))
        if opcode == CLOSE:
            peer.close()
            return

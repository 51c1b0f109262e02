"""Both ends of tunnels: bytes of the page cache go in at one end and are dropped, uncopied, at the other, so that the
ends leave their CPU to the proxy."""

import os
import selectors
import socket
import ssl

from configurations import TUNNEL_HOST
from processes import BenchError

BLOCK = 1024 * 1024
ORDER_BYTES = 32
RECORD_HEAD = 5  # of TLS: type, version, length


def send_bytes(connection: socket.socket, count: int) -> None:
    block = os.memfd_create("block")
    os.ftruncate(block, BLOCK)
    while count > 0:
        count -= os.sendfile(connection.fileno(), block, 0, min(count, BLOCK))
    os.close(block)


def drop_bytes(connection: socket.socket, count: int) -> None:
    buffer = bytearray(BLOCK)
    while count > 0:
        received = connection.recv_into(buffer, min(count, BLOCK), socket.MSG_TRUNC)  # tcp(7): not even copied
        if received == 0:
            raise BenchError(f"the tunnel ended {count} bytes too early")
        count -= received


def order(word: str, count: int = 0) -> bytes:
    """What the upstream is to do: "download" or "upload" so many bytes, or be "idle"."""
    return f"{word} {count}".ljust(ORDER_BYTES).encode()


def client_hello() -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client = context.wrap_bio(incoming, outgoing, server_hostname=TUNNEL_HOST)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


# --- the upstream ----------------------------------------------------------------------------------------

def receive_exactly(connection: socket.socket, count: int) -> bytes:
    received = connection.recv(count, socket.MSG_WAITALL)
    return received if len(received) == count else b""


def serve(port: int, cpus: str) -> None:
    """The upstream, one connection after the other; idle ones stay until their client has gone."""
    os.sched_setaffinity(0, set(map(int, cpus.split(","))))
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    waiting = selectors.DefaultSelector()
    waiting.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            if key.fileobj is not listener:
                waiting.unregister(key.fileobj)
                key.fileobj.close()
                continue
            connection, _ = listener.accept()
            try:
                is_idle = obey(connection)
            except (OSError, ValueError, BenchError):
                is_idle = False  # the other end says it
            if is_idle:
                waiting.register(connection, selectors.EVENT_READ)
            else:
                connection.close()


def obey(connection: socket.socket) -> bool:
    """Does what order() says, with passthrough after a ClientHello. Whether the connection is to stay."""
    begin = receive_exactly(connection, RECORD_HEAD)
    if begin[:1] == b"\x16":
        receive_exactly(connection, int.from_bytes(begin[3:5], "big"))
        begin = receive_exactly(connection, RECORD_HEAD)
    rest = receive_exactly(connection, ORDER_BYTES - RECORD_HEAD) if begin else b""
    if not rest:  # somebody has looked whether the proxy listens
        return False
    word, count = (begin + rest).decode().split()
    if word == "download":
        send_bytes(connection, int(count))
        return False
    if word == "upload":
        drop_bytes(connection, int(count))
    connection.sendall(b"ok")
    return word == "idle"


# --- the client ------------------------------------------------------------------------------------------

def connect(port: int, kind: str) -> socket.socket:
    """`kind` of the listener: tcp, passthrough or connect."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    if kind == "passthrough":
        connection.sendall(client_hello())
    if kind == "connect":
        connection.sendall(f"CONNECT {TUNNEL_HOST}:9000 HTTP/1.1\r\nHost: {TUNNEL_HOST}:9000\r\n\r\n".encode())
        answer = connection.recv(4096)
        if not answer.startswith(b"HTTP/1.1 200 ") or not answer.endswith(b"\r\n\r\n"):
            raise BenchError(f"CONNECT was answered with {answer!r}")
    connection.settimeout(None)  # sendfile(2) is called without Python's help
    return connection


def move(port: int, kind: str, direction: str, count: int) -> None:
    with connect(port, kind) as connection:
        connection.sendall(order(direction, count))
        if direction == "download":
            drop_bytes(connection, count)
            return
        send_bytes(connection, count)
        if connection.recv(2) != b"ok":
            raise BenchError("the upstream has not taken everything")


def open_idle(port: int, kind: str) -> socket.socket:
    """A tunnel that has carried a few bytes both ways."""
    connection = connect(port, kind)
    connection.sendall(order("idle"))
    if connection.recv(2) != b"ok":
        raise BenchError("no answer through the tunnel")
    return connection

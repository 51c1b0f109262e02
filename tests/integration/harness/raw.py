"""Connections without HTTP: servers and clients that send bytes and count what comes."""

import contextlib
import socket
import threading

from . import pattern, ports
from .limits import IO_SECONDS


def echo(connection):
    """Sends back what comes, and the end after it."""
    while data := connection.recv(65536):
        connection.sendall(data)
    end_writing(connection)


def end_writing(connection):
    """FIN; over TLS close_notify as well."""
    if hasattr(connection, "unwrap"):
        with contextlib.suppress(OSError):
            connection = connection.unwrap()
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)


class EndWatch:
    """What a server does that reads on and notes how its connections end: "end" or "reset"."""

    def __init__(self):
        self.begun = threading.Event()  # something has come
        self.ends = []

    def __call__(self, connection):
        try:
            while connection.recv(65536):
                self.begun.set()
            self.ends.append("end")
        except ConnectionResetError:
            self.ends.append("reset")


class RawServer:
    """serve(connection) gets each connection on a thread of its own; with `context` after a TLS handshake."""

    def __init__(self, serve=echo, context=None, *, listener=None):
        self.serve = serve
        self.context = context
        self.listener = listener or ports.listen()
        self.port = self.listener.getsockname()[1]
        self.count = 0  # of connections
        self.failures = []
        self._threads = []
        self._start(self._accept)

    def _start(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            self._start(self._run, connection)

    def _run(self, connection):
        connection.settimeout(IO_SECONDS)
        try:
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            self.serve(connection)
        except OSError:
            pass  # what a client or the gateway ended early; tests look at what the client got
        except Exception as failure:  # pylint: disable=broad-except
            self.failures.append(failure)
        finally:
            connection.close()

    def stop(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self._threads:
            thread.join(IO_SECONDS)
        assert not self.failures, f"the server failed: {self.failures!r}"


def digest_of_all(connection):
    """(number of bytes, checksum) of everything until the end."""
    return pattern.digest_of(iter(lambda: connection.recv(65536), b""))


def echoed_digest(connection, size, *, in_flight=4):
    """Sends the pattern to a peer that echoes; a few blocks are under way at any time. What comes back, as digest().

    On one thread: OpenSSL's connections are not for two.
    """

    def pieces():
        left = 0
        for index, block in enumerate(pattern.blocks(size)):
            connection.sendall(block)
            left += len(block)
            if index < in_flight:
                continue
            piece = connection.recv(2 * pattern.BLOCK)
            left -= len(piece)
            yield piece
            while left > in_flight * pattern.BLOCK and piece:
                piece = connection.recv(2 * pattern.BLOCK)
                left -= len(piece)
                yield piece
        while left > 0 and (piece := connection.recv(65536)):
            left -= len(piece)
            yield piece

    return pattern.digest_of(pieces())

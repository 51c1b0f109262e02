"""An upstream whose every byte is the test's: a script answers each request on a thread per connection."""

import collections
import contextlib
import socket
import struct
import threading
import time

from . import message, ports
from .limits import IO_SECONDS


class Peer:
    """The upstream's end of one connection from the gateway."""

    def __init__(self, connection, number):
        connection.settimeout(IO_SECONDS)
        if connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        self.number = number  # of the connection, from 0
        self.request_count = 0
        self.closed = False
        self.reader = message.Reader(self._receive)

    def _receive(self):
        try:
            return self.socket.recv(65536)
        except ConnectionResetError:
            return b""

    def send(self, data):
        self.socket.sendall(data)

    def read_body(self, request):
        return self.reader.read_body(request)

    def respond(self, status=200, headers=(), body=b"", *, reason="OK"):
        fields = list(headers)
        if not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in fields):
            fields.append(("content-length", str(len(body))))
        self.send(message.head_bytes(f"HTTP/1.1 {status} {reason}", fields) + body)

    def wait_for_close(self):
        """Reads until the gateway closes; returns what still came."""
        return self.reader.read_to_end()

    # Any thread may end the connection. A receive that another thread is blocked in would keep the socket alive
    # beyond close(), so shutdown() wakes it first; of the reading side only, where no FIN may be sent.

    def close(self):
        self._end(socket.SHUT_RDWR)

    def reset(self):
        """RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._end(socket.SHUT_RD)

    def _end(self, direction):
        self.closed = True
        with contextlib.suppress(OSError):
            self.socket.shutdown(direction)
        self.socket.close()


def answer_hello(peer, request):
    """The default script."""
    peer.read_body(request)
    peer.respond(body=b"hello", headers=[("content-type", "text/plain")])


class Upstream:
    """Listens at once; serve() starts answering. `script(peer, request)` gets each request head."""

    def __init__(self, listener=None):
        self.listener = listener or ports.listen()
        self.port = self.listener.getsockname()[1]
        self.host = None  # the name that routes here, set by whoever configures it
        self.script = answer_hello
        self.requests = []  # heads, and bodies as far as scripts read them
        self.connections = []
        self.failures = []
        self._changed = threading.Condition()
        self._threads = []
        self._stopping = False

    def serve(self, script=None):
        if script:
            self.script = script
        if not self._threads:
            self._start(self._accept)
        return self

    @contextlib.contextmanager
    def answering(self, script):
        before, self.script = self.script, script
        try:
            yield self
        finally:
            self.script = before

    def _start(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while not self._stopping:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self._changed:
                peer = Peer(connection, len(self.connections))
                self.connections.append(peer)
                self._changed.notify_all()
            self._start(self._serve, peer)

    def _serve(self, peer):
        try:
            while not peer.closed:
                try:
                    request = peer.reader.read_head()
                except TimeoutError:  # an idle connection of the pool
                    if peer.reader.buffer:
                        raise
                    continue
                if request is None:
                    break
                peer.request_count += 1
                with self._changed:
                    self.requests.append(request)
                    self._changed.notify_all()
                self.script(peer, request)
        except (OSError, message.Truncated):
            pass  # the gateway may end a connection at any time; tests that mind look at what arrived
        except Exception as failure:  # pylint: disable=broad-except
            if not self._stopping:  # stop() takes sockets away under the scripts
                self.failures.append(failure)
        finally:
            if not peer.closed:
                peer.close()
            with self._changed:
                self._changed.notify_all()

    def wait_for(self, condition, seconds=IO_SECONDS):
        """Until condition() holds; it is looked at whenever something happens here, and from time to time."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, 0.05))
        return True

    def wait_for_requests(self, count):
        assert self.wait_for(lambda: len(self.requests) >= count), f"{len(self.requests)} of {count} requests came"
        return self.requests[:count]

    @property
    def open_connections(self):
        return [peer for peer in self.connections if not peer.closed]

    def forget(self):
        """What a long test would not want to keep: requests, connections that are closed, their threads."""
        with self._changed:
            self.requests.clear()
            self.connections = self.open_connections
            self._threads = [thread for thread in self._threads if thread.is_alive()]

    @property
    def paths(self):
        return [request.target for request in self.requests]

    def stop(self):
        self._stopping = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for peer in list(self.connections):
            with contextlib.suppress(OSError):
                peer.socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(IO_SECONDS)
        assert not self.failures, f"the upstream's script failed: {self.failures!r}"


def in_turn(*scripts):
    """One script after the other, the last one for good."""
    waiting = collections.deque(scripts)
    lock = threading.Lock()

    def script(*arguments):
        with lock:
            chosen = waiting.popleft() if len(waiting) > 1 else waiting[0]
        chosen(*arguments)

    return script

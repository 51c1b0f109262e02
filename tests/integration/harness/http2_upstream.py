"""An upstream that speaks HTTP/2 (RFC 9113): a script answers each request on a thread of its own."""

import contextlib
import socket
import ssl
import struct
import threading

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import hyperframe.frame

from . import message
from .limits import IO_SECONDS
from .upstream import Upstream
from .waiting import wait_for_socket

ErrorCodes = h2.errors.ErrorCodes
UNSENT_BYTES_MAX = 256 * 1024  # of a connection: then scripts wait


class Ended(ConnectionError):
    """The stream or its connection is over: a script need not catch it."""


class Request(message.Message):
    """`pseudo` has the pseudo-header fields, `headers` the others, `connection` the number of the connection."""

    def __init__(self, fields, connection):
        self.pseudo = dict(field for field in fields if field[0].startswith(":"))
        super().__init__(
            f"{self.pseudo.get(':method')} {self.pseudo.get(':path')} HTTP/2",
            [field for field in fields if not field[0].startswith(":")],
        )
        self.connection = connection
        self.is_complete = False


class Stream:
    """One request and its answer. `reset_code` is what the gateway's RST_STREAM said; None: there was none."""

    def __init__(self, connection, number, request):
        self.connection = connection
        self.id = number
        self.request = request
        self.reset_code = None
        self.received_bytes = 0  # of content, read or not
        self._changed = connection.changed
        self._unread = []  # (bytes, size with padding)

    # --- what the gateway sends ---

    def note_data(self, data, size):
        self._unread.append((data, size))
        self.received_bytes += len(data)

    def read(self):
        """The next piece of content, for which the gateway may send another; b"" at the end."""
        self._wait(lambda: self._unread or self.request.is_complete, "content")
        with self._changed:
            if not self._unread:
                return b""
            data, size = self._unread.pop(0)
            self.connection.http2.acknowledge_received_data(size, self.id)
            self.connection.wake()
        return data

    def let_go(self):
        """What has come and was not read: of no interest any more, so that the connection's window is free again."""
        with self._changed:
            size = sum(size for _, size in self._unread)
            self._unread.clear()
            if size:
                self.connection.http2.acknowledge_received_data(size, self.id)
            self.connection.wake()

    def read_body(self):
        self.request.body = b"".join(iter(self.read, b""))
        return self.request.body

    def is_over(self):
        return self.reset_code is not None or self.connection.closed

    def wait_for_end(self, seconds=IO_SECONDS):
        """Until the gateway resets the stream, or the connection ends; False: it did neither."""
        with self._changed:
            return self._changed.wait_for(self.is_over, seconds)

    def _wait(self, condition, what):
        with self._changed:
            met = self._changed.wait_for(lambda: condition() or self.is_over(), IO_SECONDS)
            if not condition() and self.is_over():
                raise Ended(f"before its {what}")
        if not met:
            raise TimeoutError(f"no {what} on stream {self.id}")

    # --- what it is sent ---

    def respond(self, status=200, headers=(), body=b"", trailers=(), *, has_length=True):
        """A whole response. `has_length`: a content-length is added."""
        fields = list(headers)
        if has_length and not any(name == "content-length" for name, _ in fields) and status not in (204, 304):
            fields.append(("content-length", str(len(body))))
        self.send_head(status, fields, is_end=not body and not trailers)
        if body:
            self.send(body, is_end=not trailers)
        if trailers:
            self.send_fields(trailers, is_end=True)

    def send_head(self, status=200, headers=(), *, is_end=False):
        """Also an informational one."""
        self.send_fields([(":status", str(status)), *headers], is_end=is_end)

    def send_fields(self, fields, *, is_end=False):
        with self._changed:
            self._check()
            self.connection.http2.send_headers(self.id, fields, end_stream=is_end)
            self.connection.wake()

    def send(self, data, *, is_end=False):
        """As the gateway's windows allow."""
        view = memoryview(data)
        while view:
            self._wait(self._window, "window")
            with self._changed:
                self._check()
                size = min(self._window(), len(view))
                self.connection.http2.send_data(self.id, bytes(view[:size]), end_stream=is_end and size == len(view))
                self.connection.wake()
            view = view[size:]

    def end(self):
        with self._changed:
            self._check()
            self.connection.http2.end_stream(self.id)
            self.connection.wake()

    def reset(self, code=ErrorCodes.INTERNAL_ERROR):
        with self._changed:
            self._check()
            self.connection.http2.reset_stream(self.id, code)
            self.connection.wake()

    def _check(self):
        if self.is_over():
            raise Ended(f"stream {self.id}")

    def _window(self):
        if self.is_over() or self.connection.unsent_bytes() >= UNSENT_BYTES_MAX:
            return 0
        http2 = self.connection.http2
        return min(http2.local_flow_control_window(self.id), http2.max_outbound_frame_size)


class Connection:
    """The upstream's end of one connection. Its own thread alone touches the socket; scripts leave bytes here."""

    def __init__(self, upstream, peer, changed):
        self.upstream = upstream
        self.peer = peer
        self.number = peer.number
        self.gateway_port = peer.socket.getpeername()[1]
        self.changed = changed
        self.streams = {}
        self.closed = False
        self.goaway = None  # the gateway's: (error code, last stream id)
        self.settings_acknowledged = 0
        self._out = bytearray()
        self._ending = None
        self.is_frozen = threading.Event()
        self.thawed = threading.Event()
        self._wake_up, self._woken = socket.socketpair()
        self._wake_up.setblocking(False)
        # What is sent is a test's own, and may be wrong; what comes is checked.
        self.http2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=False,
                header_encoding="latin-1",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )

    def begin(self, settings, window):
        """`settings` are in the first SETTINGS frame, but INITIAL_WINDOW_SIZE, which h2 must know, is in a second."""
        settings = dict(settings)
        stream_window = settings.pop(h2.settings.SettingCodes.INITIAL_WINDOW_SIZE, None)
        # h2 would take one stream too many for the connection's end; _take_request() refuses it.
        self.http2.local_settings = h2.settings.Settings(
            client=False, initial_values={h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 2**31 - 1}
        )
        self.http2.initiate_connection()
        self.http2.clear_outbound_data_buffer()
        self.send_raw(hyperframe.frame.SettingsFrame(settings=settings).serialize())
        if stream_window is not None:
            self.http2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: stream_window})
        if window:
            self.http2.increment_flow_control_window(window)

    # --- by scripts and tests, on any thread ---

    def wake(self):
        with contextlib.suppress(OSError):  # it is full of wakes, or gone
            self._wake_up.send(b"x")

    def unsent_bytes(self):
        return len(self._out)

    def send_raw(self, data):
        with self.changed:
            self._out += self.http2.data_to_send() + data
        self.wake()

    def go_away(self, last_stream_id=2**31 - 1, code=ErrorCodes.NO_ERROR):
        """Says so, and goes on."""
        self.send_raw(hyperframe.frame.GoAwayFrame(last_stream_id=last_stream_id, error_code=code).serialize())

    def end(self, how="close"):
        """Once everything has gone: "close", or "reset"."""
        with self.changed:
            self._ending = how
        self.thawed.set()
        self.wake()

    def serve_no_more(self):
        """From now on it is as if the machine had gone: nothing is read, nothing answered, nothing closed."""
        self.is_frozen.set()
        self.wake()

    def live_streams(self):
        return [stream for stream in self.streams.values() if not stream.is_over()]

    # --- its own thread ---

    def serve(self):
        self.peer.socket.setblocking(False)
        try:
            while not self.closed:
                if self.is_frozen.is_set():
                    self.thawed.wait()
                    break
                self._send()
                if self._ending and not self._out:
                    break
                if not self._receive():
                    break
        finally:
            self._close()

    def _send(self):
        with self.changed:
            self._out += self.http2.data_to_send()
            pending = bytes(self._out[: 64 * 1024])
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            sent = self.peer.socket.send(pending) if pending else 0
            with self.changed:
                del self._out[:sent]
                self.changed.notify_all()

    def _receive(self):
        """Waits until something can be done. False: the gateway sends no more."""
        peer = self.peer.socket
        buffered = isinstance(peer, ssl.SSLSocket) and peer.pending()
        if not buffered:
            wait_for_socket(peer, IO_SECONDS, writes=bool(self._out), also=self._woken)
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(4096, socket.MSG_DONTWAIT)
        try:
            data = peer.recv(65536)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return True
        if not data:
            return False
        with self.changed:
            for event in self.http2.receive_data(data):
                self._on_event(event)
            self.changed.notify_all()
        return True

    def _on_event(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        match event:
            case h2.events.RequestReceived():
                self._take_request(event)
            case h2.events.DataReceived() if stream:
                stream.note_data(event.data, event.flow_controlled_length)
            case h2.events.TrailersReceived() if stream:
                stream.request.trailers = list(event.headers)
            case h2.events.StreamEnded() if stream:
                stream.request.is_complete = True
            case h2.events.StreamReset() if stream and event.remote_reset:
                stream.reset_code = event.error_code
            case h2.events.SettingsAcknowledged():
                self.settings_acknowledged += 1
            case h2.events.ConnectionTerminated():
                self.goaway = (event.error_code, event.last_stream_id)

    def _take_request(self, event):
        most = self.upstream.settings.get(h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS)
        if most is not None and self.http2.open_inbound_streams > most:  # RFC 9113 5.1.2
            self.upstream.refused_streams += 1
            self.http2.reset_stream(event.stream_id, ErrorCodes.REFUSED_STREAM)
            return
        stream = Stream(self, event.stream_id, Request(list(event.headers), self.number))
        self.streams[stream.id] = stream
        self.upstream.start_script(stream)

    def _close(self):
        if self._ending == "reset":
            self.peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            with contextlib.suppress(OSError):
                self.peer.socket.shutdown(socket.SHUT_RDWR)
        self.peer.closed = True
        self.peer.socket.close()
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        self._wake_up.close()
        self._woken.close()


def answer_hello(stream):
    """The default script."""
    stream.read_body()
    stream.respond(body=b"hello", headers=[("content-type", "text/plain")])


class Http2Upstream(Upstream):
    """`script(stream)` gets each request, on a thread of its own; what it leaves unanswered stays so.

    Without `context` it speaks HTTP/2 at once (prior knowledge); with one, ALPN must choose it. `settings` are those
    of HTTP/2, `window` is what the window of each connection has beyond 65535.
    """

    def __init__(self, context=None, *, listener=None, settings=None, window=0):
        super().__init__(listener)
        self.context = context
        self.settings = settings or {}
        self.window = window
        self.script = answer_hello
        self.streams = []  # of self.requests, in the same order
        self.refused_streams = 0  # that were more than MAX_CONCURRENT_STREAMS
        self.http2_connections = []

    def _serve(self, peer):
        try:
            if self.context:
                peer.socket = self.context.wrap_socket(peer.socket, server_side=True)
                if peer.socket.selected_alpn_protocol() != "h2":
                    raise ConnectionError(f"ALPN has chosen {peer.socket.selected_alpn_protocol()}")
            connection = Connection(self, peer, self._changed)
            with self._changed:
                connection.begin(self.settings, self.window)
                self.http2_connections.append(connection)
                self._changed.notify_all()
            connection.serve()
        except h2.exceptions.ProtocolError as failure:
            self.failures.append(failure)
        except OSError:
            pass  # the gateway may end a connection at any time
        finally:
            if not peer.closed:
                peer.close()

    def start_script(self, stream):
        self.streams.append(stream)
        self.requests.append(stream.request)
        self._changed.notify_all()
        self._start(self._run, stream)

    def _run(self, stream):
        try:
            self.script(stream)
        except (OSError, h2.exceptions.StreamClosedError):
            pass  # the gateway may end a stream at any time
        except Exception as failure:  # pylint: disable=broad-except
            if not self._stopping:
                self.failures.append(failure)

    def stop(self):
        for connection in self.http2_connections:
            connection.end()
        super().stop()

    @property
    def open_http2(self):
        return [connection for connection in self.http2_connections if not connection.closed]

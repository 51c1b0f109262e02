"""Clients of HTTP/2 (RFC 9113): Http2Client asks, on many streams at once; RawHttp2 sends frames that may be wrong."""

import contextlib
import socket
import ssl
import struct
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import hpack
import hyperframe.frame

from . import message, ports
from .client import Client, tls_context
from .limits import IO_SECONDS, QUIET_SECONDS
from .waiting import wait_for_socket

ErrorCodes = h2.errors.ErrorCodes
SettingCodes = h2.settings.SettingCodes
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WINDOW_MAX = 2**31 - 1
GOAWAY_TYPE = 7


class StreamReset(ConnectionError):
    """Instead of a whole response."""

    def __init__(self, stream):
        super().__init__(f"stream {stream.id}: {stream.reset_code!r}")
        self.code = stream.reset_code


def response_of(fields):
    """A message of a header block."""
    pseudo = dict(field for field in fields if field[0].startswith(":"))
    if set(pseudo) != {":status"}:
        raise message.Malformed(f"pseudo-header fields {pseudo}")
    return message.Message(f"HTTP/2 {pseudo[':status']}", [field for field in fields if not field[0].startswith(":")])


class Stream:
    """One request and its answer, as far as it has come."""

    def __init__(self, number, method):
        self.id = number
        self.method = method
        self.informational = []  # heads
        self.response = None  # its head, with what has come of the body and the trailers
        self.is_complete = False
        self.reset_code = None  # what the gateway's RST_STREAM said; None: there was none
        self.held_bytes = 0  # that came and were not acknowledged

    @property
    def status(self):
        return self.response.status

    @property
    def body(self):
        return self.response.body if self.response else b""


class Http2Client:
    """One connection. `host` is the default of :authority; with `tls` also the server name, and ALPN must choose h2.

    `settings` are those of the first SETTINGS frame; `window` is what the connection's window has beyond 65535. What
    comes is acknowledged at once while `opens_windows`. Whatever waits reads meanwhile.
    """

    def __init__(
        self,
        port,
        host,
        *,
        address=ports.LOOPBACK,
        tls=None,
        server_name=None,
        settings=None,
        window=0,
        opens_windows=True,
        receive_buffer=None,
        prelude=b"",
    ):
        context = tls if isinstance(tls, ssl.SSLContext) else tls_context(alpn=("h2", "http/1.1"))
        connected = Client(
            port,
            host,
            address=address,
            tls=context if tls else None,
            server_name=server_name,
            receive_buffer=receive_buffer,
            prelude=prelude,
        )
        self.socket = connected.socket
        if tls:
            assert self.socket.selected_alpn_protocol() == "h2", self.socket.selected_alpn_protocol()
        self.host = host
        self.is_tls = bool(tls)
        self.opens_windows = opens_windows
        self.on_data = None  # on_data(stream, bytes) gets content instead of the response's body
        self.streams = {}
        self.goaways = []  # (error code, last stream id)
        self.is_closed = False  # by the gateway
        self.was_reset = False
        self._in = bytearray()
        self._out = bytearray()
        # What is sent is a test's own, and may be wrong; what comes is checked.
        self.http2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=True,
                header_encoding="latin-1",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        initial = {SettingCodes.ENABLE_PUSH: 0} | (settings or {})
        self.http2.local_settings = h2.settings.Settings(client=True, initial_values=initial)
        self.http2.initiate_connection()
        if window:
            self.http2.increment_flow_control_window(window)
        self.socket.setblocking(False)
        self._flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def local_port(self):
        return self.socket.getsockname()[1]

    # --- sending ---

    def open(self, method="GET", target="/", headers=(), *, host=None, scheme=None, end=True, pseudo=None):
        """A new stream with the head of a request; `end`: nothing follows. `pseudo` replaces all such fields."""
        if pseudo is None:
            pseudo = [
                (":method", method),
                (":scheme", scheme or ("https" if self.is_tls else "http")),
                (":authority", host or self.host),
                (":path", target),
            ]
        stream = Stream(self.http2.get_next_available_stream_id(), method)
        self.streams[stream.id] = stream
        self.http2.send_headers(stream.id, [*pseudo, *headers], end_stream=end)
        self._flush()
        return stream

    def send(self, stream, data, *, end=False):
        """As the gateway's windows allow. False: it wants no more of it, or nothing at all."""
        view = memoryview(data)
        while view or end:
            if not self._await_window(stream, bool(view)):
                return False
            size = min(self._window(stream), len(view))
            is_end = end and size == len(view)
            self.http2.send_data(stream.id, bytes(view[:size]), end_stream=is_end)
            self._flush()
            view = view[size:]
            if is_end:
                break
        return True

    def _await_window(self, stream, is_needed):
        def is_over():
            return stream.reset_code is not None or self.is_closed

        self.wait_for(lambda: is_over() or (not self._out and (not is_needed or self._window(stream) > 0)))
        return not is_over()

    def _window(self, stream):
        return min(self.http2.local_flow_control_window(stream.id), self.http2.max_outbound_frame_size)

    def window_of(self, stream):
        """What the gateway takes now."""
        return self.http2.local_flow_control_window(stream.id)

    def end(self, stream):
        self.http2.end_stream(stream.id)
        self._flush()

    def send_trailers(self, stream, fields):
        self.http2.send_headers(stream.id, fields, end_stream=True)
        self._flush()

    def reset(self, stream, code=ErrorCodes.CANCEL):
        self.http2.reset_stream(stream.id, code)
        self._flush()

    def send_raw(self, data):
        self._out += self.http2.data_to_send() + data
        self._flush()

    def update_settings(self, settings):
        self.http2.update_settings(settings)
        self._flush()

    def enlarge_window(self, count, stream=None):
        """Of a stream or of the connection, beyond what was acknowledged."""
        self.http2.increment_flow_control_window(count, stream.id if stream else None)
        self._flush()

    def go_away(self, code=ErrorCodes.NO_ERROR):
        """Says so, and goes on."""
        self.send_raw(hyperframe.frame.GoAwayFrame(last_stream_id=0, error_code=code).serialize())

    # --- receiving ---

    def read_head(self, stream):
        """The final response's, as soon as it is there."""
        return self._await_stream(stream, lambda: stream.response is not None)

    def read_response(self, stream):
        """The whole response; StreamReset instead of it."""
        return self._await_stream(stream, lambda: stream.is_complete)

    def _await_stream(self, stream, condition):
        self.wait_for(lambda: condition() or stream.reset_code is not None or self.is_closed)
        if condition():
            return stream.response
        if stream.reset_code is not None:
            raise StreamReset(stream)
        raise message.Truncated(f"the connection ended before the response of stream {stream.id}: {self.goaways}")

    def wait_for_reset(self, stream):
        """The code of the gateway's RST_STREAM."""
        self.wait_for(lambda: stream.reset_code is not None or self.is_closed)
        return stream.reset_code

    def request(self, method="GET", target="/", headers=(), body=None, *, trailers=(), **options):
        """A whole exchange. A body gets a content-length, unless trailers follow it."""
        fields = list(headers)
        if body is not None and not trailers:
            fields.append(("content-length", str(len(body))))
        stream = self.open(method, target, fields, end=not body and not trailers, **options)
        if body:
            self.send(stream, body, end=not trailers)
        if trailers:
            self.send_trailers(stream, trailers)
        return self.read_response(stream)

    def open_windows(self):
        """Acknowledges what has come, and from now on at once."""
        self.opens_windows = True
        for stream in self.streams.values():
            if stream.held_bytes:
                self.http2.acknowledge_received_data(stream.held_bytes, stream.id)
                stream.held_bytes = 0
        self._flush()

    def ping(self):
        """Until the answer is there: what was sent before has been read."""
        before = self._pings
        self.http2.ping(b"harness!")
        self._flush()
        self.wait_for(lambda: self._pings > before or self.is_closed)
        return self._pings > before

    def wait_for(self, condition, seconds=IO_SECONDS):
        """Reads until condition() holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"after {seconds} s; {self.describe()}")
            self._step(left)

    def describe(self):
        """What has come of each stream, for failures."""
        streams = [
            f"{stream.id}: {stream.response and stream.status}, {len(stream.body)} bytes, held {stream.held_bytes}, "
            f"complete {stream.is_complete}, reset {stream.reset_code}"
            for stream in self.streams.values()
        ]
        return f"GOAWAY {self.goaways}, closed {self.is_closed}, streams {streams}"

    def wait_for_close(self):
        """Reads until the gateway has ended the connection; the last GOAWAY's code, None: there was none."""
        self.wait_for(lambda: self.is_closed)
        return self.goaways[-1][0] if self.goaways else None

    def stays_open(self, seconds=QUIET_SECONDS):
        """The gateway does not end it for a while."""
        with contextlib.suppress(TimeoutError):
            self.wait_for(lambda: self.is_closed, seconds)
        return not self.is_closed

    # --- the socket ---

    _pings = 0

    def _flush(self):
        self._out += self.http2.data_to_send()
        try:
            while self._out:
                del self._out[: self.socket.send(self._out[: 64 * 1024])]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self._out.clear()  # what the gateway has said before may still be read

    def _step(self, seconds):
        """Waits until something can be done, and does it."""
        if self.is_closed:
            raise message.Truncated(f"the connection has ended: {self.goaways}")
        if not (self.is_tls and self.socket.pending()):
            wait_for_socket(self.socket, seconds, writes=bool(self._out))
        try:
            data = self.socket.recv(65536)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            data = None
        except ConnectionResetError:
            data, self.was_reset = b"", True
        except ssl.SSLError:
            data = b""
        if data == b"":
            self.is_closed = True
        elif data:
            self._in += data
            self._take_frames()
        self._flush()

    def _take_frames(self):
        """h2 would take GOAWAY for the end of everything, which is not what it says (RFC 9113 6.8)."""
        while len(self._in) >= 9:
            size = 9 + int.from_bytes(self._in[:3], "big")
            if len(self._in) < size:
                return
            frame = bytes(self._in[:size])
            del self._in[:size]
            if frame[3] == GOAWAY_TYPE:
                last_stream_id, code = struct.unpack(">II", frame[9:17])
                self.goaways.append((code, last_stream_id & WINDOW_MAX))
                continue
            for event in self.http2.receive_data(frame):
                self._on_event(event)

    def _on_event(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        match event:
            case h2.events.InformationalResponseReceived() if stream:
                stream.informational.append(response_of(event.headers))
            case h2.events.ResponseReceived() if stream:
                stream.response = response_of(event.headers)
                stream.response.body = bytearray()
            case h2.events.DataReceived() if stream:
                self._take_data(stream, event)
            case h2.events.TrailersReceived() if stream:
                stream.response.trailers = list(event.headers)
            case h2.events.StreamEnded() if stream:
                stream.is_complete = True
            case h2.events.StreamReset() if stream and event.remote_reset:
                stream.reset_code = event.error_code
            case h2.events.PingAckReceived():
                self._pings += 1

    def _take_data(self, stream, event):
        if self.on_data:
            self.on_data(stream, event.data)
        else:
            stream.response.body += event.data
        if not self.opens_windows:
            stream.held_bytes += event.flow_controlled_length
        elif event.flow_controlled_length:
            self.http2.acknowledge_received_data(event.flow_controlled_length, stream.id)

    # --- ending ---

    def shutdown_write(self):
        self._flush()
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()

    def reset_connection(self):
        """RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


# --- frames as they are ------------------------------------------------------------------------------


class RawHttp2:
    """One plain connection. What is sent are bytes; what comes is noted by frame, and never answered."""

    def __init__(self, port, *, preface=PREFACE):
        self.socket = socket.create_connection((ports.LOOPBACK, port), timeout=IO_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.frames = []
        self.is_closed = False
        self.statuses = {}  # stream id -> final status
        self.bodies = {}
        self.ended = set()  # ids of streams with END_STREAM
        self.resets = {}  # stream id -> code
        self.goaways = []  # (code, last stream id)
        self.pings = 0  # that were answered
        self._in = b""
        self._decoder = hpack.Decoder()
        if preface:
            self.send(preface)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """False: the gateway has ended the connection."""
        try:
            self.socket.sendall(data)
        except ConnectionError:
            return False
        return True

    def shutdown_write(self):
        self.socket.shutdown(socket.SHUT_WR)

    def read_until(self, condition):
        """Reads until condition() holds or the connection ends; whether it holds."""
        while not condition():
            if self.is_closed or not self._read_frame():
                return condition()
        return True

    def read_to_end(self):
        self.read_until(lambda: False)

    def is_over(self, stream_id):
        return stream_id in self.ended or stream_id in self.resets

    @property
    def goaway_code(self):
        return self.goaways[-1][0] if self.goaways else None

    def _read_exactly(self, count):
        while len(self._in) < count:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                self.is_closed = True
                return None
            self._in += data
        piece, self._in = self._in[:count], self._in[count:]
        return piece

    def _read_frame(self):
        head = self._read_exactly(9)
        if head is None:
            return False
        frame, size = hyperframe.frame.Frame.parse_frame_header(memoryview(head))
        payload = self._read_exactly(size)
        if payload is None:
            return False
        frame.parse_body(memoryview(payload))
        self.frames.append(frame)
        self._note(frame)
        return True

    def _note(self, frame):
        match frame:
            case hyperframe.frame.HeadersFrame():
                assert "END_HEADERS" in frame.flags, "a header block in several frames"
                fields = dict(self._decoder.decode(frame.data))
                status = int(fields.get(":status", 0))
                if status >= 200:
                    self.statuses[frame.stream_id] = status
            case hyperframe.frame.DataFrame():
                self.bodies[frame.stream_id] = self.bodies.get(frame.stream_id, b"") + frame.data
            case hyperframe.frame.RstStreamFrame():
                self.resets[frame.stream_id] = frame.error_code
            case hyperframe.frame.GoAwayFrame():
                self.goaways.append((frame.error_code, frame.last_stream_id))
            case hyperframe.frame.PingFrame() if "ACK" in frame.flags:
                self.pings += 1
        if "END_STREAM" in frame.flags:
            self.ended.add(frame.stream_id)

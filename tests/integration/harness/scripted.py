"""One script for upstreams of both versions: what it is given reads the request and answers it, over either."""

import contextlib

from . import message


class Http1Answer:
    """The upstream's side of an exchange of HTTP/1.1."""

    def __init__(self, peer, request):
        self.peer = peer
        self.request = request
        self.connection = peer.number
        self._is_chunked = False

    # --- the request ---

    def pieces(self):
        """Its content as it comes; then request.trailers is set."""
        return self.peer.reader.iterate_body(self.request)

    def read_body(self):
        return self.peer.read_body(self.request).body

    # --- the response ---

    def respond(self, status=200, headers=(), body=b"", trailers=(), *, has_length=True):
        """A whole one. `has_length`: with content-length, unless trailers follow."""
        fields = list(headers)
        if status in (204, 304):
            return self.peer.send(message.head_bytes(f"HTTP/1.1 {status} Any", fields))
        if has_length and not trailers:
            fields.append(("content-length", str(len(body))))
            return self.peer.send(message.head_bytes(f"HTTP/1.1 {status} Any", fields) + body)
        self.send_head(status, fields)
        if body:
            self.send(body)
        return self.end(trailers)

    def send_head(self, status=200, headers=()):
        """Final: with a content-length among the fields, or chunked."""
        fields = list(headers)
        self._is_chunked = not any(name == "content-length" for name, _ in fields)
        if self._is_chunked:
            fields.append(("transfer-encoding", "chunked"))
        self.peer.send(message.head_bytes(f"HTTP/1.1 {status} Any", fields))

    def send_informational(self, status, headers=()):
        self.peer.send(message.head_bytes(f"HTTP/1.1 {status} Any", list(headers)))

    def send_head_alone(self, status, headers):
        """Of a response without content, whatever its fields say."""
        self.peer.send(message.head_bytes(f"HTTP/1.1 {status} Any", list(headers)))

    def send(self, data):
        self.peer.send(b"%x\r\n%s\r\n" % (len(data), data) if self._is_chunked else data)

    def end(self, trailers=()):
        if self._is_chunked:
            self.peer.send(message.chunked(trailers=trailers))

    # --- the end ---

    def wait_for_end(self):
        """Until the gateway gives the exchange up; False: it did not."""
        try:
            self.peer.wait_for_close()
        except TimeoutError:
            return False
        return True

    def die(self):
        """In the middle of whatever it was."""
        self.peer.reset()


class Http2Answer:
    """The same on a stream of HTTP/2."""

    def __init__(self, stream):
        self.stream = stream
        self.request = stream.request
        self.connection = stream.connection.number

    def pieces(self):
        return iter(self.stream.read, b"")

    def read_body(self):
        return self.stream.read_body()

    def respond(self, status=200, headers=(), body=b"", trailers=(), *, has_length=True):
        self.stream.respond(status, headers, body, trailers, has_length=has_length and not trailers)

    def send_head(self, status=200, headers=()):
        self.stream.send_head(status, headers)

    def send_informational(self, status, headers=()):
        self.stream.send_head(status, headers)

    def send_head_alone(self, status, headers):
        self.stream.send_head(status, headers, is_end=True)

    def send(self, data):
        self.stream.send(data)

    def end(self, trailers=()):
        if trailers:
            self.stream.send_fields(trailers, is_end=True)
        else:
            self.stream.end()

    def wait_for_end(self):
        return self.stream.wait_for_end()

    def die(self):
        with contextlib.suppress(OSError):
            self.stream.reset()


def for_http1(script):
    """script(answer) as the script of an Upstream."""
    return lambda peer, request: script(Http1Answer(peer, request))


def for_http2(script):
    """script(answer) as the script of an Http2Upstream."""
    return lambda stream: script(Http2Answer(stream))


def answer_hello(answer):
    """The default script."""
    answer.read_body()
    answer.respond(body=b"hello", headers=[("content-type", "text/plain")])

"""HTTP/1 messages, read without mercy: what is not well-formed raises Malformed."""

import dataclasses


class Malformed(Exception):
    """The peer sent something that is no HTTP/1 message."""


class Truncated(Exception):
    """The connection ended in the middle of a message."""


@dataclasses.dataclass
class Message:
    """A request or a response. Field names are lower case."""

    start_line: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    trailers: list[tuple[str, str]] = dataclasses.field(default_factory=list)

    def all(self, name):
        return [value for key, value in self.headers if key == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return ", ".join(values) if values else default

    def __contains__(self, name):
        return bool(self.all(name))

    # --- of a request ---
    @property
    def method(self):
        return self.start_line.split(" ")[0]

    @property
    def target(self):
        return self.start_line.split(" ")[1]

    # --- of a response ---
    @property
    def status(self):
        return int(self.start_line.split(" ")[1])

    @property
    def version(self):
        for word in self.start_line.split(" "):
            if word.startswith("HTTP/"):
                return word
        raise Malformed(self.start_line)


def parse_fields(text):
    fields = []
    for line in text.split(b"\r\n"):
        if not line:
            continue
        name, colon, value = line.partition(b":")
        if not colon or not name or name.strip() != name or b"\n" in line or b"\r" in line:
            raise Malformed(f"field line {line!r}")
        fields.append((name.decode("latin-1").lower(), value.strip(b" \t").decode("latin-1")))
    return fields


class Reader:
    """Reads messages from `receive`, a function that returns some bytes, or b"" at the end."""

    def __init__(self, receive):
        self._receive = receive
        self.buffer = b""
        self.ended = False

    def _more(self):
        data = b"" if self.ended else self._receive()
        if not data:
            self.ended = True
        self.buffer += data
        return bool(data)

    def take(self, count):
        piece, self.buffer = self.buffer[:count], self.buffer[count:]
        return piece

    def read_until(self, mark):
        while mark not in self.buffer:
            if not self._more():
                raise Truncated(f"ended before {mark!r}, after {self.buffer[-200:]!r}")
        return self.take(self.buffer.index(mark) + len(mark))

    def read_exactly(self, count):
        """For small bodies; large ones go through iterate()."""
        while len(self.buffer) < count:
            if not self._more():
                raise Truncated(f"ended after {len(self.buffer)} of {count} bytes")
        return self.take(count)

    def read_to_end(self):
        while self._more():
            pass
        return self.take(len(self.buffer))

    def iterate(self, count):
        """Pieces of the next `count` bytes (None: until the end), as they come."""
        while count is None or count > 0:
            if not self.buffer and not self._more():
                if count is None:
                    return
                raise Truncated(f"{count} bytes are missing")
            piece = self.take(len(self.buffer) if count is None else min(count, len(self.buffer)))
            if count is not None:
                count -= len(piece)
            yield piece

    def read_head(self):
        """Start line and fields; None when the connection ended before a byte came."""
        if not self.buffer and not self._more():
            return None
        head = self.read_until(b"\r\n\r\n")
        start_line, _, fields = head.partition(b"\r\n")
        if b"\n" in start_line or b"\r" in start_line:
            raise Malformed(f"start line {start_line!r}")
        return Message(start_line.decode("latin-1"), parse_fields(fields))

    def iterate_chunked(self, message):
        """The content of a chunked body; then message.trailers is set."""
        while True:
            line = self.read_until(b"\r\n")[:-2]
            size_text = line.split(b";")[0]
            if not size_text or size_text.strip(b"0123456789abcdefABCDEF"):
                raise Malformed(f"chunk size {line!r}")
            size = int(size_text, 16)
            if size == 0:
                break
            yield from self.iterate(size)
            if self.read_exactly(2) != b"\r\n":
                raise Malformed("chunk without its line end")
        while (line := self.read_until(b"\r\n")) != b"\r\n":
            message.trailers += parse_fields(line)

    def iterate_body(self, message, *, is_response=False, method="GET"):
        """The content of `message`, by RFC 9112 6.3."""
        coding = message.get("transfer-encoding")
        lengths = message.all("content-length")
        if coding is not None and lengths:
            raise Malformed("content-length beside transfer-encoding")
        if len(set(lengths)) > 1 or len(lengths) > 1:
            raise Malformed(f"content-length {lengths}")
        if is_response and (method == "HEAD" or message.status in (204, 304) or message.status < 200):
            return
        if coding is not None:
            if coding.lower() != "chunked":
                raise Malformed(f"transfer-encoding {coding}")
            yield from self.iterate_chunked(message)
        elif lengths:
            yield from self.iterate(int(lengths[0]))
        elif is_response:
            yield from self.iterate(None)

    def read_body(self, message, **kinds):
        message.body = b"".join(self.iterate_body(message, **kinds))
        return message


def head_bytes(start_line, headers):
    lines = [start_line] + [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def chunked(*pieces, trailers=()):
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece)
    return body + b"0\r\n" + b"".join(f"{name}: {value}\r\n".encode() for name, value in trailers) + b"\r\n"

"""The sizes of TLS records as a client sees them: small at first and after silence, full in a stream."""

import socket
import ssl
import time

import pytest

from harness import message, ports
from harness.client import tls_context
from harness.limits import IO_SECONDS

SMALL = 4 * 1024
FULL = 16 * 1024
SMALL_COUNT = 16
SILENCE_SECONDS = 1
APPLICATION_DATA = 23  # RFC 8446 5.1


class Watcher:
    """A client of Python's ssl that keeps what comes over the wire."""

    def __init__(self, port, host, version):
        self.raw = socket.create_connection((ports.LOOPBACK, port), timeout=IO_SECONDS)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = tls_context(minimum=version, maximum=version)
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=host)
        self.wire = b""
        self.host = host
        self._call(self.tls.do_handshake)
        # Content's type and tag in TLS 1.3 (RFC 8446 5.2), the tag in TLS 1.2 with ChaCha20-Poly1305 (RFC 7905 2).
        self.overhead = 17 if version == ssl.TLSVersion.TLSv1_3 else 16
        assert version == ssl.TLSVersion.TLSv1_3 or "CHACHA20" in self.tls.cipher()[0]
        self.reader = message.Reader(lambda: self._call(lambda: self.tls.read(65536)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.raw.close()

    def _call(self, call):
        while True:
            try:
                return call()
            except ssl.SSLWantReadError:
                self.raw.sendall(self.outgoing.read())
                data = self.raw.recv(65536)
                assert data, "the gateway has closed the connection"
                self.wire += data
                self.incoming.write(data)
            finally:
                self.raw.sendall(self.outgoing.read())

    def get(self, target):
        """The response, and the sizes of what was inside of the records that it came in."""
        self.wire = b""
        self.tls.write(f"GET {target} HTTP/1.1\r\nhost: {self.host}\r\n\r\n".encode())
        response = self.reader.read_body(self.reader.read_head(), is_response=True)
        return response, self.records()

    def records(self):
        sizes = []
        at = 0
        while at < len(self.wire):
            assert self.wire[at] == APPLICATION_DATA
            size = int.from_bytes(self.wire[at + 3 : at + 5], "big")
            sizes.append(size - self.overhead)
            at += 5 + size
        assert at == len(self.wire), "the last record is complete"
        return sizes


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def watcher(request, gateway, upstream):
    """Past the first request, so that session tickets are out of the way."""

    def script(peer, got):
        peer.respond(body=b"x" * int(got.target[1:]))

    upstream.script = script
    with Watcher(gateway.port(443), upstream.host, request.param) as made:
        made.get("/1")
        yield made


def test_a_short_response_is_one_record(watcher):
    for _ in range(3):
        response, records = watcher.get("/3000")
        assert len(response.body) == 3000
        assert len(records) == 1 and records[0] > 3000


def test_the_first_records_are_small(watcher):
    response, records = watcher.get(f"/{1024 * 1024}")
    assert len(response.body) == 1024 * 1024
    assert records[0] == SMALL, "it can be used when three segments have come"
    assert max(records) == FULL
    first_large = next(at for at, size in enumerate(records) if size > SMALL)
    assert records[:first_large].count(SMALL) == SMALL_COUNT
    assert len(records) < SMALL_COUNT + 1.5 * (1024 * 1024 / FULL), "the rest of the stream has few that are not full"


def test_records_are_small_again_after_silence(watcher):
    started = time.monotonic()
    watcher.get("/200000")
    _, records = watcher.get("/10000")
    if time.monotonic() - started < SILENCE_SECONDS:
        assert len(records) == 1, "no silence: one record"
    time.sleep(SILENCE_SECONDS + 0.2)
    _, records = watcher.get("/10000")
    assert records[:2] == [SMALL, SMALL] and len(records) == 3

"""Bodies that are larger than any buffer: every byte arrives, and memory does not grow.

64 MiB each; 1 GiB with SLUICE_FULL=1.
"""

import threading

import pytest

from harness import documents, gateway as gateways, message, pattern
from harness.limits import FULL, MIB
from harness.upstream import Upstream

SIZE = 1024 * MIB if FULL else 64 * MIB
MEMORY_MAX = 64 * MIB


@pytest.fixture(scope="module")
def fresh_gateway(tmp_path_factory, certificate, large_upstream):
    """A process whose peak of memory tells of these tests only."""
    texts = documents.kyma_texts(certificate) | {"large.yaml": documents.routes("large", large_upstream.port)}
    with gateways.Gateway(tmp_path_factory.mktemp("large"), texts, access_log=False) as running:
        yield running


@pytest.fixture(scope="module")
def large_upstream():
    running = Upstream().serve()
    yield running
    running.stop()


@pytest.fixture
def client(fresh_gateway, tls):
    with fresh_gateway.connect(f"large.{documents.DOMAIN}", tls=tls) as made:
        yield made
    if not gateways.is_sanitized():
        assert fresh_gateway.memory_bytes("VmHWM") < MEMORY_MAX


def send_in_chunks(peer, size):
    for block in pattern.blocks(size):
        peer.send(b"%x\r\n" % len(block) + block + b"\r\n")
    peer.send(b"0\r\n\r\n")


def test_download_with_length(client, large_upstream):
    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        for block in pattern.blocks(SIZE):
            peer.send(block)

    with large_upstream.answering(script):
        client.send_head("GET", "/download")
        response = client.reader.read_head()
        assert response.get("content-length") == str(SIZE)
        assert pattern.digest_of(client.reader.iterate_body(response, is_response=True)) == pattern.digest(SIZE)
    assert client.request().body == b"hello", "the connection is in step"


def test_download_in_chunks(client, large_upstream):
    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        send_in_chunks(peer, SIZE)

    with large_upstream.answering(script):
        client.send_head("GET", "/download")
        response = client.reader.read_head()
        assert pattern.digest_of(client.reader.iterate_body(response, is_response=True)) == pattern.digest(SIZE)
    assert client.request().body == b"hello"


def test_download_until_close(client, large_upstream):
    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        for block in pattern.blocks(SIZE):
            peer.send(block)
        peer.close()

    with large_upstream.answering(script):
        client.send_head("GET", "/download")
        response = client.reader.read_head()
        assert pattern.digest_of(client.reader.iterate_body(response, is_response=True)) == pattern.digest(SIZE)


def test_upload_with_length(client, large_upstream):
    def script(peer, request):
        count, checksum = pattern.digest_of(peer.reader.iterate_body(request))
        peer.respond(body=f"{count} {checksum}".encode())

    with large_upstream.answering(script):
        client.send_head("POST", "/upload", [("content-length", str(SIZE))])
        for block in pattern.blocks(SIZE):
            client.send(block)
        assert client.read_response().body.decode().split() == [str(SIZE), pattern.digest(SIZE)[1]]
    assert client.request().body == b"hello"


def test_upload_in_chunks(client, large_upstream):
    def script(peer, request):
        count, checksum = pattern.digest_of(peer.reader.iterate_body(request))
        peer.respond(body=f"{count} {checksum}".encode())

    with large_upstream.answering(script):
        client.send_head("POST", "/upload", [("transfer-encoding", "chunked")])
        send_in_chunks(client, SIZE)
        assert client.read_response().body.decode().split() == [str(SIZE), pattern.digest(SIZE)[1]]
    assert client.request().body == b"hello"


def test_large_plain_bodies_are_spliced(fresh_gateway, large_upstream):
    """Zero copy is not only written, it runs: the counter grows by (nearly) the whole body, both ways."""
    size = 32 * MIB

    def spliced():
        return fresh_gateway.metric("sluice_spliced_bytes_total")

    def script(peer, request):
        for _ in peer.reader.iterate_body(request):
            pass
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for block in pattern.blocks(size):
            peer.send(block)

    with large_upstream.answering(script), fresh_gateway.connect(f"large.{documents.DOMAIN}") as client:
        start = spliced()
        client.send_head("GET", "/download")
        response = client.reader.read_head()
        assert sum(len(piece) for piece in client.reader.iterate_body(response, is_response=True)) == size
        assert gateways.wait_until(lambda: spliced() - start > 0.9 * size), spliced() - start
        after_download = spliced()
        client.send_head("POST", "/upload", [("content-length", str(size))])
        for block in pattern.blocks(size):
            client.send(block)
        response = client.reader.read_head()
        assert sum(len(piece) for piece in client.reader.iterate_body(response, is_response=True)) == size
        assert gateways.wait_until(lambda: spliced() - after_download > 1.8 * size), spliced() - after_download


def test_spliced_response_is_over_when_its_last_byte_is(fresh_gateway, large_upstream):
    """The end is seen at once and not with the next event: the upstream's connection is free for somebody else."""

    def script(peer, request):
        peer.read_body(request)
        peer.respond(body=b"x" * 300_000)

    with large_upstream.answering(script), fresh_gateway.connect(f"large.{documents.DOMAIN}") as client:
        for _ in range(100):
            assert len(client.request().body) == 300_000
            assert gateways.wait_until(
                lambda: fresh_gateway.metric("sluice_requests_active") == 0, seconds=2
            ), "still under way"


@pytest.mark.parametrize("size", [1, 4_095, 4_096, 16_384, 65_535, 65_536, 65_537, MIB + 1])
def test_sizes_around_every_border(client, large_upstream, size):
    """Buffers, records, the splice threshold: a body one byte off each of them, down and up."""
    content = b"".join(pattern.blocks(size))

    def script(peer, request):
        peer.read_body(request)
        peer.respond(body=request.body)

    with large_upstream.answering(script):
        for _ in range(3):
            assert client.request("POST", "/", body=content).body == content


def test_many_large_bodies_at_once(fresh_gateway, large_upstream, tls):
    size, count = 8 * MIB, 16

    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for block in pattern.blocks(size):
            peer.send(block)

    def download():
        with fresh_gateway.connect(f"large.{documents.DOMAIN}", tls=tls) as client:
            client.send_head("GET", "/download")
            response = client.reader.read_head()
            results.append(pattern.digest_of(client.reader.iterate_body(response, is_response=True)))

    results = []
    with large_upstream.answering(script):
        threads = [threading.Thread(target=download) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [pattern.digest(size)] * count
    if not gateways.is_sanitized():
        assert fresh_gateway.memory_bytes("VmHWM") < MEMORY_MAX


def test_client_that_leaves_in_the_middle_of_a_splice(fresh_gateway, large_upstream):
    """The pipe it leaves dirty must not serve anybody else."""

    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 * MIB))
        for _ in range(1024):
            peer.send(b"secret__" * 8192)

    def public(peer, request):
        peer.read_body(request)
        peer.respond(body=b"public__" * 131_072)

    for _ in range(5):
        with large_upstream.answering(script), fresh_gateway.connect(f"large.{documents.DOMAIN}") as leaver:
            leaver.send_head()
            head = leaver.reader.read_head()
            assert head.status == 200 and leaver.reader.read_exactly(200_000)
            leaver.reset()
        with large_upstream.answering(public), fresh_gateway.connect(f"large.{documents.DOMAIN}") as client:
            assert client.request().body == b"public__" * 131_072


def test_truncated_large_download_is_seen(client, large_upstream):
    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        for block in pattern.blocks(10 * MIB):
            peer.send(block)
        peer.close()

    with large_upstream.answering(script):
        client.send_head()
        response = client.reader.read_head()
        with pytest.raises(message.Truncated):
            pattern.digest_of(client.reader.iterate_body(response, is_response=True))

"""An upload that comes slowly, and an upstream that takes it slowly."""

import threading
import time

import pytest

from harness import gateway as gateways, message, pattern
from harness.limits import MIB


def test_body_in_drops_arrives_whole(client, upstream):
    client.send_head("POST", "/", [("content-length", "40")])
    for index in range(40):
        client.send(b"%d" % (index % 10))
        time.sleep(0.01)
    assert client.read_response().status == 200
    assert upstream.requests[0].body == b"0123456789" * 4


def test_body_is_passed_on_as_it_comes(client, upstream):
    """The upstream sees the first part before the client has sent the last."""
    seen = []

    def script(peer, request):
        for piece in peer.reader.iterate_body(request):
            seen.append(piece)
        peer.respond()

    upstream.script = script
    client.send_head("POST", "/", [("content-length", "10")])
    client.send(b"first")
    assert upstream.wait_for(lambda: b"".join(seen) == b"first")
    client.send(b"-last")
    assert client.read_response().status == 200
    assert b"".join(seen) == b"first-last"


@pytest.mark.parametrize("chunks", [False, True], ids=["length", "chunks"])
def test_upstream_that_does_not_read_throttles_the_client(gateway, upstream, tls, chunks):
    """What it does not take is not stored in the gateway."""
    size = 128 * MIB
    resume = []

    def script(peer, request):
        assert upstream.wait_for(lambda: resume, seconds=30)
        count, checksum = pattern.digest_of(peer.reader.iterate_body(request))
        peer.respond(body=f"{count} {checksum}".encode())

    upstream.script = script
    with gateway.connect(upstream.host, tls=tls, timeout=60) as client:
        client.send_head("POST", "/", [("transfer-encoding", "chunked")] if chunks else [("content-length", str(size))])
        before = gateway.memory_bytes()
        progress = [0]

        def push():
            for block in pattern.blocks(size):
                client.send(b"%x\r\n%s\r\n" % (len(block), block) if chunks else block)
                progress[0] += len(block)
            if chunks:
                client.send(b"0\r\n\r\n")

        pusher = threading.Thread(target=push)
        pusher.start()
        assert wait_until_still(progress) < 64 * MIB
        if not gateways.is_sanitized():
            assert gateway.memory_bytes() - before < 16 * MIB
        resume.append(True)
        pusher.join(60)
        assert progress[0] == size
        assert client.read_response().body.decode().split() == [str(size), pattern.digest(size)[1]]


def wait_until_still(progress):
    """The value at which `progress` stands still."""

    def is_still():
        seen = progress[0]
        time.sleep(0.3)
        return progress[0] == seen and seen > 0

    assert gateways.wait_until(is_still), "the client is never held back"
    return progress[0]


def test_answer_before_the_end_of_the_upload(client, upstream):
    """An upstream may answer early: the client gets the answer, and the rest of its upload poisons nothing."""

    def script(peer, request):
        peer.reader.read_exactly(10)
        peer.respond(401, reason="Unauthorized", headers=[("connection", "close")], body=b"who are you")
        peer.close()

    upstream.script = script
    client.send_head("POST", "/", [("content-length", str(MIB))])
    client.send(b"x" * 10_000)
    response = client.read_response()
    assert (response.status, response.body) == (401, b"who are you")


def test_upload_that_ends_early_is_no_complete_request(client, upstream):
    complete = []

    def script(peer, request):
        try:
            peer.read_body(request)
            complete.append(request.body)
        except message.Truncated:
            complete.append("truncated")
            raise
        peer.respond()

    upstream.script = script
    client.send_head("POST", "/", [("content-length", "1000")])
    client.send(b"x" * 500)
    upstream.wait_for_requests(1)
    client.close()
    assert upstream.wait_for(lambda: complete)
    assert complete == ["truncated"]

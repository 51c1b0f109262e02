"""A client that stops reading holds back its own upstream, nobody else, and no memory (back-pressure)."""

import time

import pytest

from harness import documents, gateway as gateways, pattern
from harness.limits import MIB

BODY = 256 * MIB
GROWTH_MAX = 16 * MIB


@pytest.fixture
def slow_gateway(own_gateway, own_upstream):
    return own_gateway({"app.yaml": documents.routes("app", own_upstream.port)})


def endless_script(sent, chunks):
    def script(peer, request):
        peer.read_body(request)
        if request.target != "/large":
            peer.respond(body=b"quick")
            return
        peer.send(
            b"HTTP/1.1 200 OK\r\n"
            + (b"Transfer-Encoding: chunked\r\n\r\n" if chunks else b"Content-Length: %d\r\n\r\n" % BODY)
        )
        peer.socket.settimeout(60)
        for block in pattern.blocks(BODY):
            peer.send(b"%x\r\n%s\r\n" % (len(block), block) if chunks else block)
            sent[0] += len(block)

    return script


@pytest.mark.parametrize("chunks", [False, True], ids=["length", "chunks"])
def test_reader_that_stops_throttles_its_upstream(slow_gateway, own_upstream, tls, chunks):
    sent = [0]
    own_upstream.serve(endless_script(sent, chunks))
    host = f"app.{documents.DOMAIN}"
    with slow_gateway.connect(host, tls=tls, receive_buffer=32 * 1024) as reader:
        assert slow_gateway.connect(host).request("GET", "/quick").body == b"quick"
        before = slow_gateway.memory_bytes()
        reader.send_head("GET", "/large")
        head = reader.reader.read_head()
        assert head.status == 200

        # The upstream comes to a stand: nothing more is taken from it.
        def has_stopped():
            seen = sent[0]
            time.sleep(0.3)
            return sent[0] == seen and seen > 0

        assert gateways.wait_until(has_stopped), "the upstream is never held back"
        assert sent[0] < 64 * MIB, f"{sent[0]} bytes were taken for a reader that reads nothing"
        if not gateways.is_sanitized():
            assert slow_gateway.memory_bytes() - before < GROWTH_MAX

        # Others are served meanwhile, also over TLS and with large bodies of their own.
        for kind in (False, True):
            with slow_gateway.connect(host, tls=kind) as other:
                for _ in range(20):
                    assert other.request("GET", "/quick").body == b"quick"

        # And it goes on where it stopped.
        held_back = sent[0]
        body = reader.reader.iterate_body(head, is_response=True)
        digest_of_front = 0
        for piece in body:
            digest_of_front += len(piece)
            if digest_of_front > held_back + 8 * MIB:
                break
        assert sent[0] > held_back


def test_many_stopped_readers_cost_little(slow_gateway, own_upstream):
    """Twenty of them: bounded memory each."""
    own_upstream.serve(endless_script([0], False))
    host = f"app.{documents.DOMAIN}"
    with slow_gateway.connect(host) as warm:
        warm.request("GET", "/quick")
    before = slow_gateway.memory_bytes()
    readers = [slow_gateway.connect(host, tls=index % 2 == 1, receive_buffer=16 * 1024) for index in range(20)]
    for reader in readers:
        reader.send_head("GET", "/large")
        assert reader.reader.read_head().status == 200
    time.sleep(1)
    grown = slow_gateway.memory_bytes() - before
    for reader in readers:
        reader.close()
    assert own_upstream.wait_for(lambda: len(own_upstream.open_connections) <= 1), "abandoned downloads go on"
    if not gateways.is_sanitized():
        assert grown < 20 * MIB, f"{grown / MIB:.1f} MiB for 20 stopped readers"

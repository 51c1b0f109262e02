"""A client that asks and asks and reads nothing: its requests wait, the gateway's memory does not grow."""

import time

import pytest

from harness.documents import DOMAIN
from harness.gateway import is_sanitized


@pytest.mark.parametrize("target", ["local", "forwarded"])
def test_pipelined_requests_wait_for_their_answers_to_be_read(gateway, upstream, target):
    host = upstream.host if target == "forwarded" else f"nobody.{DOMAIN}"
    request = f"HEAD / HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()
    before = gateway.memory_bytes()
    with gateway.connect(host) as client:
        client.socket.setblocking(False)
        sent = 0
        end = time.monotonic() + 3
        while time.monotonic() < end:
            try:
                sent += client.socket.send(request * 500)
            except BlockingIOError:
                time.sleep(0.05)
        if not is_sanitized():
            assert gateway.memory_bytes() - before < 16 * 1024 * 1024
        assert sent < 32 * 1024 * 1024, "the requests are read although their answers are not"
    assert gateway.is_ready()

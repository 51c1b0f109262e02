"""Everything at once: well-behaved and hostile clients and upstreams, at random but from a seed.

Whoever gets a complete response gets the right one, whatever happens next to it; and at the end nothing is left over.
5 seconds; 60 with SLUICE_FULL=1. SLUICE_SEED repeats a run, as far as the timing of threads allows.
"""

import contextlib
import os
import random
import threading
import time

from harness import documents, message, websocket
from harness.gateway import wait_until
from harness.limits import FULL
from harness.websocket import WebSocket

SECONDS = 60 if FULL else 5
SEED = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
CLIENT_THREADS = 12
HOST = f"app.{documents.DOMAIN}"
SIZES = (0, 1, 100, 4_096, 16_385, 70_000, 300_000, 1_500_000)


def content(token, size):
    """What only the request with this token may get."""
    unit = f"<{token}>".encode()
    return (unit * (size // len(unit) + 1))[:size]


class Chaos:
    """One thread's clients; what went wrong is in `failures`, what went right is counted."""

    def __init__(self, gateway, seed):
        self.gateway = gateway
        self.random = random.Random(seed)
        self.name = seed
        self.count = 0
        self.failures = []

    def run(self, deadline):
        actions = [
            self.ask,
            self.ask,
            self.ask,
            self.pipeline,
            self.upload,
            self.leave_early,
            self.talk_nonsense,
            self.open_socket,
        ]
        while time.monotonic() < deadline and not self.failures:
            action = self.random.choice(actions)
            try:
                with self.gateway.connect(HOST, tls=self.random.random() < 0.5) as client:
                    for _ in range(self.random.randrange(1, 6)):
                        if not action(client):
                            break
            except Exception as failure:  # pylint: disable=broad-except
                self.failures.append(f"{action.__name__}, seed {self.name}: {failure!r}")

    def token(self):
        self.count += 1
        return f"{self.name}-{self.count}"

    def send(self, client, token, size, *, method="GET", body=None):
        fields = [("x-token", token), ("x-size", str(size))]
        if body is not None and self.random.random() < 0.5:
            client.send_head(method, "/", fields + [("transfer-encoding", "chunked")])
            middle = self.random.randrange(len(body) + 1)
            client.send(message.chunked(body[:middle], body[middle:]))
        elif body is not None:
            client.send_head(method, "/", fields + [("content-length", str(len(body)))])
            client.send(body)
        else:
            client.send_head(method, "/", fields)

    def check(self, client, token, size, method="GET"):
        """False when the connection cannot go on."""
        try:
            response = client.read_response(method)
        except message.Truncated:
            return False  # its upstream died: allowed, since it shows
        if response is None:
            return False
        if response.status == 200:
            expected = content(token, size) if method != "HEAD" else b""
            assert (
                response.body == expected
            ), f"{len(response.body)} of {size} bytes, {response.body[:40]!r} for {token}"
        else:
            assert response.status in (502, 503), response.start_line
        return response.get("connection") != "close"

    # --- what clients do; the result tells whether the connection can go on ---

    def ask(self, client):
        token, size = self.token(), self.random.choice(SIZES)
        method = self.random.choice(["GET", "GET", "HEAD", "DELETE"])
        self.send(client, token, size, method=method)
        return self.check(client, token, size, method)

    def pipeline(self, client):
        asked = [(self.token(), self.random.choice(SIZES[:5])) for _ in range(4)]
        try:
            for token, size in asked:
                self.send(client, token, size)
        except OSError:
            return False  # the first answer ended the connection
        return all(self.check(client, token, size) for token, size in asked)

    def upload(self, client):
        token, size = self.token(), self.random.choice(SIZES[:5])
        try:
            self.send(client, token, size, method="POST", body=os.urandom(self.random.choice(SIZES)))
        except OSError:
            return False  # its upstream died meanwhile
        return self.check(client, token, size)

    def leave_early(self, client):
        size = self.random.choice(SIZES)
        self.send(client, self.token(), size)
        with contextlib.suppress(message.Truncated):
            if self.random.random() < 0.5:
                head = client.reader.read_head()
                if head is not None and head.status == 200:
                    client.reader.read_exactly(self.random.randrange(size + 1))
        if self.random.random() < 0.5:
            client.reset()
        return False

    def talk_nonsense(self, client):
        with contextlib.suppress(OSError):
            client.send(self.random.randbytes(self.random.randrange(1, 3000)))
            if self.random.random() < 0.5:
                client.send(b"\r\n\r\n")  # so that there is an answer to wait for
                client.read_to_end()
        return False

    def open_socket(self, client):
        socket = WebSocket(client)
        if socket.response.status != 101:
            assert socket.response.status in (502, 503)
            return False
        for _ in range(self.random.randrange(1, 5)):
            socket.echo(self.random.randbytes(self.random.choice(SIZES[:7])))
        if self.random.random() < 0.3:
            client.reset()
        return False


def upstream_script(source):
    """Answers with what the token is due; now and then it dies, hurries, dawdles or says too much."""

    def script(peer, request):
        mood = source.random()
        if mood < 0.03:
            peer.reset()
            return
        if "upgrade" in request:
            websocket.echo_script(peer, request)
            return
        if mood < 0.06:
            peer.send(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")
        peer.read_body(request)
        answer = content(request.get("x-token"), int(request.get("x-size")))
        kind = source.random()
        if request.method == "HEAD":
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer))
        elif kind < 0.5:
            raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer
            send_in_pieces(peer, raw, source, dies=mood > 0.97)
        elif kind < 0.85:
            middle = source.randrange(len(answer) + 1)
            raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + message.chunked(
                answer[:middle], answer[middle:]
            )
            send_in_pieces(peer, raw, source, dies=mood > 0.97)
        else:
            send_in_pieces(peer, b"HTTP/1.1 200 OK\r\n\r\n" + answer, source, dies=False)
            peer.close()

    return script


def send_in_pieces(peer, raw, source, *, dies):
    cut = source.randrange(len(raw))
    peer.send(raw[:cut])
    if source.random() < 0.1:
        time.sleep(0.005)
    if dies:
        peer.reset()
    else:
        peer.send(raw[cut:])


def test_everybody_gets_what_is_theirs(own_gateway, own_upstream):
    gateway = own_gateway({"app.yaml": documents.routes("app", own_upstream.port)}, concurrency=2)
    own_upstream.script = upstream_script(random.Random(SEED))
    workers = [Chaos(gateway, SEED * 100 + index) for index in range(CLIENT_THREADS)]
    deadline = time.monotonic() + SECONDS
    threads = [threading.Thread(target=worker.run, args=(deadline,)) for worker in workers]
    for thread in threads:
        thread.start()
    while time.monotonic() < deadline:
        time.sleep(0.25)
        gateway.signal(1)  # a reload in between: nothing changes
    for thread in threads:
        thread.join(60)
    gateway.check_health()
    assert [failure for worker in workers for failure in worker.failures] == [], f"SLUICE_SEED={SEED}"
    assert sum(worker.count for worker in workers) > 100 * SECONDS
    for gauge in (
        "sluice_downstream_connections_active",
        "sluice_requests_active",
        "sluice_tunnels_active",
        "sluice_tls_handshakes_active",
    ):
        assert wait_until(
            lambda name=gauge: gateway.metric(name) == 0
        ), f"{gauge}: {gateway.metric(gauge)}, SLUICE_SEED={SEED}"

"""Reloads and certificate swaps under load: not one error, not one lost connection (the headline of the project).

50 reloads in 5 seconds; 200 in 20 seconds with SLUICE_FULL=1.
"""

import ssl
import time

from harness import documents, websocket
from harness.certificates import self_signed
from harness.client import tls_context
from harness.documents import DOMAIN
from harness.gateway import wait_until
from harness.limits import FULL
from harness.load import Load
from harness.websocket import WebSocket

RELOADS, SECONDS = (200, 20) if FULL else (50, 5)
CLIENTS = 64
APP = f"app.{DOMAIN}"


def script(peer, request):
    if "upgrade" in request:
        websocket.echo_script(peer, request)
    else:
        peer.read_body(request)
        peer.respond(body=request.target.encode())


def test_no_error_under_reloads(own_gateway, own_upstream):
    own_upstream.script = script
    gateway = own_gateway({"app.yaml": documents.routes("app", own_upstream.port)}, concurrency=2)
    certificates = [self_signed(f"*.{DOMAIN}", name=name) for name in ("odd", "even")]
    known = {pair.certificate.strip() for pair in certificates}
    load = Load()

    def keep_asking(clients):
        """One thread drives several connections: each stays open the whole time."""
        number = 0
        while not load.stopping.is_set():
            for client in clients:
                number += 1
                client.send_head("GET", f"/{number}")
            for index, client in enumerate(clients):
                response = client.read_response()
                expected = f"/{number - len(clients) + index + 1}".encode()
                assert response is not None and (response.status, response.body) == (200, expected), response
                load.count += 1
            time.sleep(0.02)

    def keep_shaking_hands():
        context = tls_context()
        while not load.stopping.is_set():
            with gateway.connect(APP, tls=context) as client:
                seen = ssl.DER_cert_to_PEM_cert(client.socket.getpeercert(binary_form=True)).strip()
                assert seen in known
                assert client.request("GET", "/fresh").body == b"/fresh"
                load.count += 1
            time.sleep(0.01)

    gateway.write("secret.yaml", documents.secret(certificates[0]))
    gateway.reload()
    clients = [gateway.connect(APP, tls=index % 2 == 1) for index in range(CLIENTS)]
    sockets = [gateway.connect(APP, tls=tls) for tls in (False, True)]
    for index in range(0, CLIENTS, 16):
        load.start(keep_asking, clients[index : index + 16])
    for client in sockets:
        load.start(load.keep_echoing, [WebSocket(client)])
    load.start(keep_shaking_hands)

    before, (_, failures_before) = gateway.reload_counts()[0], gateway.reload_counts()
    started = time.monotonic()
    for index in range(RELOADS):
        gateway.write("secret.yaml", documents.secret(certificates[index % 2]))
        gateway.write(
            "app.yaml", documents.routes("app", own_upstream.port) + "---\n" + documents.routes(f"extra{index}", 1)
        )
        gateway.signal(1)
        time.sleep(max(0.0, started + (index + 1) * SECONDS / RELOADS - time.monotonic()))
    assert not load.failures, load.failures
    load.stop()
    assert not load.failures, load.failures

    # Signals that come while a reload runs are one reload; the last state is live in any case.
    last = certificates[(RELOADS - 1) % 2]
    assert wait_until(lambda: presented(gateway) == last.certificate.strip())
    successes, failures = gateway.reload_counts()
    assert failures == failures_before
    assert successes - before >= RELOADS / 10
    assert load.count > 50 * SECONDS, f"only {load.count} requests: not much of a load"
    for client in clients:
        assert client.request("GET", "/end").status == 200, "a connection from the start is gone"
    for client in clients + sockets:
        client.close()
    assert len(own_upstream.failures) == 0


def presented(gateway):
    with gateway.connect(APP, tls=True) as client:
        return ssl.DER_cert_to_PEM_cert(client.socket.getpeercert(binary_form=True)).strip()

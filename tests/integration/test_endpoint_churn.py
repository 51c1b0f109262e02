"""A thousand endpoints in a hundred clusters change with every reload, under load: no error, and no growth.

One request takes as long as all of it, and keeps only the configuration that it began with. 40 reloads; as many as there
are seconds in an hour with SLUICE_FULL=1.
"""

import contextlib
import random
import threading
import time

from harness import documents, ports
from harness.documents import DOMAIN, PLAIN_GATEWAY
from harness.limits import FULL
from harness.load import Load
from harness.upstream import Upstream

CLUSTERS, ENDPOINTS, ADDRESSES = 100, 10, 40
RELOADS = 3600 if FULL else 40
WARM_UP = 20  # reloads, until pools and the heap have their size
CLIENTS = 8
APP = f"app.{DOMAIN}"
PATIENT = "/c0/patient"


is_over = threading.Event()


def answer(peer, request):
    peer.read_body(request)
    if request.target == PATIENT:
        is_over.wait()
    peer.respond(body=request.target.encode())


def listeners():
    """One port of many loopback addresses."""
    first = ports.listen(address="127.0.1.1")
    port = first.getsockname()[1]
    return [first, *(ports.listen(address=f"127.0.1.{number}", port=port) for number in range(2, ADDRESSES + 1))]


def service_entry(number, addresses, port):
    return documents.document(
        "ServiceEntry",
        f"c{number}",
        {
            "hosts": [f"c{number}.upstream.test"],
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP", "targetPort": port}],
            "resolution": "STATIC",
            "endpoints": [{"address": address} for address in addresses],
        },
    )


def routes():
    rules = [
        {
            "match": [{"uri": {"prefix": f"/c{number}/"}}],
            "route": [{"destination": {"host": f"c{number}.upstream.test"}}],
        }
        for number in range(CLUSTERS)
    ]
    return documents.document("VirtualService", "app", {"hosts": [APP], "gateways": [PLAIN_GATEWAY], "http": rules})


def test_endpoints_that_change_all_the_time(own_gateway):
    chance = random.Random(7)
    with contextlib.ExitStack() as stack:
        upstreams = [Upstream(listener).serve(answer) for listener in listeners()]
        for upstream in upstreams:
            stack.callback(upstream.stop)
        addresses = [upstream.listener.getsockname()[0] for upstream in upstreams]

        def entries():
            chosen = (chance.sample(addresses, ENDPOINTS) for _ in range(CLUSTERS))
            return documents.join(*[service_entry(n, some, upstreams[0].port) for n, some in enumerate(chosen)])

        gateway = own_gateway({"routes.yaml": routes(), "entries.yaml": entries()}, concurrency=2)
        load = Load()
        patient = stack.enter_context(gateway.connect(APP))
        patient.send_head("GET", PATIENT)
        stack.callback(is_over.set)

        def keep_asking(seed):
            turn = random.Random(seed)
            with gateway.connect(APP) as client:
                while not load.stopping.is_set():
                    target = f"/c{turn.randrange(CLUSTERS)}/{load.count}"
                    response = client.request("GET", target)
                    assert (response.status, response.body) == (200, target.encode()), response
                    load.count += 1

        for seed in range(CLIENTS):
            load.start(keep_asking, seed)
        warm = 0
        for number in range(RELOADS):
            gateway.write("entries.yaml", entries())
            gateway.reload()
            time.sleep(0.02)
            for upstream in upstreams:
                upstream.forget()
            if number == WARM_UP:
                warm = gateway.memory_bytes("RssAnon")
        load.stop()
        assert not load.failures
        grown = gateway.memory_bytes("RssAnon") - warm
        is_over.set()
        assert patient.read_response().status == 200
        print(f"{load.count} requests during {RELOADS} reloads; memory {warm / 2**20:.1f} MiB, "
              f"then {grown / 2**20:+.1f} MiB")
        assert load.count > RELOADS
        assert grown < warm // 5

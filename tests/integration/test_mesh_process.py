"""What MeshConfig says of the process and of paths; options of the command line win."""

import signal
import time

import pytest

from harness import documents
from harness.documents import DOMAIN, mesh
from harness.gateway import wait_until

APP = f"app.{DOMAIN}"


def without(gateway, *options):
    """The gateway without these options, which have one value each."""
    for option in options:
        at = gateway.command.index(option)
        del gateway.command[at : at + 2]
    return gateway


@pytest.fixture
def make(own_gateway, own_upstream):
    def start(options, **fields):
        texts = {"app.yaml": documents.routes("app", own_upstream.port), "mesh.yaml": mesh(**fields)}
        return without(own_gateway(texts, start=False, concurrency=1), *options).start()

    return start


def test_concurrency_is_the_number_of_shards(make):
    gateway = make(["--concurrency"], defaultConfig={"concurrency": 3})
    assert "; 3 shards, " in gateway.log
    gateway.write("mesh.yaml", mesh(defaultConfig={"concurrency": 2}))
    logged = gateway.reload()
    assert "warning reload: the configuration asks for 2 shards; 3 run until sluice is started again" in logged


def test_option_wins_over_concurrency(make):
    gateway = make([], defaultConfig={"concurrency": 3})
    assert "; 1 shard, " in gateway.log
    assert "asks for" not in gateway.reload()


def test_access_log_file(make, tmp_path):
    log = tmp_path / "mesh.log"
    gateway = make(["--access-log"], accessLogFile=str(log))
    with gateway.connect(APP) as client:
        client.request("GET", "/logged")
    assert wait_until(lambda: log.exists() and "/logged" in log.read_text())
    gateway.write("mesh.yaml", mesh(accessLogFile=""))
    assert f'asks for the access log "off"; it stays "{log}"' in gateway.reload()


@pytest.mark.parametrize("fields, is_logged", [({"accessLogFile": "/dev/stdout"}, True), ({"accessLogFile": ""}, False),
                                               ({}, True)])
def test_access_log_on_standard_output(make, fields, is_logged):
    gateway = make(["--access-log"], **fields)  # the harness has it beside the standard error
    with gateway.connect(APP) as client:
        client.request("GET", "/logged")
    if is_logged:
        gateway.wait_for_log("GET /logged ")
    else:
        time.sleep(1)
        assert "/logged" not in gateway.log


@pytest.mark.parametrize("with_option", [False, True])
def test_termination_drain_duration(make, own_upstream, with_option):
    def script(peer, request):
        peer.read_body(request)
        time.sleep(8)
        peer.respond(body=b"late")

    own_upstream.script = script
    gateway = make([] if with_option else ["--drain-timeout"], defaultConfig={"terminationDrainDuration": "1s"})
    with gateway.connect(APP) as client:
        client.send_head("GET", "/")
        assert wait_until(lambda: own_upstream.requests)
        begun = time.monotonic()
        gateway.signal(signal.SIGTERM)
        assert gateway.wait_for_exit() == 0
    seconds = time.monotonic() - begun
    assert 4 < seconds < 8 if with_option else 0.8 < seconds < 4, seconds


@pytest.mark.parametrize(
    "normalization, sent, received",
    [
        ("NONE", "/a/../b//c%2fd", "/a/../b//c%2fd"),
        ("BASE", "/a/../b//c%2fd", "/b//c%2fd"),
        ("MERGE_SLASHES", "/a/../b//c%2fd?x=//", "/b/c%2fd?x=//"),
        ("DECODE_AND_MERGE_SLASHES", "/a/../b//c%2fd?x=%2f", "/b/c/d?x=%2f"),
    ],
)
def test_path_normalization_reaches_the_upstream(make, own_upstream, normalization, sent, received):
    own_upstream.script = lambda peer, request: peer.respond(body=request.target.encode())
    gateway = make([], pathNormalization={"normalization": normalization})
    with gateway.connect(APP) as client:
        assert client.request("GET", sent).body == received.encode()


def test_normalised_path_decides_the_route(own_gateway, own_upstream):
    own_upstream.script = lambda peer, request: peer.respond(body=b"routed")
    rule = documents.http_rule("app", match="    - uri:\n        prefix: /private/\n")
    texts = {
        "app.yaml": documents.join(
            documents.service_entry("app", own_upstream.port),
            documents.virtual_service("app", [APP], [rule]),
        ),
        "mesh.yaml": mesh(pathNormalization={"normalization": "DECODE_AND_MERGE_SLASHES"}),
    }
    gateway = own_gateway(texts)
    with gateway.connect(APP) as client:
        for target in ("/private/x", "//private//x", "/%2fprivate%5cx", "/a/..%2fprivate/x"):
            assert client.request("GET", target).status == 200, target
        assert client.request("GET", "/private").status == 404
    gateway.write("mesh.yaml", mesh(pathNormalization={"normalization": "BASE"}))
    gateway.reload()
    with gateway.connect(APP) as client:
        assert client.request("GET", "//private//x").status == 404

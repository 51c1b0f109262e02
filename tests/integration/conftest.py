"""Fixtures: one default gateway for the whole run, upstreams behind it, gateways of a test's own."""

import contextlib
import pathlib
import re
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness import certificates, documents, explicit_proxy, gateway as gateways, namespaces, ports  # noqa: E402
from harness.authority import Authority  # noqa: E402
from harness.egress import Egress, make_world  # noqa: E402
from harness.gateway import Gateway  # noqa: E402
from harness.http2_upstream import Http2Upstream  # noqa: E402
from harness.surroundings import Surroundings  # noqa: E402
from harness.tls_upstream import server_context  # noqa: E402
from harness.upstream import Upstream  # noqa: E402

# Names u0.local.kyma.dev, u1... of the default gateway, each with an endpoint of its own that a test can have.
SLOT_COUNT = 800
# The same of the gateway to upstreams of HTTP/2, of each kind.
HTTP2_SLOT_COUNT = 100


class Slots:
    """Endpoints that a gateway knows from its start: a port each, bound but not listening yet."""

    def __init__(self, count, *, prefix="u", protocol="HTTP", tls=None):
        self._reserved = [ports.ReservedPort() for _ in range(count)]
        self._next = 0
        self._prefix = prefix
        self._protocol = protocol
        self._tls = tls  # of a DestinationRule

    def document(self):
        parts = []
        for index, port in enumerate(self._reserved):
            parts.append(documents.routes(f"{self._prefix}{index}", port.number, protocol=self._protocol))
            if self._tls:
                parts.append(documents.destination_rule(f"{self._prefix}{index}", self._tls))
        return documents.join(*parts)

    def take(self):
        """(host, the port that nobody listens on yet)."""
        index = self._next
        self._next += 1
        assert index < len(self._reserved), "more upstreams than slots: raise SLOT_COUNT"
        return f"{self._prefix}{index}.{documents.DOMAIN}", self._reserved[index]


@pytest.fixture(scope="session", autouse=True)
def binary():
    if not gateways.BINARY.is_file():
        pytest.exit(f"{gateways.BINARY} is missing: build it, or name another one by SLUICE_BINARY", returncode=2)
    return gateways.BINARY


@pytest.fixture(scope="session")
def slots():
    return Slots(SLOT_COUNT)


@pytest.fixture(scope="session")
def certificate():
    """Of the default gateway."""
    return certificates.self_signed(f"*.{documents.DOMAIN}")


@pytest.fixture(scope="session")
def default_gateway(slots, certificate):  # pylint: disable=redefined-outer-name
    """Two shards, the kyma-gateway word for word, a plain gateway on 8080, and every slot."""
    with tempfile.TemporaryDirectory(prefix="sluice-default-") as folder:
        texts = documents.kyma_texts(certificate) | {"slots.yaml": slots.document()}
        with Gateway(folder, texts, concurrency=2) as running:
            yield running


@pytest.fixture
def gateway(default_gateway):  # pylint: disable=redefined-outer-name
    """The default gateway; the test must leave it alive and well."""
    default_gateway.check_health()
    yield default_gateway
    default_gateway.check_health()


@pytest.fixture
def upstream(slots, default_gateway):  # pylint: disable=redefined-outer-name,unused-argument
    """An upstream of the test's own behind the default gateway: `upstream.host` leads to it."""
    host, port = slots.take()
    made = port.listen()
    running = Upstream(made)
    running.host = host
    running.serve()
    yield running
    running.stop()


@pytest.fixture
def refusing_host(slots, default_gateway):  # pylint: disable=redefined-outer-name,unused-argument
    """A host whose endpoint refuses connections."""
    host, _ = slots.take()
    return host


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def tls(request):
    """The test runs over plain TCP and over TLS."""
    return request.param


@pytest.fixture
def connect(gateway, upstream, tls):  # pylint: disable=redefined-outer-name
    """connect() is a new client of `upstream` through the default gateway, plain or TLS."""
    clients = []

    def make(**options):
        clients.append(gateway.connect(upstream.host, tls=tls, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(connect):  # pylint: disable=redefined-outer-name
    return connect()


@pytest.fixture(scope="session")
def sample_upstream():
    """The port of `sluice sample-upstream`."""
    port = ports.free_port()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [gateways.BINARY, "sample-upstream", "--listen", f"{ports.LOOPBACK}:{port}"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            assert gateways.wait_until(lambda: gateways.is_listening(port) or process.poll() is not None)
            if process.poll() is not None:
                log.seek(0)
                pytest.fail(f"sample-upstream ended with {process.returncode}: {log.read().decode()}")
            yield port
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def own_upstream():
    """An upstream for a gateway of the test's own: put service_entry(name, own_upstream.port) into it."""
    running = Upstream().serve()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def upstream_authority():
    """Issues what upstreams with TLS show."""
    return Authority("Upstreams CA")


@pytest.fixture(scope="session")
def upstream_pair(upstream_authority):  # pylint: disable=redefined-outer-name
    return upstream_authority.issue("upstream", f"DNS:*.{documents.DOMAIN}")


@pytest.fixture(scope="module")
def shared_gateway(tmp_path_factory, places, certificate):  # pylint: disable=redefined-outer-name
    """To the endpoints of a module: its fixture `places` has Slots by their names."""
    texts = documents.kyma_texts(certificate) | {f"{name}.yaml": slots.document() for name, slots in places.items()}
    with Gateway(tmp_path_factory.mktemp("places"), texts) as running:
        yield running


@pytest.fixture(scope="session")
def http2_slots():
    tls = {"mode": "SIMPLE", "credentialName": "upstream-tls"}
    return {
        "prior-knowledge": Slots(HTTP2_SLOT_COUNT, prefix="p", protocol="HTTP2"),
        "tls": Slots(HTTP2_SLOT_COUNT, prefix="t", protocol="HTTP2", tls=tls),
    }


@pytest.fixture(scope="session")
def shared_http2_gateway(http2_slots, certificate, upstream_authority):  # pylint: disable=redefined-outer-name
    """One shard, and every slot of HTTP/2."""
    texts = documents.kyma_texts(certificate) | {
        "plain.yaml": http2_slots["prior-knowledge"].document(),
        "tls.yaml": http2_slots["tls"].document(),
        "ca.yaml": documents.opaque_secret("upstream-tls", {"ca.crt": upstream_authority.certificate}),
    }
    with tempfile.TemporaryDirectory(prefix="sluice-http2-") as folder, Gateway(folder, texts) as running:
        yield running


@pytest.fixture
def http2_gateway(shared_http2_gateway):  # pylint: disable=redefined-outer-name
    """The gateway to upstreams of HTTP/2; the test must leave it alive and well."""
    shared_http2_gateway.check_health()
    yield shared_http2_gateway
    shared_http2_gateway.check_health()


@pytest.fixture(params=["prior-knowledge", "tls"])
def http2_upstream(request, http2_slots, upstream_pair, shared_http2_gateway):
    # pylint: disable=redefined-outer-name,unused-argument
    """http2_upstream(script, ...) is an upstream behind http2_gateway: its `host` leads to it."""
    running = []

    def make(script=None, **options):
        host, port = http2_slots[request.param].take()
        context = server_context(upstream_pair, alpn=["h2", "http/1.1"]) if request.param == "tls" else None
        made = Http2Upstream(context, listener=port.listen(), **options)
        made.host = host
        running.append(made.serve(script))
        return made

    yield make
    for made in running:
        made.stop()


@pytest.fixture
def own_gateway(tmp_path, certificate):  # pylint: disable=redefined-outer-name
    """own_gateway({file: text}) starts a gateway of the test's own on top of documents.kyma_texts()."""
    started = []

    def make(texts=None, *, start=True, **options):
        made = Gateway(
            tmp_path / f"gateway{len(started)}", documents.kyma_texts(certificate) | (texts or {}), **options
        )
        started.append(made)
        return made.start() if start else made

    yield make
    for made in started:
        made.stop()


@pytest.fixture(scope="session")
def outside_authority():
    """Issues what servers in harness/surroundings.py show."""
    return Authority("Outside CA")


@pytest.fixture(scope="module")
def around(outside_authority):  # pylint: disable=redefined-outer-name
    """What the explicit proxies of a module have around them."""
    if reason := namespaces.obstacle():
        pytest.skip(reason)
    with Surroundings(outside_authority) as made:
        made.names.records = dict(explicit_proxy.NAMES)
        yield made


@pytest.fixture(scope="module")
def open_proxy(around, tmp_path_factory):  # pylint: disable=redefined-outer-name
    """The gateway of a module whose explicit proxy has no annotations."""
    with explicit_proxy.running(around, tmp_path_factory.mktemp("open")) as made:
        yield made


@pytest.fixture
def sluice(open_proxy):  # pylint: disable=redefined-outer-name
    """The same for a test, which must leave it alive and well."""
    open_proxy.check_health()
    yield open_proxy
    open_proxy.check_health()


@pytest.fixture
def proxy(sluice):  # pylint: disable=redefined-outer-name
    return sluice.proxy


@pytest.fixture
def own_proxy(around, tmp_path):  # pylint: disable=redefined-outer-name
    """own_proxy(annotations, documents, ...) starts a gateway of the test's own: explicit_proxy.running()."""
    with contextlib.ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(
            explicit_proxy.running(around, tmp_path / "gateway", *arguments, **options)
        )


@pytest.fixture(scope="module")
def egress_world(outside_authority):  # pylint: disable=redefined-outer-name
    """What the gateways of egress() have around them."""
    with make_world(outside_authority) as made:
        yield made


@pytest.fixture
def egress(egress_world, tmp_path):  # pylint: disable=redefined-outer-name
    """egress(text, ...) is a gateway with these documents: harness/egress.py."""
    with contextlib.ExitStack() as stack:
        yield lambda *texts: stack.enter_context(Egress(egress_world, tmp_path / "egress", *texts))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):  # pylint: disable=unused-argument
    """A failed test shows what its gateways have logged."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for running in gateways.alive:
            report.sections.append((f"log of {running.folder.name}", running.log_tail()))
            report.sections.append((f"access log of {running.folder.name}", "\n".join(running.access_lines()[-20:])))


def pytest_configure(config):
    # Every test is bounded by its own timeouts; this one only catches a mistake of the suite.
    config.addinivalue_line("markers", "slow: takes more than ten seconds")
    assert re.fullmatch(r"3\.(1[1-9]|[2-9]\d).*", sys.version), "Python 3.11 or later is needed"

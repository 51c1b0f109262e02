"""Clients that others wrote against each kind of TLS server: what they negotiate, and how they are refused."""

import contextlib
import re
import types

import pytest

from harness import chromium, documents
from harness.authority import Authority
from harness.documents import CIPHER_SUITES
from harness.gateway import Gateway
from harness.limits import FULL
from harness.tls_clients import CLIENTS, Offer
from harness.tls_upstream import TlsUpstream, server_context
from harness.upstream import Upstream

DOMAIN = "modes.example.com"
SIMPLE, MUTUAL, OPTIONAL, PASSED = (f"{name}.{DOMAIN}" for name in ("simple", "mutual", "optional", "passed"))
SOMEBODY = "DNS=somebody.example.com"
SUITES = [("TLSv1.2", suite) for suite in CIPHER_SUITES] + [
    ("TLSv1.3", suite)
    for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
]


@pytest.fixture(scope="module", name="world")
def make_world(tmp_path_factory):
    """One gateway with a server of each mode and kyma-gateway's suites; the upstream says of whom it was told."""
    public, private = Authority("Public CA"), Authority("Clients CA")
    world = types.SimpleNamespace(ca_file=public.file, pair=private.issue("somebody", SOMEBODY.replace("=", ":")))
    pair = world.server_pair = public.issue(f"*.{DOMAIN}", key="rsa")
    data = {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": private.certificate}

    def server(host, mode):
        tls = {"mode": mode, "credentialName": "certs", "minProtocolVersion": "TLSV1_2"}
        return documents.server(443, "HTTPS", [host], tls | {"cipherSuites": list(CIPHER_SUITES)})

    def answer(peer, request):
        peer.respond(body=(request.get("x-forwarded-client-cert") or "nobody").encode() + b"\n")
        if request.get("connection") == "close":  # of a client whose connection is passed through
            peer.close()

    with contextlib.ExitStack() as stack:
        world.upstream = Upstream().serve(answer)
        stack.callback(world.upstream.stop)
        passed = TlsUpstream(server_context(pair)).serve(answer)
        stack.callback(passed.stop)
        texts = {
            "all.yaml": documents.join(
                documents.gateway(
                    "modes",
                    server(SIMPLE, "SIMPLE"),
                    server(MUTUAL, "MUTUAL"),
                    server(OPTIONAL, "OPTIONAL_MUTUAL"),
                    documents.server(443, "TLS", [PASSED], {"mode": "PASSTHROUGH"}),
                ),
                documents.opaque_secret("certs", data),
                documents.service_entry("app", world.upstream.port),
                documents.virtual_service("app", [SIMPLE, MUTUAL, OPTIONAL], "app", gateways=["kyma-system/modes"]),
                documents.tcp_service_entry("passed", passed.port),
                documents.document(
                    "VirtualService",
                    "passed",
                    {
                        "hosts": [PASSED],
                        "gateways": ["kyma-system/modes"],
                        "tls": [documents.connection_route("passed", {"port": 443, "sniHosts": [PASSED]})],
                    },
                ),
            )
        }
        world.gateway = stack.enter_context(Gateway(tmp_path_factory.mktemp("modes"), texts, concurrency=2))
        yield world


@pytest.fixture(name="client", params=CLIENTS, ids=str)
def choose_client(request):
    if not request.param.is_installed():
        pytest.skip(f"{request.param} is missing (Debian package {request.param.package})")
    return request.param


def ask(world, client, host, offer):
    return client.get(host, world.gateway.port(443), str(world.ca_file), offer)


@pytest.mark.parametrize("version, suite", SUITES)
@pytest.mark.parametrize("host, who", [(SIMPLE, "nobody"), (MUTUAL, SOMEBODY)], ids=["SIMPLE", "MUTUAL"])
def test_each_suite(world, client, host, who, version, suite):
    answer = ask(world, client, host, Offer(version, suite, pair=world.pair if host == MUTUAL else None))
    assert (answer.version, answer.suite) == (version, suite), answer.said
    assert answer.line and answer.line.endswith(who), answer.said


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("shows, who", [(False, "nobody"), (True, SOMEBODY)], ids=["without", "with"])
def test_optional_mutual_takes_clients_with_and_without_a_certificate(world, client, shows, who, version):
    answer = ask(world, client, OPTIONAL, Offer(version, pair=world.pair if shows else None))
    assert answer.version == version, answer.said
    assert answer.line and answer.line.endswith(who), answer.said


@pytest.mark.parametrize("group", ["X25519", "P-256", "P-384"])
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_each_group(world, client, version, group):
    answer = ask(world, client, SIMPLE, Offer(version, group=group))
    assert (answer.version, answer.line) == (version, "nobody"), answer.said


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_passthrough_leaves_the_choice_to_the_destination(world, client, version):
    """P-521 is a curve that the gateway itself refuses."""
    answer = ask(world, client, PASSED, Offer(version, group="P-521"))
    assert (answer.version, answer.line) == (version, "nobody"), answer.said


# What the client is told, in the words of any library, and what the access log says.
PROTOCOL_VERSION = ("protocol version", "offers_no_TLS_version_that_is_allowed_here")
NO_SUITE = ("handshake fail", "no_cipher_suite_in_common")
NO_SUITE_OR_GROUP = ("handshake fail", "no_(cipher_suite|elliptic_curve)_in_common")  # GnuTLS offers ffdhe groups only
NO_GROUP = ("handshake fail", "no_elliptic_curve_in_common")
NO_CERTIFICATE_1_2 = ("handshake fail", "the_client_sent_no_certificate")
NO_CERTIFICATE_1_3 = ("certificate (is )?required|fatal alert", "the_client_sent_no_certificate")


@pytest.mark.parametrize(
    "host, offer, reason",
    [
        (SIMPLE, Offer("TLSv1.0"), PROTOCOL_VERSION),
        (SIMPLE, Offer("TLSv1.1"), PROTOCOL_VERSION),
        (SIMPLE, Offer("TLSv1.2", "AES128-GCM-SHA256"), NO_SUITE),
        (SIMPLE, Offer("TLSv1.2", "DHE-RSA-AES128-GCM-SHA256"), NO_SUITE_OR_GROUP),
        (SIMPLE, Offer("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"), NO_SUITE),
        (SIMPLE, Offer("TLSv1.3", "TLS_AES_128_CCM_SHA256"), NO_SUITE),
        (SIMPLE, Offer("TLSv1.2", group="P-521"), NO_GROUP),
        (SIMPLE, Offer("TLSv1.2", group="X448"), NO_GROUP),
        (SIMPLE, Offer("TLSv1.3", group="P-521"), NO_GROUP),
        (SIMPLE, Offer("TLSv1.3", group="X448"), NO_GROUP),
        (SIMPLE, Offer("TLSv1.3", group="ffdhe2048"), NO_GROUP),
        (MUTUAL, Offer("TLSv1.2"), NO_CERTIFICATE_1_2),
        (MUTUAL, Offer("TLSv1.3"), NO_CERTIFICATE_1_3),
    ],
    ids=lambda value: " ".join(filter(None, (value.version, value.suite, value.group)))
    if isinstance(value, Offer)
    else "",
)
def test_refused(world, client, host, offer, reason):
    told, logged = reason
    requests, lines = len(world.upstream.requests), len(world.gateway.access_lines())
    answer = ask(world, client, host, offer)
    assert answer.line is None, answer.said
    assert re.search(told, answer.said.lower().replace("_", " ")), answer.said
    line = world.gateway.wait_for_access_line(" tls_handshake_failed ", start=lines)
    assert re.search(logged, line), line
    assert len(world.upstream.requests) == requests


def for_a_browser(test):
    test = pytest.mark.skipif(not FULL, reason="Chromium is large and slow: SLUICE_FULL=1")(test)
    test = pytest.mark.skipif(chromium.PROGRAM is None, reason="Chromium is missing (Debian package chromium)")(test)
    return pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])(test)


@for_a_browser
@pytest.mark.parametrize("host", [SIMPLE, OPTIONAL, PASSED], ids=["SIMPLE", "OPTIONAL_MUTUAL", "PASSTHROUGH"])
def test_browser_shows_the_page(world, host, version):
    """It has no certificate."""
    shown = chromium.page(host, world.gateway.port(443), world.server_pair, version=version)
    assert ">nobody\n</pre>" in shown, shown


@for_a_browser
def test_browser_without_a_certificate_shows_no_page(world, version):
    """Chromium looks whether the connection is still open before it looks at the alert that says why it is not: which
    of the two errors it shows is a matter of microseconds."""
    requests, lines = len(world.upstream.requests), len(world.gateway.access_lines())
    shown = chromium.page(MUTUAL, world.gateway.port(443), world.server_pair, version=version)
    assert re.search("ERR_(BAD_SSL_CLIENT_AUTH_CERT|SOCKET_NOT_CONNECTED)", shown), shown
    line = world.gateway.wait_for_access_line(" tls_handshake_failed ", start=lines)
    assert "the_client_sent_no_certificate" in line, line
    assert len(world.upstream.requests) == requests

"""How TLS connections to upstreams end: each side is told why, and sessions survive."""

import contextlib
import ssl

import pytest

from harness import documents
from harness.authority import Authority
from harness.documents import DOMAIN
from harness.limits import IO_SECONDS
from harness.tls_upstream import TlsUpstream, server_context

APP = f"app.{DOMAIN}"
VERSIONS = pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["tls1.2", "tls1.3"]
)


@pytest.fixture(scope="module", name="authority")
def make_authority():
    return Authority("Upstreams CA")


@pytest.fixture(name="upstream_of")
def make_upstream():
    running = []

    def make(pair, **options):
        context = server_context(pair, **options)
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # which Python sets: an end without close_notify would be none
        running.append(TlsUpstream(context).serve())
        return running[-1]

    yield make
    for each in running:
        each.stop()


@pytest.fixture(name="gateway_to")
def make_gateway(own_gateway, authority):
    def make(upstream, **tls):
        return own_gateway(
            {
                "app.yaml": documents.routes("app", upstream.port),
                "rule.yaml": documents.destination_rule(
                    "app", {"mode": "SIMPLE", "credentialName": "upstream-tls"} | tls
                ),
                "ca.yaml": documents.opaque_secret("upstream-tls", {"ca.crt": authority.certificate}),
            }
        )

    return make


def get(gateway):
    with gateway.connect(APP) as client:
        return client.request("GET", "/").status


@VERSIONS
def test_upstream_is_told_why_it_is_refused(gateway_to, upstream_of, version):
    upstream = upstream_of(Authority("Another CA").issue(APP), maximum=version)
    assert get(gateway_to(upstream)) == 503
    assert upstream.wait_for(lambda: upstream.refusals)
    assert any("UNKNOWN_CA" in str(failure) for failure in upstream.refusals), upstream.refusals


def test_alert_after_the_handshake_is_in_the_log(gateway_to, upstream_of, authority):
    """TLS 1.3: the upstream wants a certificate, and says so only when the gateway has sent its request."""
    upstream = upstream_of(authority.issue(APP), client_ca_file=str(authority.file))
    gateway = gateway_to(upstream)
    assert get(gateway) == 503
    assert "certificate_required" in gateway.wait_for_access_line('"GET / HTTP/1.1" 503 ')


@VERSIONS
def test_idle_connection_is_ended_by_close_notify(gateway_to, upstream_of, authority, version):
    """RFC 5246 7.2.1, RFC 8446 6.1; without it OpenSSL forgets a session of TLS 1.2."""
    ends = []

    def script(peer, request):
        peer.read_body(request)
        peer.respond(body=b"hello")
        peer.socket.suppress_ragged_eofs = False
        try:
            ends.append(peer.socket.recv(1))
        except ssl.SSLError as failure:
            ends.append(failure)
        peer.close()

    upstream = upstream_of(authority.issue(APP), maximum=version)
    upstream.script = script
    gateway = gateway_to(upstream)
    assert get(gateway) == 200
    gateway.stop()
    assert upstream.wait_for(lambda: ends)
    assert ends == [b""]


def test_session_survives_a_response_that_ends_the_connection(gateway_to, upstream_of, authority):
    """Where every connection has one response, resuming saves the most (TLS 1.3)."""

    def script(peer, request):
        peer.read_body(request)
        peer.respond(headers=[("connection", "close")], body=b"hello")
        with contextlib.suppress(OSError):
            peer.socket.settimeout(min(1, IO_SECONDS))
            peer.socket.unwrap()
        peer.close()

    upstream = upstream_of(authority.issue(APP))
    upstream.script = script
    gateway = gateway_to(upstream)
    assert [get(gateway) for _ in range(3)] == [200] * 3
    assert [handshake.is_resumed for handshake in upstream.handshakes] == [False, True, True]

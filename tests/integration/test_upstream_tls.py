"""TLS to the upstream: whom the gateway trusts, what it shows, and which connections and sessions it uses again."""

import re
import ssl
import threading

import pytest

from harness import documents
from harness.authority import Authority
from harness.documents import DOMAIN
from harness.tls_upstream import TlsUpstream, server_context
from harness.upstream import Upstream

APP, OTHER = f"app.{DOMAIN}", f"other.{DOMAIN}"
VERSIONS = pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["tls1.2", "tls1.3"]
)


@pytest.fixture(scope="module", name="authority")
def make_authority():
    return Authority("Upstreams CA")


@pytest.fixture(scope="module", name="stranger")
def make_stranger():
    return Authority("Another CA")


@pytest.fixture(scope="module", name="right")
def make_right(authority):
    """What an upstream shows that has nothing to hide: both hosts, and the name of the service."""
    return authority.issue("upstream", f"DNS:{APP}", f"DNS:{OTHER}", "DNS:app.upstream.test")


class PlainServer(Upstream):
    """Answers whatever comes first, a ClientHello too, as a server without TLS may."""

    def _serve(self, peer):
        peer.socket.recv(1)
        peer.respond(status=400, reason="Bad Request")
        peer.close()


@pytest.fixture(name="upstream_of")
def make_upstream():
    """upstream_of(pair, ...) is a TLS upstream that shows it."""
    running = []

    def make(pair, **options):
        running.append(TlsUpstream(server_context(pair, **options)).serve())
        return running[-1]

    yield make
    for each in running:
        each.stop()


@pytest.fixture(name="gateway_to")
def make_gateway(own_gateway, authority):
    """gateway_to(upstream, **tls): both hosts lead to it by a rule with these fields, which trusts `authority`."""

    def make(upstream, *, secret=None, **tls):
        insecure = tls.get("insecureSkipVerify") and tls.get("mode", "SIMPLE") == "SIMPLE"
        fields = {"mode": "SIMPLE"} | ({} if insecure else {"credentialName": "upstream-tls"}) | tls
        return own_gateway(
            {
                "app.yaml": documents.join(
                    documents.service_entry("app", upstream.port),
                    documents.virtual_service("app", [APP, OTHER], "app"),
                ),
                "rule.yaml": documents.destination_rule("app", fields),
                "ca.yaml": documents.opaque_secret("upstream-tls", secret or {"ca.crt": authority.certificate}),
            }
        )

    return make


def get(gateway, host=APP):
    with gateway.connect(host) as client:
        return client.request("GET", "/").status


def refuses(gateway, upstream, reason):
    """503, nothing of the request reaches the upstream, and the log has the reason."""
    assert get(gateway) == 503
    assert upstream.requests == []
    line = gateway.wait_for_access_line('"GET / HTTP/1.1" 503 UF,URX ')
    quoted = re.search(r' 503 UF,URX \S+ - "TLS_error: ([^"]+)" ', line)
    assert quoted and re.search(reason, quoted.group(1)), line


@VERSIONS
def test_right_certificate_is_accepted(gateway_to, upstream_of, right, version):
    upstream = upstream_of(right, maximum=version)
    assert get(gateway_to(upstream)) == 200
    assert upstream.handshakes[0].version == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]


@VERSIONS
def test_certificate_of_another_ca_is_refused(gateway_to, upstream_of, stranger, version):
    upstream = upstream_of(stranger.issue("upstream", f"DNS:{APP}"), maximum=version)
    refuses(gateway_to(upstream), upstream, "CN=upstream.* issued by .*CN=Another CA")


@VERSIONS
def test_expired_certificate_is_refused(gateway_to, upstream_of, authority, version):
    upstream = upstream_of(authority.issue("upstream", f"DNS:{APP}", expired=True), maximum=version)
    refuses(gateway_to(upstream), upstream, "has expired: it was valid until 2006-01-02")


@VERSIONS
def test_certificate_of_another_host_is_refused(gateway_to, upstream_of, authority, version):
    upstream = upstream_of(authority.issue("upstream", "DNS:elsewhere.example.com"), maximum=version)
    refuses(gateway_to(upstream), upstream, f"is not one of '{APP}': it has .*elsewhere.example.com")


def test_revoked_certificate_is_refused(gateway_to, upstream_of):
    issuer = Authority("CA that revokes")
    upstream = upstream_of(issuer.revoke(issuer.issue("upstream", f"DNS:{APP}")))
    secret = {"ca.crt": issuer.certificate, "ca.crl": issuer.revocation_list()}
    refuses(gateway_to(upstream, secret=secret), upstream, "has been revoked")


def test_configured_names_are_the_ones_that_count(gateway_to, upstream_of, authority):
    upstream = upstream_of(authority.issue("upstream", "DNS:elsewhere.example.com"))
    assert get(gateway_to(upstream, subjectAltNames=["elsewhere.example.com"])) == 200
    other = upstream_of(authority.issue("upstream", f"DNS:{APP}"))
    refuses(gateway_to(other, subjectAltNames=["elsewhere.example.com"]), other, "has none of the names")


def test_ca_may_be_a_file(gateway_to, upstream_of, right, authority):
    upstream = upstream_of(right)
    fields = {"mode": "SIMPLE", "caCertificates": str(authority.file)}
    gateway = gateway_to(upstream)
    gateway.write("rule.yaml", documents.destination_rule("app", fields))
    gateway.reload()
    assert get(gateway) == 200


def test_skipped_verification_accepts_anything(gateway_to, upstream_of, stranger):
    upstream = upstream_of(stranger.issue("upstream", "DNS:elsewhere.example.com", expired=True))
    assert get(gateway_to(upstream, insecureSkipVerify=True)) == 200


def test_plaintext_upstream_is_refused(gateway_to):
    """Nothing is ever said in the clear instead."""
    upstream = PlainServer()
    upstream.serve()
    refuses(gateway_to(upstream), upstream, "the server sent")
    upstream.stop()


# --- Names -----------------------------------------------------------------------------------------


def test_configured_server_name_is_sent_and_verified(gateway_to, upstream_of, authority):
    upstream = upstream_of(authority.issue("upstream", "DNS:inner.example.com"))
    gateway = gateway_to(upstream, sni="inner.example.com")
    assert [get(gateway, host) for host in (APP, OTHER)] == [200, 200]
    assert upstream.server_names == ["inner.example.com"], "both hosts share a connection"


def test_without_one_each_host_has_connections_of_its_own(gateway_to, upstream_of, right):
    """Else a request would travel on a connection whose certificate was verified for another host."""
    upstream = upstream_of(right)
    gateway = gateway_to(upstream)
    assert [get(gateway, host) for host in (APP, OTHER, APP, OTHER)] == [200] * 4
    assert upstream.server_names == [APP, OTHER]


# --- Client certificates ---------------------------------------------------------------------------


@VERSIONS
def test_certificate_is_shown_with_mode_mutual(gateway_to, upstream_of, right, authority, version):
    upstream = upstream_of(right, client_ca_file=str(authority.file), maximum=version)
    own = authority.issue("gateway")
    secret = {"tls.crt": own.certificate, "tls.key": own.key, "ca.crt": authority.certificate}
    assert get(gateway_to(upstream, mode="MUTUAL", secret=secret)) == 200
    assert upstream.handshakes[0].peer_certificate == ssl.PEM_cert_to_DER_cert(own.certificate)


def test_upstream_may_refuse_the_certificate(gateway_to, upstream_of, right, authority, stranger):
    upstream = upstream_of(right, client_ca_file=str(authority.file), maximum=ssl.TLSVersion.TLSv1_2)
    own = stranger.issue("gateway")
    secret = {"tls.crt": own.certificate, "tls.key": own.key, "ca.crt": authority.certificate}
    gateway = gateway_to(upstream, mode="MUTUAL", secret=secret)
    refuses(gateway, upstream, r"unknown_ca \(48\)")
    assert len(upstream.refusals) > 0


def test_upstream_may_insist_on_a_certificate(gateway_to, upstream_of, right, authority):
    """Mode SIMPLE has none to show."""
    upstream = upstream_of(right, client_ca_file=str(authority.file), maximum=ssl.TLSVersion.TLSv1_2)
    refuses(gateway_to(upstream), upstream, r"handshake_failure \(40\)")


@pytest.mark.parametrize("mode", ["SIMPLE", "MUTUAL"])
def test_upstream_of_tls_1_3_says_no_only_later(gateway_to, upstream_of, right, authority, stranger, mode):
    """The gateway's handshake is complete then, and the request is on its way (RFC 8446 4.4.2.4)."""
    upstream = upstream_of(right, client_ca_file=str(authority.file))
    own = stranger.issue("gateway")
    secret = {"tls.crt": own.certificate, "tls.key": own.key, "ca.crt": authority.certificate}
    assert get(gateway_to(upstream, mode=mode, secret=secret)) == 503
    assert upstream.requests == [] and upstream.wait_for(lambda: upstream.refusals)


# --- Connections and sessions that are used again --------------------------------------------------


@VERSIONS
def test_connection_is_used_again(gateway_to, upstream_of, right, version):
    upstream = upstream_of(right, maximum=version)
    gateway = gateway_to(upstream)
    assert [get(gateway) for _ in range(5)] == [200] * 5
    assert len(upstream.handshakes) == 1


@VERSIONS
def test_session_is_resumed_on_a_second_connection(gateway_to, upstream_of, right, version):
    """The second one is needed because the first is busy."""
    upstream = upstream_of(right, maximum=version)
    gateway = gateway_to(upstream)
    assert get(gateway) == 200
    go_on = threading.Event()

    def script(peer, _request):
        go_on.wait(5)
        peer.respond(body=b"late")

    with upstream.answering(script), gateway.connect(APP) as first, gateway.connect(APP) as second:
        first.send_head()
        upstream.wait_for_requests(2)
        second.send_head()
        upstream.wait_for_requests(3)
        go_on.set()
        assert [client.read_response().body for client in (first, second)] == [b"late"] * 2
    assert [handshake.is_resumed for handshake in upstream.handshakes] == [False, True]


def test_session_is_resumed_after_the_upstream_has_closed(gateway_to, upstream_of, right):
    """With TLS 1.3: OpenSSL keeps no TLS 1.2 session of a connection that ended like this."""
    upstream = upstream_of(right)
    gateway = gateway_to(upstream)
    assert get(gateway) == 200
    upstream.hang_up(upstream.connections[0])
    assert get(gateway) == 200
    assert [handshake.is_resumed for handshake in upstream.handshakes] == [False, True]


def test_session_is_not_resumed_for_another_host(gateway_to, upstream_of, right):
    upstream = upstream_of(right)
    gateway = gateway_to(upstream)
    assert [get(gateway, host) for host in (APP, OTHER)] == [200, 200]
    assert [handshake.is_resumed for handshake in upstream.handshakes] == [False, False]


def test_reload_that_leaves_the_rule_alone_keeps_the_connection(gateway_to, upstream_of, right):
    upstream = upstream_of(right)
    gateway = gateway_to(upstream)
    assert get(gateway) == 200
    for number in range(3):
        gateway.write("more.yaml", documents.routes(f"more{number}", 1))
        gateway.reload()
        assert get(gateway) == 200
    assert len(upstream.handshakes) == 1


def test_reload_with_another_ca_trusts_no_connection_of_before(gateway_to, upstream_of, right, stranger):
    upstream = upstream_of(right)
    gateway = gateway_to(upstream)
    assert get(gateway) == 200
    gateway.write("ca.yaml", documents.opaque_secret("upstream-tls", {"ca.crt": stranger.certificate}))
    gateway.reload()
    assert get(gateway) == 503
    assert len(upstream.requests) == 1

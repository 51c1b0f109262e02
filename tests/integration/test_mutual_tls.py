"""Client certificates: who shows the right one is let in, who does not is told why, and so is the log."""

import contextlib
import re
import types

import pytest

from harness import documents
from harness.authority import Authority, fingerprint
from harness.certificates import self_signed
from harness.client import tls_context
from harness.commands import curl, s_client
from harness.gateway import Gateway
from harness.upstream import Upstream

DOMAIN = "clients.example.com"
MUST, MAY, NAMED, PINNED = (f"{name}.{DOMAIN}" for name in ("must", "may", "named", "pinned"))
IDENTITY = "spiffe://example.com/billing"
VERSIONS = ("-tls1_2", "-tls1_3")


def server(host, mode, credential, **more):
    return documents.server(443, "HTTPS", [host], {"mode": mode, "credentialName": credential} | more)


@pytest.fixture(scope="module", name="world")
def make_world(tmp_path_factory):
    """One gateway with four servers; the client certificates are of `authority`, and of another one."""
    authority, stranger = Authority("Clients CA"), Authority("Clients CA of somebody else")
    world = types.SimpleNamespace(
        good=authority.issue("good client", "DNS:good.example.com"),
        billing=authority.issue("billing", f"URI:{IDENTITY}"),
        expired=authority.issue("expired client", "DNS:good.example.com", expired=True),
        revoked=authority.revoke(authority.issue("revoked client", "DNS:good.example.com")),
        foreign=stranger.issue("foreign client", "DNS:good.example.com"),
    )
    pair = self_signed(f"*.{DOMAIN}", name="server")
    ca = {"ca.crt": authority.certificate, "ca.crl": authority.revocation_list()}
    here = {"tls.crt": pair.certificate, "tls.key": pair.key}
    with contextlib.ExitStack() as stack:
        upstream = Upstream().serve()
        stack.callback(upstream.stop)
        texts = {
            "all.yaml": documents.join(
                documents.gateway(
                    "clients",
                    server(MUST, "MUTUAL", "apart"),
                    server(MAY, "OPTIONAL_MUTUAL", "together"),
                    server(NAMED, "MUTUAL", "apart", subjectAltNames=["other.example.com", IDENTITY]),
                    server(PINNED, "MUTUAL", "together", verifyCertificateHash=[fingerprint(world.good)]),
                ),
                documents.opaque_secret("apart", here),
                documents.opaque_secret("apart-cacert", {"cacert": ca["ca.crt"], "crl": ca["ca.crl"]}),
                documents.opaque_secret("together", here | ca),
                documents.service_entry("app", upstream.port),
                documents.virtual_service("app", [f"*.{DOMAIN}"], "app", gateways=["kyma-system/clients"]),
            )
        }
        world.gateway = stack.enter_context(Gateway(tmp_path_factory.mktemp("mutual"), texts, concurrency=2))
        yield world


def ask(world, host, version, pair=None):
    """One request by s_client. With TLS 1.3 the refusal comes after the client's handshake (RFC 8446 4.4.2.4)."""
    shown_pair = ["-cert", pair.certificate_file, "-key", pair.key_file] if pair else []
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    shown = s_client(world.gateway.port(443), host, version, "-ign_eof", *shown_pair, text=request)
    return shown.stdout + shown.stderr


def refused(world, host, version, pair, alert, reason):
    """The client gets `alert`, its request nothing, and a line of the log says `reason`."""
    before = len(world.gateway.access_lines())
    output = ask(world, host, version, pair)
    assert "HTTP/1.1 " not in output, output
    assert f"SSL alert number {alert}\n" in output, output
    line = world.gateway.wait_for_access_line(" tls_handshake_failed ", start=before)
    flags = re.match(r'\[\S+\] "- - -" 0 - tls_handshake_failed (\S+) "-" 0 0 \d+ - ', line)
    assert flags and re.search(reason, flags.group(1)), line
    assert f" {host} " in line, line


@pytest.mark.parametrize("version, alert", [("-tls1_2", 40), ("-tls1_3", 116)])
@pytest.mark.parametrize("host", [MUST, NAMED, PINNED])
def test_no_certificate_is_refused(world, host, version, alert):
    refused(world, host, version, None, alert, "the_client_sent_no_certificate")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("host", [MUST, MAY])
class TestCertificateIsRefused:
    """By the server that insists, and by the one that would have done without."""

    def test_of_another_ca(self, world, host, version):
        refused(world, host, version, world.foreign, 48, "CN=foreign_client.*issued_by.*CN=Clients_CA_of_somebody_else")

    def test_when_it_has_expired(self, world, host, version):
        refused(world, host, version, world.expired, 45, "CN=expired_client.*_has_expired:.*2006-01-02")

    def test_when_it_was_revoked(self, world, host, version):
        refused(world, host, version, world.revoked, 44, "CN=revoked_client.*_has_been_revoked")


@pytest.mark.parametrize("version", VERSIONS)
def test_certificate_with_another_name_is_refused(world, version):
    reason = "has_none_of_the_names_that_are_expected.*spiffe://example.com/billing.*good.example.com"
    refused(world, NAMED, version, world.good, 46, reason)


@pytest.mark.parametrize("version", VERSIONS)
def test_certificate_with_another_hash_is_refused(world, version):
    refused(world, PINNED, version, world.billing, 46, "CN=billing.*verifyCertificateHash")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("host, who", [(MUST, "good"), (MAY, "good"), (MAY, None), (NAMED, "billing"), (PINNED, "good")])
def test_right_certificate_is_let_in(world, host, who, version):
    assert "HTTP/1.1 200 " in ask(world, host, version, getattr(world, who) if who else None)


def test_curl_is_let_in_with_a_certificate_only(world):
    where = {"host": MUST, "port": world.gateway.port(443)}
    url = f"https://{MUST}:{where['port']}/"
    pair = world.good
    shown = curl("-k", "--cert", pair.certificate_file, "--key", pair.key_file, url, **where)
    assert shown.stdout == "hello", shown.stderr
    shown = curl("-k", url, **where)
    assert (shown.returncode, shown.stdout) == (56, ""), shown.stderr
    assert "certificate required" in shown.stderr


def test_request_for_a_stricter_server_does_not_pass_through_a_milder_one(world):
    """Both have one certificate of the server, which covers both hosts: what counts is the name of the handshake."""
    with world.gateway.connect(MAY, tls=tls_context()) as client:
        assert client.request("GET", "/", host=MUST).status in (404, 421)
        assert client.request("GET", "/").status == 200

"""The server name chooses certificate and routes; a name that no server has gets no handshake."""

import ssl

import pytest

from harness import documents
from harness.certificates import self_signed
from harness.client import tls_context
from harness.commands import s_client
from harness.documents import DOMAIN


def no_handshake(shown):
    return "no peer certificate available" in shown.stdout and "Cipher is (NONE)" in shown.stdout


@pytest.mark.parametrize(
    "name", ["example.com", DOMAIN, f"bad{DOMAIN}", f"{DOMAIN}.example.com", "a", "xn--nxasmq6b.example"]
)
def test_unknown_name_is_closed(gateway, name):
    assert no_handshake(s_client(gateway.port(443), name))


def test_no_name_is_closed(gateway):
    assert no_handshake(s_client(gateway.port(443), None))


@pytest.mark.parametrize("name", [f"a.{DOMAIN}", f"a.b.c.{DOMAIN}", f"A.{DOMAIN.upper()}"])
def test_name_under_the_wildcard_is_served(gateway, name):
    assert not no_handshake(s_client(gateway.port(443), name))


def presented_certificate(gateway, name):
    shown = s_client(gateway.port(443), name).stdout
    end = "-----END CERTIFICATE-----"
    return shown[shown.index("-----BEGIN CERTIFICATE-----") : shown.index(end)] + end


def test_each_name_gets_its_certificate(own_gateway, certificate):
    """Two HTTPS servers on one port; the longer wildcard wins."""
    other = self_signed(f"*.other.{DOMAIN}", name="other")
    gateway = own_gateway(
        {
            "other.yaml": documents.join(
                documents.https_gateway("other", [f"*.other.{DOMAIN}"], "other-certs"),
                documents.secret(other, "other-certs"),
            )
        }
    )
    for name, expected in (
        (f"a.other.{DOMAIN}", other),
        (f"other.{DOMAIN}", certificate),
        (f"a.{DOMAIN}", certificate),
    ):
        assert presented_certificate(gateway, name) == expected.certificate.strip(), name


def test_routes_are_those_of_the_server_name(own_gateway, own_upstream):
    """A Host of another server is not reachable through this one's certificate."""
    other = self_signed("only.example.org", name="only")
    gateway = own_gateway(
        {
            "other.yaml": documents.join(
                documents.https_gateway("other", ["only.example.org"], "only-certs"),
                documents.secret(other, "only-certs"),
                documents.service_entry("app", own_upstream.port),
                documents.virtual_service("app", ["only.example.org"], "app", gateways=["kyma-system/other"]),
            )
        }
    )
    with gateway.connect("only.example.org", tls=True) as client:
        assert client.request("GET", "/").status == 200
    with gateway.connect(f"a.{DOMAIN}", tls=True) as client:
        assert client.request("GET", "/", host="only.example.org").status in (404, 421)
    assert len(own_upstream.requests) == 1


def test_server_without_names_of_its_own_serves_any_name_and_none(own_gateway, own_upstream):
    """A server with host "*" is the default."""
    gateway = own_gateway(
        {
            "any.yaml": documents.join(
                documents.https_gateway("any", ["*"], "kyma-gateway-certs"),
                documents.service_entry("app", own_upstream.port),
                documents.virtual_service("app", ["*"], "app", gateways=["kyma-system/any"]),
            )
        }
    )
    with gateway.connect("example.com", tls=True) as client:
        assert client.request("GET", "/").body == b"hello"
    assert not no_handshake(s_client(gateway.port(443), None))


def test_no_protocol_in_common_is_told(gateway, upstream):
    """RFC 7301 3.2: a client that only speaks something else gets no_application_protocol."""
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        gateway.connect(upstream.host, tls=tls_context(alpn=("spdy/3",)))

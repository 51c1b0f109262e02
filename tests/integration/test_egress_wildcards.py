"""Egress gateways of a whole domain: documents with wildcards, each applied as it stands, and what they must
not open."""

import ssl

import pytest

from harness.client import tls_context
from harness.egress import HOWS, REFUSED, reached
from harness.egress_installation import (
    HOST,
    INSTALLATION,
    PASSTHROUGH,
    SUBSET,
    be_kube_proxy,
    entry,
    gateway,
    get_from_the_gateway,
    http_routes,
    tls_routes,
    went_through_the_gateway,
)
from harness.namespaces import FIRST, PRIVATE, SECOND

WILDCARD = "*.example.com"
NAMES = {
    HOST: [SECOND[0]],
    "any.example.com": [SECOND[0]],
    "www.example.com": [FIRST[0]],
    "inner.example.com": [PRIVATE[0]],
    "any.example.org": [SECOND[0]],
}


@pytest.fixture(name="names", scope="module", autouse=True)
def make_names(egress_world):
    egress_world.names.records = dict(NAMES)
    be_kube_proxy(egress_world)


# Without an address of the client's, which the gateway does not know, NONE is as DYNAMIC_DNS.
RESOLUTIONS = pytest.mark.parametrize("resolution", ["DYNAMIC_DNS", "NONE"])


def tls_documents(resolution):
    of_domain = (entry(WILDCARD, resolution), gateway(443, "TLS", PASSTHROUGH, WILDCARD), tls_routes(WILDCARD))
    return (INSTALLATION, SUBSET, *of_domain)


def http_documents(resolution):
    of_domain = (entry(WILDCARD, resolution), gateway(80, "HTTP", "", WILDCARD), http_routes(WILDCARD))
    return (INSTALLATION, SUBSET, *of_domain)


@RESOLUTIONS
@HOWS
def test_tls_to_any_host_of_a_domain_leaves_by_the_gateway(egress, how, resolution):
    sluice = egress(*tls_documents(resolution))
    lines = len(sluice.gateway.access_lines())
    for host in ("any.example.com", HOST):
        assert reached(sluice.get_tls(how, host)) == SECOND[0]
        assert sluice.world.tls.server_names[-1] == host
    went_through_the_gateway(sluice, lines, 443, f"outbound|443||{WILDCARD}")
    assert sluice.get_tls(how, "any.example.org") == REFUSED


@RESOLUTIONS
@HOWS
def test_requests_to_any_host_of_a_domain_leave_by_the_gateway(egress, how, resolution):
    sluice = egress(*http_documents(resolution))
    lines = len(sluice.gateway.access_lines())
    for host in ("any.example.com", HOST):
        assert reached(sluice.get(how, host)) == SECOND[0]
        assert sluice.world.http.requests[-1].get("host") == host
    went_through_the_gateway(sluice, lines, 80, f"outbound|80||{WILDCARD}")
    assert sluice.get(how, "any.example.org").status == 502


@RESOLUTIONS
def test_clients_may_ask_the_gateway_for_any_host_of_a_domain(egress, resolution):
    sluice = egress(*tls_documents(resolution))
    for host in ("any.example.com", HOST):
        assert reached(get_from_the_gateway(sluice, host)) == SECOND[0]
    before = len(sluice.world.tls.connections)
    for other in ("any.example.org", "example.com", "any.example.com.example.org"):
        assert get_from_the_gateway(sluice, other, tls_context(alpn=())) == REFUSED
    assert len(sluice.world.tls.connections) == before


@RESOLUTIONS
@HOWS
def test_domain_opens_no_private_network_behind_the_gateway(egress, how, resolution):
    """A name below the wildcard is the client's to choose."""
    sluice = egress(*http_documents(resolution))
    with sluice.world.nothing_forbidden_is_reached():
        assert sluice.get(how, "inner.example.com").status == 403
        sluice.apply(*tls_documents(resolution))
        assert is_cut_off(lambda: sluice.get_tls(how, "inner.example.com"))
        sluice.gateway.wait_for_access_line('"- - -" 0 - private_address ')
        assert get_from_the_gateway(sluice, "inner.example.com") == REFUSED


def is_cut_off(get):
    """The first hop is open, and the second is not: so ends the connection in the middle of the handshake."""
    try:
        return get() == REFUSED
    except (ConnectionError, ssl.SSLError):
        return True


# A domain of which one server serves every host.
ONE_SERVER = (
    *(INSTALLATION, entry("www.example.com"), gateway(443, "TLS", PASSTHROUGH, WILDCARD), SUBSET),
    tls_routes(WILDCARD).replace(f'host: "{WILDCARD}"', "host: www.example.com"),
    entry(WILDCARD, "NONE").replace("name: service\n", "name: domain\n"),
)


@HOWS
def test_one_server_may_serve_every_host_of_a_domain(egress, how):
    """It is reached by its own name, and asked for theirs."""
    sluice = egress(*ONE_SERVER)
    lines = len(sluice.gateway.access_lines())
    for host in ("any.example.com", HOST):
        assert reached(sluice.get_tls(how, host)) == FIRST[0]
        assert sluice.world.tls.server_names[-1] == host
    went_through_the_gateway(sluice, lines, 443, "outbound|443||www.example.com")

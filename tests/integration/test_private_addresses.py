"""Where the explicit proxy does not go: to what is not public, not there, or not registered."""

import contextlib
import re
import time

import pytest

from harness.client import tls_context
from harness.explicit_proxy import FORBIDDEN_NAMES, HOWS, WWW, running, status_of, told
from harness.gateway import wait_until
from harness.limits import FACTOR
from harness.namespaces import FIRST, METADATA, PRIVATE
from harness.proxy_client import Conversation
from harness.scripted_names import SILENCE
from harness.surroundings import ECHO, HTTP, TLS


# --- where it does not go --------------------------------------------------------------------------

AT_ONCE_SECONDS = 2.5 * FACTOR  # well below the 5 seconds that a lookup may take

FORBIDDEN_ADDRESSES = [
    "127.0.0.1",
    "127.1.2.3",
    "[::1]",
    "0.0.0.0",
    "[::]",
    "localhost",
    "LOCALHOST",
    PRIVATE[0],
    f"[{PRIVATE[1]}]",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "100.64.0.1",
    METADATA,
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    f"[::ffff:{PRIVATE[0]}]",
    f"[::ffff:{METADATA}]",
]
# What some resolvers take for 127.0.0.1, or for 169.254.169.254, and others for a name that does not exist.
ODD_ADDRESSES = [
    "2130706433",
    "0x7f000001",
    "0X7F000001",
    "017700000001",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "0x7f.1",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "127.000.000.001",
    "2852039166",
    "0",
    "localhost.",
    "any.localhost",
    "localhost.localdomain",
    "[::127.0.0.1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[::1%25lo]",
    "[fe80::1%25to-private]",
    "127.0.0.1%2f.example.com",
    "224.0.0.1",
    "255.255.255.255",
    "[ff02::1]",
    "\u2460\u2461\u2466.0.0.1",
    "127。0。0。1",
]


@pytest.fixture(scope="module", name="closed")
def make_closed(around, tmp_path_factory):
    """Where only the registry counts."""
    policy = {"mode": "REGISTRY_ONLY"}
    with running(around, tmp_path_factory.mktemp("closed"), outboundTrafficPolicy=policy) as made:
        yield made


def check_denied(proxy, sluice, how, host, number=HTTP):
    lines = len(sluice.access_lines())
    assert status_of(proxy, how, host, number) == 403
    line = sluice.wait_for_access_line("private_address", start=lines)
    assert re.search(r'" 403 \S+ private_address ', line), line


@pytest.mark.parametrize("host", [*FORBIDDEN_ADDRESSES, *FORBIDDEN_NAMES])
@HOWS
def test_address_that_is_not_public_is_denied(around, proxy, sluice, how, host):
    with around.nothing_forbidden_is_reached():
        check_denied(proxy, sluice, how, host)


@pytest.mark.parametrize("host", ODD_ADDRESSES)
@pytest.mark.parametrize("how", ["absolute", "http1"])
def test_odd_spelling_of_an_address_leads_nowhere(around, proxy, how, host):
    encoded = host.encode("utf-8").decode("latin-1")
    with around.nothing_forbidden_is_reached():
        assert status_of(proxy, how, encoded) in (400, 403, 503)


def test_port_does_not_matter(around, proxy, sluice):
    """Also the gateway's own: its administration, and the proxy, which would go to itself."""
    for number in (TLS, ECHO, sluice.admin_port, sluice.status_port, proxy.port):
        with around.nothing_forbidden_is_reached():
            for how in ("absolute", "http1", "http2"):
                check_denied(proxy, sluice, how, "127.0.0.1", number)


@HOWS
def test_one_good_address_does_not_excuse_the_others(around, proxy, how):
    """Wherever it goes then, it is the public one."""
    host = "mixed.example.com"
    for answer in ([FIRST[0], "127.0.0.1"], ["127.0.0.1", FIRST[0]], [FIRST[0], PRIVATE[0]], [FIRST[0], "::1"]):
        around.names.records[host] = answer
        with around.nothing_forbidden_is_reached():
            assert status_of(proxy, how, host) in (200, 403)


@HOWS
@pytest.mark.parametrize("other", ["127.0.0.1", PRIVATE[0], METADATA])
def test_name_that_changes_its_address_between_lookups(around, proxy, how, other):
    """Rebinding: what is checked is what is gone to, however often the name server is asked."""
    host = f"rebinding-{how}-{other.replace('.', '-')}.example.com"
    around.names.records[host] = lambda count: [FIRST[0]] if count % 2 else [other]
    with around.nothing_forbidden_is_reached():
        statuses = [status_of(proxy, how, host) for _ in range(6)]
    assert set(statuses) <= {200, 403}, statuses
    assert 200 in statuses, statuses


def test_registered_private_address_is_gone_to(around, proxy):
    for host in ("inner.example.com", "static.example.com"):
        before = len(around.private_http.connections)
        assert told(proxy.get(f"http://{host}/"))[0] == PRIVATE[0]
        assert len(around.private_http.connections) >= before
        with contextlib.closing(proxy.tunnel(f"{host}:{HTTP}")) as tunnel:
            assert told(Conversation(tunnel, host).request("GET", "/"))[0] == PRIVATE[0]


def test_registered_name_on_another_port_is_no_excuse(around, proxy):
    with around.nothing_forbidden_is_reached():
        assert status_of(proxy, "absolute", "inner.example.com", ECHO) == 403
        assert status_of(proxy, "http1", "inner.example.com", ECHO) == 403


# --- names that are not there ----------------------------------------------------------------------


@HOWS
@pytest.mark.parametrize("host", ["missing.example.com", "nothing.example.com", "fails.example.com"])
def test_unknown_name_is_told(proxy, sluice, how, host):
    lines = len(sluice.access_lines())
    assert status_of(proxy, how, host) == 503
    line = sluice.wait_for_access_line("dns_resolution_failure", start=lines)
    assert re.search(r'" 503 \S*DF\S* dns_resolution_failure ', line), line


@HOWS
def test_name_server_that_is_silent_holds_nobody_else_up(around, proxy, how):
    host = f"silent-{how}.example.com"
    around.names.records[host] = SILENCE
    with proxy.connect() as waiting:
        waiting.send_head("CONNECT", f"{host}:{HTTP}", host=f"{host}:{HTTP}")
        assert wait_until(lambda: around.names.count(host))
        begun = time.monotonic()
        assert status_of(proxy, how, WWW) == 200
        assert time.monotonic() - begun < AT_ONCE_SECONDS
        response = waiting.read_response("GET")
        assert response is not None and response.status == 503


def test_client_that_leaves_during_a_lookup_is_forgotten(around, proxy, sluice):
    around.names.records["silent.example.com"] = SILENCE
    before = len(sluice.descriptors())
    for how in ("CONNECT", "GET"):
        target = f"silent.example.com:{HTTP}"
        with proxy.connect() as client:
            client.send_head(how, target if how == "CONNECT" else f"http://{target}/", host=target)
    assert wait_until(lambda: len(sluice.descriptors()) <= before), sluice.descriptors()


# --- only what is registered -----------------------------------------------------------------------


@HOWS
@pytest.mark.parametrize("host", [WWW, "missing.example.com", FIRST[0], f"[{FIRST[1]}]"])
def test_unregistered_host_is_answered_with_502(around, closed, how, host):
    lines, before = len(closed.access_lines()), len(around.http.connections)
    asked = len(around.names.asked)
    if how == "absolute":
        response = closed.proxy.get(f"http://{host}/")
    else:
        response = closed.proxy.tunnel(f"{host}:{HTTP}", version=how).response
    assert (response.status, bytes(response.body)) == (502, b"")
    line = closed.wait_for_access_line("not_registered", start=lines)
    assert re.search(r'" 502 \S+ not_registered ', line), line
    assert len(around.http.connections) == before
    assert not [name for name, _ in around.names.asked[asked:] if name == host], "nobody need know who was asked for"


@HOWS
def test_unregistered_port_is_answered_with_502(closed, how):
    assert status_of(closed.proxy, how, "registered.example.com", ECHO) == 502


@HOWS
def test_registered_host_is_gone_to(closed, how):
    assert status_of(closed.proxy, how, "registered.example.com") == 200


def test_tls_to_a_registered_host(around, closed):
    host = "registered.example.com"
    with contextlib.closing(closed.proxy.tunnel(f"{host}:{TLS}")) as tunnel:
        inside = Conversation(tunnel.begin_tls(host, tls_context(ca_file=str(around.authority.file), alpn=())), host)
        assert told(inside.request("GET", "/"))[0] == FIRST[0]

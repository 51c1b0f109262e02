"""ServiceEntries whose addresses come from names, each applied as it stands: DNS, DNS_ROUND_ROBIN, and
wildcards of NONE and DYNAMIC_DNS."""

import pytest

from harness.egress import HOWS, REDIRECTED, REFUSED, reached
from harness.gateway import wait_until
from harness.namespaces import FIRST, PRIVATE, SECOND
from harness.surroundings import TLS, tell
from harness.upstream import Upstream

ONE, TWO = 8001, 8002  # ports of further servers outside
NAMES = {
    "rr.example.com": [SECOND[0]],
    "one.backend.example.net": [FIRST[0]],
    "two.backend.example.net": [SECOND[0]],
    "any.example.com": [SECOND[0]],
    "a.b.example.com": [SECOND[0]],
    "inner.example.com": [PRIVATE[0]],
}


@pytest.fixture(name="names", autouse=True)
def make_names(egress_world):
    egress_world.names.records = dict(NAMES)


@pytest.fixture(name="servers", scope="module")
def make_servers(egress_world):
    """More of them outside: by port."""
    servers = {number: Upstream(egress_world.outside.listen(number)).serve(tell) for number in (ONE, TWO)}
    yield servers
    for server in servers.values():
        server.stop()


OTHER_NAMES = f"""apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: other-names
spec:
  hosts:
  - front.example.com
  location: MESH_EXTERNAL
  ports:
  - number: 80
    name: http
    protocol: HTTP
  resolution: DNS
  endpoints:
  - address: one.backend.example.net
    ports:
      http: {ONE}
  - address: two.backend.example.net
    ports:
      http: {TWO}
"""


@HOWS
def test_endpoints_may_have_other_names_and_ports(egress, servers, how):
    sluice = egress(OTHER_NAMES)
    before = [len(servers[number].requests) for number in (ONE, TWO)]
    # Once their names are known.
    assert wait_until(
        lambda: {reached(sluice.get(how, "front.example.com")) for _ in range(10)} == {FIRST[0], SECOND[0]}
    )
    assert all(len(servers[number].requests) > count for number, count in zip((ONE, TWO), before))
    assert servers[ONE].requests[-1].get("host") == "front.example.com"


ROUND_ROBIN_NAME = """apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: round-robin
spec:
  hosts:
  - rr.example.com
  location: MESH_EXTERNAL
  ports:
  - {number: 80, name: http, protocol: HTTP}
  - {number: 443, name: tls, protocol: TLS}
  resolution: DNS_ROUND_ROBIN
"""


@HOWS
def test_new_connections_follow_the_name(egress, how):
    """And old ones stay where they are."""
    sluice = egress(ROUND_ROBIN_NAME)
    host = "rr.example.com"
    assert reached(sluice.get_tls(how, host)) == SECOND[0]
    with sluice.connect(TLS, host, tls=sluice.trusting) as old:
        assert reached(old.request("GET", "/")) == SECOND[0]
        sluice.world.names.records[host] = [FIRST[0]]
        assert wait_until(lambda: reached(sluice.get_tls(how, host)) == FIRST[0])
        assert reached(old.request("GET", "/")) == SECOND[0]


WILDCARD = """apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: wildcard
spec:
  hosts:
  - "*.example.com"
  location: MESH_EXTERNAL
  ports:
  - number: 80
    name: http
    protocol: HTTP
  - number: 443
    name: https
    protocol: HTTPS
  resolution: {resolution}
"""


@pytest.mark.parametrize("host", ["any.example.com", "a.b.example.com"])
@HOWS
def test_wildcard_of_resolution_none_keeps_the_address(egress, how, host):
    """Whoever names the gateway as proxy has no address: it is looked up."""
    sluice = egress(WILDCARD.format(resolution="NONE"))
    expected = FIRST[1] if how == REDIRECTED else SECOND[0]
    assert reached(sluice.get(how, host, address=FIRST[1])) == expected
    if host == "any.example.com":  # the server's certificate is for no others
        assert reached(sluice.get_tls(how, host, address=FIRST[1])) == expected


@pytest.mark.parametrize("host", ["any.example.com", "a.b.example.com"])
@HOWS
def test_wildcard_of_dynamic_names_looks_them_up(egress, how, host):
    sluice = egress(WILDCARD.format(resolution="DYNAMIC_DNS"))
    assert reached(sluice.get(how, host)) == SECOND[0]
    if host == "any.example.com":
        assert reached(sluice.get_tls(how, host)) == SECOND[0]


@pytest.mark.parametrize("resolution", ["NONE", "DYNAMIC_DNS"])
@pytest.mark.parametrize("host", ["example.com", "example.org", "any.example.org", "any.example.com.example.org"])
@HOWS
def test_wildcard_opens_nothing_else(egress, how, host, resolution):
    sluice = egress(WILDCARD.format(resolution=resolution))
    sluice.world.names.records[host] = [SECOND[0]]
    assert sluice.get(how, host).status == 502
    assert sluice.get_tls(how, host) == REFUSED


@HOWS
def test_name_below_a_wildcard_opens_no_private_network(egress, how):
    sluice = egress(WILDCARD.format(resolution="DYNAMIC_DNS"))
    with sluice.world.nothing_forbidden_is_reached():
        assert sluice.get(how, "inner.example.com").status == 403
        assert sluice.get_tls(how, "inner.example.com") == REFUSED


SEVERAL_HOSTS = """apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: several-hosts
spec:
  hosts:
  - any.example.com
  - rr.example.com
  location: MESH_EXTERNAL
  ports:
  - number: 443
    name: https
    protocol: TLS
  resolution: DNS
"""

FIRST_ONLY = f"""apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: one-of-the-domain
spec:
  hosts:
  - any.example.com
  location: MESH_EXTERNAL
  ports:
  - {{number: 80, name: http, protocol: HTTP}}
  - {{number: 443, name: https, protocol: HTTPS}}
  resolution: STATIC
  endpoints:
  - address: {FIRST[0]}
"""


@HOWS
def test_entry_may_have_several_hosts(egress, how):
    sluice = egress()
    sluice.world.names.records["rr.example.com"] = [FIRST[0]]
    sluice.apply(SEVERAL_HOSTS)
    for host, address in (("any.example.com", SECOND[0]), ("rr.example.com", FIRST[0])):
        assert reached(sluice.get_tls(how, host, address=FIRST[1])) == address
        assert sluice.world.tls.server_names[-1] == host


@pytest.mark.parametrize("resolution", ["NONE", "DYNAMIC_DNS"])
@HOWS
def test_host_of_its_own_wins_over_the_domain(egress, how, resolution):
    sluice = egress(WILDCARD.format(resolution=resolution), FIRST_ONLY)
    for host, address in (("any.example.com", FIRST[0]), ("rr.example.com", SECOND[0])):
        assert reached(sluice.get(how, host, address=SECOND[0])) == address
        assert reached(sluice.get_tls(how, host, address=SECOND[0])) == address

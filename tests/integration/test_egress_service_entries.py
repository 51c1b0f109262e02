"""ServiceEntries of the kinds that the reference shows, each applied as it stands: STATIC endpoints, weights
and subsets, addresses of their own, workloads, who sees them, and whom certificates have to be of."""

import collections
import contextlib
import pathlib
import shutil
import socket
import tempfile

import pytest

from harness import documents
from harness.egress import HOWS, REDIRECTED, REFUSED, reached
from harness.namespaces import FIRST, PRIVATE, SECOND
from harness.raw import RawServer
from harness.surroundings import GREETING, HTTP2, greet, tell
from harness.tls_upstream import TlsUpstream, server_context
from harness.upstream import Upstream

DATABASE, DOCUMENTS = 3306, 27018
ONE, TWO, OWN_TLS = 8001, 8002, 8443  # ports of further servers outside

NAMES = {"service.example.com": [SECOND[0]]}


@pytest.fixture(name="names", scope="module", autouse=True)
def make_names(egress_world):
    egress_world.names.records = dict(NAMES)


@pytest.fixture(name="servers", scope="module", autouse=True)
def make_servers(egress_world):
    """More of them outside: by port."""
    servers = {
        ONE: Upstream(egress_world.outside.listen(ONE)).serve(tell),
        TWO: Upstream(egress_world.outside.listen(TWO)).serve(tell),
        DATABASE: RawServer(greet, listener=egress_world.outside.listen(DATABASE)),
        DOCUMENTS: RawServer(listener=egress_world.outside.listen(DOCUMENTS)),
    }
    yield servers
    for server in servers.values():
        server.stop()


# --- STATIC ----------------------------------------------------------------------------------------

WEIGHTED = f"""apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: weighted
spec:
  hosts: [weighted.example.com]
  location: MESH_EXTERNAL
  ports:
  - {{number: 80, name: http, protocol: HTTP}}
  resolution: STATIC
  endpoints:
  - address: {FIRST[0]}
    weight: 3
    labels: {{version: v1}}
  - address: {SECOND[0]}
    weight: 1
    labels: {{version: v2}}
"""

ROUND_ROBIN = """apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: weighted
spec:
  host: weighted.example.com
  trafficPolicy:
    loadBalancer:
      simple: ROUND_ROBIN
"""

SUBSETS = """apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: weighted
spec:
  host: weighted.example.com
  subsets:
  - name: v1
    labels:
      version: v1
  - name: v2
    labels:
      version: v2
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: weighted
spec:
  hosts: [weighted.example.com]
  http:
  - match:
    - headers:
        x-version:
          exact: v2
    route:
    - destination:
        host: weighted.example.com
        subset: v2
  - route:
    - destination:
        host: weighted.example.com
        subset: v1
"""


@HOWS
def test_weights_share_the_requests(egress, how):
    sluice = egress(WEIGHTED, ROUND_ROBIN)
    counts = collections.Counter(reached(sluice.get(how, "weighted.example.com")) for _ in range(200))
    assert set(counts) == {FIRST[0], SECOND[0]}
    assert 120 <= counts[FIRST[0]] <= 180, counts


@HOWS
def test_subsets_are_endpoints_with_their_labels(egress, how):
    sluice = egress(WEIGHTED, SUBSETS)
    for headers, address in (([("x-version", "v2")], SECOND[0]), ([], FIRST[0])):
        for _ in range(6):
            assert reached(sluice.get(how, "weighted.example.com", headers=headers)) == address


@pytest.fixture(name="unix_server")
def make_unix_server():
    """(path, server): short, as the name of a Unix socket has at most 107 bytes."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-"))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(folder / "socket"))
    listener.listen()
    server = Upstream(listener).serve()
    yield folder / "socket", server
    server.stop()
    shutil.rmtree(folder)


@HOWS
def test_endpoint_may_be_a_unix_socket(egress, unix_server, how):
    path, server = unix_server
    sluice = egress(f"""apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: unix-socket
spec:
  hosts:
  - socket.example.com
  location: MESH_EXTERNAL
  ports:
  - number: 80
    name: http
    protocol: HTTP
  resolution: STATIC
  endpoints:
  - address: unix://{path}
""")
    assert sluice.get(how, "socket.example.com", "/through").body == b"hello"
    assert server.paths == ["/through"] and server.requests[0].get("host") == "socket.example.com"


VIRTUAL_ADDRESSES = f"""apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: documents
spec:
  hosts:
  - documents.somedomain # not used
  addresses:
  - 198.51.100.0/24 # virtual
  ports:
  - number: {DOCUMENTS}
    name: mongodb
    protocol: MONGO
  location: MESH_INTERNAL
  resolution: STATIC
  endpoints:
  - address: {FIRST[0]}
  - address: {SECOND[0]}
"""


@pytest.mark.parametrize("address", ["198.51.100.1", "198.51.100.254"])
def test_virtual_addresses_stand_for_the_endpoints(egress, address):
    """There is no route to them but the gateway's."""
    sluice = egress(VIRTUAL_ADDRESSES)
    with sluice.connect(DOCUMENTS, address=address) as client:
        client.send(b"\x00 anything\n")
        assert client.reader.read_exactly(11) == b"\x00 anything\n"
    assert sluice.is_refused(DOCUMENTS, address="198.51.101.1")


# --- addresses -------------------------------------------------------------------------------------

DATABASES = f"""apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: databases
spec:
  hosts:
  - database.example.com # not used
  addresses:
  - {{network}}
  location: MESH_EXTERNAL
  ports:
  - name: tcp
    number: {DATABASE}
    protocol: TCP
  resolution: NONE
"""


def test_network_of_databases_is_opened(egress):
    sluice = egress()
    assert sluice.is_refused(DATABASE, address=SECOND[0])
    sluice.apply(DATABASES.format(network="93.184.215.14/31"))
    for address in (FIRST[0], SECOND[0]):
        with sluice.connect(DATABASE, address=address) as client:
            assert client.reader.read_exactly(len(GREETING)) == GREETING
            client.send(b"SELECT 1")
            assert client.reader.read_exactly(8) == b"SELECT 1"
    sluice.apply(DATABASES.format(network=f"{SECOND[0]}/32"))
    with sluice.connect(DATABASE, address=SECOND[0]) as client:
        assert client.reader.read_exactly(len(GREETING)) == GREETING
    assert sluice.is_refused(DATABASE, address=FIRST[0])
    assert sluice.is_refused(DOCUMENTS, address=SECOND[0]), "another port of a registered address"


@pytest.mark.parametrize(
    "network, addresses", [("93.184.215.14/31", [FIRST[0], SECOND[0]]), (f"{SECOND[0]}/32", [SECOND[0]])]
)
def test_tunnels_into_a_network_of_databases_are_opened(egress, network, addresses):
    """To the address that CONNECT says."""
    sluice = egress(DATABASES.format(network=network))
    for address in (FIRST[0], SECOND[0]):
        with contextlib.closing(sluice.proxy.tunnel(f"{address}:{DATABASE}")) as tunnel:
            assert tunnel.status == (200 if address in addresses else 502)
            if tunnel.status == 200:
                assert tunnel.read_exactly(len(GREETING)) == GREETING


def test_requests_to_a_port_of_tcp_are_bytes(egress):
    """Its address is what counts, and not the host that they name."""
    sluice = egress(DATABASES.format(network=f"{SECOND[0]}/32").replace(f"number: {DATABASE}", f"number: {ONE}"))
    response = sluice.get(REDIRECTED, "index.internal", "/_search", number=ONE, address=SECOND[0])
    assert reached(response) == SECOND[0]
    assert response.body.decode().split()[2:] == ["index.internal", "/_search"]
    assert "server" not in response, "it has not been looked into"
    line = sluice.gateway.wait_for_access_line(" outbound|")
    assert '"- - -" 0 - ' in line and f" outbound|{ONE}||database.example.com " in line, line


# --- workloads -------------------------------------------------------------------------------------

INTERNAL = """apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: details
  namespace: bookshop
spec:
  hosts:
  - details.bookshop.com
  location: MESH_INTERNAL
  ports:
  - number: 80
    name: http
    protocol: HTTP
    targetPort: 8080
  resolution: STATIC
  workloadSelector:
    labels:
      app: details
"""


def workload(name, address, app, number, namespace="bookshop"):
    return f"""apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata:
  name: {name}
  namespace: {namespace}
spec:
  serviceAccount: details
  address: {address}
  labels:
    app: {app}
    instance-id: {name}
  ports:
    http: {number}
"""


@HOWS
def test_workloads_with_the_labels_are_the_endpoints(egress, how):
    host = "details.bookshop.com"
    others = [
        workload("other-app", PRIVATE[0], "reviews", 80),
        workload("other-namespace", PRIVATE[0], "details", 80, namespace="elsewhere"),
    ]
    sluice = egress(INTERNAL, *others, workload("vm-1", FIRST[0], "details", ONE))
    with sluice.world.nothing_forbidden_is_reached():
        for _ in range(6):
            assert reached(sluice.get(how, host)) == FIRST[0]
        sluice.apply(INTERNAL, *others, *(workload(f"vm-{n}", FIRST[0], "details", n) for n in (ONE, TWO)))
        before = len(sluice.world.http.requests)
        assert [sluice.get(how, host).status for _ in range(6)] == [200] * 6
        assert len(sluice.world.http.requests) == before
        sluice.apply(INTERNAL, *others)
        assert sluice.get(how, host).status == 503


# --- who sees an entry -----------------------------------------------------------------------------


def exported_entry(name, namespace, export_to, address):
    return documents.document(
        "ServiceEntry",
        name,
        {
            "hosts": ["shared.example.com"],
            "ports": [
                {"number": 80, "name": "http", "protocol": "HTTP"},
                {"number": 443, "name": "tls", "protocol": "TLS"},
            ],
            "location": "MESH_EXTERNAL",
            "resolution": "STATIC",
            "endpoints": [{"address": address}],
            "exportTo": export_to,
        },
        namespace=namespace,
    )


@HOWS
def test_entry_for_its_own_namespace_is_not_seen(egress, how):
    """That of the gateway is istio-system."""
    host = "shared.example.com"
    sluice = egress(exported_entry("hidden", "apps", ["."], FIRST[0]))
    assert sluice.get(how, host).status == 502
    assert sluice.get_tls(how, host) == REFUSED
    for namespace, export_to in (("apps", ["*"]), ("apps", ["other", "istio-system"]), ("istio-system", ["."])):
        sluice.apply(
            exported_entry("hidden", "apps", ["."], FIRST[0]),
            exported_entry("seen", namespace, export_to, SECOND[0]),
        )
        assert reached(sluice.get(how, host)) == SECOND[0], export_to
        assert reached(sluice.get_tls(how, host)) == SECOND[0], export_to


# --- whom the certificate has to be of -------------------------------------------------------------

IDENTITY = "spiffe://cluster.local/ns/web/sa/server"

NAMED = f"""apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: named
spec:
  hosts:
  - named.example.com
  location: MESH_INTERNAL
  ports:
  - number: 80
    name: http
    protocol: HTTP
    targetPort: {OWN_TLS}
  resolution: STATIC
  endpoints:
  - address: {SECOND[0]}
  subjectAltNames:
  - "{{name}}"
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: named
spec:
  host: named.example.com
  trafficPolicy:
    tls:
      mode: SIMPLE
      credentialName: outside-ca
"""


@pytest.fixture(name="identified", scope="module")
def make_identified(egress_world):
    """A server that shows a certificate with an identity instead of a name."""
    pair = egress_world.authority.issue("server", f"URI:{IDENTITY}")
    server = TlsUpstream(server_context(pair), listener=egress_world.outside.listen(OWN_TLS)).serve(tell)
    yield server
    server.stop()


@HOWS
def test_certificate_has_to_have_one_of_the_names(egress, egress_world, identified, how):
    secret = documents.opaque_secret("outside-ca", {"ca.crt": egress_world.authority.certificate})
    sluice = egress(NAMED.format(name=IDENTITY), secret)
    assert reached(sluice.get(how, "named.example.com")) == SECOND[0]
    before = len(identified.requests)
    for wrong in ("spiffe://cluster.local/ns/web/sa/other", "named.example.com"):
        sluice.apply(NAMED.format(name=wrong), secret)
        assert sluice.get(how, "named.example.com").status == 503, wrong
    assert len(identified.requests) == before


# --- HTTP/2 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["HTTP2", "GRPC"])
@HOWS
def test_service_of_http2_is_spoken_to_in_http2(egress, how, protocol):
    sluice = egress(f"""apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: second-version
spec:
  hosts: [service.example.com]
  location: MESH_EXTERNAL
  ports:
  - {{number: {HTTP2}, name: second, protocol: {protocol}}}
  resolution: DNS
""")
    response = sluice.get(how, "service.example.com", "/two", number=HTTP2)
    assert response.status == 200
    host, target = response.body.decode().split()
    assert host.removesuffix(f":{HTTP2}") == "service.example.com" and target == "/two"

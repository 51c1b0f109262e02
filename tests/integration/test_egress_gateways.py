"""The documents of the tasks around egress gateways, each applied as it stands.

sluice is both: the proxy that takes what clients send, as a sidecar does, and the gateway that it sends this to by the
Service of egress gateways.
"""

import base64
import hashlib
import ssl

import pytest

from harness import documents
from harness.client import tls_context
from harness.egress import EXPLICIT, HOWS, REFUSED, reached
from harness.egress_installation import (
    CLUSTER_IP,
    HOST,
    INSTALLATION,
    INSTALLATIONS,
    KYMA,
    OTHER,
    PASSTHROUGH,
    PLAIN_PORT,
    SERVICE,
    SUBSET,
    be_kube_proxy,
    entry,
    gateway,
    get_from_the_gateway,
    http_routes,
    origination_rule,
    tls_routes,
    went_through_the_gateway,
)
from harness.namespaces import FIRST, SECOND, TO_CLIENT
from harness.raw import RawServer
from harness.surroundings import HTTP
from harness.tls_upstream import TlsUpstream, server_context

NAMES = {HOST: [SECOND[0]], OTHER: [SECOND[0]], SERVICE: [CLUSTER_IP]}
INSISTING, DATABASE = 9443, 27017  # ports of further servers outside


@pytest.fixture(name="names", scope="module", autouse=True)
def make_names(egress_world):
    egress_world.names.records = dict(NAMES)
    be_kube_proxy(egress_world)


# --- HTTP ------------------------------------------------------------------------------------------


HTTP_DOCUMENTS = (entry(), gateway(80, "HTTP"), SUBSET, http_routes())


@pytest.mark.parametrize("installation", INSTALLATIONS)
@HOWS
def test_requests_leave_by_the_gateway(egress, how, installation):
    sluice = egress(INSTALLATIONS[installation], *HTTP_DOCUMENTS)
    lines = len(sluice.gateway.access_lines())
    assert reached(sluice.get(how, HOST, "/politics")) == SECOND[0]
    request = sluice.world.http.requests[-1]
    assert (request.get("host"), request.target) == (HOST, "/politics")
    went_through_the_gateway(sluice, lines, 80, f"outbound|80||{HOST}")
    assert sluice.get(how, OTHER).status == 502


def test_clients_may_ask_the_gateway_itself(egress):
    """Those that other proxies send there."""
    sluice = egress(INSTALLATION, *HTTP_DOCUMENTS)
    with sluice.connect(PLAIN_PORT, HOST, address=TO_CLIENT[0]) as client:
        assert reached(client.request("GET", "/")) == SECOND[0]
        assert client.request("GET", "/", host=OTHER).status == 404


# --- TLS that is passed through --------------------------------------------------------------------


TLS_DOCUMENTS = (entry(), gateway(443, "TLS", PASSTHROUGH), SUBSET, tls_routes())


@pytest.mark.parametrize("installation", INSTALLATIONS)
@HOWS
def test_tls_leaves_by_the_gateway(egress, how, installation):
    """Kyma's egress tutorial. The handshake is with the server itself."""
    sluice = egress(KYMA, INSTALLATIONS[installation], *TLS_DOCUMENTS)
    lines = len(sluice.gateway.access_lines())
    assert reached(sluice.get_tls(how, HOST)) == SECOND[0]
    assert sluice.world.tls.server_names[-1] == HOST
    went_through_the_gateway(sluice, lines, 443, f"outbound|443||{HOST}")
    assert sluice.get_tls(how, OTHER) == REFUSED


def test_clients_may_connect_to_the_gateway_itself(egress):
    sluice = egress(KYMA, INSTALLATION, *TLS_DOCUMENTS)
    before = len(sluice.world.tls.connections)
    assert reached(get_from_the_gateway(sluice, HOST)) == SECOND[0]
    for other in (OTHER, "example.com", ""):
        assert get_from_the_gateway(sluice, other, tls_context(alpn=())) == REFUSED
    assert len(sluice.world.tls.connections) == before + 1


def test_documents_without_a_meaning_here_are_named(egress):
    sluice = egress(KYMA, INSTALLATION, *TLS_DOCUMENTS)
    for kind in ("Istio", "Telemetry", "NetworkPolicy"):
        sluice.gateway.wait_for_log(rf"info \S+ .*{kind}")


# --- TLS that the gateway originates ---------------------------------------------------------------

ORIGINATION = origination_rule(port=443, credentialName="outside-ca", sni=HOST)


@pytest.fixture(name="outside_ca")
def make_outside_ca(egress_world):
    return documents.opaque_secret("outside-ca", {"ca.crt": egress_world.authority.certificate})


@HOWS
def test_plain_requests_leave_the_gateway_as_tls(egress, outside_ca, how):
    sluice = egress(
        *(INSTALLATION, entry(), gateway(80, "HTTP"), SUBSET, http_routes(port=443), ORIGINATION, outside_ca)
    )
    lines, plain = len(sluice.gateway.access_lines()), len(sluice.world.http.requests)
    assert reached(sluice.get(how, HOST)) == SECOND[0]
    assert sluice.world.tls.server_names[-1] == HOST
    assert sluice.world.tls.requests[-1].get("host") == HOST
    assert len(sluice.world.http.requests) == plain
    went_through_the_gateway(sluice, lines, 80, f"outbound|443||{HOST}")


@pytest.fixture(name="insisting", scope="module")
def make_insisting(egress_world):
    """A server that serves nobody without a certificate of its CA."""
    authority = egress_world.authority
    context = server_context(authority.issue(HOST), client_ca_file=str(authority.file))
    server = TlsUpstream(context, listener=egress_world.outside.listen(INSISTING)).serve()
    yield server
    server.stop()


@HOWS
def test_gateway_shows_its_certificate_to_a_server_that_wants_one(egress, egress_world, insisting, how):
    authority = egress_world.authority
    own = authority.issue("gateway.example.com")
    credential = documents.opaque_secret(
        "outside-ca", {"tls.crt": own.certificate, "tls.key": own.key, "ca.crt": authority.certificate}
    )
    external = entry().replace("    name: tls\n", f"    name: tls\n    targetPort: {INSISTING}\n")
    rule = ORIGINATION.replace("mode: SIMPLE", "mode: MUTUAL")
    sluice = egress(INSTALLATION, external, gateway(80, "HTTP"), SUBSET, http_routes(port=443), rule, credential)
    response = sluice.get(how, HOST)
    assert (response.status, response.body) == (200, b"hello")
    assert insisting.handshakes[-1].peer_certificate == ssl.PEM_cert_to_DER_cert(own.certificate)


# --- mutual TLS to the gateway ---------------------------------------------------------------------

MUTUAL = """    tls:
      mode: MUTUAL
      credentialName: egress-gateway
"""

MUTUAL_ROUTES = http_routes(port=443).replace("          number: 80\n", "          number: 443\n").replace(
    "      - istio-egressgateway\n      port: 80\n", "      - istio-egressgateway\n      port: 443\n"
)

MUTUAL_SUBSET = f"""apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: egressgateway-for-service
spec:
  host: {SERVICE}
  subsets:
  - name: service
    trafficPolicy:
      portLevelSettings:
      - port:
          number: 443
        tls:
          mode: MUTUAL
          credentialName: mesh-client
          sni: {HOST}
"""


@pytest.fixture(name="mesh_pair", scope="module")
def make_mesh_pair(egress_world):
    """What clients of the gateway show to it."""
    return egress_world.authority.issue("client.mesh.example")


@pytest.fixture(name="mutual_documents")
def make_mutual_documents(egress_world, mesh_pair, outside_ca):
    authority = egress_world.authority
    own = authority.issue(HOST)

    def credential(name, pair):
        return documents.opaque_secret(
            name, {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": authority.certificate}
        )

    return (
        *(INSTALLATION, entry(), gateway(443, "HTTPS", MUTUAL), MUTUAL_SUBSET, MUTUAL_ROUTES, ORIGINATION, outside_ca),
        *(credential("egress-gateway", own), credential("mesh-client", mesh_pair)),
    )


@HOWS
def test_way_to_the_gateway_may_be_mutual_tls(egress, mutual_documents, how):
    """A plain request, TLS with certificates of both to the gateway, and TLS of the gateway's to the server."""
    sluice = egress(*mutual_documents)
    lines, plain = len(sluice.gateway.access_lines()), len(sluice.world.http.requests)
    assert reached(sluice.get(how, HOST)) == SECOND[0]
    assert sluice.world.tls.requests[-1].get("host") == HOST
    assert len(sluice.world.http.requests) == plain
    went_through_the_gateway(sluice, lines, 443, f"outbound|443||{HOST}")


def test_gateway_with_mutual_tls_serves_nobody_else(egress, mutual_documents, mesh_pair):
    sluice = egress(*mutual_documents)
    with_certificate = sluice.trusting
    with_certificate.load_cert_chain(mesh_pair.certificate_file, mesh_pair.key_file)
    assert reached(get_from_the_gateway(sluice, HOST, with_certificate)) == SECOND[0]
    before = len(sluice.world.tls.requests)
    # With TLS 1.3 a client hears only afterwards that its certificate is missing.
    for maximum in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = tls_context(ca_file=str(sluice.world.authority.file), maximum=maximum, alpn=())
        with pytest.raises(ssl.SSLError):
            get_from_the_gateway(sluice, HOST, context)
    assert len(sluice.world.tls.requests) == before


# --- TCP -------------------------------------------------------------------------------------------

TCP_DOCUMENTS = f"""apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: database
spec:
  hosts:
  - database.example.com
  addresses:
  - {FIRST[0]}/32
  ports:
  - name: tcp
    number: {DATABASE}
    protocol: TCP
  location: MESH_EXTERNAL
  resolution: STATIC
  endpoints:
  - address: {SECOND[0]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: istio-egressgateway
spec:
  selector:
    istio: egressgateway
  servers:
  - port:
      number: 443
      name: tcp
      protocol: TCP
    hosts:
    - database.example.com
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: database-through-the-egress-gateway
spec:
  hosts:
  - database.example.com
  gateways:
  - mesh
  - istio-egressgateway
  tcp:
  - match:
    - gateways:
      - mesh
      destinationSubnets:
      - {FIRST[0]}/32
      port: {DATABASE}
    route:
    - destination:
        host: {SERVICE}
        subset: service
        port:
          number: 443
  - match:
    - gateways:
      - istio-egressgateway
      port: 443
    route:
    - destination:
        host: database.example.com
        port:
          number: {DATABASE}
      weight: 100
"""


@pytest.fixture(name="database", scope="module")
def make_database(egress_world):
    server = RawServer(listener=egress_world.outside.listen(DATABASE))
    yield server
    server.stop()


def test_bytes_leave_by_the_gateway(egress, database):
    sluice = egress(INSTALLATION, SUBSET, TCP_DOCUMENTS)
    lines = len(sluice.gateway.access_lines())
    with sluice.connect(DATABASE, address=FIRST[0]) as client:
        client.send(b"\x00 anything\n")
        assert client.reader.read_exactly(11) == b"\x00 anything\n"
    went_through_the_gateway(sluice, lines, 443, f"outbound|{DATABASE}||database.example.com")
    before = database.count
    assert sluice.is_refused(DATABASE, address=SECOND[0])
    assert database.count == before


# --- several together ------------------------------------------------------------------------------


def of_host(text, host):
    """The documents of one more host, which have names of their own."""
    return text.replace(HOST, host).replace("name: istio-egressgateway", "name: gateway-of-other").replace(
        "- istio-egressgateway", "- gateway-of-other"
    ).replace("name: service\n", "name: other\n").replace("name: through-the-egress-gateway", "name: other").replace(
        "subset: service", "subset: other"
    )


@HOWS
def test_hosts_share_the_gateway(egress, how):
    """Each has its documents, also the Gateway, on the same port; they come and go one by one."""
    first = (INSTALLATION, SUBSET, *TLS_DOCUMENTS[:2], TLS_DOCUMENTS[3])
    second = (of_host(text, OTHER) for text in (entry(), gateway(443, "TLS", PASSTHROUGH), tls_routes()))
    subsets = SUBSET + "  - name: other\n"
    sluice = egress(*first)
    assert reached(sluice.get_tls(how, HOST)) == SECOND[0]
    assert sluice.get_tls(how, OTHER) == REFUSED
    sluice.apply(INSTALLATION, subsets, *first[2:], *second)
    for host in (HOST, OTHER):
        assert reached(sluice.get_tls(how, host)) == SECOND[0]
        assert sluice.world.tls.server_names[-1] == host
    sluice.apply(*first)
    assert reached(sluice.get_tls(how, HOST)) == SECOND[0]
    assert sluice.get_tls(how, OTHER) == REFUSED


BOTH_SERVERS = gateway(80, "HTTP") + gateway(443, "TLS", PASSTHROUGH).partition("servers:\n")[2].replace(
    "name: server", "name: tls-server"
)
BOTH_ROUTES = http_routes() + "  tls:\n" + tls_routes().partition("  tls:\n")[2]


@HOWS
def test_gateway_may_be_there_for_requests_and_for_tls(egress, how):
    """A VirtualService with both kinds of routes; traffic goes straight to the host until there is one."""
    sluice = egress(INSTALLATION, entry(), SUBSET)
    lines = len(sluice.gateway.access_lines())
    assert reached(sluice.get(how, HOST)) == reached(sluice.get_tls(how, HOST)) == SECOND[0]
    for number in (80, 443):
        sluice.gateway.wait_for_access_line(f" outbound|{number}||{HOST} ", start=lines)
    assert not any(SERVICE in line for line in sluice.gateway.access_lines())
    sluice.apply(INSTALLATION, entry(), SUBSET, BOTH_SERVERS, BOTH_ROUTES)
    lines = len(sluice.gateway.access_lines())
    assert reached(sluice.get(how, HOST)) == reached(sluice.get_tls(how, HOST)) == SECOND[0]
    for number in (80, 443):
        went_through_the_gateway(sluice, lines, number, f"outbound|{number}||{HOST}")


@pytest.mark.parametrize("resolution", ["DNS_ROUND_ROBIN", "DYNAMIC_DNS", "NONE"])
@HOWS
def test_gateway_resolves_hosts_as_their_entry_says(egress, how, resolution):
    sluice = egress(INSTALLATION, entry(resolution=resolution), SUBSET, BOTH_SERVERS, BOTH_ROUTES)
    lines = len(sluice.gateway.access_lines())
    assert reached(sluice.get(how, HOST)) == reached(sluice.get_tls(how, HOST)) == SECOND[0]
    for number in (80, 443):
        went_through_the_gateway(sluice, lines, number, f"outbound|{number}||{HOST}")


@HOWS
def test_requests_through_the_gateway_may_upgrade(egress, how):
    """As WebSockets do, also where HTTP/2 is spoken on the way to the gateway."""

    def script(peer, request):
        assert request.get("upgrade") == "websocket"
        key = (request.get("sec-websocket-key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()
        accept = base64.b64encode(hashlib.sha1(key).digest()).decode()
        peer.send(
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            + f"sec-websocket-accept: {accept}\r\n\r\n".encode()
        )
        while data := peer.socket.recv(65536):
            peer.send(data)

    fields = [
        *(("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]
    sluice = egress(INSTALLATION, *HTTP_DOCUMENTS)
    explicit = how == EXPLICIT
    with sluice.world.http.answering(script):
        with sluice.proxy.connect() if explicit else sluice.connect(HTTP, HOST) as client:
            client.send_head("GET", f"http://{HOST}/" if explicit else "/", fields, host=HOST)
            head = client.reader.read_head()
            assert (head.status, head.get("sec-websocket-accept")) == (101, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            client.send(b"\x81\x82\x00\x00\x00\x00hi")
            assert client.reader.read_exactly(8) == b"\x81\x82\x00\x00\x00\x00hi"

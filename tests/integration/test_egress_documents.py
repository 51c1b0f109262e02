"""The documents of the tasks around external services, each applied as it stands: reaching a service by HTTP
and by TLS, a timeout for it, TLS that the gateway originates, and a proxy outside."""

import contextlib
import ssl
import threading

import pytest

from harness import documents
from harness.egress import EXPLICIT, HOWS, REFUSED, reached
from harness.egress_installation import HOST, origination_rule
from harness.half_closing_tls import HalfClosingTls
from harness.limits import IO_SECONDS
from harness.namespaces import FIRST, SECOND
from harness.proxy_client import Conversation
from harness.raw import RawServer
from harness.surroundings import TLS
from harness.tls_upstream import TlsUpstream, server_context

OTHER = "other.example.com"
NAMES = {HOST: [SECOND[0]], OTHER: [SECOND[0]]}
INSISTING = 8443  # the port of a server that wants a certificate of its clients
PROXY_PORT = 3128

HTTP_ENTRY = f"""apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: service-http
spec:
  hosts:
  - {HOST}
  ports:
  - number: 80
    name: http
    protocol: HTTP
  resolution: DNS
  location: MESH_EXTERNAL
"""

TLS_ENTRY = f"""apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: service-tls
spec:
  hosts: ["{HOST}"]
  ports:
  - number: 443
    name: tls
    protocol: TLS
  resolution: DNS
  location: MESH_EXTERNAL
"""


@pytest.fixture(name="names", scope="module", autouse=True)
def make_names(egress_world):
    egress_world.names.records = dict(NAMES)


# --- a service outside, by HTTP and by TLS ---------------------------------------------------------


@HOWS
def test_service_is_reached_by_http_once_it_is_registered(egress, how):
    sluice = egress()
    assert sluice.get(how, HOST).status == 502
    sluice.apply(HTTP_ENTRY)
    lines = len(sluice.gateway.access_lines())
    assert reached(sluice.get(how, HOST, "/headers")) == SECOND[0]
    line = sluice.gateway.wait_for_access_line("/headers", start=lines)
    assert f" outbound|80||{HOST} " in line, line
    sluice.apply()
    assert sluice.get(how, HOST).status == 502


@HOWS
def test_service_is_reached_by_tls_once_it_is_registered(egress, how):
    sluice = egress()
    assert sluice.get_tls(how, HOST) == REFUSED
    sluice.apply(TLS_ENTRY)
    assert reached(sluice.get_tls(how, HOST)) == SECOND[0]
    assert sluice.world.tls.server_names[-1] == HOST
    assert sluice.get(how, HOST).status == 502, "only this port is registered"
    sluice.apply()
    assert sluice.get_tls(how, HOST) == REFUSED


@HOWS
def test_registered_service_opens_no_other(egress, how):
    sluice = egress(HTTP_ENTRY, TLS_ENTRY)
    assert sluice.get(how, OTHER).status == 502
    assert sluice.get_tls(how, OTHER) == REFUSED


TIMEOUT = f"""apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: service-timeout
spec:
  hosts:
  - {HOST}
  http:
  - timeout: 0.3s
    route:
    - destination:
        host: {HOST}
      weight: 100
"""


@HOWS
def test_slow_service_is_given_up_after_the_timeout(egress, how):
    sluice = egress(HTTP_ENTRY, TIMEOUT)
    may_answer = threading.Event()

    def answer_late(peer, request):
        peer.read_body(request)
        may_answer.wait(IO_SECONDS)
        peer.respond(body=b"late")

    assert reached(sluice.get(how, HOST)) == SECOND[0]
    with sluice.world.http.answering(answer_late):
        response = sluice.get(how, HOST)
        may_answer.set()
    assert (response.status, response.body) == (504, b"upstream request timeout")


# --- TLS that the gateway originates ---------------------------------------------------------------

ORIGINATION_ENTRY = f"""apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: service
spec:
  hosts:
  - {HOST}
  ports:
  - number: 80
    name: http-port
    protocol: HTTP
    targetPort: 443
  - number: 443
    name: https-port
    protocol: HTTPS
  resolution: DNS
"""


@pytest.fixture(name="trusted")
def make_trusted(egress_world):
    """The Secret with the CA that outside servers' certificates are of."""
    return documents.opaque_secret("client-credential", {"ca.crt": egress_world.authority.certificate})


@HOWS
def test_plain_request_leaves_as_tls(egress, trusted, how):
    rule = origination_rule("SIMPLE", sni=HOST, credentialName="client-credential")
    sluice = egress(ORIGINATION_ENTRY, rule, trusted)
    plain, encrypted = len(sluice.world.http.requests), len(sluice.world.tls.handshakes)
    assert reached(sluice.get(how, HOST, "/politics")) == SECOND[0]
    assert sluice.world.tls.requests[-1].get("host") == HOST
    assert sluice.world.tls.requests[-1].target == "/politics"
    assert sluice.world.tls.server_names[encrypted:] == [HOST]
    assert len(sluice.world.http.requests) == plain


@HOWS
def test_client_may_still_speak_tls_itself(egress, trusted, how):
    rule = origination_rule("SIMPLE", credentialName="client-credential")
    sluice = egress(ORIGINATION_ENTRY, rule, trusted)
    assert reached(sluice.get_tls(how, HOST)) == SECOND[0]


@HOWS
def test_server_that_is_not_trusted_gets_no_request(egress, how):
    """Without a credential the system's CAs are asked, which have never heard of this one."""
    sluice = egress(ORIGINATION_ENTRY, origination_rule("SIMPLE"))
    before = len(sluice.world.tls.requests)
    assert sluice.get(how, HOST).status == 503
    assert len(sluice.world.tls.requests) == before


ROUTED_ENTRY = ORIGINATION_ENTRY.replace("    targetPort: 443\n", "")

TO_THE_TLS_PORT = f"""apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: to-the-tls-port
spec:
  hosts:
  - {HOST}
  http:
  - match:
    - port: 80
    route:
    - destination:
        host: {HOST}
        subset: tls-origination
        port:
          number: 443
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: to-the-tls-port
spec:
  host: {HOST}
  subsets:
  - name: tls-origination
    trafficPolicy:
      loadBalancer:
        simple: ROUND_ROBIN
      portLevelSettings:
      - port:
          number: 443
        tls:
          mode: SIMPLE
          credentialName: client-credential
"""


@HOWS
def test_route_may_choose_the_port_that_is_encrypted(egress, trusted, how):
    """With a subset, so that clients' own TLS is not put into TLS once more."""
    sluice = egress(ROUTED_ENTRY, TO_THE_TLS_PORT, trusted)
    plain, encrypted = len(sluice.world.http.requests), len(sluice.world.tls.handshakes)
    assert reached(sluice.get(how, HOST)) == SECOND[0]
    assert sluice.world.tls.server_names[encrypted:] == [HOST]
    assert reached(sluice.get_tls(how, HOST)) == SECOND[0]
    assert len(sluice.world.http.requests) == plain


@pytest.fixture(name="insisting", scope="module")
def make_insisting(egress_world):
    """A server that serves nobody without a certificate of its CA."""
    authority = egress_world.authority
    context = server_context(authority.issue(HOST), client_ca_file=str(authority.file))
    server = TlsUpstream(context, listener=egress_world.outside.listen(INSISTING)).serve()
    yield server
    server.stop()


INSISTING_ENTRY = ORIGINATION_ENTRY.replace("targetPort: 443", f"targetPort: {INSISTING}")


@HOWS
def test_certificate_is_shown_to_a_server_that_wants_one(egress, egress_world, insisting, how):
    authority = egress_world.authority
    own = authority.issue("client.example.com")
    credential = documents.opaque_secret(
        "client-credential", {"tls.crt": own.certificate, "tls.key": own.key, "ca.crt": authority.certificate}
    )
    rule = origination_rule("MUTUAL", credentialName="client-credential", sni=HOST)
    sluice = egress(INSISTING_ENTRY, rule, credential)
    response = sluice.get(how, HOST)
    assert (response.status, response.body) == (200, b"hello")
    assert insisting.handshakes[-1].server_name == HOST
    assert insisting.handshakes[-1].peer_certificate == ssl.PEM_cert_to_DER_cert(own.certificate)
    before = len(insisting.requests)
    sluice.apply(INSISTING_ENTRY, origination_rule("SIMPLE", credentialName="client-credential", sni=HOST), credential)
    assert sluice.get(how, HOST).status == 503
    assert len(insisting.requests) == before


@HOWS
def test_certificate_to_show_may_be_a_file(egress, egress_world, insisting, how):
    own = egress_world.authority.issue("client.example.com")
    rule = origination_rule(
        "MUTUAL",
        clientCertificate=own.certificate_file,
        privateKey=own.key_file,
        caCertificates=egress_world.authority.file,
        sni=HOST,
    )
    response = egress(INSISTING_ENTRY, rule).get(how, HOST)
    assert (response.status, response.body) == (200, b"hello")
    assert insisting.handshakes[-1].peer_certificate == ssl.PEM_cert_to_DER_cert(own.certificate)


# --- a proxy outside -------------------------------------------------------------------------------

PROXY_ENTRY = f"""apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: proxy
spec:
  hosts:
  - company-proxy.example.net # of no importance: clients use the address
  addresses:
  - {FIRST[0]}/32
  ports:
  - number: {PROXY_PORT}
    name: tcp
    protocol: TCP
  location: MESH_EXTERNAL
  resolution: NONE
"""


def read_head(connection):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            break
        head += byte
    return head.decode()


@pytest.fixture(name="company_proxy", scope="module")
def make_company_proxy(egress_world):
    """A proxy that takes itself for every host: `heads` are the requests that it got."""
    context = server_context(egress_world.authority.issue(HOST))
    heads = []

    def serve(connection):
        heads.append(read_head(connection))
        if not heads[-1].startswith("CONNECT "):
            return
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with context.wrap_socket(connection, server_side=True) as inside:
            heads.append(read_head(inside))
            inside.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nthrough")

    server = RawServer(serve, listener=egress_world.outside.listen(PROXY_PORT))
    server.heads = heads
    yield server
    server.stop()


def ask_the_company_proxy(sluice, how):
    """The answer of a server behind the proxy outside, or REFUSED."""
    where = f"{HOST}:{TLS}"
    with contextlib.ExitStack() as stack:
        if how == EXPLICIT:  # a tunnel to the other proxy
            outer = stack.enter_context(contextlib.closing(sluice.proxy.tunnel(f"{FIRST[0]}:{PROXY_PORT}")))
            if outer.status != 200:
                return REFUSED
        else:
            outer = stack.enter_context(sluice.connect(PROXY_PORT)).socket
        outer.sendall(f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n\r\n".encode())
        try:
            if not read_head(outer).startswith("HTTP/1.1 200 "):
                return REFUSED
        except ConnectionResetError:
            return REFUSED
        return Conversation(HalfClosingTls(outer, HOST, sluice.trusting), HOST).request("GET", "/").body


@HOWS
def test_proxy_outside_is_reached_by_its_address(egress, company_proxy, how):
    """Its clients say CONNECT to it: for the gateway these are bytes."""
    sluice = egress(PROXY_ENTRY)
    before = len(company_proxy.heads)
    assert ask_the_company_proxy(sluice, how) == b"through"
    connect, request = company_proxy.heads[before:]
    assert connect.startswith(f"CONNECT {HOST}:{TLS} HTTP/1.1\r\n") and request.startswith("GET / HTTP/1.1\r\n")


@HOWS
def test_proxy_outside_is_not_reached_unless_it_is_registered(egress, company_proxy, how):
    sluice = egress()
    before = company_proxy.count
    assert ask_the_company_proxy(sluice, how) == REFUSED
    assert company_proxy.count == before

"""TLS that the gateway does not terminate: the server name alone chooses the destination, the bytes are not ours."""

import contextlib
import ssl
import types

import pytest

from harness import documents, pattern
from harness.authority import Authority
from harness.certificates import self_signed
from harness.client import tls_context
from harness.commands import curl, s_client
from harness.documents import DOMAIN
from harness.gateway import Gateway
from harness.limits import FULL, MIB
from harness.raw import RawServer, digest_of_all, echo, echoed_digest, end_writing
from harness.tls_upstream import TlsUpstream, server_context
from harness.upstream import Upstream

FIRST, SECOND, ECHO, SPEAKER = (f"{name}.pass.example.com" for name in ("first", "second", "echo", "speaker"))
TERMINATED = f"app.{DOMAIN}"
SIZE = 256 * MIB if FULL else 16 * MIB


@pytest.fixture(scope="module", name="world")
def make_world(tmp_path_factory):
    """kyma-gateway terminates *.local.kyma.dev on 443; *.pass.example.com is passed through on the same port."""
    authority = Authority()
    world = types.SimpleNamespace(ca_file=str(authority.file), own=self_signed(f"*.{DOMAIN}"))
    with contextlib.ExitStack() as stack:

        def running(server):
            stack.callback(server.stop)
            return server

        world.pairs = {host: authority.issue(host) for host in (FIRST, SECOND, ECHO, SPEAKER)}
        contexts = {host: server_context(pair) for host, pair in world.pairs.items()}
        world.first = running(TlsUpstream(contexts[FIRST]).serve())
        world.second = running(TlsUpstream(contexts[SECOND]).serve())
        echoing = running(RawServer(echo, contexts[ECHO]))
        speaker = running(RawServer(speak, contexts[SPEAKER]))
        texts = documents.kyma_texts(world.own) | {
            "pass.yaml": documents.join(
                documents.gateway(
                    "pass", documents.server(443, "TLS", ["*.pass.example.com"], {"mode": "PASSTHROUGH"})
                ),
                documents.tcp_service_entry("first", world.first.port),
                documents.tcp_service_entry("second", world.second.port),
                documents.tcp_service_entry("echo", echoing.port),
                documents.tcp_service_entry("speaker", speaker.port),
                documents.document(
                    "VirtualService",
                    "pass",
                    {
                        "hosts": ["*.pass.example.com"],
                        "gateways": ["kyma-system/pass"],
                        "tls": [
                            documents.connection_route(name, {"port": 443, "sniHosts": [host]})
                            for name, host in (
                                *(("first", FIRST), ("second", SECOND)),
                                *(("echo", ECHO), ("speaker", SPEAKER)),
                            )
                        ],
                    },
                ),
            ),
            "app.yaml": documents.routes("app", running(Upstream().serve()).port),
        }
        world.gateway = stack.enter_context(Gateway(tmp_path_factory.mktemp("pass"), texts, concurrency=2))
        yield world


def speak(connection):
    """The server ends first."""
    for block in pattern.blocks(SIZE):
        connection.sendall(block)
    end_writing(connection)


def connect(world, host):
    """A client that trusts the upstreams' CA only: the handshake proves that nobody is in between."""
    return world.gateway.connect(host, tls=tls_context(ca_file=world.ca_file, alpn=()))


def presented(client):
    return ssl.DER_cert_to_PEM_cert(client.socket.getpeercert(binary_form=True)).strip()


@pytest.mark.parametrize("host", [FIRST, SECOND])
def test_client_sees_the_certificate_of_its_destination(world, host):
    upstream = {FIRST: world.first, SECOND: world.second}[host]
    before = len(upstream.requests)
    with connect(world, host) as client:
        assert presented(client) == world.pairs[host].certificate.strip()
        assert client.request("GET", "/").body == b"hello"
        assert client.request("GET", "/again").body == b"hello"
    assert upstream.paths[before:] == ["/", "/again"]
    assert upstream.server_names[-1] == host


@pytest.mark.parametrize("version", ["--tlsv1.2", "--tlsv1.3"])
def test_curl_talks_to_the_destination(world, version):
    where = {"host": FIRST, "port": world.gateway.port(443)}
    limits = [version, "--tls-max", version[-3:]]
    shown = curl("--cacert", world.ca_file, *limits, f"https://{FIRST}:{where['port']}/", **where)
    assert shown.stdout == "hello", shown.stderr


def test_connection_is_one_line_of_the_log(world):
    before = len(world.gateway.access_lines())
    with connect(world, SECOND) as client:
        assert client.request("GET", "/").status == 200
    line = world.gateway.wait_for_access_line(f" {SECOND} ", start=before)
    assert '"- - -" 0 - ' in line and "outbound|9000||second.upstream.test" in line, line
    assert f'"127.0.0.1:{world.second.port}"' in line, line


@pytest.mark.parametrize("name", ["third.pass.example.com", "example.com", "pass.example.com", None])
def test_unknown_name_is_reset(world, name):
    before = len(world.gateway.access_lines())
    shown = s_client(world.gateway.port(443), name)
    assert "no peer certificate available" in shown.stdout, shown.stdout
    assert "errno=104" in shown.stderr, shown.stderr  # ECONNRESET
    line = world.gateway.wait_for_access_line('"- - -" 0 NR ', start=before)
    assert f" {name or '-'} " in line, line


def test_terminated_server_shares_the_port(world):
    with world.gateway.connect(TERMINATED, tls=True) as client, connect(world, FIRST) as other:
        assert presented(client) == world.own.certificate.strip()
        assert client.request("GET", "/").body == b"hello"
        assert presented(other) == world.pairs[FIRST].certificate.strip()


def test_route_of_a_terminated_server_is_not_reachable_through_the_other(world):
    """Nothing in what is passed through is looked at."""
    before = len(world.first.requests)
    with connect(world, FIRST) as client:
        assert client.request("GET", "/inside", host=TERMINATED).status == 200
    assert world.first.paths[before:] == ["/inside"]


def test_large_content_is_exact_in_both_directions(world):
    with connect(world, ECHO) as client:
        assert echoed_digest(client.socket, SIZE) == pattern.digest(SIZE)


def test_large_content_is_complete_when_the_server_ends(world):
    with connect(world, SPEAKER) as client:
        assert digest_of_all(client.socket) == pattern.digest(SIZE)

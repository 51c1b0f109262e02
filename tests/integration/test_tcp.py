"""Connections that are not HTTP: plain TCP, and TLS that ends here; whatever the bytes are, they arrive."""

import contextlib
import re
import socket
import types

import pytest

from harness import documents, message, pattern, ports
from harness.certificates import self_signed
from harness.client import tls_context
from harness.commands import s_client, s_client_dialogue
from harness.gateway import Gateway, wait_until
from harness.half_closing_tls import HalfClosingTls
from harness.limits import FULL, IO_SECONDS, MIB
from harness.raw import EndWatch, RawServer, digest_of_all, echo, echoed_digest, end_writing

HOST = "tcp.example.com"
ECHO, SPEAKER, LISTENER, NOBODY = 9000, 9001, 9002, 9003  # the ports of Gateway and ServiceEntry alike
BOUNDED = 9004  # an echo that takes two connections
TLS_OFFSET = 100
SIZE = 512 * MIB if FULL else 32 * MIB


def speak(connection):
    """The server says everything without having heard anything, and ends first."""
    for block in pattern.blocks(SIZE):
        connection.sendall(block)
    end_writing(connection)


def listen(connection):
    """The server hears everything until the client's end, and answers then."""
    count, digest = digest_of_all(connection)
    connection.sendall(f"{count} {digest}".encode())
    end_writing(connection)


@pytest.fixture(scope="module", name="world")
def make_world(tmp_path_factory):
    """Each server is there twice: port N is plain TCP, port N + 100 is TLS."""
    world = types.SimpleNamespace(pair=self_signed(HOST, name="tcp"))
    nobody = ports.ReservedPort()
    with contextlib.ExitStack() as stack:
        stack.callback(nobody.close)
        world.servers = {number: RawServer(serve) for number, serve in ((ECHO, echo), (SPEAKER, speak), (LISTENER, listen), (BOUNDED, echo))}
        for server in world.servers.values():
            stack.callback(server.stop)
        targets = {number: server.port for number, server in world.servers.items()} | {NOBODY: nobody.number}
        tls = {"mode": "SIMPLE", "credentialName": "tcp-certs"}
        plain_servers = [documents.server(number, "TCP", ["*"]) for number in targets]
        tls_servers = [documents.server(number + TLS_OFFSET, "TLS", [HOST], tls) for number in targets]
        routes = [
            documents.connection_route(f"s{number}", {"port": number + offset}, number)
            for number in targets
            for offset in (0, TLS_OFFSET)
        ]
        texts = {
            "tcp.yaml": documents.join(
                documents.gateway("tcp", *plain_servers, *tls_servers),
                documents.secret(world.pair, "tcp-certs"),
                *[documents.tcp_service_entry(f"s{number}", port, number) for number, port in targets.items()],
                documents.document("DestinationRule", "bounded", {
                    "host": f"s{BOUNDED}.upstream.test",
                    "trafficPolicy": {"connectionPool": {"tcp": {"maxConnections": 2}}},
                }),
                documents.document(
                    "VirtualService",
                    "tcp",
                    {"hosts": ["*"], "gateways": ["kyma-system/tcp"], "tcp": routes},
                ),
            )
        }
        numbers = [number + offset for number in targets for offset in (0, TLS_OFFSET)]
        folder = tmp_path_factory.mktemp("tcp")
        world.gateway = stack.enter_context(Gateway(folder, texts, service_ports=numbers, concurrency=2))
        yield world


@pytest.fixture(name="connect")
def make_connect(world, tls):
    """connect(port) is a socket to the plain server, or to its counterpart with TLS."""
    clients = []

    def make(number):
        context = tls_context(alpn=()) if tls else None
        where = number + (TLS_OFFSET if tls else 0)
        clients.append(world.gateway.connect(HOST, tls=context, number=where))
        return clients[-1].socket

    yield make
    for client in clients:
        client.close()


def test_bytes_come_back(connect):
    echoing = connect(ECHO)
    for text in (b"a", b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)), b"\0" * 5000):
        echoing.sendall(text)
        got = b""
        while len(got) < len(text):
            got += echoing.recv(65536)
        assert got == text


def test_large_content_is_exact_in_both_directions(connect):
    assert echoed_digest(connect(ECHO), SIZE) == pattern.digest(SIZE)


def test_server_may_speak_first_and_end_first(connect):
    assert digest_of_all(connect(SPEAKER)) == pattern.digest(SIZE)


def test_client_may_end_first_and_still_get_the_answer(world, tls):
    """The client's FIN or close_notify ends one direction (RFC 9293 3.6, RFC 8446 6.1)."""
    with world.gateway.connect(HOST, number=LISTENER + (TLS_OFFSET if tls else 0)) as raw:
        client = HalfClosingTls(raw.socket, HOST) if tls else raw.socket
        for block in pattern.blocks(SIZE):
            client.sendall(block)
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    count, digest = pattern.digest(SIZE)
    assert answer.decode() == f"{count} {digest}"


def test_client_of_openssl_gets_its_bytes_back(world):
    code, shown = s_client_dialogue(world.gateway.port(ECHO + TLS_OFFSET), HOST, lines=["over TLS it goes\n", "Q\n"])
    assert code == 0 and shown.count("over TLS it goes") == 1, shown


def test_another_server_name_gets_no_handshake(world):
    shown = s_client(world.gateway.port(ECHO + TLS_OFFSET), "other.example.com")
    assert "no peer certificate available" in shown.stdout


def test_destination_that_refuses_ends_the_connection(world, tls):
    """A reset; over TLS the end, which is all that a client can be told there."""
    before = len(world.gateway.access_lines())
    number = NOBODY + (TLS_OFFSET if tls else 0)
    with contextlib.suppress(ConnectionResetError):  # at once, perhaps
        with world.gateway.connect(HOST, tls=tls and tls_context(alpn=()), number=number) as client:
            assert client.read_to_end() == b""
    line = world.gateway.wait_for_access_line(f"outbound|{NOBODY}||", start=before)
    assert re.search(r'"- - -" 0 UF,URX \S+ - "connection_failure" 0 0 ', line), line


def test_connection_is_counted_and_logged(world, tls):
    gateway = world.gateway
    names = ("connections_opened", "connections_closed", "received_bytes", "sent_bytes")
    labels = {"destination_service_name": f"s{ECHO}.upstream.test"}

    def totals():
        return [gateway.metric(f"istio_tcp_{name}_total", **labels) for name in names]

    assert wait_until(lambda: totals()[0] == totals()[1]), "connections of other tests are still open"
    before, lines = totals(), len(gateway.access_lines())
    with gateway.connect(HOST, tls=tls and tls_context(alpn=()), number=ECHO + (TLS_OFFSET if tls else 0)) as client:
        client.send(b"x" * 1000)
        assert client.reader.read_exactly(1000) == b"x" * 1000
        assert totals()[:2] == [before[0] + 1, before[1]], "open, as long as it is"
        local = client.local_port
        end_writing(client.socket)
    line = gateway.wait_for_access_line(f"127.0.0.1:{local} ", start=lines)
    assert wait_until(lambda: totals()[1] == before[1] + 1)
    assert [now - then for now, then in zip(totals(), before)] == [1, 1, 1000, 1000]
    assert re.search(r'\] "- - -" 0 - \S+ - "-" 1000 1000 \d+ - ', line), line
    assert f'"127.0.0.1:{world.servers[ECHO].port}" outbound|{ECHO}||s{ECHO}.upstream.test ' in line, line
    assert line.split()[-2] == (HOST if tls else "-"), line


def test_client_without_close_notify_is_told_apart(world):
    """What it sent may lack its end (RFC 8446 6.1)."""
    with world.gateway.connect(HOST, tls=tls_context(alpn=()), number=ECHO + TLS_OFFSET) as client:
        client.send(b"half of it")
        assert client.reader.read_exactly(10) == b"half of it"
        local = client.local_port
    line = world.gateway.wait_for_access_line(f"127.0.0.1:{local} ")
    assert '"- - -" 0 DC downstream_remote_disconnect - "-" 10 10 ' in line, line


def test_client_that_resets_takes_the_destination_with_it(world):
    """The destination must not take what it has for everything."""
    watch = EndWatch()
    server = world.servers[ECHO]
    server.serve, before = watch, server.serve
    try:
        client = world.gateway.connect(HOST, number=ECHO)
        client.send(b"half of it")
        assert watch.begun.wait(IO_SECONDS)
        client.reset()
        assert wait_until(lambda: watch.ends)
    finally:
        server.serve = before
    assert watch.ends == ["reset"]


def test_connections_beyond_the_bound_of_the_destination(world):
    """Bytes do not wait: whoever is one too many is told at once, on whatever shard it is."""
    clients = [world.gateway.connect(HOST, number=BOUNDED) for _ in range(2)]
    for client in clients:
        client.send(b"mine")
        assert client.reader.read_exactly(4) == b"mine"
    before = len(world.gateway.access_lines())
    for _ in range(8):
        with contextlib.suppress(ConnectionResetError), world.gateway.connect(HOST, number=BOUNDED) as client:
            assert client.read_to_end() == b""
    line = world.gateway.wait_for_access_line(f"outbound|{BOUNDED}||", start=before)
    assert re.search(r'"- - -" 0 UO \S+ - "-" 0 0 ', line), line
    clients.pop().close()

    def is_served():
        refused = contextlib.suppress(OSError, message.Truncated)
        with refused, world.gateway.connect(HOST, number=BOUNDED) as client:
            client.send(b"next")
            return client.reader.read_exactly(4) == b"next"

    assert wait_until(is_served)
    clients.pop().close()

"""gRPC through the gateway, with a real client and a real server (grpcio), and what sluice itself tells such clients."""

import json
import queue
import re
import socket
import threading
import time

import grpc
import pytest

from harness import documents, ports
from harness.documents import DOMAIN
from harness.gateway import Gateway, wait_until
from harness.grpc_service import SERVICE, GrpcClient, GrpcService
from harness.limits import FULL, IO_SECONDS

APP = f"app.{DOMAIN}"
WEB = f"web.{DOMAIN}"  # its destination speaks gRPC-Web's protocol name
BOUNDED = f"bounded.{DOMAIN}"
TRIED = f"tried.{DOMAIN}"
FAULTY = f"faulty.{DOMAIN}"
GONE = f"gone.{DOMAIN}"
SILENT = f"silent.{DOMAIN}"  # its destination accepts connections, and that is all
DIRECT = f"direct.{DOMAIN}"
NUMBER = 50051  # of the Gateway's server of protocol GRPC

REFUSED = "upstream connect error or disconnect/reset before headers. reset reason: connection failure"

StatusCode = grpc.StatusCode


def http_route(name, route):
    spec = {"hosts": [f"{name}.{DOMAIN}"], "gateways": [documents.GATEWAY, documents.PLAIN_GATEWAY], "http": [route]}
    return documents.document("VirtualService", name, spec)


def count_of(pattern, gateway):
    """How many access log lines have it by now."""
    return sum(pattern.search(line) is not None for line in gateway.access_lines())


def to_app(**more):
    return more | {"route": [{"destination": {"host": "app.upstream.test", "port": {"number": 80}}}]}


@pytest.fixture(scope="module")
def service():
    running = GrpcService()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def silent():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture(scope="module")
def grpc_gateway(tmp_path_factory, certificate, service, silent):
    abort = {"grpcStatus": "RESOURCE_EXHAUSTED", "percentage": {"value": 100}}
    texts = documents.kyma_texts(certificate) | {
        "app.yaml": documents.routes("app", service.port, protocol="GRPC"),
        "web.yaml": documents.routes("web", service.port, protocol="GRPC-WEB"),
        "gone.yaml": documents.service_entry("gone", ports.free_port(), protocol="GRPC"),
        "silent.yaml": documents.routes("silent", silent, protocol="GRPC"),
        "routes.yaml": documents.join(
            http_route("bounded", to_app(timeout="0.3s")),
            http_route("tried", to_app(timeout="5s", retries={"attempts": 1, "perTryTimeout": "3s"})),
            http_route("faulty", to_app(fault={"abort": abort})),
            http_route("gone", {"route": [{"destination": {"host": "gone.upstream.test", "port": {"number": 80}}}]}),
            http_route("direct", {"directResponse": {"status": 403, "body": {"string": "100% no\n"}}}),
        ),
        "grpc.yaml": documents.gateway("grpc", documents.server(NUMBER, "GRPC", ["*"])),
        "grpc-route.yaml": documents.virtual_service("on-grpc", [APP], "app", gateways=("kyma-system/grpc",)),
    }
    with Gateway(tmp_path_factory.mktemp("grpc"), texts, service_ports=(443, 80, 8080, NUMBER)) as running:
        yield running


@pytest.fixture
def connect(grpc_gateway, certificate, tls):
    """connect(host) is a client; TLS and in the clear."""
    clients = []

    def make(host=APP):
        port = grpc_gateway.port(443 if tls else 8080)
        clients.append(GrpcClient(port, host, root=certificate.certificate if tls else None))
        return clients[-1]

    yield make
    for client in clients:
        client.channel.close()
    grpc_gateway.check_health()


def failure_of(call):
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return raised.value


@pytest.mark.parametrize("host", [APP, WEB])
def test_unary(connect, host):
    response, call = connect(host).unary(b"hello")
    assert response == b"hello"
    assert call.code() == StatusCode.OK
    trailers = dict(call.trailing_metadata())
    assert trailers["x-count"] == "5" and trailers["x-raw-bin"] == b"\x00\xff"
    assert dict(call.initial_metadata())["server"] == "istio-envoy"


def test_server_of_protocol_grpc(grpc_gateway):
    with GrpcClient(grpc_gateway.port(NUMBER), APP) as client:
        assert client.unary(b"hello")[0] == b"hello"


def test_metadata_arrives(connect, tls):
    sent = [("x-mine", "1"), ("x-mine", "2"), ("x-raw-bin", b"\x01\xfe")]
    seen = connect().unary(b"metadata", metadata=sent)[0].decode().splitlines()
    for pair in [*sent, ("x-forwarded-proto", "https" if tls else "http")]:
        assert repr(pair) in seen


@pytest.mark.parametrize("code", ["NOT_FOUND", "INVALID_ARGUMENT", "INTERNAL", "UNAUTHENTICATED"])
def test_status_of_the_server_comes_back(connect, code):
    failure = failure_of(lambda: connect().unary(f"fail {code} so it is".encode()))
    assert (failure.code(), failure.details()) == (StatusCode[code], "so it is")
    assert dict(failure.trailing_metadata())["x-reason"] == "asked"


def test_status_without_content(connect):
    """Trailers-only: the head is all there is."""
    failure = failure_of(lambda: connect().unary(b"", method="Nothing"))
    assert failure.code() == StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("size", [1, 1_000_000])
def test_large_messages(connect, size):
    assert connect().unary(b"x" * size)[0] == b"x" * size


def test_server_streaming(connect):
    messages = list(connect().download(500, 3000))
    assert [int.from_bytes(message[:4], "big") for message in messages] == list(range(500))


def test_client_streaming(connect):
    assert connect().upload(b"y" * 2000 for _ in range(1000)) == b"1000 2000000"


def test_both_directions_at_once(connect):
    """Each message is sent only when the answer to the one before has come."""
    questions = queue.Queue()
    answers = connect().chat(iter(questions.get, None))
    for number in range(200):
        questions.put(b"%d" % number)
        assert next(answers) == b"%d" % number
    questions.put(None)
    assert list(answers) == []
    assert answers.code() == StatusCode.OK


def test_many_streams_at_once(connect):
    """As many as sluice lets a connection have; a few are refused at first, which the client tries again."""
    client = connect()
    calls = [client.chat(iter([b"%d.%d" % (stream, n) for n in range(20)])) for stream in range(60)]
    # The server has 16 threads: the streams take turns.
    for stream, call in enumerate(calls):
        assert list(call) == [b"%d.%d" % (stream, n) for n in range(20)]


def test_cancelled_call_ends_at_the_server(connect, grpc_gateway):
    questions = queue.Queue()
    answers = connect().chat(iter(questions.get, None))
    questions.put(b"once")
    assert next(answers) == b"once"
    ended = re.compile(rf'/{SERVICE}/Chat HTTP/2" \d+ DC ')
    before = count_of(ended, grpc_gateway)
    answers.cancel()
    assert wait_until(lambda: count_of(ended, grpc_gateway) == before + 1)
    questions.put(None)  # not before: it would end the call in good order, if it came first


# --- what is told of it ---


def test_status_in_metrics(connect, grpc_gateway):
    def counted(status):
        labels = {"request_protocol": "grpc", "response_code": "200", "grpc_response_status": status}
        return grpc_gateway.metric("istio_requests_total", destination_service="app.upstream.test", **labels)

    before = {status: counted(status) for status in ("0", "5", "12")}
    client = connect()
    client.unary(b"hello")
    failure_of(lambda: client.unary(b"fail NOT_FOUND so it is"))
    failure_of(lambda: client.unary(b"", method="Nothing"))
    assert wait_until(lambda: all(counted(status) == count + 1 for status, count in before.items()))


def test_status_in_the_access_log(own_gateway, service):
    """Behind the content, in a response without content, and of sluice's own."""
    mesh = json.dumps({"accessLogFormat": "%REQ(:PATH)% %RESPONSE_CODE% %GRPC_STATUS% %GRPC_STATUS_NUMBER%"})
    texts = {
        "app.yaml": documents.routes("app", service.port, protocol="GRPC"),
        "mesh.yaml": documents.document("ConfigMap", "istio", namespace="istio-system", data={"mesh": mesh}),
    }
    gateway = own_gateway(texts)
    with GrpcClient(gateway.port(8080), APP) as client:
        client.unary(b"hello")
        failure_of(lambda: client.unary(b"", method="Nothing"))
        failure_of(lambda: GrpcClient(gateway.port(8080), f"nobody.{DOMAIN}").unary(b"", method="Of-Nobody"))
    with gateway.connect(APP) as client:
        client.request("GET", "/plain")
    for line in (
        f"/{SERVICE}/Unary 200 OK 0",
        f"/{SERVICE}/Nothing 200 Unimplemented 12",
        f"/{SERVICE}/Of-Nobody 200 Unimplemented 12",
    ):
        assert gateway.wait_for_access_line(line.split()[0]) == line
    assert gateway.wait_for_access_line("/plain").endswith(" - -")


# --- time ---


def test_deadline_of_the_client_is_seen_by_the_server(connect):
    left = float(connect().unary(b"deadline", timeout=5)[0])
    assert 0 < left < 6, "clients round it up"


def test_timeout_of_the_route_limits_it(connect):
    """grpc-timeout says what is left of it to the server."""
    left = float(connect(BOUNDED).unary(b"deadline", timeout=IO_SECONDS)[0])
    assert 0 < left <= 0.3
    left = float(connect(TRIED).unary(b"deadline", timeout=IO_SECONDS)[0])
    assert 0.3 < left <= 3


def test_timeout_of_the_route(connect, grpc_gateway):
    before = len(grpc_gateway.access_lines())
    failure = failure_of(lambda: connect(BOUNDED).unary(b"wait 2"))
    # The server, which was told, may be the first to say so.
    assert failure.code() in (StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED)
    assert grpc_gateway.wait_for_access_line(f"/{SERVICE}/Unary", start=before)


def test_deadline_of_the_client(connect):
    assert failure_of(lambda: connect().unary(b"wait 2", timeout=0.3)).code() == StatusCode.DEADLINE_EXCEEDED


def test_deadline_of_the_client_ends_the_request(connect, grpc_gateway):
    """Also when the server does not look at it; a real one may be the first to answer."""
    ended = re.compile(rf'Unary HTTP/2" \d+ (UT|DC) .* "{SILENT}')  # sluice, or the client
    before = count_of(ended, grpc_gateway)
    assert failure_of(lambda: connect(SILENT).unary(b"hello", timeout=0.3)).code() == StatusCode.DEADLINE_EXCEEDED
    assert wait_until(lambda: count_of(ended, grpc_gateway) == before + 1)


# --- what sluice says itself ---


@pytest.mark.parametrize(
    "host, code, details",
    [
        (GONE, StatusCode.UNAVAILABLE, REFUSED),
        (FAULTY, StatusCode.RESOURCE_EXHAUSTED, "fault filter abort"),
        (DIRECT, StatusCode.PERMISSION_DENIED, "100% no\n"),
        (f"nobody.{DOMAIN}", StatusCode.UNIMPLEMENTED, ""),
    ],
)
def test_errors_are_told_in_grpc(connect, host, code, details):
    failure = failure_of(lambda: connect(host).unary(b"hello"))
    assert (failure.code(), failure.details()) == (code, details)


def test_error_of_http1_is_told_in_grpc(grpc_gateway):
    """Envoy looks at the type of the request alone."""
    with grpc_gateway.connect(DIRECT) as client:
        response = client.request("POST", "/", [("content-type", "application/grpc+proto")], body=b"")
        assert (response.status, response.body) == (200, b"")
        assert response.get("content-type") == "application/grpc"
        assert response.get("grpc-status") == "7"
        assert response.get("grpc-message") == "100%25 no%0A"
        assert response.get("content-length") == "0"
        other = client.request("POST", "/", [("content-type", "application/grpc-web")], body=b"")
        assert (other.status, other.body) == (403, b"100% no\n")
        assert "grpc-status" not in other


def test_server_that_goes_away(grpc_gateway, certificate):
    """UNAVAILABLE while it is gone, and the same channel goes on when it is back."""
    lost = GrpcService()
    texts = {"app.yaml": documents.routes("app", lost.port, protocol="GRPC")}
    with Gateway(grpc_gateway.folder / "lost", documents.kyma_texts(certificate) | texts) as running:
        with GrpcClient(running.port(8080), APP) as client:
            assert client.unary(b"hello")[0] == b"hello"
            lost.stop()
            assert failure_of(lambda: client.unary(b"hello")).code() == StatusCode.UNAVAILABLE


def test_streams_that_last(grpc_gateway, connect):
    """Bidirectional streams, all busy at once: nothing is lost. A minute and 1000 of them in the long form."""
    streams, seconds = (1000, 60) if FULL else (40, 2)
    big = GrpcService(workers=streams)
    grpc_gateway.write("soak.yaml", documents.routes("soak", big.port, protocol="GRPC"))
    grpc_gateway.reload()
    failures = []
    turns = [0] * streams
    begun = threading.Barrier(streams)  # all streams are open before the time runs

    def talk(client, number):
        questions = queue.Queue()
        answers = client.chat(iter(questions.get, None), timeout=seconds + 20 * IO_SECONDS)

        def turn():
            text = b"%d %d" % (number, turns[number])
            questions.put(text)
            if next(answers) != text:
                failures.append(f"stream {number}, turn {turns[number]}")
            turns[number] += 1

        try:
            turn()
            begun.wait(20 * IO_SECONDS)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                turn()
            questions.put(None)
            if list(answers) or answers.code() != StatusCode.OK:
                failures.append(f"stream {number}: {answers.code()}")
        except (grpc.RpcError, StopIteration, threading.BrokenBarrierError) as failure:
            failures.append(f"stream {number}: {failure!r}")

    # 100 streams a connection are what sluice takes.
    clients = [connect(f"soak.{DOMAIN}") for _ in range((streams + 49) // 50)]
    threads = [threading.Thread(target=talk, args=(clients[i % len(clients)], i), daemon=True) for i in range(streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 40 * IO_SECONDS)
    big.stop()
    print(f"{sum(turns)} turns, {min(turns)} to {max(turns)} a stream")
    assert not failures, failures[:5]
    assert min(turns) > 1

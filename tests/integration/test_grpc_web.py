"""gRPC-Web through a Gateway's server of that protocol, over both versions of HTTP: messages and trailers as frames of
the content, as bytes and as base64, with a real gRPC server (grpcio) behind."""

import base64
import struct

import pytest

from harness import documents, ports
from harness.documents import DOMAIN
from harness.gateway import Gateway
from harness.grpc_service import SERVICE, GrpcClient, GrpcService
from harness.limits import MIB
from harness.upstream import Upstream

APP, GONE, PLAIN = (f"{name}.{DOMAIN}" for name in ("app", "gone", "plain"))
NUMBER = 50052  # of the server of protocol GRPC-WEB
BINARY, TEXT = "application/grpc-web+proto", "application/grpc-web-text+proto"
IS_TRAILERS = 0x80


@pytest.fixture(name="service", scope="module")
def start_service():
    running = GrpcService()
    yield running
    running.stop()


@pytest.fixture(name="page", scope="module")
def start_page():
    """A destination that knows nothing of gRPC."""
    running = Upstream().serve(lambda peer, request: (peer.read_body(request), peer.respond(418, body=b"a teapot")))
    yield running
    running.stop()


@pytest.fixture(name="gateway", scope="module")
def start_gateway(tmp_path_factory, certificate, service, page):
    gateways = ("kyma-system/web",)
    texts = documents.kyma_texts(certificate) | {
        "app.yaml": documents.routes("app", service.port, protocol="GRPC"),
        "gone.yaml": documents.service_entry("gone", ports.free_port(), protocol="GRPC"),
        "plain.yaml": documents.service_entry("plain", page.port),
        "web.yaml": documents.gateway("web", documents.server(NUMBER, "GRPC-WEB", ["*"])),
        "routes.yaml": documents.join(
            documents.virtual_service("web-app", [APP], "app", gateways=gateways),
            documents.virtual_service("web-gone", [GONE], "gone", gateways=gateways),
            documents.virtual_service("web-plain", [PLAIN], "plain", gateways=gateways),
        ),
    }
    with Gateway(tmp_path_factory.mktemp("grpc-web"), texts, service_ports=(443, 80, 8080, NUMBER)) as running:
        yield running
        running.check_health()


@pytest.fixture(name="client", params=["http1", "http2"])
def make_client(request, gateway):
    connect = gateway.connect if request.param == "http1" else gateway.connect_http2
    with connect(APP, number=NUMBER) as client:
        yield client


def frame(content, kind=0):
    return struct.pack("!BI", kind, len(content)) + content


def frames_of(content):
    frames = []
    while content:
        kind, size = struct.unpack("!BI", content[:5])
        assert len(content) >= 5 + size, "a frame is not complete"
        frames.append((kind, content[5 : 5 + size]))
        content = content[5 + size :]
    return frames


def decoded(text):
    """Padded texts may follow one another."""
    assert len(text) % 4 == 0
    return b"".join(base64.b64decode(text[at : at + 4], validate=True) for at in range(0, len(text), 4))


def ask(client, method, *messages, text=False, accept=None, host=None, headers=()):
    content = b"".join(frame(message) for message in messages)
    fields = [("content-type", TEXT if text else BINARY), ("x-grpc-web", "1"), *headers]
    if accept or text:
        fields.append(("accept", accept or TEXT))
    body = base64.b64encode(content) if text else content
    return client.request("POST", f"/{SERVICE}/{method}", fields, body=body, **({"host": host} if host else {}))


def answer_of(response):
    """The messages and the trailers."""
    is_text = response.get("content-type") == TEXT
    assert is_text or response.get("content-type") == BINARY, response.get("content-type")
    frames = frames_of(decoded(bytes(response.body)) if is_text else bytes(response.body))
    assert [kind for kind, _ in frames] == [0] * (len(frames) - 1) + [IS_TRAILERS]
    lines = frames[-1][1].decode().split("\r\n")
    assert lines.pop() == ""
    return [message for _, message in frames[:-1]], dict(line.split(":", 1) for line in lines)


@pytest.mark.parametrize("text", [False, True], ids=["binary", "text"])
def test_unary(client, text):
    response = ask(client, "Unary", b"hello", text=text)
    assert response.status == 200
    assert response.get("content-type") == (TEXT if text else BINARY)
    assert "content-length" not in response and not response.trailers
    messages, trailers = answer_of(response)
    assert messages == [b"hello"]
    assert trailers["grpc-status"] == "0"
    assert trailers["x-count"] == "5" and base64.b64decode(trailers["x-raw-bin"] + "==") == b"\x00\xff"


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 3_071, 3_072, 3_073, MIB])
@pytest.mark.parametrize("text", [False, True], ids=["binary", "text"])
def test_messages_of_any_length(client, text, size):
    message = bytes(index % 251 for index in range(size))
    assert answer_of(ask(client, "Unary", message, text=text))[0] == [message]


def test_text_for_one_that_sends_bytes(client):
    response = ask(client, "Unary", b"hello", accept=TEXT)
    assert response.get("content-type") == TEXT
    assert answer_of(response)[0] == [b"hello"]


@pytest.mark.parametrize("text", [False, True], ids=["binary", "text"])
def test_stream_of_the_server(client, text):
    messages, trailers = answer_of(ask(client, "Download", b"50 1000", text=text))
    assert [int.from_bytes(message[:4], "big") for message in messages] == list(range(50))
    assert trailers["grpc-status"] == "0"


def test_text_in_padded_pieces(client):
    """As some clients write each frame."""
    body = base64.b64encode(frame(b"a")) + base64.b64encode(frame(b"bc"))
    response = client.request("POST", f"/{SERVICE}/Upload", [("content-type", TEXT)], body=body)
    assert answer_of(response)[0] == [b"2 3"]


def test_what_the_server_is_told(client):
    seen = ask(client, "Unary", b"metadata", headers=[("x-mine", "1")])
    lines = answer_of(seen)[0][0].decode()
    assert repr(("x-mine", "1")) in lines and repr(("x-grpc-web", "1")) in lines


def test_error_of_the_server(client):
    _, trailers = answer_of_error(ask(client, "Unary", b"fail NOT_FOUND so it is"))
    assert trailers["grpc-status"] == "5" and trailers["grpc-message"] == "so it is"
    assert trailers["x-reason"] == "asked"


def answer_of_error(response):
    """In the head where there is no content, else in a frame."""
    if response.get("grpc-status"):
        assert not response.body
        return [], {name: response.get(name) for name in ("grpc-status", "grpc-message", "x-reason")}
    return answer_of(response)


@pytest.mark.parametrize("text", [False, True], ids=["binary", "text"])
def test_errors_of_sluice_are_in_the_head(client, text):
    response = ask(client, "Unary", b"", text=text, host=GONE)
    assert response.status == 200 and not response.body
    assert response.get("content-type") == (TEXT if text else BINARY)
    assert response.get("grpc-status") == "14"
    assert response.get("grpc-message").startswith("upstream connect error")


def test_what_is_no_grpc_comes_as_it_is(client):
    response = ask(client, "Unary", b"", host=PLAIN)
    assert response.status == 418 and response.body == b"a teapot"


@pytest.mark.parametrize("body", [b"AAAA====", b"AAA", b"AA AA", b"A===", b"AAAAAAA\n"])
def test_content_that_is_no_base64(client, gateway, body):
    before = len(gateway.access_lines())
    response = client.request("POST", f"/{SERVICE}/Unary", [("content-type", TEXT)], body=body)
    assert response.get("grpc-status") == "13", response.headers  # INTERNAL, as 400 is translated
    assert "/Unary" in gateway.wait_for_access_line(" grpc_web.invalid_base64 ", start=before)


def test_others_on_the_same_port(client, gateway):
    """gRPC itself, and what is neither."""
    with GrpcClient(gateway.port(NUMBER), APP) as grpc_client:
        assert grpc_client.unary(b"hello")[0] == b"hello"
    assert client.request("GET", "/", host=PLAIN).body == b"a teapot"


def test_other_ports_do_not_translate(gateway):
    with gateway.connect(APP) as client:
        response = ask(client, "Unary", b"hello")
        assert not response.get("content-type") == BINARY, "the server does not speak it"


def test_explain_translates_too(gateway):
    asked = f"url=http://{APP}:{NUMBER}/{SERVICE}/Unary&method=POST&header=content-type:%20application/grpc-web"
    fields = gateway.admin_json(f"/explain?{asked}")["destinations"][0]["request"]["fields"]
    assert {"name": "content-type", "value": "application/grpc"} in fields

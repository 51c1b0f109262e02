"""`sluice sample-upstream`: the small server that examples and benchmarks put behind the gateway."""

import hashlib
import json
import time

import pytest

from harness import documents, message, pattern
from harness.client import Client
from harness.commands import curl
from harness.documents import DOMAIN


@pytest.fixture
def client(sample_upstream):
    with Client(sample_upstream, "sample") as made:
        yield made


def test_get_tells_the_request(client):
    response = client.request("GET", "/get?a=b", [("x-test", "value")])
    assert response.status == 200
    told = json.loads(response.body)
    assert "/get?a=b" in json.dumps(told)


def test_headers_are_told(client):
    told = json.loads(client.request("GET", "/headers", [("x-test", "value")]).body)
    fields = {name.lower(): value for name, value in told["headers"].items()}
    assert fields["x-test"] in ("value", ["value"])


def test_anything_takes_any_method(client):
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
        response = client.request(method, "/anything/at/all", body=b"content" if method != "GET" else None)
        assert response.status == 200
        assert method in response.body.decode()


@pytest.mark.parametrize("status", [200, 201, 204, 301, 304, 400, 404, 418, 500, 503])
def test_status_is_as_asked_for(client, status):
    assert client.request("GET", f"/status/{status}").status == status
    assert client.request("GET", "/get").status == 200, "the connection is in step"


@pytest.mark.parametrize("size", [0, 1, 1000, 100_000, 10_000_000])
def test_bytes_are_as_many_as_asked_for(client, size):
    first, second = (client.request("GET", f"/bytes/{size}").body for _ in range(2))
    assert len(first) == size
    assert (
        hashlib.sha256(first).digest() == hashlib.sha256(second).digest()
    ), "the same bytes each time, so that they can be compared"


def test_delay_waits(client):
    begun = time.monotonic()
    assert client.request("GET", "/delay/1").status == 200
    assert 0.9 < time.monotonic() - begun < 5


def test_stream_comes_in_pieces(client):
    client.send_head("GET", "/stream/5")
    head = client.reader.read_head()
    pieces = b"".join(client.reader.iterate_body(head, is_response=True))
    assert pieces.count(b"\n") == 5


def test_count_counts_the_body(client):
    response = client.request("POST", "/count", body=b"x" * 123_456)
    assert b"123456" in response.body
    client.send_head("POST", "/count", [("transfer-encoding", "chunked")])
    client.send(message.chunked(b"12345", b"678"))
    assert b"8" in client.read_response().body


def test_unknown_path_is_404(client):
    assert client.request("GET", "/unknown").status == 404


@pytest.mark.parametrize(
    "target",
    ["/bytes/-1", "/bytes/x", "/status/9999", "/status/0", "/delay/-1", "/stream/x", "/bytes/99999999999999999999"],
)
def test_nonsense_is_refused(client, target):
    assert client.request("GET", target).status in (400, 404)


def test_behind_the_gateway(own_gateway, sample_upstream, tls):
    gateway = own_gateway({"sample.yaml": documents.routes("sample", sample_upstream)})
    with gateway.connect(f"sample.{DOMAIN}", tls=tls) as client:
        fields = json.loads(client.request("GET", "/headers").body)["headers"]
        assert "x-request-id" in {name.lower() for name in fields}
        assert len(client.request("GET", "/bytes/1000000").body) == 1_000_000
        client.send_head("POST", "/count", [("content-length", str(10_000_000))])
        for block in pattern.blocks(10_000_000):
            client.send(block)
        assert b"10000000" in client.read_response().body


def test_curl_examples_of_the_help(own_gateway, sample_upstream):
    gateway = own_gateway({"sample.yaml": documents.routes("sample", sample_upstream)})
    port = gateway.port(443)
    got = curl("-k", f"https://sample.{DOMAIN}:{port}/get", host=f"sample.{DOMAIN}", port=port)
    assert got.returncode == 0 and json.loads(got.stdout)

"""retries of a VirtualService: what is tried again, how often, with what content."""

import time

import pytest

from harness import documents
from harness.documents import DOMAIN, service_entry
from harness.gateway import Gateway
from harness.upstream import Upstream, in_turn

HOST = f"app.{DOMAIN}"

RULES = """
  - match: [{uri: {prefix: /5xx}}]
    retries: {attempts: 2, retryOn: 5xx, backoff: 1ms}
    route: [{destination: {host: app.upstream.test}}]
  - match: [{uri: {prefix: /status}}]
    retries: {attempts: 1, retryOn: "404", backoff: 1ms}
    route: [{destination: {host: app.upstream.test}}]
  - match: [{uri: {prefix: /never}}]
    retries: {attempts: 0}
    route: [{destination: {host: app.upstream.test}}]
  - match: [{uri: {prefix: /try}}]
    retries: {attempts: 1, retryOn: gateway-error, perTryTimeout: 200ms, backoff: 1ms}
    route: [{destination: {host: app.upstream.test}}]
  - match: [{uri: {prefix: /short}}]
    retries: {attempts: 50, retryOn: 5xx, backoff: 100ms}
    timeout: 300ms
    route: [{destination: {host: app.upstream.test}}]
  - match: [{uri: {prefix: /two}}]
    retries: {attempts: 1, retryOn: 5xx, backoff: 1ms}
    route: [{destination: {host: two.upstream.test}}]
  - route: [{destination: {host: app.upstream.test}}]
"""


def status(code):
    def script(peer, request):
        peer.read_body(request)
        peer.respond(status=code, body=str(code).encode())

    return script


def echo(peer, request):
    peer.read_body(request)
    peer.respond(body=request.get("x-envoy-attempt-count").encode() + b":" + (request.body or b""))


def lose(peer, request):
    peer.read_body(request)
    peer.close()


def stay_silent(peer, request):
    peer.read_body(request)
    peer.wait_for_close()


@pytest.fixture(scope="module")
def upstream():
    made = Upstream().serve(echo)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def others():
    made = [Upstream().serve(status(500)), Upstream().serve(status(200))]
    yield made
    for each in made:
        each.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory, certificate, upstream, others):
    service = documents.virtual_service_of(RULES, HOST)
    texts = {
        "routes.yaml": documents.join(
            service_entry("app", upstream.port), service_entry("two", *(each.port for each in others)), service
        )
    }
    with Gateway(tmp_path_factory.mktemp("retries"), documents.kyma_texts(certificate) | texts) as gateway:
        yield gateway


@pytest.fixture
def ask(running, upstream):
    """ask(target, scripts) gives the response and how many requests the upstream has seen."""

    def request(target, *scripts, method="GET", body=None, headers=()):
        before = len(upstream.requests)
        with upstream.answering(in_turn(*scripts)), running.connect(HOST) as client:
            response = client.request(method, target, body=body, headers=headers)
        return response, len(upstream.requests) - before

    return request


def test_a_response_that_is_no_answer_is_asked_for_again(ask):
    response, count = ask("/5xx", status(503), status(500), echo)
    assert (response.status, response.body, count) == (200, b"3:", 3)


def test_the_last_response_is_passed_on_when_there_are_no_more_attempts(running, ask):
    response, count = ask("/5xx/last", status(503), status(502), status(501), echo)
    assert (response.status, response.body, count) == (501, b"501", 3)
    assert " 501 URX via_upstream " in running.wait_for_access_line("/5xx/last")


def test_only_what_the_policy_names(ask):
    response, count = ask("/status", status(404), echo)
    assert (response.status, count) == (200, 2)
    response, count = ask("/status", status(503), echo)
    assert (response.status, count) == (503, 1)
    response, count = ask("/", status(503), echo)
    assert (response.status, count) == (503, 1), "the default leaves statuses alone"


def test_an_upstream_that_is_lost(ask):
    response, count = ask("/5xx", lose, lose, echo, method="POST", body=b"content")
    assert (response.status, response.body, count) == (200, b"3:content", 3)
    response, count = ask("/never", lose, echo, method="POST", body=b"content")
    assert (response.status, count) == (503, 1)


@pytest.mark.parametrize("size", [0, 1, 65_536])
def test_content_is_sent_again(ask, size):
    body = b"x" * size
    response, count = ask("/5xx", status(503), echo, method="POST", body=body)
    assert (response.status, response.body, count) == (200, b"2:" + body, 2)


def test_content_that_is_too_long_is_sent_once(ask):
    response, count = ask("/5xx", status(503), echo, method="POST", body=b"x" * 65_537)
    assert (response.status, count) == (503, 1)


def test_chunked_content_is_sent_again_with_its_trailers(running, upstream):
    before = len(upstream.requests)
    with upstream.answering(in_turn(status(503), echo)), running.connect(HOST) as client:
        client.send_head("POST", "/5xx", [("transfer-encoding", "chunked"), ("trailer", "x-sum")])
        client.send(b"3\r\nabc\r\n4\r\ndefg\r\n0\r\nx-sum: 7\r\n\r\n")
        response = client.read_response()
    assert (response.status, response.body) == (200, b"2:abcdefg")
    assert len(upstream.requests) - before == 2


def test_an_attempt_that_takes_too_long(running, ask):
    response, count = ask("/try", stay_silent, echo)
    assert (response.status, count) == (200, 2)
    response, count = ask("/try/out", stay_silent, stay_silent, echo)
    assert (response.status, response.body, count) == (504, b"upstream request timeout", 2)
    line = running.wait_for_access_line("/try/out")
    assert " 504 UT,URX upstream_per_try_timeout " in line


def test_the_timeout_of_the_route_is_for_all_attempts(ask):
    start = time.monotonic()
    response, count = ask("/short", *[status(500)] * 60)
    assert response.status == 504
    assert 1 < count < 50
    assert time.monotonic() - start < 5


def test_another_endpoint_is_preferred(running):
    """One of the two endpoints always fails: with one retry every request succeeds."""
    for _ in range(20):
        with running.connect(HOST) as client:
            assert client.request("GET", "/two").status == 200


def test_a_client_may_leave_during_the_pause(running, upstream):
    with upstream.answering(status(500)), running.connect(HOST) as client:
        client.send_head("GET", "/short")
        upstream.wait_for(lambda: True)
    running.check_health()

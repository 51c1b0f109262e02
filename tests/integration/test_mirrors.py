"""mirror and mirrors of a VirtualService: who gets copies of requests, what is in them, and that nobody waits."""

import pytest

from harness import documents, ports
from harness.documents import DOMAIN, service_entry
from harness.gateway import Gateway, wait_until
from harness.http2_upstream import Http2Upstream
from harness.upstream import Upstream

HOST = f"app.{DOMAIN}"
CONTENT_MAX = 1024 * 1024

RULES = """
  - match: [{uri: {prefix: /one}}]
    mirror: {host: copy.upstream.test}
    route: [{destination: {host: app.upstream.test}}]
  - match: [{uri: {prefix: /both}}]
    mirrors:
    - destination: {host: copy.upstream.test}
    - destination: {host: other.upstream.test}
      percentage: {value: 100}
    rewrite: {uri: /rewritten, authority: "shop.example:8080"}
    headers: {request: {set: {x-added: "yes"}}}
    route: [{destination: {host: app.upstream.test}}]
  - match: [{uri: {prefix: /half}}]
    mirror: {host: copy.upstream.test}
    mirrorPercentage: {value: 50}
    route: [{destination: {host: app.upstream.test}}]
  - match: [{uri: {prefix: /none}}]
    mirror: {host: copy.upstream.test}
    mirrorPercentage: {value: 0}
    route: [{destination: {host: app.upstream.test}}]
  - match: [{uri: {prefix: /http2}}]
    mirror: {host: h2.upstream.test}
    route: [{destination: {host: app.upstream.test}}]
  - match: [{uri: {prefix: /liar}}]
    mirror: {host: liar.upstream.test}
    route: [{destination: {host: app.upstream.test}}]
  - match: [{uri: {prefix: /nowhere}}]
    mirror: {host: nowhere.upstream.test}
    route: [{destination: {host: app.upstream.test}}]
  - match: [{uri: {prefix: /retried}}]
    mirror: {host: copy.upstream.test}
    retries: {attempts: 2, retryOn: 5xx, backoff: 1ms}
    route: [{destination: {host: app.upstream.test}}]
"""


def answer(peer, request):
    peer.read_body(request)
    peer.respond(body=b"original")


def answer_at_length(peer, request):
    """What nobody reads must not stand in the way of the next copy on the connection."""
    peer.read_body(request)
    peer.respond(body=b"x" * 300_000)


def answer_stream(stream):
    stream.read_body()
    stream.respond(status=500, body=b"copy")


def stay_silent(peer, request):
    peer.read_body(request)
    peer.wait_for_close()


@pytest.fixture(scope="module")
def upstreams():
    scripts = {"app": answer, "copy": answer_at_length, "other": answer}
    made = {name: Upstream().serve(script) for name, script in scripts.items()}
    made["h2"] = Http2Upstream().serve(answer_stream)
    yield made
    for upstream in made.values():
        upstream.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory, certificate, upstreams):
    protocols = {"h2": "HTTP2"}
    entries = [
        service_entry(name, upstream.port, protocol=protocols.get(name, "HTTP")) for name, upstream in upstreams.items()
    ]
    entries.append(service_entry("nowhere", ports.free_port()))
    entries.append(service_entry("liar", upstreams["other"].port, protocol="HTTP2"))
    texts = {"routes.yaml": documents.join(*entries, documents.virtual_service_of(RULES, HOST))}
    with Gateway(tmp_path_factory.mktemp("mirrors"), documents.kyma_texts(certificate) | texts) as gateway:
        yield gateway


@pytest.fixture
def ask(running):
    def request(target, method="GET", body=None, headers=()):
        with running.connect(HOST) as client:
            response = client.request(method, target, body=body, headers=headers)
        assert (response.status, response.body) == (200, b"original")

    return request


def copies_of(upstream, target):
    return [request for request in upstream.requests if request.target == target]


def wait_for_copy(upstream, target):
    assert upstream.wait_for(lambda: copies_of(upstream, target)), f"no copy of {target} came"
    return copies_of(upstream, target)[0]


def test_a_copy_goes_to_the_mirror_under_another_host(ask, upstreams):
    ask("/one/a?b=c", headers=[("x-mine", "1")])
    copy = wait_for_copy(upstreams["copy"], "/one/a?b=c")
    assert (copy.method, copy.get("host"), copy.get("x-mine")) == ("GET", f"{HOST}-shadow", "1")
    original = copies_of(upstreams["app"], "/one/a?b=c")[0]
    assert copy.get("x-request-id") == original.get("x-request-id")
    assert original.get("host") == HOST


def test_copies_are_as_the_destination_sees_the_request(ask, upstreams):
    ask("/both/x", method="POST", body=b"content")
    for name in ("copy", "other"):
        copy = wait_for_copy(upstreams[name], "/rewritten/x")
        assert (copy.get("host"), copy.get("x-added")) == ("shop.example-shadow:8080", "yes")
        assert upstreams[name].wait_for(lambda seen=copy: seen.body == b"content")


@pytest.mark.parametrize("size", [1, 70_000, CONTENT_MAX])
def test_content_is_copied(ask, upstreams, size):
    ask(f"/one/size/{size}", method="POST", body=b"x" * size)
    copy = wait_for_copy(upstreams["copy"], f"/one/size/{size}")
    assert upstreams["copy"].wait_for(lambda: copy.body == b"x" * size)


def test_chunked_content_is_copied(running, upstreams):
    with running.connect(HOST) as client:
        client.send_head("POST", "/one/chunked", [("transfer-encoding", "chunked")])
        client.send(b"3\r\nabc\r\n0\r\n\r\n")
        assert client.read_response().status == 200
    copy = wait_for_copy(upstreams["copy"], "/one/chunked")
    assert upstreams["copy"].wait_for(lambda: copy.body == b"abc")


def test_content_that_is_too_long_is_not_copied_and_counted(running, ask, upstreams):
    before = running.metric("sluice_mirrored_requests_lost_total")
    ask("/one/long", method="POST", body=b"x" * (CONTENT_MAX + 1))
    assert running.metric("sluice_mirrored_requests_lost_total") == before + 1
    assert not copies_of(upstreams["copy"], "/one/long")


def test_a_share_is_copied(ask, upstreams):
    for _ in range(64):
        ask("/half")
        ask("/none")
    wait_for_copy(upstreams["copy"], "/half")
    assert 10 < len(copies_of(upstreams["copy"], "/half")) < 54
    assert not copies_of(upstreams["copy"], "/none")


def test_nobody_waits_for_a_mirror_that_does_not_answer(ask, upstreams):
    with upstreams["copy"].answering(stay_silent):
        ask("/one/silent")
        wait_for_copy(upstreams["copy"], "/one/silent")
    upstreams["copy"].open_connections[-1].close()


def test_a_mirror_that_refuses_connections_changes_nothing(running, ask):
    before = running.metric("sluice_mirrored_requests_lost_total")
    ask("/nowhere")
    assert wait_until(lambda: running.metric("sluice_mirrored_requests_lost_total") == before + 1)


def test_a_mirror_that_speaks_http2(ask, upstreams):
    ask("/http2/x", method="POST", body=b"content", headers=[("x-mine", "1")])
    copy = wait_for_copy(upstreams["h2"], "/http2/x")
    assert (copy.pseudo[":authority"], copy.pseudo[":scheme"], copy.get("x-mine")) == (f"{HOST}-shadow", "http", "1")
    assert upstreams["h2"].wait_for(lambda: copy.body == b"content")


def test_a_mirror_that_speaks_http1_where_http2_was_promised_changes_nothing(running, ask):
    before = running.metric("sluice_mirrored_requests_lost_total")
    ask("/liar")
    assert wait_until(lambda: running.metric("sluice_mirrored_requests_lost_total") == before + 1)


def test_requests_that_are_repeated_are_copied_once(ask, upstreams):
    def fail(peer, request):
        peer.read_body(request)
        peer.respond(status=503)
        upstreams["app"].script = answer

    with upstreams["app"].answering(fail):
        ask("/retried", method="POST", body=b"content")
    wait_for_copy(upstreams["copy"], "/retried")
    assert len(copies_of(upstreams["app"], "/retried")) == 2
    ask("/one/last")
    wait_for_copy(upstreams["copy"], "/one/last")
    assert len(copies_of(upstreams["copy"], "/retried")) == 1


def test_connections_to_mirrors_are_used_again(running, ask, upstreams):
    before = len(upstreams["copy"].connections)
    for i in range(10):
        ask(f"/one/again/{i}")
        wait_for_copy(upstreams["copy"], f"/one/again/{i}")
        assert wait_until(lambda: running.metric("sluice_mirrored_requests_active") == 0)
    assert len(upstreams["copy"].connections) <= before + 1


def test_a_gateway_stops_while_mirrors_are_silent(tmp_path, certificate):
    silent, app = Upstream().serve(stay_silent), Upstream().serve(answer)
    rule = """
  - mirror: {host: copy.upstream.test}
    route: [{destination: {host: app.upstream.test}}]
"""
    texts = {
        "routes.yaml": documents.join(
            service_entry("app", app.port),
            service_entry("copy", silent.port),
            documents.virtual_service_of(rule, HOST),
        )
    }
    with Gateway(tmp_path, documents.kyma_texts(certificate) | texts) as gateway:
        with gateway.connect(HOST) as client:
            assert client.request("GET", "/").status == 200
        silent.wait_for_requests(1)
    silent.stop()
    app.stop()

"""What a route does beside forwarding: redirect, direct response, rewrite, faults, CORS."""

import time

import pytest

from harness import documents
from harness.documents import DOMAIN, service_entry
from harness.gateway import Gateway, wait_until
from harness.upstream import Upstream

HOST = f"app.{DOMAIN}"
LONG_BODY = 700_000


def echo_head(peer, request):
    """Answers with the target and the fields that the tests look at."""
    peer.read_body(request)
    seen = [request.target] + [
        f"{name}={request.get(name)}"
        for name in ("host", "x-envoy-original-path", "x-path")
        if request.get(name) is not None
    ]
    peer.respond(headers=[("access-control-allow-origin", "upstream")], body="\n".join(seen).encode())


@pytest.fixture(scope="module")
def upstream():
    made = Upstream().serve(echo_head)
    yield made
    made.stop()


RULES = f"""
  - match: [{{uri: {{prefix: /redirect/path}}}}]
    redirect: {{uri: /new}}
  - match: [{{uri: {{prefix: /redirect/elsewhere}}}}]
    redirect: {{authority: b.example.com, scheme: https, port: 8443, redirectCode: 307}}
    headers: {{response: {{set: {{x-why: moved}}}}}}
  - match: [{{uri: {{exact: /direct}}}}]
    directResponse: {{status: 503, body: {{string: "come later\\n"}}}}
  - match: [{{uri: {{exact: /direct/json}}}}]
    directResponse: {{status: 200, body: {{string: "{{}}"}}}}
    headers: {{response: {{set: {{content-type: application/json}}}}}}
  - match: [{{uri: {{exact: /direct/long}}}}]
    directResponse: {{status: 200, body: {{string: "{'x' * LONG_BODY}"}}}}
  - match: [{{uri: {{exact: /direct/nothing}}}}]
    directResponse: {{status: 204}}
  - match: [{{uri: {{prefix: /rewrite/prefix}}}}]
    rewrite: {{uri: /v2, authority: other.example.com}}
    headers: {{request: {{set: {{x-path: "%REQ(:PATH)%"}}}}}}
    route: [{{destination: {{host: app.upstream.test}}}}]
  - match: [{{uri: {{prefix: /rewrite/regex}}}}]
    rewrite: {{uriRegexRewrite: {{match: "^/rewrite/regex/([^/]+)/(.*)$", rewrite: "/\\\\2/\\\\1"}}}}
    route: [{{destination: {{host: app.upstream.test}}}}]
  - match: [{{uri: {{prefix: /rewrite/every}}}}]
    rewrite: {{uriRegexRewrite: {{match: "x", rewrite: "y"}}}}
    route: [{{destination: {{host: app.upstream.test}}}}]
  - match: [{{uri: {{exact: /fault/abort}}}}]
    fault: {{abort: {{httpStatus: 555, percentage: {{value: 100}}}}}}
    route: [{{destination: {{host: app.upstream.test}}}}]
  - match: [{{uri: {{exact: /fault/half}}}}]
    fault: {{abort: {{grpcStatus: UNAVAILABLE, percentage: {{value: 50}}}}}}
    route: [{{destination: {{host: app.upstream.test}}}}]
  - match: [{{uri: {{exact: /fault/delay}}}}]
    fault: {{delay: {{fixedDelay: 300ms, percentage: {{value: 100}}}}}}
    route: [{{destination: {{host: app.upstream.test}}}}]
  - match: [{{uri: {{exact: /fault/long}}}}]
    fault: {{delay: {{fixedDelay: 1h, percentage: {{value: 100}}}}}}
    route: [{{destination: {{host: app.upstream.test}}}}]
  - match: [{{uri: {{prefix: /cors}}}}]
    corsPolicy:
      allowOrigins: [{{exact: "https://a.example"}}]
      allowMethods: [GET, PUT]
      allowHeaders: [x-a]
      exposeHeaders: [x-b]
      maxAge: 1h
      allowCredentials: true
    route: [{{destination: {{host: app.upstream.test}}}}]
  - match: [{{uri: {{prefix: /ignore}}}}]
    corsPolicy: {{allowOrigins: [{{exact: "https://a.example"}}], unmatchedPreflights: IGNORE}}
    route: [{{destination: {{host: app.upstream.test}}}}]
  - name: rest
    match: [{{name: all}}]
    route: [{{destination: {{host: app.upstream.test}}}}]
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory, certificate, upstream):
    service = documents.virtual_service_of(RULES, HOST)
    texts = {"routes.yaml": documents.join(service_entry("app", upstream.port), service)}
    folder = tmp_path_factory.mktemp("route-actions")
    with Gateway(folder, documents.kyma_texts(certificate) | texts) as gateway:
        yield gateway


@pytest.fixture
def ask(running):
    def request(target, method="GET", headers=()):
        with running.connect(HOST) as client:
            return client.request(method, target, headers=headers)

    return request


def test_redirect_replaces_the_path_and_keeps_the_query(ask):
    response = ask("/redirect/path/old?q=1")
    assert (response.status, response.get("location")) == (301, f"http://{HOST}/new?q=1")
    assert response.body == b""


def test_redirect_to_another_place(ask):
    response = ask("/redirect/elsewhere?q", method="POST", headers=[("content-length", "0")])
    assert (response.status, response.get("location")) == (
        307,
        "https://b.example.com:8443/redirect/elsewhere?q",
    )
    assert response.get("x-why") == "moved"


def test_direct_response_has_its_body_and_a_type(ask):
    response = ask("/direct")
    assert (response.status, response.body, response.get("content-type")) == (503, b"come later\n", "text/plain")
    response = ask("/direct/json")
    assert (response.status, response.body, response.get("content-type")) == (200, b"{}", "application/json")


def test_direct_response_without_content(ask):
    response = ask("/direct/nothing")
    assert (response.status, response.body, response.get("content-length")) == (204, b"", None)
    response = ask("/direct/long", method="HEAD")
    assert (response.status, response.body, response.get("content-length")) == (200, b"", str(LONG_BODY))


def test_a_long_direct_response_waits_for_a_slow_reader(running):
    """Its body is not put into memory for every client that does not read."""
    with running.connect(HOST, receive_buffer=4096) as client:
        client.send_head("GET", "/direct/long")
        time.sleep(0.3)
        response = client.read_response()
        assert response.body == b"x" * LONG_BODY
        assert client.request("GET", "/direct").status == 503, "the connection goes on"


def test_rewrites_reach_the_destination(ask):
    assert ask("/rewrite/prefix/a?q=1").body.decode().split("\n") == [
        "/v2/a?q=1",
        "host=other.example.com",
        "x-envoy-original-path=/rewrite/prefix/a?q=1",
        "x-path=/rewrite/prefix/a?q=1",
    ]
    assert ask("/rewrite/regex/a/b/c").body.decode().split("\n")[0] == "/b/c/a"
    assert ask("/rewrite/every/" + "x" * 100).body.decode().split("\n")[0] == "/rewrite/every/" + "y" * 100
    assert ask("/rewrite/every/" + "x" * 101).status == 400


def test_an_original_path_of_the_client_is_not_believed(ask):
    body = ask("/plain", headers=[("x-envoy-original-path", "/lie")]).body.decode()
    assert "x-envoy-original-path" not in body


def test_abort_answers_the_share_that_is_configured(ask):
    response = ask("/fault/abort")
    assert (response.status, response.body) == (555, b"fault filter abort")
    statuses = [ask("/fault/half").status for _ in range(60)]
    assert set(statuses) == {200, 503}
    assert 10 < statuses.count(503) < 50


def test_delay_comes_before_the_answer(ask):
    start = time.monotonic()
    assert ask("/fault/delay").status == 200
    assert time.monotonic() - start >= 0.3


def test_a_client_may_leave_while_it_is_delayed(running):
    with running.connect(HOST) as client:
        client.send_head("GET", "/fault/long")
        assert wait_until(lambda: running.metric("sluice_requests_active") == 1)
    assert wait_until(lambda: running.metric("sluice_requests_active") == 0)


def test_preflight_is_answered_by_the_gateway(ask):
    asking = [("origin", "https://a.example"), ("access-control-request-method", "PUT")]
    response = ask("/cors", method="OPTIONS", headers=asking)
    assert (response.status, response.body) == (200, b"")
    expected = {
        "access-control-allow-origin": "https://a.example",
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET,PUT",
        "access-control-allow-headers": "x-a",
        "access-control-max-age": "3600",
        "access-control-expose-headers": None,
    }
    assert {name: response.get(name) for name in expected} == expected


def test_actual_request_learns_what_is_allowed(ask):
    response = ask("/cors", headers=[("origin", "https://a.example")])
    assert response.get("access-control-allow-origin") == "https://a.example"
    assert response.get("access-control-expose-headers") == "x-b"
    assert response.body.startswith(b"/cors")


def test_other_origins_are_left_to_the_destination(ask):
    asking = [("origin", "https://b.example"), ("access-control-request-method", "PUT")]
    response = ask("/cors", method="OPTIONS", headers=asking)
    assert response.get("access-control-allow-origin") == "upstream"
    response = ask("/ignore", method="OPTIONS", headers=asking)
    assert (response.status, response.body) == (200, b"")
    assert response.get("access-control-allow-origin") is None


def test_the_log_has_both_paths_and_the_names(running, ask):
    ask("/rewrite/prefix/logged")
    line = running.wait_for_access_line("/rewrite/prefix/logged")
    assert '"GET /rewrite/prefix/logged HTTP/1.1" 200' in line
    ask("/named")
    assert running.wait_for_access_line("/named").endswith("rest.all")
    ask("/fault/abort")
    assert " 555 FI fault_filter_abort " in running.wait_for_access_line("/fault/abort")

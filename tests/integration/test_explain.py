"""`sluice explain` and `routes`: what they say is what the running proxy does."""

import json
import urllib.parse

import pytest

from harness import documents
from harness.documents import DOMAIN, service_entry
from harness.gateway import ROOT, Gateway, run_sluice
from harness.upstream import Upstream

HOST = f"app.{DOMAIN}"
# Differ from request to request, or say when and where it was.
NOT_COMPARED = {"x-request-id", "date", "content-length"}

RULES = """
  - match: [{uri: {prefix: /redirect/path}}]
    redirect: {uri: /new}
  - match: [{uri: {prefix: /redirect/elsewhere}}]
    redirect: {authority: b.example.com, scheme: https, port: 8443, redirectCode: 307}
    headers: {response: {set: {x-why: "moved from %REQ(:PATH)%"}}}
  - match: [{uri: {prefix: /redirect/port}}]
    redirect: {derivePort: FROM_REQUEST_PORT, redirectCode: 302}
  - match: [{uri: {exact: /direct}}]
    directResponse: {status: 503, body: {string: "come later\\n"}}
  - match: [{uri: {exact: /direct/json}}]
    directResponse: {status: 200, body: {string: "{}"}}
    headers: {response: {set: {content-type: application/json}}}
  - match: [{uri: {prefix: /rewrite/prefix}}]
    rewrite: {uri: /v2, authority: other.example.com}
    headers: {request: {set: {x-path: "%REQ(:PATH)%", x-host: "%REQ(:AUTHORITY)%"}, add: {x-more: b}}}
    route: [{destination: {host: app.upstream.test}}]
  - match: [{uri: {prefix: /rewrite/regex}}]
    rewrite: {uriRegexRewrite: {match: "^/rewrite/regex/([^/]+)/(.*)$", rewrite: "/\\\\2/\\\\1"}}
    route: [{destination: {host: app.upstream.test}}]
  - match: [{uri: {prefix: /rewrite/every}}]
    rewrite: {uriRegexRewrite: {match: "x", rewrite: "y"}}
    route: [{destination: {host: app.upstream.test}}]
  - match: [{uri: {exact: /fault/abort}}]
    fault: {abort: {httpStatus: 555, percentage: {value: 100}}}
    route: [{destination: {host: app.upstream.test}}]
  - match: [{uri: {prefix: /cors}}]
    corsPolicy:
      allowOrigins: [{exact: "https://a.example"}]
      allowMethods: [GET, PUT]
      allowHeaders: [x-a]
      exposeHeaders: [x-b]
      maxAge: 1h
      allowCredentials: true
    headers: {response: {set: {x-cors: "yes"}}}
    route: [{destination: {host: app.upstream.test}}]
  - match: [{uri: {prefix: /ignore}}]
    corsPolicy: {allowOrigins: [{exact: "https://a.example"}], unmatchedPreflights: IGNORE}
    route: [{destination: {host: app.upstream.test}}]
  - name: conditions
    match:
    - {uri: {prefix: /if}, method: {exact: PUT}}
    - name: team
      uri: {prefix: /if}
      headers: {x-team: {regex: "a|b"}}
    - {uri: {prefix: /if}, queryParams: {v: {exact: "1"}}}
    headers: {request: {set: {x-route: "%ROUTE_NAME%"}, remove: [cookie]}}
    route: [{destination: {host: other.upstream.test}}]
  - match: [{uri: {prefix: /if}}]
    directResponse: {status: 404, body: {string: "no condition holds"}}
  - name: split
    match: [{uri: {prefix: /split}}]
    route:
    - destination: {host: app.upstream.test}
      weight: 50
      headers: {request: {set: {x-to: app}}}
    - destination: {host: other.upstream.test}
      weight: 50
      headers: {request: {set: {x-to: other}}}
  - match: [{uri: {prefix: /nowhere}}]
    route: [{destination: {host: nowhere.upstream.test}}]
  - match: [{uri: {prefix: /rest}}]
    route: [{destination: {host: app.upstream.test}}]
"""

ORIGIN = ("origin", "https://a.example")
OTHER = ("origin", "https://b.example")
PREFLIGHT = ("access-control-request-method", "PUT")
PLAIN, HTTPS, KYMA_PLAIN = ("http", 8080), ("https", 443), ("http", 80)

# (where, method, target, header fields)
REQUESTS = [
    (PLAIN, "GET", "/redirect/path/old?q=1", ()),
    (HTTPS, "GET", "/redirect/path/old?q=1", ()),
    (PLAIN, "GET", "/redirect/elsewhere?q", ()),
    (PLAIN, "GET", "/redirect/port/a", ()),
    (HTTPS, "GET", "/redirect/port/a", ()),
    (KYMA_PLAIN, "GET", "/anything?a=b", ()),
    (KYMA_PLAIN, "GET", "/a/../b", ()),
    (PLAIN, "GET", "/direct", ()),
    (PLAIN, "GET", "/direct?x", ()),
    (PLAIN, "GET", "/direct/json", ()),
    (PLAIN, "GET", "/direct/", ()),
    (PLAIN, "GET", "/rewrite/prefix/a?q=1", ()),
    (HTTPS, "GET", "/rewrite/prefix/a?q=1", [("x-more", "a")]),
    (PLAIN, "GET", "/rewrite/regex/a/b/c", ()),
    (PLAIN, "GET", "/rewrite/every/" + "x" * 100, ()),
    (PLAIN, "GET", "/rewrite/every/" + "x" * 101, ()),
    (PLAIN, "GET", "/fault/abort", ()),
    (PLAIN, "GET", "/cors", [ORIGIN]),
    (PLAIN, "GET", "/cors", [OTHER]),
    (PLAIN, "OPTIONS", "/cors", [ORIGIN, PREFLIGHT]),
    (PLAIN, "OPTIONS", "/cors", [OTHER, PREFLIGHT]),
    (PLAIN, "OPTIONS", "/cors", [ORIGIN]),
    (PLAIN, "OPTIONS", "/ignore", [OTHER, PREFLIGHT]),
    (PLAIN, "OPTIONS", "/ignore", [ORIGIN, PREFLIGHT]),
    (PLAIN, "PUT", "/if", [("content-length", "0"), ("cookie", "a=b")]),
    (PLAIN, "GET", "/if", [("x-team", "b")]),
    (PLAIN, "GET", "/if", [("x-team", "c")]),
    (PLAIN, "GET", "/if?v=1", ()),
    (PLAIN, "GET", "/if?v=2&v=1", ()),
    (PLAIN, "GET", "/split", ()),
    (PLAIN, "GET", "/nowhere", ()),
    (PLAIN, "GET", "/", ()),
    (PLAIN, "GET", "/rest", ()),
    (HTTPS, "GET", "/rest", ()),
    (PLAIN, "GET", "/rest/./a/../b%41%2f", ()),
    (PLAIN, "GET", "/rest/%00", ()),
    (PLAIN, "GET", "/rest", [("connection", "x-gone"), ("x-gone", "1"), ("te", "trailers, gzip"), ("keep-alive", "1")]),
    (PLAIN, "GET", "/rest", [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "https"), ("x-envoy-a", "b")]),
    (PLAIN, "GET", "/rest", [("host", f"unknown.{DOMAIN}")]),
    (PLAIN, "GET", "/rest", [("host", HOST.upper() + ":1234")]),
    (HTTPS, "GET", "/rest", [("host", f"unknown.{DOMAIN}")]),
    (PLAIN, "GET", "/rest", [("host", "a b")]),
    (PLAIN, "GET", "/rest", [("x-long", "y" * 61_500)]),
]


def echo_head(peer, request):
    """Answers with everything that came."""
    peer.read_body(request)
    peer.respond(body=json.dumps([request.method, request.target, request.headers]).encode())


@pytest.fixture(scope="module")
def upstreams():
    made = {name: Upstream().serve(echo_head) for name in ("app", "other")}
    yield made
    for upstream in made.values():
        upstream.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory, certificate, upstreams):
    service = documents.virtual_service_of(RULES, HOST, (documents.PLAIN_GATEWAY, documents.GATEWAY))
    entries = [service_entry(name, upstream.port) for name, upstream in upstreams.items()]
    texts = {"routes.yaml": documents.join(*entries, service)}
    with Gateway(tmp_path_factory.mktemp("explain"), documents.kyma_texts(certificate) | texts) as gateway:
        yield gateway


def url_of(where, target):
    scheme, port = where
    return f"{scheme}://{HOST}:{port}{target}"


def host_field(where):
    """What a client writes for that URL."""
    scheme, port = where
    return HOST if (scheme, port) in (("https", 443), ("http", 80)) else f"{HOST}:{port}"


def explained(running, where, method, target, headers, *options):
    fields = [word for name, value in headers for word in ("-H", f"{name}: {value}")]
    result = run_sluice("explain", "--config", running.config, "-X", method, *fields, *options, url_of(where, target))
    assert result.returncode == 0, result.stderr
    return result.stdout


def values(fields, *left_out):
    return sorted((name, value) for name, value in fields if name not in NOT_COMPARED | set(left_out))


def pairs(fields):
    return [(field["name"], field["value"]) for field in fields]


@pytest.mark.parametrize("index", range(len(REQUESTS)))
def test_the_proxy_does_what_explain_says(running, index):
    where, method, target, headers = REQUESTS[index]
    said = json.loads(explained(running, where, method, target, headers, "--json"))
    sent = list(headers)
    if not any(name == "host" for name, _ in headers):
        sent.append(("host", host_field(where)))
    scheme, port = where
    with running.connect(HOST, number=port, tls=scheme == "https") as client:
        response = client.request(method, target, headers=sent)

    if said["answer"]:
        answer = said["answer"]
        assert (response.status, response.body.decode()) == (answer["status"], answer["body"])
        assert values(response.headers, "connection") == values(pairs(answer["fields"]))
        return
    assert said["outcome"] == "forward" and response.status == 200
    seen_method, seen_target, seen_fields = json.loads(response.body)
    seen = (seen_method, seen_target, values(map(tuple, seen_fields)))
    could_be = {
        to["cluster"]["name"]: (to["request"]["method"], to["request"]["target"], values(pairs(to["request"]["fields"])))
        for to in said["destinations"]
    }
    assert seen in could_be.values(), could_be
    for name, value in pairs(said["destinations"][0]["responseFields"]):
        assert response.get(name) == value


def test_the_cluster_is_the_one_that_the_proxy_counts(running):
    said = json.loads(explained(running, PLAIN, "PUT", "/if", [("content-length", "0")], "--json"))
    assert said["destinations"][0]["cluster"]["name"] == "outbound|80||other.upstream.test"
    assert said["destinations"][0]["percent"] == 100
    with running.connect(HOST) as client:
        client.request("PUT", "/if?counted", headers=[("content-length", "0")])
    assert "outbound|80||other.upstream.test" in running.wait_for_access_line("/if?counted")


def test_the_admin_port_says_the_same_of_the_live_configuration(running):
    url = url_of(PLAIN, "/rewrite/prefix/a?q=1&r=2")
    query = urllib.parse.urlencode([("url", url), ("header", "x-a: 1"), ("client", "192.0.2.9")])
    live = running.admin_json("/explain?" + query)
    offline = json.loads(
        explained(running, PLAIN, "GET", "/rewrite/prefix/a?q=1&r=2", [("x-a", "1")], "--json", "--client", "192.0.2.9")
    )
    assert live == offline
    status, _, text = running.admin("/explain?format=text&" + query)
    assert status == 200 and "\noutcome     forwarded\n" in text
    status, _, text = running.admin("/explain?url=nonsense")
    assert status == 400 and "is no URL" in text
    lists = running.admin_json("/routes")["routeLists"]
    assert lists == json.loads(run_sluice("routes", "--json", "--config", running.config).stdout)["routeLists"]


def test_commands_need_no_certificate_and_open_no_port():
    example = ROOT / "examples" / "kyma-gateway"
    result = run_sluice("explain", "--config", example, "https://httpbin.local.kyma.dev/get")
    assert result.returncode == 0, result.stderr
    assert "\noutcome     forwarded\n" in result.stdout
    assert "VirtualService default/httpbin" in result.stdout
    result = run_sluice("routes", "--config", example)
    assert result.returncode == 0 and "outbound|9000||httpbin.example" in result.stdout


def test_wrong_use_is_told(tmp_path):
    example = ROOT / "examples" / "kyma-gateway"
    for arguments in (["nonsense"], ["-H", "nonsense", "https://a/"], ["-X", "a b", "https://a/"]):
        result = run_sluice("explain", "--config", example, *arguments)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr.startswith("sluice: error: "), result.stderr
    assert run_sluice("explain", "--config", example, "--client", "x", "https://a/").returncode == 2
    (tmp_path / "bad.yaml").write_text("kind: Gateway\n")
    for command in (["routes"], ["explain", "https://a/"]):
        result = run_sluice(command[0], "--config", tmp_path, *command[1:])
        assert result.returncode == 1 and "bad.yaml:1:" in result.stderr

"""Which VirtualService, which rule, which destination."""

import collections

import pytest

from harness import documents
from harness.documents import DOMAIN, destination, http_rule, service_entry, virtual_service
from harness.upstream import Upstream


def answer_with(name):
    def script(peer, request):
        peer.read_body(request)
        peer.respond(body=name.encode())

    return script


@pytest.fixture(scope="module")
def upstreams():
    made = {name: Upstream().serve(answer_with(name)) for name in ("red", "green", "blue")}
    yield made
    for upstream in made.values():
        upstream.stop()


@pytest.fixture
def routed(own_gateway, upstreams):
    """routed(VirtualService...) gives ask(host, target): status, or who answered."""

    def start(*services, **options):
        entries = [service_entry(name, upstream.port) for name, upstream in upstreams.items()]
        gateway = own_gateway({"routes.yaml": documents.join(*entries, *services)}, **options)

        def ask(host, target="/"):
            with gateway.connect(host) as client:
                response = client.request("GET", target)
                return response.body.decode() if response.status == 200 else response.status

        return ask

    return start


def uri(kind, value):
    return f'    - uri:\n        {kind}: "{value}"\n'


def test_exact_path_matches_only_itself(routed):
    ask = routed(virtual_service("app", [f"app.{DOMAIN}"], [http_rule("red", match=uri("exact", "/one"))]))
    assert ask(f"app.{DOMAIN}", "/one") == "red"
    assert ask(f"app.{DOMAIN}", "/one?query=1") == "red"
    for target in ("/one/", "/onetwo", "/On", "/ONE", "/"):
        assert ask(f"app.{DOMAIN}", target) == 404, target


def test_prefix_is_a_prefix_of_the_text(routed):
    """ "/foo" matches "/foobar", as in Istio."""
    ask = routed(virtual_service("app", [f"app.{DOMAIN}"], [http_rule("red", match=uri("prefix", "/foo"))]))
    for target in ("/foo", "/foo/", "/foo/bar", "/foobar", "/foo?x"):
        assert ask(f"app.{DOMAIN}", target) == "red", target
    for target in ("/", "/fo", "/bar/foo", "/Foo"):
        assert ask(f"app.{DOMAIN}", target) == 404, target


def test_first_rule_that_matches_wins(routed):
    ask = routed(
        virtual_service(
            "app",
            [f"app.{DOMAIN}"],
            [
                http_rule("red", match=uri("exact", "/a/b")),
                http_rule("green", match=uri("prefix", "/a")),
                http_rule("blue"),
            ],
        )
    )
    assert ask(f"app.{DOMAIN}", "/a/b") == "red"
    assert ask(f"app.{DOMAIN}", "/a/c") == "green"
    assert ask(f"app.{DOMAIN}", "/z") == "blue"


def test_match_blocks_are_alternatives(routed):
    ask = routed(
        virtual_service("app", [f"app.{DOMAIN}"], [http_rule("red", match=uri("exact", "/x") + uri("prefix", "/y"))])
    )
    assert [ask(f"app.{DOMAIN}", target) for target in ("/x", "/y/z", "/w")] == ["red", "red", 404]


def test_routing_sees_the_normalised_path(routed):
    """Dot segments cannot lead around a rule."""
    ask = routed(
        virtual_service(
            "app",
            [f"app.{DOMAIN}"],
            [http_rule("red", match=uri("prefix", "/admin")), http_rule("blue", match=uri("prefix", "/public"))],
        )
    )
    assert ask(f"app.{DOMAIN}", "/public/../admin") == "red"
    assert ask(f"app.{DOMAIN}", "/public/%2e%2e/admin") == "red"
    assert ask(f"app.{DOMAIN}", "/%61dmin") == "red"


def test_host_is_exact_then_longest_wildcard_then_any(routed):
    ask = routed(
        virtual_service("exact", [f"a.b.{DOMAIN}"], "red"),
        virtual_service("long", [f"*.b.{DOMAIN}"], "green"),
        virtual_service("short", [f"*.{DOMAIN}"], "blue"),
    )
    assert ask(f"a.b.{DOMAIN}") == "red"
    assert ask(f"c.b.{DOMAIN}") == "green"
    assert ask(f"d.c.b.{DOMAIN}") == "green"
    assert ask(f"b.{DOMAIN}") == "blue"
    assert ask(f"x.y.z.{DOMAIN}") == "blue"
    assert ask(DOMAIN) == 404
    assert ask("example.com") == 404


def test_host_is_compared_without_case_port_and_trailing_dot(routed):
    ask = routed(virtual_service("app", [f"App.{DOMAIN}"], "red"))
    for host in (f"app.{DOMAIN}", f"APP.{DOMAIN.upper()}", f"app.{DOMAIN}:8080", f"app.{DOMAIN}:1"):
        assert ask(host) == "red", host


def test_any_host(routed):
    ask = routed(virtual_service("any", ["*"], "red", gateways=[documents.PLAIN_GATEWAY]))
    assert ask("whatever.example.org") == "red"
    assert ask("192.0.2.1") == "red"
    assert ask("[2001:db8::1]:80") == "red"


def test_unknown_path_and_unknown_host_are_404(routed):
    ask = routed(virtual_service("app", [f"app.{DOMAIN}"], [http_rule("red", match=uri("prefix", "/known"))]))
    assert ask(f"app.{DOMAIN}", "/unknown") == 404
    assert ask(f"other.{DOMAIN}", "/known") == 404


def test_weights_are_kept(routed):
    ask = routed(
        virtual_service(
            "app",
            [f"app.{DOMAIN}"],
            [http_rule(destination("red", 90), destination("green", 10), destination("blue", 0))],
        )
    )
    counts = collections.Counter(ask(f"app.{DOMAIN}") for _ in range(400))
    assert set(counts) == {"red", "green"}
    assert 15 <= counts["green"] <= 75, counts  # expected 40, standard deviation 6


def test_virtual_service_of_another_gateway_does_not_count(routed):
    ask = routed(virtual_service("tls-only", [f"app.{DOMAIN}"], "red", gateways=[documents.GATEWAY]))
    assert ask(f"app.{DOMAIN}") == 404, "the plain gateway is not named by the VirtualService"


def test_virtual_service_without_gateways_is_for_the_mesh(routed):
    """The default is "mesh": not an ingress route."""
    text = virtual_service("app", [f"app.{DOMAIN}"], "red", gateways=["mesh"])
    assert routed(text)(f"app.{DOMAIN}") == 404


def test_two_virtual_services_of_one_host_are_one_list(routed):
    ask = routed(
        virtual_service("first", [f"app.{DOMAIN}"], [http_rule("red", match=uri("prefix", "/red"))]),
        virtual_service("second", [f"app.{DOMAIN}"], [http_rule("green", match=uri("prefix", "/green"))]),
    )
    assert ask(f"app.{DOMAIN}", "/red") == "red"
    assert ask(f"app.{DOMAIN}", "/green") == "green"


def test_endpoints_share_the_load(own_gateway, upstreams):
    entry = service_entry("app", *[upstream.port for upstream in upstreams.values()])
    gateway = own_gateway({"app.yaml": documents.join(entry, virtual_service("app", [f"app.{DOMAIN}"], "app"))})
    counts = collections.Counter()
    for _ in range(150):
        with gateway.connect(f"app.{DOMAIN}") as client:
            counts[client.request().body] += 1
    assert set(counts) == {b"red", b"green", b"blue"}
    assert min(counts.values()) >= 15, counts


def test_other_conditions_than_the_path(own_gateway, upstreams):
    """Each request goes to "red" when it meets the conditions of its match, else to "green"."""
    matches = {
        "/method": "method: {regex: GET|PUT}",
        "/header": "headers: {X-User: {exact: jane}, x-any: {}}",
        "/several": "headers: {x-list: {exact: 'a,b'}}",
        "/without": "withoutHeaders: {x-debug: {}, x-level: {prefix: de}}",
        "/query": "queryParams: {q: {regex: '[0-9]+'}, flag: {}}",
        "/authority": f"authority: {{exact: app.{DOMAIN}}}",
        "/scheme": "scheme: {exact: http}",
        "/https": "scheme: {exact: https}",
        "/Case": "ignoreUriCase: true",
    }
    rules = [
        http_rule("red", match=f"    - {{uri: {{prefix: {path}}}, {more}}}\n") for path, more in matches.items()
    ] + [http_rule("green")]
    entries = [service_entry(name, upstream.port) for name, upstream in upstreams.items()]
    gateway = own_gateway(
        {"routes.yaml": documents.join(*entries, virtual_service("app", [f"app.{DOMAIN}"], rules))}
    )
    cases = [
        ("GET", "/method", [], "red"),
        ("PUT", "/method", [], "red"),
        ("POST", "/method", [], "green"),
        ("GET", "/header", [("X-USER", "jane"), ("X-Any", "")], "red"),
        ("GET", "/header", [("X-User", "Jane"), ("X-Any", "1")], "green"),
        ("GET", "/header", [("X-User", "jane")], "green"),
        ("GET", "/several", [("X-List", "a"), ("X-List", "b")], "red"),
        ("GET", "/several", [("X-List", "a")], "green"),
        ("GET", "/without", [], "red"),
        ("GET", "/without", [("X-Level", "info")], "red"),
        ("GET", "/without", [("X-Level", "debug")], "green"),
        ("GET", "/without", [("X-Debug", "")], "green"),
        ("GET", "/query?q=12&flag", [], "red"),
        ("GET", "/query?flag=1&q=1&q=x", [], "red"),
        ("GET", "/query?q=1x&flag", [], "green"),
        ("GET", "/query?q=12", [], "green"),
        ("GET", "/authority", [], "red"),
        ("GET", "/scheme", [], "red"),
        ("GET", "/https", [], "green"),
        ("GET", "/cASE/x", [], "red"),
        ("GET", "/CAS", [], "green"),
    ]
    for method, target, fields, expected in cases:
        with gateway.connect(f"app.{DOMAIN}") as client:
            response = client.request(method, target, headers=fields)
            assert response.body.decode() == expected, (method, target, fields)

"""Kyma's APIRules, through the running proxy: what they let through, and what reaches the service."""

import subprocess

import pytest

from harness import documents, ports
from harness.documents import DOMAIN
from harness.gateway import BINARY, Gateway
from harness.upstream import Upstream

PORT = 8000


def echo(peer, request):
    """Answers with the fields that the tests look at, and says what pages may do: it must not."""
    peer.read_body(request)
    seen = [f"{request.method} {request.target} {len(request.body or b'')}"] + [
        f"{name}={request.get(name)}" for name in ("x-forwarded-host", "x-a", "cookie") if request.get(name) is not None
    ]
    own = [("access-control-allow-origin", "upstream"), ("access-control-max-age", "1"), ("x-own", "here")]
    peer.respond(headers=own, body="\n".join(seen).encode())


@pytest.fixture(scope="module")
def upstream():
    made = Upstream().serve(echo)
    yield made
    made.stop()


def api_rule(name, host, rules, **spec):
    service = {"name": "app", "namespace": "test", "port": PORT}
    return documents.document(
        "APIRule",
        name,
        {"hosts": [host], "gateway": documents.PLAIN_GATEWAY, "service": service, "rules": rules} | spec,
        namespace="test",
    )


def rule(path, methods, **more):
    return {"path": path, "methods": methods, "noAuth": True} | more


@pytest.fixture(scope="module")
def running(tmp_path_factory, certificate, upstream):
    # The Service of the cluster, at an address that the test has.
    entry = {
        "hosts": ["app.test.svc.cluster.local"],
        "ports": [{"number": PORT, "name": "http", "protocol": "HTTP"}],
        "location": "MESH_INTERNAL",
        "resolution": "STATIC",
        "endpoints": [{"address": ports.LOOPBACK, "ports": {"http": upstream.port}}],
    }
    cors = {"allowOrigins": [{"exact": "https://a.example"}], "allowMethods": ["GET"], "maxAge": 600}
    texts = {
        "rules.yaml": documents.join(
            documents.document("ServiceEntry", "app", entry, namespace="test"),
            api_rule(
                "app",
                f"app.{DOMAIN}",
                [
                    rule("/exact.path", ["GET"]),
                    rule("/one/{*}/end", ["GET", "POST"]),
                    rule("/many/{**}", ["GET"], request={"headers": {"x-a": "b"}, "cookies": {"c": "d", "e": "f"}}),
                ],
            ),
            api_rule("all", f"*.all.{DOMAIN}", [rule("/*", ["GET"])]),
            api_rule("cors", f"cors.{DOMAIN}", [rule("/*", ["GET", "OPTIONS"])], corsPolicy=cors),
        )
    }
    folder = tmp_path_factory.mktemp("api-rule")
    with Gateway(folder, documents.kyma_texts(certificate) | texts) as gateway:
        yield gateway


@pytest.fixture
def ask(running):
    def request(host, target, method="GET", headers=(), **options):
        with running.connect(host) as client:
            return client.request(method, target, headers=headers, **options)

    return request


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/exact.path", 200),
        ("GET", "/exact.path?q=1", 200),
        ("GET", "/exactxpath", 404),
        ("GET", "/exact.path/", 404),
        ("POST", "/exact.path", 404),
        ("GET", "/one/a%20b/end", 200),
        ("POST", "/one/a/end", 200),
        ("GET", "/one/a/b/end", 404),
        ("GET", "/many/", 200),
        ("GET", "/many/a/b/c", 200),
        ("GET", "/many", 404),
        ("GET", "/", 404),
    ],
)
def test_paths_and_methods(ask, method, target, status):
    headers = [("content-length", "0")] if method == "POST" else []
    assert ask(f"app.{DOMAIN}", target, method=method, headers=headers).status == status


def test_the_service_learns_the_host_and_gets_fields_and_cookies(ask):
    host = f"app.{DOMAIN}"
    response = ask(host, "/many/x", headers=[("x-forwarded-host", "forged.example"), ("cookie", "own=1")])
    assert response.body.decode().split("\n") == [
        "GET /many/x 0",
        f"x-forwarded-host={host}",
        "x-a=b",
        "cookie=c=d; e=f",
    ]


def test_of_a_wildcard_host_the_service_learns_the_one_of_the_request(ask):
    response = ask(f"x.all.{DOMAIN}", "/")
    assert f"x-forwarded-host=x.all.{DOMAIN}" in response.body.decode().split("\n")[1]


def test_what_pages_may_do_is_said_by_the_rule_alone(ask):
    response = ask(f"app.{DOMAIN}", "/exact.path", headers=[("origin", "https://a.example")])
    assert response.get("access-control-allow-origin") is None
    assert response.get("access-control-max-age") is None
    assert response.get("x-own") == "here"
    response = ask(f"cors.{DOMAIN}", "/", headers=[("origin", "https://a.example")])
    assert response.get("access-control-allow-origin") == "https://a.example"
    response = ask(
        f"cors.{DOMAIN}",
        "/",
        method="OPTIONS",
        headers=[("origin", "https://a.example"), ("access-control-request-method", "GET")],
    )
    assert (response.status, response.get("access-control-allow-origin"), response.get("access-control-max-age")) == (
        200,
        "https://a.example",
        "600",
    )


def test_a_rule_that_needs_a_token_is_refused_and_says_where(tmp_path):
    jwt = {"authentications": [{"issuer": "https://idp.example", "jwksUri": "https://idp.example/keys"}]}
    protected = api_rule("app", f"app.{DOMAIN}", [{"path": "/*", "methods": ["GET"], "jwt": jwt}])
    (tmp_path / "rule.yaml").write_text(protected)
    checked = subprocess.run([BINARY, "check", "--config", tmp_path], capture_output=True, text=True, timeout=30, check=False)
    assert checked.returncode != 0
    assert "spec.rules[0].jwt is not supported yet" in checked.stdout + checked.stderr
    assert "open to everybody" in checked.stdout + checked.stderr

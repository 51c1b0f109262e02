"""numTrustedProxies: what proxies in front say of the client is believed, as far as they are trusted."""

import contextlib
import types

import pytest

from harness import documents
from harness.certificates import self_signed
from harness.gateway import Gateway
from harness.upstream import Upstream

DOMAIN = "behind.example.com"
HOST = f"app.{DOMAIN}"
PROXIES = 2


def texts_of(upstream, pair, *more):
    return {
        "all.yaml": documents.join(
            documents.gateway(
                "front",
                documents.server(80, "HTTP", [f"*.{DOMAIN}"], {"httpsRedirect": True}),
                documents.server(443, "HTTPS", [f"*.{DOMAIN}"], {"mode": "SIMPLE", "credentialName": "front"}),
            ),
            documents.opaque_secret("front", {"tls.crt": pair.certificate, "tls.key": pair.key}),
            documents.service_entry("app", upstream.port),
            documents.header_routes(
                "app",
                [HOST],
                {"request": {"set": {"x-client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %REQ(:SCHEME)%"}}},
                "app",
                gateways=["kyma-system/front"],
            ),
            *more,
        )
    }


@pytest.fixture(scope="module", name="world")
def make_world(tmp_path_factory):
    pair = self_signed(f"*.{DOMAIN}", name="front")
    with contextlib.ExitStack() as stack:
        upstream = Upstream().serve()
        stack.callback(upstream.stop)
        mesh = documents.mesh_config(numTrustedProxies=PROXIES)
        texts = texts_of(upstream, pair, mesh)
        gateway = stack.enter_context(Gateway(tmp_path_factory.mktemp("proxies"), texts, concurrency=1))
        yield types.SimpleNamespace(gateway=gateway, upstream=upstream, pair=pair)


def send(world, headers, *, tls=False, host=HOST):
    with world.gateway.connect(host, tls=tls, number=443 if tls else 80) as client:
        return client.request("GET", "/", headers)


def seen(world, headers, *, tls=True):
    assert send(world, headers, tls=tls).status == 200
    return world.upstream.requests[-1]


@pytest.mark.parametrize(
    "forwarded_for, client",
    [
        ([], "127.0.0.1"),
        (["198.51.100.1"], "127.0.0.1"),
        (["198.51.100.1, 198.51.100.2"], "198.51.100.1"),
        (["203.0.113.9, 198.51.100.1, 198.51.100.2"], "198.51.100.1"),
        (["203.0.113.9", "2001:DB8::1", "198.51.100.2"], "2001:db8::1"),
        (["203.0.113.9, unknown, 198.51.100.2"], "127.0.0.1"),
        (["203.0.113.9, 198.51.100.1:80, 198.51.100.2"], "127.0.0.1"),
        (["198.51.100.1, not an address"], "198.51.100.1"),
    ],
)
def test_client_is_the_nth_address_from_the_right(world, forwarded_for, client):
    lines_before = len(world.gateway.access_lines())
    request = seen(world, [("x-forwarded-for", value) for value in forwarded_for])
    assert request.all("x-envoy-external-address") == [client]
    assert request.all("x-forwarded-for") == [",".join([*forwarded_for, "127.0.0.1"])]
    assert request.get("x-client") == f"{client} https"
    line = world.gateway.wait_for_access_line('"GET / HTTP/1.1"', start=lines_before)
    written = f"[{client}]" if ":" in client else client
    assert (f" {written}:0 " in line) == (client != "127.0.0.1"), line


def test_request_id_of_a_proxy_is_replaced(world):
    assert seen(world, [("x-request-id", "mine")]).get("x-request-id") != "mine"


def test_what_came_by_https_is_not_redirected(world):
    request = seen(world, [("x-forwarded-proto", "https")], tls=False)
    assert request.all("x-forwarded-proto") == ["https"]
    assert request.get("x-client") == "127.0.0.1 https"


@pytest.mark.parametrize(
    "schemes", [[], ["http"], ["ftp"], ["HTTPS"], [""], ["https,http"], ["https", "https"], ["https", "http"]]
)
def test_everything_else_is_redirected(world, schemes):
    response = send(world, [("x-forwarded-proto", scheme) for scheme in schemes])
    assert (response.status, response.get("location")) == (301, f"https://{HOST}/")


def test_host_without_routes_is_redirected_or_not_found(world):
    host = f"other.{DOMAIN}"
    assert send(world, [], host=host).status == 301
    assert send(world, [("x-forwarded-proto", "https")], host=host).status == 404


@pytest.mark.parametrize("said, told", [("http", "http"), ("https", "https"), ("ftp", "https"), (None, "https")])
def test_scheme_of_a_proxy_is_kept_when_it_is_one(world, said, told):
    headers = [("x-forwarded-proto", said)] if said else []
    assert seen(world, headers).all("x-forwarded-proto") == [told]


def test_reload_changes_who_is_trusted(world, tmp_path):
    """On an open connection, with its next request; the page of the administrator shows it."""
    claims = [("x-forwarded-for", "198.51.100.1"), ("x-forwarded-proto", "https")]
    with Gateway(tmp_path, texts_of(world.upstream, world.pair), concurrency=1) as gateway:
        with gateway.connect(HOST, number=80) as client:
            assert client.request("GET", "/", claims).status == 301
            mesh = documents.mesh_config(numTrustedProxies=1, forwardClientCertDetails="SANITIZE")
            gateway.write("all.yaml", texts_of(world.upstream, world.pair, mesh)["all.yaml"])
            gateway.reload()
            assert client.request("GET", "/", claims).status == 200
        assert world.upstream.requests[-1].get("x-envoy-external-address") == "198.51.100.1"
        assert gateway.admin_json("/config_dump")["snapshot"]["gatewayTopology"] == {
            "numTrustedProxies": 1,
            "forwardClientCertDetails": "SANITIZE",
            "proxyProtocol": False,
        }

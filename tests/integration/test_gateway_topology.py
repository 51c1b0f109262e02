"""What is in front of the gateway (MeshConfig, defaultConfig.gatewayTopology): whom it believes about clients."""

import json

import pytest

from harness import documents
from harness.authority import Authority, fingerprint
from harness.certificates import self_signed
from harness.client import Client, tls_context

HOST = "topology.example.com"
CAME = 'Hash=aa;Subject="CN=admin"'


@pytest.fixture(name="serve")
def make_serve(own_gateway, own_upstream):
    """serve(fields of gatewayTopology): request -> as the upstream got it."""
    pair, authority = self_signed(HOST, name="server"), Authority("Clients CA")
    client_pair = authority.issue("billing", "DNS:billing.example.com")
    routes = documents.join(
        documents.gateway(
            "topology",
            documents.server(443, "HTTPS", [HOST], {"mode": "OPTIONAL_MUTUAL", "credentialName": "pair"}),
            documents.server(80, "HTTP", [HOST], {"httpsRedirect": True}),
        ),
        documents.opaque_secret("pair", {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": authority.certificate}),
        documents.service_entry("app", own_upstream.port),
        documents.virtual_service("app", [HOST], "app", gateways=["kyma-system/topology"]),
    )

    def serve(**topology):
        mesh = json.dumps({"defaultConfig": {"gatewayTopology": topology}})
        gateway = own_gateway(
            {"routes.yaml": routes, "mesh.yaml": documents.document("ConfigMap", "istio", namespace="istio-system", data={"mesh": mesh})}
        )

        def ask(headers=(), *, shows=False, number=443):
            context = tls_context() if number == 443 else None
            if shows:
                context.load_cert_chain(client_pair.certificate_file, client_pair.key_file)
            with Client(gateway.port(number), HOST, tls=context) as client:
                response = client.request("GET", "/", headers)
            return response, own_upstream.requests[-1] if response.status == 200 else None

        ask.gateway = gateway
        return ask

    serve.own = f"Hash={fingerprint(client_pair)};"
    return serve


@pytest.mark.parametrize(
    "mode, shown, not_shown",
    [
        (None, "own", None),
        ("UNDEFINED", "own", None),
        ("SANITIZE_SET", "own", None),
        ("SANITIZE", None, None),
        ("FORWARD_ONLY", "came", None),
        ("APPEND_FORWARD", "both", None),
        ("ALWAYS_FORWARD_ONLY", "came", "came"),
    ],
)
def test_forward_client_cert_details(serve, mode, shown, not_shown):
    ask = serve(**({"forwardClientCertDetails": mode} if mode else {}))
    for is_shown, expected in ((True, shown), (False, not_shown)):
        _, seen = ask([("X-Forwarded-Client-Cert", CAME)], shows=is_shown)
        value = seen.get("x-forwarded-client-cert")
        if expected is None:
            assert value is None
        elif expected == "came":
            assert value == CAME
        elif expected == "own":
            assert value.startswith(serve.own) and "CN=admin" not in value
        else:
            assert value.startswith(f"{CAME},{serve.own}")


def test_trusted_proxies_say_who_the_client_is(serve):
    ask = serve(numTrustedProxies=1)
    _, seen = ask([("X-Forwarded-For", "203.0.113.5, 198.51.100.9")])
    assert seen.get("x-forwarded-for") == "203.0.113.5, 198.51.100.9,127.0.0.1"
    assert seen.get("x-envoy-external-address") == "198.51.100.9"
    assert " 198.51.100.9:0 " in ask.gateway.wait_for_access_line('"GET / ')
    _, seen = ask([("X-Forwarded-For", "nonsense")])
    assert seen.get("x-envoy-external-address") == "127.0.0.1"


def test_trusted_proxies_say_what_the_client_speaks(serve):
    ask = serve(numTrustedProxies=1)
    response, seen = ask([("X-Forwarded-Proto", "https")], number=80)
    assert response.status == 200 and seen.get("x-forwarded-proto") == "https"
    for value in ("http", "ftp", ""):
        assert ask([("X-Forwarded-Proto", value)], number=80)[0].status == 301
    assert ask(number=80)[0].status == 301


def test_nobody_is_trusted_by_default(serve):
    ask = serve()
    assert ask([("X-Forwarded-Proto", "https")], number=80)[0].status == 301
    _, seen = ask([("X-Forwarded-For", "198.51.100.9")])
    assert seen.get("x-envoy-external-address") == "127.0.0.1"

"""forwardClientCertDetails: what an upstream learns of certificates, those shown to sluice and those that others saw."""

import contextlib
import types

import pytest

from harness import documents
from harness.authority import Authority, fingerprint
from harness.certificates import self_signed
from harness.client import tls_context
from harness.commands import curl
from harness.gateway import Gateway
from harness.upstream import Upstream

DOMAIN = "told.example.com"
HOST = f"app.{DOMAIN}"
CAME = ["Hash=aa;URI=spiffe://one", "Hash=bb,Hash=cc"]  # two lines, three elements
ALL = ",".join(CAME)
OURS = object()
FIELD = "x-forwarded-client-cert"

# What the upstream gets when CAME came, by plain HTTP or TLS without a certificate; with a certificate.
MODES = {
    None: (None, [OURS]),
    "UNDEFINED": (None, [OURS]),
    "SANITIZE": (None, None),
    "FORWARD_ONLY": (None, [ALL]),
    "APPEND_FORWARD": (None, [ALL, OURS]),
    "SANITIZE_SET": (None, [OURS]),
    "ALWAYS_FORWARD_ONLY": ([ALL], [ALL]),
}
# Of them, those that tell of the certificate when nothing came.
TELLING = {None, "UNDEFINED", "APPEND_FORWARD", "SANITIZE_SET"}


@pytest.fixture(scope="module", name="world", params=list(MODES), ids=str)
def make_world(request, tmp_path_factory):
    mode = request.param
    authority = Authority("Clients CA")
    pair = self_signed(f"*.{DOMAIN}", name="told")
    with contextlib.ExitStack() as stack:
        upstream = Upstream().serve()
        stack.callback(upstream.stop)
        secret = {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": authority.certificate}
        texts = {
            "all.yaml": documents.join(
                documents.gateway(
                    "told",
                    documents.server(80, "HTTP", [f"*.{DOMAIN}"]),
                    documents.server(
                        443, "HTTPS", [f"*.{DOMAIN}"], {"mode": "OPTIONAL_MUTUAL", "credentialName": "told"}
                    ),
                ),
                documents.opaque_secret("told", secret),
                documents.service_entry("app", upstream.port),
                documents.virtual_service("app", [HOST], "app", gateways=["kyma-system/told"]),
                documents.mesh_config(**({"forwardClientCertDetails": mode} if mode else {})),
            )
        }
        gateway = stack.enter_context(Gateway(tmp_path_factory.mktemp("told"), texts, concurrency=1))
        client = authority.issue("client", "URI:spiffe://client")
        yield types.SimpleNamespace(gateway=gateway, upstream=upstream, client=client, mode=mode)


def told(world, headers, *, number=443, pair=None):
    """The field's values as the upstream got them, by curl."""
    port = world.gateway.port(number)
    certificate = ["--cert", pair.certificate_file, "--key", pair.key_file] if pair else []
    fields = [word for value in headers for word in ("-H", f"{FIELD}: {value}")]
    url = f"{'https' if number == 443 else 'http'}://{HOST}:{port}/"
    shown = curl("-k", *certificate, *fields, url, host=HOST, port=port)
    assert shown.stdout == "hello", shown.stderr
    return world.upstream.requests[-1].all(FIELD)


def check(world, values, expected):
    if not expected:
        assert values == []
        return
    assert len(values) == 1, values
    value = values[0]
    if expected[0] == ALL:
        assert value.startswith(ALL), value
        value = value[len(ALL) :]
        if OURS in expected:
            assert value.startswith(","), value
            value = value[1:]
    if OURS not in expected:
        assert value == ""
        return
    assert value.startswith(f"Hash={fingerprint(world.client)};Cert="), value
    assert value.endswith(";URI=spiffe://client"), value
    assert 'Subject="CN=client"' in value


@pytest.mark.parametrize("number", [80, 443])
def test_client_without_a_certificate(world, number):
    check(world, told(world, CAME, number=number), MODES[world.mode][0])
    assert told(world, [], number=number) == []


def test_client_with_a_certificate(world):
    check(world, told(world, CAME, pair=world.client), MODES[world.mode][1])
    check(world, told(world, [], pair=world.client), [OURS] if world.mode in TELLING else None)


def test_every_request_of_every_connection(world):
    context = tls_context()
    context.load_cert_chain(world.client.certificate_file, world.client.key_file)
    expected = MODES[world.mode][1]
    for _ in range(2):
        with world.gateway.connect(HOST, tls=context) as client:
            for _ in range(3):
                assert client.request("GET", "/", [(FIELD, value) for value in CAME]).status == 200
                check(world, world.upstream.requests[-1].all(FIELD), expected)


def test_many_large_elements(world):
    """As many as a head may have: they are joined, or removed, and never cut."""
    elements = [(FIELD, "Hash=" + "a" * 7000) for _ in range(8)]
    with world.gateway.connect(HOST, number=80) as client:
        assert client.request("GET", "/", elements).status == 200
    expected = [",".join(value for _, value in elements)] if world.mode == "ALWAYS_FORWARD_ONLY" else []
    assert world.upstream.requests[-1].all(FIELD) == expected

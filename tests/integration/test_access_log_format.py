"""The access log in the format of MeshConfig (ConfigMap istio): text and JSON, with who the client is; changed by a reload."""

import json

import pytest

from harness import documents
from harness.authority import Authority, fingerprint
from harness.certificates import self_signed
from harness.client import Client, tls_context

HOST = "logged.example.com"


def mesh(**fields):
    return documents.document("ConfigMap", "istio", namespace="istio-system", data={"mesh": json.dumps(fields)})


@pytest.fixture(name="serve")
def make_serve(own_gateway, own_upstream):
    """serve(access log fields of MeshConfig): a gateway whose clients may show a certificate."""
    pair = self_signed(HOST, name="server")
    authority = Authority("Clients CA")
    routes = documents.join(
        documents.gateway(
            "logged",
            documents.server(443, "HTTPS", [HOST], {"mode": "OPTIONAL_MUTUAL", "credentialName": "logged"}),
            documents.server(80, "HTTP", [HOST]),
        ),
        documents.opaque_secret(
            "logged", {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": authority.certificate}
        ),
        documents.service_entry("app", own_upstream.port),
        documents.virtual_service("app", [HOST], "app", gateways=["kyma-system/logged"]),
    )

    def serve(**fields):
        return own_gateway({"routes.yaml": routes, "mesh.yaml": mesh(**fields)})

    serve.authority = authority
    return serve


def get(gateway, path, number=80, tls=None):
    with Client(gateway.port(number), HOST, tls=tls) as client:
        assert client.request("GET", path, [("user-agent", 'quoted " agent')]).status == 200


def test_text(serve):
    gateway = serve(accessLogFormat="<%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% \"%REQ(USER-AGENT)%\" %REQ(X-NONE)%>")
    get(gateway, "/text")
    assert gateway.wait_for_access_line("/text") == r'<GET /text 200 "quoted \" agent" ->'


def test_json(serve):
    gateway = serve(
        accessLogEncoding="JSON",
        accessLogFormat=json.dumps(
            {"path": "%REQ(:PATH)%", "code": "%RESPONSE_CODE%", "agent": "%REQ(USER-AGENT)%", "none": "%REQ(X-NONE)%",
             "nested": {"text": "from %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}}
        ),
    )
    get(gateway, "/json")
    assert json.loads(gateway.wait_for_access_line("/json")) == {
        "path": "/json",
        "code": 200,
        "agent": 'quoted " agent',
        "none": None,
        "nested": {"text": "from 127.0.0.1"},
    }


def test_json_of_istio(serve):
    gateway = serve(accessLogEncoding="JSON")
    get(gateway, "/default")
    line = json.loads(gateway.wait_for_access_line("/default"))
    assert (line["method"], line["path"], line["response_code"], line["authority"]) == ("GET", "/default", 200, HOST)
    assert line["downstream_remote_address"].startswith("127.0.0.1:")
    assert len(line) == 24


def test_identity_of_the_client(serve):
    gateway = serve(
        accessLogFormat="%REQ(:PATH)% %DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_PEER_SUBJECT% %DOWNSTREAM_PEER_FINGERPRINT_256%"
    )
    pair = serve.authority.issue("billing", "DNS:billing.example.com")
    context = tls_context()
    context.load_cert_chain(pair.certificate_file, pair.key_file)
    get(gateway, "/known", 443, context)
    assert gateway.wait_for_access_line("/known") == f"/known TLSv1.3 CN=billing {fingerprint(pair)}"
    get(gateway, "/unknown", 443, tls_context())
    assert gateway.wait_for_access_line("/unknown") == "/unknown TLSv1.3 - -"
    get(gateway, "/plain")
    assert gateway.wait_for_access_line("/plain") == "/plain - - -"


def test_a_reload_changes_it(serve):
    gateway = serve(accessLogFormat="one %REQ(:PATH)%")
    with Client(gateway.port(80), HOST) as client:
        assert client.request("GET", "/before").status == 200
        gateway.wait_for_access_line("one /before")
        gateway.write("mesh.yaml", mesh(accessLogFormat="two %REQ(:PATH)%"))
        gateway.reload()
        assert client.request("GET", "/after").status == 200
        gateway.wait_for_access_line("two /after")


def test_mistakes_are_told_with_their_place(serve):
    gateway = serve(accessLogFormat="%REQ(:PATH)%")
    gateway.write(
        "mesh.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n"
            "    accessLogFormat: '%NO_SUCH%'\n",
    )
    log = gateway.reload(expect_success=False)
    assert "mesh.yaml:6:" in log and 'unknown operator "NO_SUCH"' in log

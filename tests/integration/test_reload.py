"""SIGHUP: the new documents are live at once, or the old ones stay; connections that are open notice nothing."""

import re
import ssl

import pytest

from harness import documents, ports, websocket
from harness.certificates import encrypted_key, expired, self_signed
from harness.documents import DOMAIN
from harness.gateway import is_listening, is_sanitized, wait_until
from harness.websocket import WebSocket

APP = f"app.{DOMAIN}"


@pytest.fixture
def app(own_gateway, own_upstream):
    """A gateway with one route, app.local.kyma.dev, to own_upstream."""
    return own_gateway({"app.yaml": documents.routes("app", own_upstream.port)}, concurrency=2)


def status_of(gateway, host, target="/", **options):
    with gateway.connect(host, **options) as client:
        return client.request("GET", target).status


def serial_of(gateway, name=APP):
    with gateway.connect(name, tls=True) as client:
        pem = ssl.DER_cert_to_PEM_cert(client.socket.getpeercert(binary_form=True))
    return pem.strip()


def test_new_route_is_live(app, own_upstream):
    assert status_of(app, f"new.{DOMAIN}") == 404
    app.write("new.yaml", documents.routes("new", own_upstream.port))
    app.reload()
    assert status_of(app, f"new.{DOMAIN}") == 200
    assert status_of(app, APP) == 200


def test_new_route_is_live_on_a_connection_that_was_open(app, own_upstream):
    with app.connect(APP) as client:
        assert client.request("GET", "/", host=f"new.{DOMAIN}").status == 404
        app.write("new.yaml", documents.routes("new", own_upstream.port))
        app.reload()
        assert client.request("GET", "/", host=f"new.{DOMAIN}").status == 200


def test_removed_route_is_gone(app):
    (app.config / "app.yaml").unlink()
    app.reload()
    assert status_of(app, APP) == 404


def test_request_in_flight_ends_as_it_began(app, own_upstream):
    """Its route and its upstream vanish meanwhile."""
    reloaded = []

    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        assert own_upstream.wait_for(lambda: reloaded)
        peer.send(b" last")

    own_upstream.script = script
    with app.connect(APP, tls=True) as client:
        client.send_head()
        head = client.reader.read_head()
        (app.config / "app.yaml").unlink()
        app.reload()
        reloaded.append(True)
        assert client.reader.read_body(head, is_response=True).body == b"first last"
        assert client.request().status == 404


BROKEN_DOCUMENTS = {
    "syntax": ("a: [1, 2\nb: }\n", r"broken\.yaml:\d+(:\d+)?: "),
    "unknown_field": (
        documents.routes("other", 1).replace("  resolution:", "  resolutoin:"),
        r"broken\.yaml:\d+:\d+: .*resolutoin",
    ),
    "not_utf_8": ("a: \udcff\n", r"broken\.yaml(:\d+)?(:\d+)?: "),
}


@pytest.mark.parametrize("name", BROKEN_DOCUMENTS)
def test_bad_document_keeps_the_old_configuration(app, own_upstream, name):
    text, expected = BROKEN_DOCUMENTS[name]
    before = app.admin_json("/config_dump")["snapshot"]
    (app.config / "broken.yaml").write_bytes(text.encode(errors="surrogateescape"))
    app.write("new.yaml", documents.routes("new", own_upstream.port))
    logged = app.reload(expect_success=False)
    assert re.search(expected, logged), logged

    assert status_of(app, APP) == 200
    assert status_of(app, f"new.{DOMAIN}") == 404, "a reload is all or nothing"
    dump = app.admin_json("/config_dump")
    assert dump["snapshot"] == before
    assert any(re.search(expected, line) for line in dump["reloads"]["lastFailureDiagnostics"]), dump["reloads"]
    assert app.status() == 200, "it serves: it is ready"
    assert app.metric("sluice_config_last_reload_successful") == 0

    (app.config / "broken.yaml").unlink()
    app.reload()
    assert status_of(app, f"new.{DOMAIN}") == 200
    assert app.metric("sluice_config_last_reload_successful") == 1


def test_certificate_is_swapped_under_open_connections(app, own_upstream, certificate):
    """The next handshake sees the new one; the old connection and its WebSocket go on."""
    new = self_signed(f"*.{DOMAIN}", name="new")
    own_upstream.script = lambda peer, request: (
        websocket.echo_script(peer, request) if "upgrade" in request else peer.respond(body=b"ok")
    )
    with app.connect(APP, tls=True) as old_client, app.connect(APP, tls=True) as socket_client:
        assert serial_of(app) == certificate.certificate.strip()
        assert old_client.request().body == b"ok"
        socket = WebSocket(socket_client)
        socket.echo(b"before")
        app.write("secret.yaml", documents.secret(new))
        app.reload()
        assert serial_of(app) == new.certificate.strip()
        assert old_client.request().body == b"ok"
        socket.echo(b"after")
    shown = app.admin_json("/certs")["certificates"]
    assert [int(one["serial"].replace(":", ""), 16) for one in shown] == [new.serial]


BAD_SECRETS = {
    "mismatched_key": lambda good: documents.secret(good, key=self_signed(f"*.{DOMAIN}", name="other").key),
    "expired": lambda good: documents.secret(expired(f"*.{DOMAIN}")),
    "encrypted_key": lambda good: documents.secret(good, key=encrypted_key(good)),
    "no_certificate": lambda good: re.sub("tls.crt: .*", "tls.crt: aGVsbG8gd29ybGQK", documents.secret(good)),
}


@pytest.mark.parametrize("name", BAD_SECRETS)
def test_bad_certificate_keeps_the_old_one(app, certificate, name):
    app.write("secret.yaml", BAD_SECRETS[name](certificate))
    logged = app.reload(expect_success=False)
    assert "kyma-gateway-certs" in logged and "secret.yaml:" in logged, logged
    assert not certificate.shows_key(logged)
    assert serial_of(app) == certificate.certificate.strip()
    assert status_of(app, APP) == 200


def test_listener_is_added_and_removed(app, own_gateway, own_upstream):
    del app
    gateway = own_gateway({"app.yaml": documents.routes("app", own_upstream.port)}, service_ports=(443, 80, 8080, 9090))
    assert not is_listening(gateway.port(9090))
    added = documents.join(
        documents.plain_gateway(9090, name="more"),
        documents.service_entry("more", own_upstream.port),
        documents.virtual_service("more", [f"more.{DOMAIN}"], "more", gateways=["kyma-system/more"]),
    )
    gateway.write("more.yaml", added)
    gateway.reload()
    assert status_of(gateway, f"more.{DOMAIN}", number=9090) == 200

    with gateway.connect(f"more.{DOMAIN}", number=9090) as client:
        assert client.request().status == 200
        (gateway.config / "more.yaml").unlink()
        gateway.reload()
        assert wait_until(lambda: not is_listening(gateway.port(9090))), "the port is still open"
    assert status_of(gateway, APP) == 200


def test_listener_changes_its_kind(own_gateway, own_upstream):
    """A plain port becomes a TLS port and back, without a moment in which nobody listens."""
    gateway = own_gateway({"app.yaml": documents.routes("app", own_upstream.port)})
    as_https = documents.https_gateway("plain-gateway", [f"*.{DOMAIN}"], "kyma-gateway-certs", 8080)
    with gateway.connect(APP) as old_client:
        assert old_client.request().status == 200
        gateway.write("gateway.yaml", documents.join(documents.kyma_gateway(), as_https))
        gateway.reload()
        with gateway.connect(APP, tls=True, number=8080) as client:
            assert client.request().status == 200
        assert old_client.request().status in (200, 404), "an old connection stays what it was"
    gateway.write("gateway.yaml", documents.join(documents.kyma_gateway(), documents.plain_gateway()))
    gateway.reload()
    assert status_of(gateway, APP) == 200


def test_listener_that_cannot_be_bound_refuses_the_reload(own_gateway, own_upstream):
    """All or nothing, with the port in the message."""
    gateway = own_gateway({"app.yaml": documents.routes("app", own_upstream.port)})
    with ports.listen() as taken:
        number = taken.getsockname()[1]
        gateway.write(
            "service.yaml",
            gateway.service_document + f"  - name: port-9090\n    port: 9090\n    targetPort: {number}\n",
        )
        gateway.write("more.yaml", documents.plain_gateway(9090, name="more"))
        gateway.write("new.yaml", documents.routes("new", own_upstream.port))
        logged = gateway.reload(expect_success=False)
        assert str(number) in logged and re.search("in use", logged, re.I), logged
        assert status_of(gateway, APP) == 200
        assert status_of(gateway, f"new.{DOMAIN}") == 404
    gateway.reload()
    assert status_of(gateway, f"new.{DOMAIN}") == 200


def test_reload_without_a_change_changes_nothing(app):
    before = app.admin_json("/config_dump")["snapshot"]
    with app.connect(APP, tls=True) as client:
        assert client.request().status == 200
        app.reload()
        assert client.request().status == 200
    after = app.admin_json("/config_dump")["snapshot"]
    assert after["hash"] == before["hash"]


def test_directory_may_be_swapped_by_a_symbolic_link(own_gateway, own_upstream, tmp_path):
    """As kubelet updates a mounted ConfigMap: the files are links through ..data."""
    gateway = own_gateway(start=False)
    versions = tmp_path / "versions"
    for name, host in (("one", "first"), ("two", "second")):
        (versions / name).mkdir(parents=True)
        (versions / name / "app.yaml").write_text(documents.routes(host, own_upstream.port))
    (gateway.config / "..data").symlink_to(versions / "one")
    (gateway.config / "app.yaml").symlink_to("..data/app.yaml")
    gateway.start()
    assert status_of(gateway, f"first.{DOMAIN}") == 200
    (gateway.config / "..new").symlink_to(versions / "two")
    (gateway.config / "..new").rename(gateway.config / "..data")
    gateway.reload()
    assert status_of(gateway, f"first.{DOMAIN}") == 404
    assert status_of(gateway, f"second.{DOMAIN}") == 200


def test_old_snapshots_are_freed(app):
    """Fifty reloads: memory does not grow with each."""
    many = documents.join(*[documents.routes(f"many{index}", 1) for index in range(500)])
    app.write("many.yaml", many)
    for _ in range(5):
        app.reload()
    before = app.memory_bytes()
    for _ in range(50):
        app.reload()
    assert is_sanitized() or app.memory_bytes() - before < 20 * 1024 * 1024

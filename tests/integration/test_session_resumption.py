"""A client that comes back with a session ticket does not need a full handshake: on every shard, after reloads."""

import pytest

from harness import documents
from harness.commands import s_client
from harness.documents import DOMAIN

APP = f"app.{DOMAIN}"
VERSIONS = ("-tls1_2", "-tls1_3")


@pytest.fixture
def app(own_gateway, own_upstream):
    """A gateway with one route, app.local.kyma.dev, to own_upstream."""
    return own_gateway({"app.yaml": documents.routes("app", own_upstream.port)}, concurrency=2)


def connect(gateway, version, *arguments):
    """Whether the session was resumed. One request, so that a ticket of TLS 1.3 has come when the answer has."""
    request = f"GET / HTTP/1.1\r\nHost: {APP}\r\nConnection: close\r\n\r\n"
    shown = s_client(gateway.port(443), APP, version, "-alpn", "http/1.1", "-ign_eof", *arguments, text=request)
    assert "HTTP/1.1 200" in shown.stdout, shown.stdout + shown.stderr
    assert ("\nNew, " in shown.stdout) != ("\nReused, " in shown.stdout), shown.stdout
    return "\nReused, " in shown.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_session_is_resumed_on_every_shard(app, tmp_path, version):
    session = tmp_path / "session"
    assert not connect(app, version, "-sess_out", session)
    before = app.metric("sluice_tls_handshakes_resumed_total")
    for _ in range(16):  # the kernel chooses the shard: that all 16 are one is not to be expected
        assert connect(app, version, "-sess_in", session)
    assert app.metric("sluice_tls_handshakes_resumed_total") == before + 16


@pytest.mark.parametrize("version", VERSIONS)
def test_session_is_resumed_after_reloads(app, tmp_path, version):
    session = tmp_path / "session"
    assert not connect(app, version, "-sess_out", session)
    for _ in range(3):
        app.reload()
    assert connect(app, version, "-sess_in", session)


@pytest.mark.parametrize("version", VERSIONS)
def test_session_of_another_process_is_not_resumed(app, own_gateway, own_upstream, tmp_path, version):
    session = tmp_path / "session"
    assert not connect(app, version, "-sess_out", session)
    other = own_gateway({"app.yaml": documents.routes("app", own_upstream.port)}, concurrency=1)
    assert not connect(other, version, "-sess_in", session)
    assert other.metric("sluice_tls_handshakes_resumed_total") == 0

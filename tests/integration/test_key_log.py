"""SSLKEYLOGFILE: a debug build writes what its clients and upstreams write; a release build writes nothing."""

import ssl
import stat

import pytest

from harness import documents, gateway as gateways
from harness.authority import Authority
from harness.client import tls_context
from harness.documents import DOMAIN
from harness.tls_upstream import TlsUpstream, server_context

LABEL = b"CLIENT_TRAFFIC_SECRET_0"  # RFC 9850 2.2
APP = f"app.{DOMAIN}"


def secrets_of(*files):
    """All lines, in any order. Nobody exports keying material, but OpenSSL writes the secret for it."""
    lines = [line for file in files for line in file.read_text().splitlines()]
    return sorted(line for line in lines if not line.startswith(("#", "EXPORTER_SECRET ")))


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def version(request):
    return request.param


@pytest.fixture
def upstream(version, tmp_path):
    pair = Authority("Upstreams CA").issue("upstream", f"DNS:{APP}")
    context = server_context(pair, maximum=version)
    context.keylog_filename = tmp_path / "upstream.keys"
    running = TlsUpstream(context).serve()
    yield running
    running.stop()


@pytest.fixture
def logging_gateway(upstream, own_gateway, tmp_path, monkeypatch):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "gateway.keys"))
    texts = {
        "app.yaml": documents.routes("app", upstream.port),
        "rule.yaml": documents.destination_rule("app", {"mode": "SIMPLE", "insecureSkipVerify": True}),
    }
    return own_gateway(texts)


def test_the_secrets_of_both_sides_are_in_debug_builds(logging_gateway, version, tmp_path):
    context = tls_context(minimum=version, maximum=version)
    context.keylog_filename = tmp_path / "client.keys"
    with logging_gateway.connect(APP, tls=context) as client:
        assert client.request().body == b"hello"

    log = tmp_path / "gateway.keys"
    if "SSLKEYLOGFILE is ignored" in logging_gateway.log:
        assert not log.exists()
        assert LABEL not in gateways.BINARY.read_bytes(), "the code is there although it does not run"
        return
    assert LABEL in gateways.BINARY.read_bytes()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert f"warning SSLKEYLOGFILE: whoever can read {log}" in logging_gateway.log
    secrets = secrets_of(log)
    assert secrets == secrets_of(tmp_path / "client.keys", tmp_path / "upstream.keys")
    assert len(secrets) == 2 * (4 if version == ssl.TLSVersion.TLSv1_3 else 1), "of two connections"

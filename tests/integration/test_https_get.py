"""A GET over HTTPS, as curl does it, with TLS 1.2 and TLS 1.3."""

import pytest

from harness.commands import curl


@pytest.mark.parametrize("version, shown", [(("--tlsv1.2", "--tls-max", "1.2"), "TLSv1.2"), (("--tlsv1.3",), "TLSv1.3")])
def test_get_over_https(gateway, upstream, certificate, version, shown):
    port = gateway.port(443)
    got = curl("-v", *version, "--cacert", certificate.certificate_file, f"https://{upstream.host}:{port}/hello?a=b",
               host=upstream.host, port=port)
    assert got.returncode == 0, got.stderr
    assert got.stdout == "hello"
    assert f"SSL connection using {shown}" in got.stderr
    assert "< HTTP/1.1 200 OK" in got.stderr
    request = upstream.requests[0]
    assert request.start_line == "GET /hello?a=b HTTP/1.1"
    assert request.get("host") == f"{upstream.host}:{port}"


def test_alpn_chooses_http_1_1(gateway, upstream):
    port = gateway.port(443)
    got = curl("-v", "-k", f"https://{upstream.host}:{port}/", host=upstream.host, port=port)
    assert got.returncode == 0, got.stderr
    assert "ALPN: server accepted http/1.1" in got.stderr


def test_a_client_without_alpn_is_served(gateway, upstream):
    port = gateway.port(443)
    got = curl("-k", "--no-alpn", f"https://{upstream.host}:{port}/", host=upstream.host, port=port)
    assert (got.returncode, got.stdout) == (0, "hello"), got.stderr


def test_post_over_https(gateway, upstream):
    def script(peer, request):
        peer.read_body(request)
        peer.respond(body=request.method.encode() + b" " + request.body)

    upstream.script = script
    port = gateway.port(443)
    got = curl("-k", "-d", "some content", f"https://{upstream.host}:{port}/", host=upstream.host, port=port)
    assert (got.returncode, got.stdout) == (0, "POST some content"), got.stderr


def test_many_clients_at_once(gateway, upstream):
    """Each shard takes its part; all of them are answered."""
    clients = [gateway.connect(upstream.host, tls=True) for _ in range(40)]
    for client in clients:
        client.send_head("GET", f"/{client.local_port}")
    for client in clients:
        assert client.read_response().body == b"hello"
        client.close()
    assert len(upstream.requests) == 40

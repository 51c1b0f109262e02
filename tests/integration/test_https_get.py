"""A GET over HTTPS, as curl does it, with TLS 1.2 and TLS 1.3."""

import contextlib
import socket
import ssl

import pytest

from harness.client import tls_context
from harness.commands import curl, s_client_dialogue


@pytest.mark.parametrize(
    "version, shown", [(("--tlsv1.2", "--tls-max", "1.2"), "TLSv1.2"), (("--tlsv1.3",), "TLSv1.3")]
)
def test_get_over_https(gateway, upstream, certificate, version, shown):
    port = gateway.port(443)
    got = curl(
        "-v",
        *version,
        "--cacert",
        certificate.certificate_file,
        f"https://{upstream.host}:{port}/hello?a=b",
        host=upstream.host,
        port=port,
    )
    assert got.returncode == 0, got.stderr
    assert got.stdout == "hello"
    assert f"SSL connection using {shown}" in got.stderr
    assert "< HTTP/2 200" in got.stderr
    request = upstream.requests[0]
    assert request.start_line == "GET /hello?a=b HTTP/1.1"
    assert request.get("host") == f"{upstream.host}:{port}"


def test_alpn_chooses_http_1_1(gateway, upstream):
    port = gateway.port(443)
    got = curl("-v", "-k", "--http1.1", f"https://{upstream.host}:{port}/", host=upstream.host, port=port)
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


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_close_is_announced(gateway, upstream, version):
    """close_notify before the end of the connection (RFC 8446 6.1): otherwise the end could be an attacker's."""
    with gateway.connect(upstream.host, tls=tls_context(minimum=version, maximum=version)) as client:
        client.socket.suppress_ragged_eofs = False
        assert client.request("GET", "/", [("connection", "close")]).body == b"hello"
        assert client.socket.recv(1) == b"", "an end without close_notify raises SSLEOFError"


def test_close_of_the_client_is_answered(gateway, upstream):
    """Python's unwrap() sends close_notify and waits for the other side's."""
    with gateway.connect(upstream.host, tls=True) as client:
        assert client.request().status == 200
        client.socket.unwrap().close()


def test_key_update_of_the_client(gateway, upstream):
    """TLS 1.3 lets a client change its keys at any time (RFC 8446 4.6.3); "K" makes s_client ask for ours as well."""
    request = f"GET /after HTTP/1.1\r\nHost: {upstream.host}\r\nConnection: close\r\n\r\n"
    _, shown = s_client_dialogue(gateway.port(443), upstream.host, "-tls1_3", lines=["K\n", request])
    assert "KEYUPDATE" in shown and "hello" in shown, shown
    assert upstream.paths == ["/after"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x17\x03\x03\x00\x20" + b"x" * 32,
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x17\x03\x03\xff\xff" + b"x" * 70_000,
        b"\x16\x03\x03\x00\x04\x00\x00\x00\x00",
        b"\x15\x03\x03\x00\x02\x02\x28",
    ],
    ids=lambda raw: repr(raw[:12]),
)
def test_garbage_after_the_handshake_ends_the_connection(gateway, upstream, garbage):
    """A record that does not decrypt: an alert or just the end, and nothing of it is executed."""
    with gateway.connect(upstream.host, tls=True) as client:
        assert client.request().status == 200
        raw = client.socket.detach()
        with socket.socket(fileno=raw) as plain:
            plain.settimeout(10)
            with contextlib.suppress(ConnectionError):
                plain.sendall(garbage)
                while plain.recv(65536):
                    pass
    assert len(upstream.requests) == 1


def test_record_of_any_size(gateway, upstream):
    """The client may cut its plaintext into records as it likes, down to one byte each."""
    with gateway.connect(upstream.host, tls=True) as client:
        client.send_head("POST", "/", [("content-length", "300")])
        for _ in range(300):
            client.send(b"x")
        assert client.read_response().status == 200
        assert upstream.requests[0].body == b"x" * 300

"""The five suites of kyma-gateway on TLS 1.2, three on TLS 1.3, and nothing else.

test_tls_clients.py has each of them with several clients, test_tls_scanners.py what scanners see.
"""

import contextlib
import functools
import re
import socket
import ssl
import struct
import subprocess

import pytest

from harness import tls_hello
from harness.client import Client, tls_context
from harness.commands import s_client, s_client_dialogue
from harness.documents import CIPHER_SUITES


def negotiated(output):
    """The suite that s_client shows; None without a handshake."""
    found = re.search(r"Cipher is (\S+)", output)
    return found.group(1) if found and found.group(1) != "(NONE)" else None


@functools.cache
def other_tls_1_2_suites():
    """Every suite for TLS 1.2 and older that this OpenSSL knows, but the five."""
    listed = subprocess.run(
        ["openssl", "ciphers", "-v", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout
    names = [line.split()[0] for line in listed.splitlines() if "TLSv1.3" not in line]
    return [name for name in names if name not in CIPHER_SUITES]


def handshake(gateway, host, context):
    """The suite that was negotiated, or the error."""
    try:
        with Client(gateway.port(443), host, tls=context) as client:
            return client.socket.cipher()[0]
    except (ssl.SSLError, ConnectionError) as error:
        return error


def tls_1_2(suites):
    context = tls_context(maximum=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(suites + ":@SECLEVEL=0")
    return context


@pytest.mark.parametrize("suite", CIPHER_SUITES)
def test_suite_of_the_document_carries_a_request(gateway, upstream, suite):
    upstream.script = lambda peer, request: peer.respond(body=b"x" * 100_000)
    with Client(gateway.port(443), upstream.host, tls=tls_1_2(suite)) as client:
        assert client.request().body == b"x" * 100_000
        assert client.socket.version() == "TLSv1.2"


@pytest.mark.parametrize("suite", ["TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"])
def test_ccm_of_tls_1_3_is_refused(gateway, upstream, suite):
    shown = s_client(gateway.port(443), upstream.host, "-tls1_3", "-ciphersuites", suite)
    assert negotiated(shown.stdout) is None, shown.stdout
    assert "handshake failure" in shown.stderr, shown.stderr


def test_every_other_tls_1_2_suite_is_refused(gateway, upstream):
    refused = 0
    for suite in other_tls_1_2_suites():
        try:
            context = tls_1_2(suite)
        except ssl.SSLError:  # listed, but this build cannot offer it
            continue
        outcome = handshake(gateway, upstream.host, context)
        if isinstance(outcome, ssl.SSLError) and "NO_CIPHERS_AVAILABLE" in str(outcome):
            continue  # needs something that only other kinds of clients have (PSK, SRP)
        assert isinstance(outcome, Exception), f"{suite} was negotiated"
        refused += 1
    assert refused >= 20, "OpenSSL offered too few suites for the test to mean anything"


def test_all_others_together_get_handshake_failure(gateway, upstream):
    names = ":".join(name for name in other_tls_1_2_suites() if not re.search("PSK|SRP", name))
    shown = s_client(gateway.port(443), upstream.host, "-tls1_2", "-cipher", names + ":@SECLEVEL=0")
    assert negotiated(shown.stdout) is None, shown.stdout
    assert "handshake failure" in shown.stderr, shown.stderr


def test_server_prefers_in_the_order_of_the_document(gateway, upstream):
    for first in range(len(CIPHER_SUITES)):
        offered = CIPHER_SUITES[first:]
        context = tls_1_2(":".join(reversed(offered)))
        assert handshake(gateway, upstream.host, context) == offered[0]


@pytest.mark.parametrize("version, name", [(0x0300, "SSL 3.0"), (0x0301, "TLS 1.0"), (0x0302, "TLS 1.1")])
def test_old_version_gets_the_protocol_version_alert(gateway, upstream, version, name):
    with Client(gateway.port(443), upstream.host) as client:
        client.send(tls_hello.client_hello(version, upstream.host))
        kind, record_version, content = tls_hello.read_record(client.reader)
        assert (kind, record_version >> 8) == (21, 3), name
        assert content == bytes([2, tls_hello.PROTOCOL_VERSION_ALERT]), name
        assert client.is_closed_by_peer(), name


def test_old_version_is_refused_whatever_a_newer_client_could_do(gateway, upstream):
    """TLS_FALLBACK_SCSV (RFC 7507) with TLS 1.1 changes nothing: no handshake."""
    with Client(gateway.port(443), upstream.host) as client:
        client.send(tls_hello.client_hello(0x0302, upstream.host, (0xC030, 0xC02F, 0x5600)))
        kind, _, content = tls_hello.read_record(client.reader)
        assert kind == 21 and content[0] == 2


def test_openssl_1_1_client_is_refused(gateway, upstream):
    shown = s_client(gateway.port(443), upstream.host, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    assert negotiated(shown.stdout) is None
    assert "protocol version" in shown.stderr, shown.stderr


def test_renegotiation_is_refused(gateway, upstream):
    """s_client asks for it on a line with "R"; the connection must not go through a second handshake."""
    code, shown = s_client_dialogue(gateway.port(443), upstream.host, "-tls1_2", lines=["R\n"])
    assert "RENEGOTIATING" in shown
    assert re.search("no renegotiation|unexpected message|handshake failure|unexpected eof", shown), shown
    assert code != 0


def test_extended_master_secret_and_no_compression(gateway, upstream):
    shown = s_client(gateway.port(443), upstream.host, "-tls1_2").stdout
    assert "Extended master secret: yes" in shown
    assert "Compression: NONE" in shown
    assert "Secure Renegotiation IS supported" in shown  # RFC 5746: the client may rely on it


def test_client_may_offer_every_suite_that_there_is(gateway, upstream):
    """Some 350 are registered; scanners ask for all of them at once."""
    unknown = range(0xFE00, 0xFE00 + 500)
    rsa_with_sha256 = struct.pack("!HHHH", 13, 4, 2, 0x0401)  # signature_algorithms
    with Client(gateway.port(443), upstream.host) as client:
        client.send(tls_hello.client_hello(0x0303, upstream.host, (*unknown, 0xC02F), extensions=rsa_with_sha256))
        kind, _, content = tls_hello.read_record(client.reader)
        assert (kind, content[0]) == (22, 2), content  # ServerHello
        session_id_size = content[38]
        assert content[39 + session_id_size :][:2] == b"\xc0\x2f"


def test_garbage_instead_of_a_hello_is_closed(gateway, upstream):
    for garbage in (
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x80\x2e\x01\x03\x01\x00\x15" + b"\0" * 39,
        b"\x16\x03\x01\xff\xff" + b"\0" * 100,
        b"\0" * 20_000,
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
    ):
        with Client(gateway.port(443), upstream.host) as client:
            with contextlib.suppress(ConnectionError):
                client.send(garbage)
                client.shutdown_write()
            rest = client.read_to_end()
            assert not rest.startswith(b"\x16") and b"200" not in rest, garbage[:10]
    assert upstream.requests == []


def test_hello_in_single_bytes_is_understood(gateway, upstream):
    """A ClientHello may come in any number of segments."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = tls_context().wrap_bio(incoming, outgoing, server_hostname=upstream.host)
    with Client(gateway.port(443), upstream.host) as client:
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        for byte in outgoing.read():
            client.send(bytes([byte]))
        while True:
            incoming.write(client.socket.recv(65536))
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                continue
        assert tls.version() == "TLSv1.3"


def test_half_a_hello_and_the_end_is_closed(gateway, upstream):
    with Client(gateway.port(443), upstream.host) as client:
        client.send(tls_hello.client_hello(0x0303, upstream.host)[:60])
        client.socket.shutdown(socket.SHUT_WR)
        assert not client.read_to_end().startswith(b"\x16")

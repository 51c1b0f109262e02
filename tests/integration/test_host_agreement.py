"""The host of a CONNECT and what is said in its tunnel, server name or Host field, agree: or else."""

import contextlib
import socket
import types

import pytest

from harness.client import tls_context
from harness.explicit_proxy import ECHOING, SECOND_HOST, VERSIONS, WWW, running, told
from harness.namespaces import FIRST
from harness.proxy_client import Conversation
from harness.surroundings import ECHO, GREETING, HTTP, MAIL, TLS


@pytest.fixture(scope="module", params=[None, "warn", "enforce", "off"], ids=str, name="agreement")
def make_agreement(request, around, tmp_path_factory):
    """A proxy for each mode, and none given: `mode`, `sluice`, `proxy`."""
    annotations = {"sluice.io/host-agreement": request.param} if request.param else None
    with running(around, tmp_path_factory.mktemp("agreement"), annotations) as made:
        yield types.SimpleNamespace(mode=request.param or "warn", sluice=made, proxy=made.proxy)


class Logs:
    """What the logs say of the one tunnel that is made meanwhile."""

    def __init__(self, sluice):
        self._sluice = sluice
        self._start, self._lines = len(sluice.log), len(sluice.access_lines())

    def line(self, tunnel):
        return self._sluice.wait_for_access_line(f":{tunnel.local_port} ", start=self._lines)

    def mention_mismatch(self, tunnel):
        return "host_mismatch" in self.line(tunnel) + self._sluice.log[self._start :]

    def fit(self, mode, tunnel, *, passed):
        """After the tunnel's end, of which `passed` is what happened to what did not agree."""
        if mode == "enforce":
            assert not passed, "the tunnel was not closed"
            assert "host_mismatch" in self.line(tunnel)
        else:
            assert passed, "the tunnel was closed"
            assert self.mention_mismatch(tunnel) == (mode == "warn")


def handshake(around, tunnel, name):
    """Whether it succeeds."""
    try:
        inside = Conversation(tunnel.begin_tls(name, tls_context(ca_file=str(around.authority.file), alpn=())), name)
        return told(inside.request("GET", "/"))[0] in FIRST
    except (OSError, AssertionError):
        return False


@VERSIONS
def test_server_name_that_differs(around, agreement, version):
    logs, before = Logs(agreement.sluice), len(around.tls.handshakes)
    with contextlib.closing(agreement.proxy.tunnel(f"{WWW}:{TLS}", version=version)) as tunnel:
        assert tunnel.status == 200
        passed = handshake(around, tunnel, SECOND_HOST)
    logs.fit(agreement.mode, tunnel, passed=passed)
    if agreement.mode == "enforce":
        assert len(around.tls.handshakes) == before


@VERSIONS
def test_host_field_that_differs(around, agreement, version):
    logs, before = Logs(agreement.sluice), len(around.http.requests)
    with contextlib.closing(agreement.proxy.tunnel(f"{WWW}:{HTTP}", version=version)) as tunnel:
        try:
            response = Conversation(tunnel, SECOND_HOST).request("GET", "/")
        except ConnectionError:
            response = None
    logs.fit(agreement.mode, tunnel, passed=response is not None and response.status == 200)
    if agreement.mode == "enforce":
        assert len(around.http.requests) == before


def test_opening_in_single_bytes_hides_nothing(around, agreement):
    logs = Logs(agreement.sluice)

    class Slow:
        """Sends byte by byte."""

        def __init__(self, tunnel):
            self.recv = tunnel.recv
            self._tunnel = tunnel

        def sendall(self, data):
            for byte in data:
                self._tunnel.sendall(bytes([byte]))

    with contextlib.closing(agreement.proxy.tunnel(f"{WWW}:{HTTP}")) as tunnel:
        tunnel.client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            response = Conversation(Slow(tunnel), SECOND_HOST).request("GET", "/")
        except ConnectionError:
            response = None
    logs.fit(agreement.mode, tunnel, passed=response is not None and response.status == 200)


@pytest.mark.parametrize(
    "target, name",
    [(f"{WWW}:{TLS}", WWW), (f"{WWW.upper()}:{TLS}", WWW), (f"{WWW}:{TLS}", WWW.upper()), (f"{WWW}.:{TLS}", WWW)],
)
def test_names_that_agree_are_never_mentioned(around, agreement, target, name):
    logs = Logs(agreement.sluice)
    with contextlib.closing(agreement.proxy.tunnel(target)) as tunnel:
        assert tunnel.status == 200
        assert handshake(around, tunnel, name)
    assert not logs.mention_mismatch(tunnel)


@pytest.mark.parametrize("host", [WWW, f"{WWW}:{HTTP}", WWW.upper()])
def test_host_fields_that_agree_are_never_mentioned(agreement, host):
    logs = Logs(agreement.sluice)
    with contextlib.closing(agreement.proxy.tunnel(f"{WWW}:{HTTP}")) as tunnel:
        assert Conversation(tunnel, host).request("GET", "/").status == 200
    assert not logs.mention_mismatch(tunnel)


@pytest.mark.parametrize("number", [ECHO, MAIL])
def test_what_is_neither_tls_nor_http_has_nothing_to_agree(agreement, number):
    with contextlib.closing(agreement.proxy.tunnel(f"{WWW}:{number}")) as tunnel:
        if number == MAIL:
            assert tunnel.read_exactly(len(GREETING)) == GREETING
        tunnel.sendall(b"\x00 anything\n")
        assert tunnel.read_exactly(11) == b"\x00 anything\n"


@VERSIONS
@pytest.mark.parametrize("text", [b"a", b"x\n", b"get", b"STAT", b"\x16", b"*1\r\n"])
def test_short_words_of_other_protocols_are_not_held_back(agreement, version, text):
    """Their server may be waiting for no more than these."""
    with contextlib.closing(agreement.proxy.tunnel(ECHOING, version=version)) as tunnel:
        tunnel.sendall(text)
        if text != b"\x16" or agreement.mode != "enforce":
            assert tunnel.read_exactly(len(text)) == text


@pytest.mark.parametrize("text", [b"G", b"POST", b"GET / HTTP/1.1\r\nHo", b"\x16\x03\x01\x02\x00\x01"])
def test_warning_holds_nothing_back_for_ever(agreement, text):
    """What may yet become a request or a ClientHello."""
    with contextlib.closing(agreement.proxy.tunnel(ECHOING)) as tunnel:
        tunnel.sendall(text)
        if agreement.mode != "enforce":
            assert tunnel.read_exactly(len(text)) == text

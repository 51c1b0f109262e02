"""A name server that does not answer: a round of lookups takes 5 seconds, and no signal waits for it."""

import signal
import socket
import time

import pytest

from harness import documents, ports
from harness.limits import FACTOR, IO_SECONDS

DNS_ENTRY = """apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: named
  namespace: default
spec:
  hosts:
  - named.upstream.test
  ports:
  - number: 80
    name: http
    protocol: HTTP
  resolution: DNS
"""
# Well below the 5 seconds of a round, well above what a reload or an idle end takes.
AT_ONCE_SECONDS = 2.5 * FACTOR


@pytest.fixture
def name_server():
    """Only listens: the test answers, or does not."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind((ports.LOOPBACK, 0))
        made.settimeout(IO_SECONDS)
        yield made


@pytest.fixture
def gateway_with_name(own_gateway, name_server):  # pylint: disable=redefined-outer-name
    """Not started yet; one destination has to be looked up."""
    host = f"named.{documents.DOMAIN}"
    text = documents.join(DNS_ENTRY, documents.virtual_service("named", [host], "named"))
    server = "{}:{}".format(*name_server.getsockname())
    return own_gateway({"named.yaml": text}, start=False, extra_arguments=("--dns-servers", server))


def deny(name_server, count):  # pylint: disable=redefined-outer-name
    """Answers `count` queries: there is no such name (RFC 1035 4.1.1)."""
    for _ in range(count):
        query, client = name_server.recvfrom(512)
        name_server.sendto(query[:2] + b"\x81\x83" + query[4:6] + bytes(6) + query[12:], client)


def test_termination_at_the_start_does_not_wait_for_it(gateway_with_name, name_server):
    gateway = gateway_with_name.start(wait=False)
    name_server.recv(512)
    started = time.monotonic()
    gateway.signal(signal.SIGTERM)
    assert gateway.wait_for_exit() == 0
    assert time.monotonic() - started < AT_ONCE_SECONDS


@pytest.fixture
def in_a_round(gateway_with_name, name_server):
    """A gateway that serves, and has begun a round that nobody answers."""
    gateway = gateway_with_name.start(wait=False)
    deny(name_server, 2)  # one query for each family of addresses: a quick start
    gateway.wait_until_ready()
    name_server.recv(512)
    return gateway


def test_reload_does_not_wait_for_it(in_a_round):
    started = time.monotonic()
    log = in_a_round.reload()
    assert time.monotonic() - started < AT_ONCE_SECONDS, log
    assert "reload: done" in log


def test_termination_does_not_wait_for_it(in_a_round):
    started = time.monotonic()
    in_a_round.signal(signal.SIGTERM)
    assert in_a_round.wait_for_exit() == 0
    assert time.monotonic() - started < AT_ONCE_SECONDS


def test_access_log_is_opened_again_without_waiting_for_it(in_a_round):
    in_a_round.access_log_file.unlink()
    started = time.monotonic()
    in_a_round.signal(signal.SIGUSR1)
    while not in_a_round.access_log_file.exists():
        assert time.monotonic() - started < AT_ONCE_SECONDS
        time.sleep(0.02)

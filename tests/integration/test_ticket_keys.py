"""Replicas that share ticket keys resume each other's sessions, also while the keys are changed."""

import os

import pytest

from harness import certificates, documents
from harness.commands import s_client
from harness.documents import DOMAIN

APP = f"app.{DOMAIN}"
VERSIONS = pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])


def new_key():
    return os.urandom(80)


def key_secret(**keys):
    """`keys`: current and perhaps previous."""
    data = {name: certificates.base64_of_bytes(key) for name, key in keys.items()}
    return documents.document("Secret", "ticket-keys", namespace="istio-system", type="Opaque", data=data)


@pytest.fixture(name="replica_with")
def make_replica(own_gateway, own_upstream):
    """replica_with(current=..., previous=...) is a gateway of its own process with these keys."""

    def make(**keys):
        tls = {"mode": "SIMPLE", "credentialName": "kyma-gateway-certs"}
        return own_gateway(
            {
                "gateway.yaml": documents.gateway(
                    "kyma-gateway",
                    documents.server(443, "HTTPS", [f"*.{DOMAIN}"], tls),
                    annotations={"sluice.io/ticket-key-secret": "ticket-keys"},
                ),
                "app.yaml": documents.join(
                    documents.service_entry("app", own_upstream.port),
                    documents.virtual_service("app", [APP], "app", gateways=[documents.GATEWAY]),
                ),
                "keys.yaml": key_secret(**keys),
            }
        )

    return make


def rotate(replica, **keys):
    replica.write("keys.yaml", key_secret(**keys))
    replica.reload()


def is_resumed(replica, version, *arguments):
    """One request, so that a ticket of TLS 1.3 has come when the answer has."""
    request = f"GET / HTTP/1.1\r\nHost: {APP}\r\nConnection: close\r\n\r\n"
    shown = s_client(replica.port(443), APP, version, "-ign_eof", *arguments, text=request)
    assert "HTTP/1.1 200" in shown.stdout, shown.stdout + shown.stderr
    assert ("\nNew, " in shown.stdout) != ("\nReused, " in shown.stdout), shown.stdout
    return "\nReused, " in shown.stdout


@VERSIONS
def test_replicas_resume_each_others_sessions(replica_with, tmp_path, version):
    key = new_key()
    here, there = replica_with(current=key), replica_with(current=key)
    for first, second in ((here, there), (there, here)):
        assert not is_resumed(first, version, "-sess_out", tmp_path / "session")
        assert is_resumed(second, version, "-sess_in", tmp_path / "session")


@VERSIONS
def test_replicas_with_other_keys_do_not(replica_with, tmp_path, version):
    assert not is_resumed(replica_with(current=new_key()), version, "-sess_out", tmp_path / "session")
    assert not is_resumed(replica_with(current=new_key()), version, "-sess_in", tmp_path / "session")


@VERSIONS
def test_sessions_outlive_a_rotation(replica_with, tmp_path, version):
    """The replicas are not changed at the same moment: each state in between must work."""
    old, new = new_key(), new_key()
    here, there = replica_with(current=old), replica_with(current=old)
    before, after = tmp_path / "before", tmp_path / "after"
    assert not is_resumed(here, version, "-sess_out", before)
    # Every replica must know the new key before one uses it.
    for replica in (here, there):
        rotate(replica, current=old, previous=new)
        assert is_resumed(replica, version, "-sess_in", before)
    rotate(here, current=new, previous=old)
    assert is_resumed(here, version, "-sess_in", before)
    assert not is_resumed(here, version, "-sess_out", after)
    assert is_resumed(there, version, "-sess_in", after)
    rotate(there, current=new, previous=old)
    for replica in (here, there):
        assert is_resumed(replica, version, "-sess_in", before)
        assert is_resumed(replica, version, "-sess_in", after)


@VERSIONS
def test_key_that_is_gone_opens_nothing_any_more(replica_with, tmp_path, version):
    old, new = new_key(), new_key()
    replica = replica_with(current=old)
    assert not is_resumed(replica, version, "-sess_out", tmp_path / "session")
    rotate(replica, current=new)
    assert not is_resumed(replica, version, "-sess_in", tmp_path / "session")


@VERSIONS
def test_sessions_outlive_a_restart(replica_with, tmp_path, version):
    key = new_key()
    replica = replica_with(current=key)
    assert not is_resumed(replica, version, "-sess_out", tmp_path / "session")
    replica.stop()
    assert is_resumed(replica_with(current=key), version, "-sess_in", tmp_path / "session")

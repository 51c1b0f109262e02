"""Who resumes a session shows no certificate again, so servers that ask for one give no sessions and take none."""

import pytest

from harness import documents
from harness.authority import Authority
from harness.certificates import self_signed
from harness.commands import s_client

DOMAIN = "clients.example.com"
MUST, MAY, OPEN = f"must.{DOMAIN}", f"may.{DOMAIN}", f"open.{DOMAIN}"
VERSIONS = pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])


class World:
    """A gateway whose servers share a certificate: one insists on certificates, one asks for them, one does not."""

    def __init__(self, own_gateway, upstream):
        self.authority = Authority("Clients CA")
        self.client = self.authority.issue("client")
        self._pair = self_signed(f"*.{DOMAIN}", name="server")
        servers = [
            documents.server(443, "HTTPS", [host], {"mode": mode, "credentialName": "clients"})
            for host, mode in ((MUST, "MUTUAL"), (MAY, "OPTIONAL_MUTUAL"), (OPEN, "SIMPLE"))
        ]
        self.gateway = own_gateway(
            {
                "clients.yaml": documents.join(
                    documents.gateway("clients", *servers),
                    documents.service_entry("app", upstream.port),
                    documents.virtual_service("app", [f"*.{DOMAIN}"], "app", gateways=["kyma-system/clients"]),
                ),
                "clients-secret.yaml": self.secret(),
            }
        )

    def secret(self):
        ca = {"ca.crt": self.authority.certificate, "ca.crl": self.authority.revocation_list()}
        return documents.opaque_secret("clients", {"tls.crt": self._pair.certificate, "tls.key": self._pair.key} | ca)

    def revoke_client(self):
        self.authority.revoke(self.client)
        self.gateway.write("clients-secret.yaml", self.secret())
        self.gateway.reload()

    def ask(self, host, version, *arguments, pair=None):
        """"new", "resumed", or None: no answer."""
        shown_pair = ["-cert", pair.certificate_file, "-key", pair.key_file] if pair else []
        request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        shown = s_client(self.gateway.port(443), host, version, "-ign_eof", *shown_pair, *arguments, text=request)
        assert "CONNECTED" in shown.stdout, shown.stderr
        if "HTTP/1.1 200" not in shown.stdout:
            assert "HTTP/1.1 " not in shown.stdout, shown.stdout
            return None
        return "resumed" if "\nReused, " in shown.stdout else "new"


@pytest.fixture(name="world")
def make_world(own_gateway, own_upstream):
    return World(own_gateway, own_upstream)


@VERSIONS
@pytest.mark.parametrize("host", [MUST, MAY])
def test_no_session_is_given(world, tmp_path, host, version):
    session = tmp_path / "session"
    assert world.ask(host, version, "-sess_out", session, pair=world.client) == "new"
    assert not session.exists()


@VERSIONS
def test_session_of_a_milder_server_is_not_taken(world, tmp_path, version):
    session = tmp_path / "session"
    assert world.ask(OPEN, version, "-sess_out", session) == "new"
    assert world.ask(OPEN, version, "-sess_in", session) == "resumed"
    assert world.ask(MUST, version, "-sess_in", session) is None
    assert world.ask(MUST, version, "-sess_in", session, pair=world.client) == "new"
    assert world.ask(MAY, version, "-sess_in", session) == "new"


@VERSIONS
@pytest.mark.parametrize("host", [MUST, MAY])
def test_revoked_client_is_out_with_the_next_connection(world, host, version):
    assert world.ask(host, version, pair=world.client) == "new"
    world.revoke_client()
    assert world.ask(host, version, pair=world.client) is None

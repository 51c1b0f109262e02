"""Certificates that sluice obtains and renews itself: documents in, handshakes out, with Pebble as the ACME server that
asks the gateway's own ports."""

import base64
import json
import pathlib
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest

from harness import chromium, documents, name_server
from harness.authority import Authority
from harness.certificates import self_signed
from harness.gateway import Gateway, StartFailed, run_sluice, wait_until
from harness.limits import FULL
from harness.managed import CERTIFICATE, DOMAIN, HOST, Managed, certificate, gateway_document, issuer, route, show

RENEWED_SECONDS = 600 if FULL else 90


# --- Challenges --------------------------------------------------------------------------------------


@pytest.mark.parametrize("challenge", ["http-01", "tls-alpn-01"])
def test_certificate_is_obtained_by_the_gateways_own_ports(tmp_path, challenge):
    with Managed(tmp_path) as managed:
        managed.start(managed.issuer(), certificate(annotations={"sluice.io/acme-challenge": challenge}))
        shown = managed.wait_for("Ready")
        pem = managed.wait_for_handshake()
        assert f"DNS:{HOST}" in show(pem, "-ext", "subjectAltName")
        assert shown["message"] == "certificate issued" and shown["secret"] == "istio-system/web-certs"
        assert shown["renewalDate"] < shown["expirationDate"]
        client = managed.gateway.connect(HOST, number=80)
        assert client.request().status == 301, "redirects go on"


def test_automatic_choice_is_what_the_listeners_can_do(tmp_path):
    with Managed(tmp_path, has_plain=False) as managed:
        managed.start(managed.issuer(), certificate())
        managed.wait_for("Ready")
        managed.wait_for_handshake()


def test_until_then_there_is_a_self_signed_one(tmp_path):
    with Managed(tmp_path) as managed:
        managed.start(managed.issuer(server="https://127.0.0.1:1/dir"), certificate())
        pem = managed.handshake()
        assert show(pem, "-subject").split("=", 1)[1] == show(pem, "-issuer").split("=", 1)[1]
        assert f"DNS:{HOST}" in show(pem, "-ext", "subjectAltName")
        shown = managed.wait_for("Error")
        assert "127.0.0.1:1" in shown["message"]
        assert shown["backoff"]["recheckInterval"] == "2m0s"


def test_wildcard_by_a_hook(tmp_path):
    with Managed(tmp_path, hosts=(f"*.{DOMAIN}",)) as managed:
        hook = tmp_path / "hook"
        url = managed.pebble.challenge_url
        hook.write_text(
            "#!/bin/sh\n"
            f'echo "$@" >> {tmp_path}/calls\n'
            'case "$2" in\n'
            f"""  present) exec curl -sf -d '{{"host":"'"$3"'","value":"'"$4"'"}}' {url}/set-txt ;;\n"""
            f"""  cleanup) exec curl -sf -d '{{"host":"'"$3"'"}}' {url}/clear-txt ;;\n"""
            "esac\n"
        )
        hook.chmod(0o755)
        dns = {"hook": {"command": [str(hook), "word"], "timeout": "20s"}}
        managed.start(
            managed.issuer(dns01=dns, precheckNameservers=[managed.pebble.dns]),
            certificate(names=(f"*.{DOMAIN}", DOMAIN)),
        )
        managed.wait_for("Ready")
        assert f"DNS:*.{DOMAIN}" in show(managed.wait_for_handshake(), "-ext", "subjectAltName")
        wait_until(lambda: (tmp_path / "calls").read_text().count("cleanup") == 2, 10)
        calls = [line.split() for line in (tmp_path / "calls").read_text().splitlines()]
        assert [call[1] for call in calls] == ["present", "present", "cleanup", "cleanup"]
        assert {(call[0], call[2]) for call in calls} == {("word", f"_acme-challenge.{DOMAIN}.")}
        assert {call[3] for call in calls[:2]} == {call[3] for call in calls[2:]}
        assert wait_until(lambda: managed.records()["dnsRecords"] == [], 10)


def test_hook_that_hangs_holds_up_neither_others_nor_the_end(tmp_path):
    with Managed(tmp_path, hosts=(HOST, f"*.{DOMAIN}")) as managed:
        hook = tmp_path / "hook"
        hook.write_text(f'#!/bin/sh\ntrap "" TERM\necho $$ > {tmp_path}/pid\nwhile :; do sleep 1; done\n')
        hook.chmod(0o755)
        dns = {"hook": {"command": [str(hook)], "timeout": "10m"}}
        slow = certificate("slow", names=(f"*.{DOMAIN}",))
        managed.start(managed.issuer(dns01=dns), slow)
        assert wait_until((tmp_path / "pid").exists, 10)
        managed.gateway.write("web.yaml", certificate(annotations={"sluice.io/acme-challenge": "http-01"}))
        managed.gateway.reload()
        managed.wait_for("Ready")
        managed.wait_for_handshake()
        assert managed.shown("istio-system/slow")["isWorking"]
        started = time.monotonic()
        managed.gateway.stop()
        assert time.monotonic() - started < 6
        pid = int((tmp_path / "pid").read_text())
        assert not pathlib.Path(f"/proc/{pid}").exists(), "it ends with the process that has started it"


@pytest.mark.skipif(name_server.PROGRAM is None, reason="knotd is missing: scripts/bootstrap --test installs it")
def test_wildcard_by_updates_of_a_name_server(tmp_path):
    """RFC 2136: the records are put into the zone of a real name server, where sluice and Pebble both look for them."""
    (tmp_path / "knot").mkdir()
    zones, keys = {DOMAIN: ""}, {"acme-key": ("hmac-sha256", (DOMAIN,))}
    with name_server.name_server(tmp_path / "knot", zones, keys) as server:
        with Managed(tmp_path, hosts=(f"*.{DOMAIN}",), dns=server.place) as managed:
            update = {
                "nameserver": server.place,
                "tsigKeyName": "acme-key",
                "tsigSecretSecretRef": {"name": "tsig", "key": "secret"},
            }
            managed.start(
                managed.issuer(dns01={"rfc2136": update}, precheckNameservers=[server.place]),
                documents.opaque_secret("tsig", {"secret": name_server.SECRET}, namespace="default"),
                certificate(names=(f"*.{DOMAIN}", DOMAIN)),
            )
            managed.wait_for("Ready")
            assert f"DNS:*.{DOMAIN}" in show(managed.wait_for_handshake(), "-ext", "subjectAltName")
            assert wait_until(lambda: managed.records()["dnsRecords"] == [], 30), "what is left is removed afterwards"
            assert server.texts(DOMAIN) == (f"_acme-challenge.{DOMAIN}.", []), "each of the two has gone"
            assert len(re.findall(rf"\[{re.escape(DOMAIN)}\.\] DDNS, finished", server.log())) == 4, server.log()


def test_wildcard_without_dns_is_refused_with_a_reason(tmp_path):
    with Managed(tmp_path, hosts=(f"*.{DOMAIN}",)) as managed:
        with pytest.raises(StartFailed, match="needs dns-01, as a wildcard, .* spec.acme.dns01.hook or spec.acme.dns01"):
            managed.start(managed.issuer(), certificate(names=(f"*.{DOMAIN}",)))


# --- Servers that make it hard -----------------------------------------------------------------------


def test_nine_of_ten_nonces_are_refused(tmp_path):
    with Managed(tmp_path, environment={"PEBBLE_WFE_NONCEREJECT": "90"}) as managed:
        managed.start(managed.issuer(), certificate())
        managed.wait_for("Ready")


def test_external_account(tmp_path):
    key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    with Managed(tmp_path, external={"kid-1": key}) as managed:
        binding = {"keyID": "kid-1", "keySecretRef": {"name": "eab", "namespace": "default"}}
        secret = documents.opaque_secret("eab", {"hmacKey": key}, namespace="default")
        managed.start(managed.issuer(externalAccountBinding=binding), certificate(), secret)
        managed.wait_for("Ready")
        metric = "cert_management_acme_account_registrations"
        assert managed.gateway.metric(metric) == 1


def test_preferred_chain(tmp_path):
    environment = {"PEBBLE_ALTERNATE_ROOTS": "2", "PEBBLE_CHAIN_LENGTH": "2"}
    with Managed(tmp_path, environment=environment) as managed:
        wanted = show(managed.pebble.get("/roots/1"), "-subject", "-nameopt", "multiline").split("=")[-1].strip()
        managed.start(managed.issuer(), certificate(preferredChain=wanted))
        managed.wait_for("Ready")
        secret = (managed.state / "secrets" / "istio-system.web-certs.yaml").read_text()
        chain = base64.b64decode(re.search(r"tls\.crt: (\S+)", secret).group(1)).decode()
        last = chain[chain.rindex("-----BEGIN") :]
        assert wanted in show(last, "-issuer")


def test_names_that_cannot_be_validated_fail_once_an_hour(tmp_path):
    with Managed(tmp_path) as managed:
        managed.pebble.challenge("set-default-ipv4", ip="")  # no address at all
        managed.start(managed.issuer(), certificate())
        shown = managed.wait_for("Error")
        assert HOST in shown["message"], shown
        assert shown["backoff"]["recheckInterval"] == "1h0m0s"
        command = run_sluice("cert", "issue", "web", "--admin", f"127.0.0.1:{managed.gateway.admin_port}")
        assert command.returncode == 1 and "the next one may begin at" in command.stderr, command


# --- The end of the process ----------------------------------------------------------------------------


def test_two_processes_on_one_directory(tmp_path):
    with Managed(tmp_path) as managed:
        managed.start(managed.issuer(), certificate())
        managed.wait_for("Ready")
        second = Gateway(
            tmp_path / "second",
            {
                "gateway.yaml": gateway_document(HOST),
                "route.yaml": route(HOST),
                "issuer.yaml": managed.issuer(),
                "certificate.yaml": certificate(),
            },
            extra_arguments=("--state-dir", managed.state),
        )
        with second:
            other = second.admin_json("/certs")
            assert wait_until(lambda: second.admin_json("/certs")["managed"], 5)
            assert second.admin_json("/certs")["isManaging"] is False, other
            assert second.admin_json("/certs")["managed"][0]["state"] == "Ready"
            before = managed.wait_for_handshake()
            command = run_sluice("cert", "renew", "web", "--admin", f"127.0.0.1:{managed.gateway.admin_port}", seconds=60)
            assert command.returncode == 0, command
            wait_until(lambda: managed.wait_for_handshake() != before, 10)
            new = managed.wait_for_handshake()

            def seen_by_second():
                with socket.create_connection(("127.0.0.1", second.port(443)), timeout=10) as plain:
                    with ssl._create_unverified_context().wrap_socket(plain, server_hostname=HOST) as tls:
                        return ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True))

            assert wait_until(lambda: seen_by_second() == new, 10, 0.1), "it takes what the first has obtained"
            managed.gateway.stop()
            assert wait_until(lambda: second.admin_json("/certs")["isManaging"], 10, 0.1)


# --- Renewal -------------------------------------------------------------------------------------------


@pytest.mark.timeout(RENEWED_SECONDS + 120)
def test_short_lived_certificates_are_renewed_under_load(tmp_path):
    """Certificates of one minute: with SLUICE_FULL for ten minutes, else for one and a half."""
    lifetime, duration = 60, RENEWED_SECONDS
    with Managed(tmp_path, lifetime=lifetime) as managed:
        managed.start(managed.issuer(), certificate())
        managed.wait_for("Ready")
        managed.wait_for_handshake()
        root = managed.root()
        kept = managed.gateway.connect(HOST, tls=True)
        assert kept.request().status == 200
        failures, serials, count = [], set(), 0
        ends = time.monotonic() + duration

        def clients():
            nonlocal count
            while time.monotonic() < ends:
                try:
                    serials.add(show(managed.handshake(HOST, root), "-serial"))
                except (OSError, subprocess.SubprocessError) as failure:
                    failures.append((time.monotonic() - ends, failure))
                count += 1
                time.sleep(0.05)

        threads = [threading.Thread(target=clients) for _ in range(2)]
        for thread in threads:
            thread.start()
        while time.monotonic() < ends:
            assert kept.request().status == 200, "an established connection does not notice"
            time.sleep(1)
        for thread in threads:
            thread.join()
        assert not failures, failures[:5]
        assert count > duration and len(serials) >= duration // lifetime, (count, serials)
        print(f"{duration} s: {len(serials)} certificates, {count} handshakes, {len(failures)} failures")


def test_new_certificate_does_not_wait_for_documents_nor_take_them_along(tmp_path):
    with Managed(tmp_path) as managed:
        managed.start(managed.issuer(), certificate())
        managed.wait_for("Ready")
        before = managed.wait_for_handshake()
        dump = managed.gateway.admin_json("/config_dump")["snapshot"]
        admin = ("--admin", f"127.0.0.1:{managed.gateway.admin_port}")

        managed.gateway.write("broken.yaml", "kind: Gateway\n")
        managed.gateway.write("route.yaml", route("other.example.com"))
        renewed = run_sluice("cert", "renew", "web", *admin, seconds=60)
        assert renewed.returncode == 0, renewed
        after = wait_until(lambda: (now := managed.handshake()) != before and now, 10)
        assert after, managed.gateway.log_tail()
        with managed.gateway.connect(HOST, tls=True) as client:
            assert client.request().status == 200, "the routes are those of the last load"
        assert managed.gateway.admin_json("/config_dump")["snapshot"]["hash"] == dump["hash"], "it is of the documents"
        assert "reload" not in managed.gateway.log

        (managed.gateway.config / "broken.yaml").unlink()
        managed.gateway.reload()
        assert managed.handshake() == after
        with managed.gateway.connect(HOST, tls=True) as client:
            assert client.request().status == 404


# --- Commands -----------------------------------------------------------------------------------------


def test_commands(tmp_path):
    with Managed(tmp_path) as managed:
        managed.start(managed.issuer(), certificate())
        managed.wait_for("Ready")
        first = managed.wait_for_handshake()
        admin = ("--admin", f"127.0.0.1:{managed.gateway.admin_port}")

        listed = run_sluice("cert", "list", "--state-dir", managed.state)
        assert listed.returncode == 0 and re.search(r"^istio-system/web +Ready +20\d\d-", listed.stdout, re.M), listed
        from_process = json.loads(run_sluice("cert", "list", "--json", *admin).stdout)
        from_files = json.loads(run_sluice("cert", "list", "--json", "--state-dir", managed.state).stdout)
        assert from_process == from_files
        shown = run_sluice("cert", "show", "web", *admin)
        assert re.search(rf"^names +{HOST}$", shown.stdout, re.M), shown.stdout
        assert run_sluice("cert", "show", "other/web", *admin).returncode == 1

        renewed = run_sluice("cert", "renew", "web", *admin, seconds=60)
        assert renewed.returncode == 0, renewed
        assert wait_until(lambda: managed.wait_for_handshake() != first, 10)

        assert run_sluice("cert", "revoke", CERTIFICATE, *admin, "--reason", "boredom").returncode == 2
        serial = show(managed.handshake(), "-serial").strip().partition("=")[2].lower().lstrip("0")
        words = ("cert", "revoke", CERTIFICATE, *admin, "--reason", "keyCompromise", "--json")
        revoked = run_sluice(*words, seconds=60)
        assert revoked.returncode == 0 and json.loads(revoked.stdout)["state"] == "Revoked", revoked
        status = json.loads(managed.pebble.get(f"/cert-status-by-serial/{serial}"))
        assert (status["Status"], status["Reason"]) == ("Revoked", 1), status
        assert managed.gateway.metric("cert_management_revoked_certificates") == 1
        issued = run_sluice("cert", "issue", "web", *admin, seconds=60)
        assert issued.returncode == 0 and "Ready" in issued.stdout, issued
        assert managed.gateway.metric("cert_management_acme_orders", success="true", issuer="default/acme") == 3
        assert managed.gateway.metric("cert_management_cert_object_expire", namespace="istio-system") > time.time()

        status, _, body = managed.gateway.admin("/certs/renew?certificate=istio-system/web", "POST")
        assert status == 403, (status, body)
        assert managed.gateway.admin("/certs/renew?certificate=istio-system/web")[0] == 404


def test_imported_certificate(tmp_path):
    with Managed(tmp_path) as managed:
        authority = Authority("Own CA")
        pair = authority.issue(HOST)
        chain, key = tmp_path / "own.crt", tmp_path / "own.key"
        chain.write_text(pair.certificate)
        key.write_text(pair.key)
        managed.start()
        imported = run_sluice("cert", "import", "web-certs", "--cert", chain, "--key", key, "--state-dir", managed.state)
        assert imported.returncode == 0, imported
        managed.gateway.reload()  # nothing is managed here that would look for it
        assert managed.handshake(HOST, pathlib.Path(authority.file).read_text())
        stranger = self_signed("other.example.com")
        key.write_text(stranger.key)
        refused = run_sluice("cert", "import", "web-certs", "--cert", chain, "--key", key, "--state-dir", managed.state)
        assert refused.returncode == 1 and "own.key" in refused.stderr, refused


# --- Issuers of one's own --------------------------------------------------------------------------------


def issuer_of_a_ca(folder):
    """The documents, and the CA's certificate."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "ca.key", "-out", folder / "ca.crt",
         "-days", "3650", "-subj", "/O=Example/CN=Own CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign"],
        check=True, capture_output=True,
    )
    ca = (folder / "ca.crt").read_text()
    secret = documents.document(
        "Secret", "own-ca", namespace="default", type="kubernetes.io/tls",
        stringData={"tls.crt": ca, "tls.key": (folder / "ca.key").read_text()},
    )
    reference = {"privateKeySecretRef": {"name": "own-ca", "namespace": "default"}}
    return [issuer("ca", reference, name="own"), secret], ca


def test_certificate_of_a_ca(tmp_path):
    with Managed(tmp_path) as managed:
        texts, ca = issuer_of_a_ca(tmp_path)
        managed.start(*texts, certificate(issuer="own"))
        managed.wait_for("Ready")
        pem = wait_until(lambda: (p := managed.handshake()) and "Own CA" in show(p, "-issuer") and p, 10)
        assert managed.handshake(HOST, ca) == pem
        text = show(pem, "-text")
        assert "TLS Web Server Authentication, TLS Web Client Authentication" in text
        assert "O = Example" in show(pem, "-subject")


def test_self_signed_certificate(tmp_path):
    with Managed(tmp_path) as managed:
        managed.start(issuer("selfSigned", {}, name="own"), certificate(issuer="own", isCA=True))
        managed.wait_for("Ready")
        pem = wait_until(lambda: (p := managed.handshake()) and "CA:TRUE" in show(p, "-text") and p, 10)
        assert managed.handshake(HOST, pem) == pem


@pytest.mark.skipif(not FULL, reason="Chromium is large and slow: SLUICE_FULL=1")
@pytest.mark.skipif(chromium.PROGRAM is None, reason="Chromium is missing (Debian package chromium)")
@pytest.mark.parametrize("kind", ["acme", "ca", "selfSigned"])
def test_browser_accepts_the_certificates_of_every_issuer(tmp_path, kind):
    with Managed(tmp_path) as managed:
        trusted = None
        if kind == "acme":
            managed.start(managed.issuer(), certificate())
        elif kind == "ca":
            texts, trusted = issuer_of_a_ca(tmp_path)
            managed.start(*texts, certificate(issuer="own"))
        else:
            managed.start(issuer("selfSigned", {}, name="own"), certificate(issuer="own", isCA=True))
        managed.wait_for("Ready")
        mark = {"acme": "Pebble", "ca": "Own CA", "selfSigned": "CA:TRUE"}[kind]
        pem = wait_until(lambda: (p := managed.handshake()) and mark in show(p, "-text") and p, 10)
        trusted = trusted or (managed.root() if kind == "acme" else pem)
        assert "here" in chromium.page(HOST, managed.gateway.port(443), trusted_pem=trusted)
        stranger = self_signed(HOST).certificate
        assert "ERR_CERT_AUTHORITY_INVALID" in chromium.page(HOST, managed.gateway.port(443), trusted_pem=stranger)


def test_users_secret_wins(tmp_path):
    with Managed(tmp_path) as managed:
        pair = self_signed(HOST)
        secret = documents.document(
            "Secret", "web-certs", namespace="istio-system", type="kubernetes.io/tls",
            stringData={"tls.crt": pair.certificate, "tls.key": pair.key},
        )
        managed.start(managed.issuer(), certificate(), secret)
        time.sleep(1)
        shown = managed.shown()
        assert shown["state"] == "Ready" and "of the documents" in shown["message"], shown
        assert managed.handshake(HOST, pair.certificate)


def test_state_directory_that_cannot_be_used(tmp_path):
    with Managed(tmp_path) as managed:
        managed.state.write_text("a file")
        managed.gateway.write("managed.yaml", managed.issuer() + "\n---\n" + certificate())
        with pytest.raises(StartFailed, match="cannot use the state directory .*: it is no directory"):
            managed.gateway.start()

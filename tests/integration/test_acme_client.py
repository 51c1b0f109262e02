"""The ACME client (src/acme) against Pebble, step by step: each is a process of its own, so that nothing but what is
saved goes from one to the next."""

import base64
import http.server
import json
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import pytest

from harness.authority import Authority
from harness.pebble import PROBE, AcmeAccount, Pebble, StepFailed, run_probe

EXTERNAL = {"kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"}


@pytest.fixture(scope="module")
def pebble():
    with tempfile.TemporaryDirectory(prefix="sluice-pebble-") as folder:
        with Pebble(folder, environment={"PEBBLE_ALTERNATE_ROOTS": "2", "PEBBLE_CHAIN_LENGTH": "2"}) as running:
            yield running


@pytest.fixture(scope="module")
def account(pebble):
    return AcmeAccount(pebble).register("admin@example.com")


def shown(pem, *what):
    return subprocess.run(
        ["openssl", "x509", "-noout", *what], input=pem, capture_output=True, text=True, check=True, timeout=30
    ).stdout


def certificates_of(chain):
    return re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", chain, re.DOTALL)


def test_account_is_found_again_by_its_key(pebble, account):
    assert account.url.startswith("https://localhost:")
    assert account.step("find")["text"] == account.url
    assert account.step("register", "admin@example.com")["text"] == account.url, "one key, one account"
    stranger = AcmeAccount(pebble, "stranger")
    with pytest.raises(StepFailed) as failure:
        stranger.step("find")
    assert failure.value.type == "accountDoesNotExist" and failure.value.kind == "lasting"


def test_certificate_by_http_01(account):
    chain, key = account.obtain("a.example.com", "b.example.com")
    leaf = certificates_of(chain)[0]
    names = shown(leaf, "-ext", "subjectAltName")
    assert "DNS:a.example.com" in names and "DNS:b.example.com" in names
    public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout"], capture_output=True, text=True, check=True)
    assert shown(leaf, "-pubkey") == public.stdout


def test_wildcard_by_dns_01(account):
    chain, _ = account.obtain("*.wild.example.com", kind="dns-01")
    assert "DNS:*.wild.example.com" in shown(chain, "-ext", "subjectAltName")


def test_wildcard_is_not_offered_http_01(account):
    order = account.step("order", "*.other.example.com")
    authorization = account.step("authorization", order["authorizations"][0], "*.other.example.com")
    assert authorization["identifier"] == "*.other.example.com"
    assert list(authorization["challenges"]) == ["dns-01"]


def test_certificate_of_an_address(account):
    chain, _ = account.obtain("127.0.0.1")
    assert "IP Address:127.0.0.1" in shown(chain, "-ext", "subjectAltName")


def test_alternate_chain_by_the_common_name_of_its_root(pebble, account):
    wanted = shown(pebble.get("/roots/2"), "-subject", "-nameopt", "multiline").split("=")[-1].strip()
    chain, _ = account.obtain("chain.example.com", preferred=wanted)
    assert len(certificates_of(chain)) > 1
    assert wanted in shown(certificates_of(chain)[-1], "-issuer")
    chain, _ = account.obtain("chain.example.com", preferred="Nobody's Root")
    assert wanted not in shown(certificates_of(chain)[-1], "-issuer")


def test_failed_validation_says_which_name_and_why(account):
    names = ["fails.example.com"]
    order = account.step("order", *names)
    authorization = account.step("authorization", order["authorizations"][0], *names)
    account.step("accept", authorization["challenges"]["http-01"]["url"])  # without an answer
    seen = account.wait("authorization", order["authorizations"][0], names, until=("invalid",))
    assert seen["failure"]["failed"] == "order"
    assert "could not validate fails.example.com by http-01: " in seen["failure"]["message"]
    assert account.step("show", order["url"], *names)["status"] == "invalid"


def test_order_of_another_name_is_not_taken(account):
    order = account.step("order", "mine.example.com")
    with pytest.raises(StepFailed) as failure:
        account.step("show", order["url"], "other.example.com")
    assert failure.value.kind == "order"


def test_order_that_the_server_does_not_know_is_over(account):
    order = account.step("order", "mine.example.com")
    with pytest.raises(StepFailed) as failure:
        account.step("show", order["url"] + "x", "mine.example.com")
    assert failure.value.kind == "order"


def test_revoked_certificate_is_revoked_at_the_server(pebble, account, tmp_path):
    chain, _ = account.obtain("revoked.example.com")
    file = tmp_path / "leaf.crt"
    file.write_text(chain)
    account.step("revoke", file, 4)
    serial = shown(chain, "-serial").strip().partition("=")[2].lower().lstrip("0")
    status = json.loads(pebble.get(f"/cert-status-by-serial/{serial}"))
    assert status["Status"] == "Revoked" and status["Reason"] == 4, status
    with pytest.raises(StepFailed) as failure:
        account.step("revoke", file, 4)
    assert failure.value.type == "alreadyRevoked"


def test_key_rollover_leaves_the_account_and_ends_the_old_key(pebble):
    account = AcmeAccount(pebble, "rollover").register()
    successor = AcmeAccount(pebble, "successor")
    account.step("change-key", successor.key_file)
    assert successor.step("find")["text"] == account.url
    with pytest.raises(StepFailed):
        account.step("order", "a.example.com")
    successor.url = account.url
    assert successor.step("order", "a.example.com")["status"] == "pending"


def test_rsa_account_key(pebble):
    account = AcmeAccount(pebble, "rsa")
    subprocess.run(["openssl", "genrsa", "-out", account.key_file, "2048"], check=True, capture_output=True)
    assert account.register().step("order", "a.example.com")["status"] == "pending"


def test_certificate_while_four_of_five_nonces_are_refused(tmp_path):
    """With nine of ten one of 600 requests fails for good: the certificate manager does it again, nobody does here."""
    with Pebble(tmp_path, environment={"PEBBLE_WFE_NONCEREJECT": "80"}) as server:
        account = AcmeAccount(server).register()
        chain, _ = account.obtain("nonce.example.com")
        assert "DNS:nonce.example.com" in shown(chain, "-ext", "subjectAltName")


def test_external_account(tmp_path):
    with Pebble(tmp_path, external=EXTERNAL) as server:
        account = AcmeAccount(server)
        with pytest.raises(StepFailed) as failure:
            account.register("a@example.com")
        assert failure.value.kind == "lasting" and "externalAccountBinding" in failure.value.message
        with pytest.raises(StepFailed) as failure:
            account.register("a@example.com", "kid-1", "A" * 64)
        assert failure.value.kind == "lasting"
        account.register("a@example.com", "kid-1", EXTERNAL["kid-1"])
        assert account.step("order", "a.example.com")["status"] == "pending"


# --- Whom it trusts, and what it bears ---------------------------------------------------------------


def test_server_of_another_authority_is_refused(pebble, account):
    with pytest.raises(StepFailed) as failure:
        run_probe(pebble.url, Authority("Another CA").file, account.key_file, "", "find")
    assert failure.value.kind == "passing"
    assert re.search(r"was issued by '.*', which is none of the CA certificates of Issuer test/pebble", failure.value.message)
    with pytest.raises(StepFailed) as failure:
        run_probe(pebble.url, "", account.key_file, "", "find")  # the system's
    assert "the CA certificates of the system" in failure.value.message


def test_server_of_another_name_is_refused(pebble, account):
    with pytest.raises(StepFailed) as failure:
        run_probe(pebble.url.replace("localhost", "127.0.0.2"), pebble.ca_file, account.key_file, "", "find")
    assert "127.0.0.2" in failure.value.message and failure.value.kind == "passing", failure.value.message


def test_server_is_known_by_its_address(pebble, account):
    answer = run_probe(pebble.url.replace("localhost", "127.0.0.1"), pebble.ca_file, account.key_file, "", "find")
    assert answer["text"].startswith("https://127.0.0.1:")


class StandIn(http.server.ThreadingHTTPServer):
    """An HTTPS server that says what a test wants: path -> (status, fields, body)."""

    daemon_threads = True

    def __init__(self):
        authority = Authority("Stand-in CA")
        pair = authority.issue("localhost")
        self.ca_file = authority.file
        self.answers = {}
        self.agents = set()
        super().__init__(("127.0.0.1", 0), _StandInHandler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate_file, pair.key_file)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://localhost:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()
        directory = {name: f"{self.url}/{name}" for name in ("newNonce", "newAccount", "newOrder", "renewalInfo")}
        self.answers["/dir"] = (200, {}, json.dumps(directory))

    def handle_error(self, request, client_address):
        pass  # clients that go away in the middle


class _StandInHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.agents.add(self.headers["User-Agent"])
        status, fields, body = self.server.answers.get(self.path, (404, {}, ""))
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def stand_in():
    server = StandIn()
    yield server
    server.shutdown()
    server.server_close()


def test_renewal_information_needs_no_account(stand_in, account, tmp_path):
    chain, _ = account.obtain("window.example.com")
    file = tmp_path / "leaf.crt"
    file.write_text(chain)
    serial = shown(chain, "-serial").strip().partition("=")[2]

    def ask():
        return run_probe(stand_in.url + "/dir", stand_in.ca_file, account.key_file, "", "renewal-info", file)

    assert ask() == {"offered": False}, "404: not of this certificate"
    identifier = bytes.fromhex(
        re.search(r"^ *((?:[0-9A-F]{2}:)+[0-9A-F]{2})$", shown(chain, "-ext", "authorityKeyIdentifier"), re.MULTILINE)
        .group(1)
        .replace(":", "")
    )
    number = int(serial, 16)
    path = "/renewalInfo/" + ".".join(
        base64url(part) for part in (identifier, number.to_bytes(number.bit_length() // 8 + 1, "big"))
    )
    window = {"start": "2030-01-02T04:00:00Z", "end": "2030-01-03T04:00:00Z"}
    stand_in.answers[path] = (200, {"Retry-After": "21600"}, json.dumps({"suggestedWindow": window}))
    assert ask() == {"offered": True, "start": 1893556800, "end": 1893643200, "explanation": "", "askAgain": 21600}
    assert all(re.fullmatch(r"sluice/\d+\.\d+\.\d+", agent) for agent in stand_in.agents), stand_in.agents


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def failure_of(server, key_file, path="/dir"):
    with pytest.raises(StepFailed) as failure:
        run_probe(server.url + path, server.ca_file, key_file, "", "find")
    return failure.value


def test_directory_may_have_moved_but_not_endlessly_and_not_to_http(stand_in, account, tmp_path):
    stand_in.answers["/old"] = (301, {"Location": "/dir"}, "")
    assert "/newNonce" in failure_of(stand_in, account.key_file, "/old").message, "past the directory"
    stand_in.answers["/circle"] = (302, {"Location": "/circle"}, "")
    assert "it answers 302" in failure_of(stand_in, account.key_file, "/circle").message
    stand_in.answers["/plain"] = (302, {"Location": "http://localhost:1/dir"}, "")
    assert "no https:// URL" in failure_of(stand_in, account.key_file, "/plain").message


def test_answer_without_end_is_cut_off(stand_in, account):
    stand_in.answers["/dir"] = (200, {}, " " * (2 * 1024 * 1024))
    failure = failure_of(stand_in, account.key_file)
    assert "it answers with more than 1024 KiB" in failure.message and failure.kind == "passing"
    stand_in.answers["/dir"] = (200, {f"X-{number}": "x" * 1000 for number in range(50)}, "{}")
    assert "a head of more than 32 KiB" in failure_of(stand_in, account.key_file).message


def test_end_of_the_process_does_not_wait_for_a_silent_server(account):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/dir"
        process = subprocess.Popen([PROBE, url, "", account.key_file, "", "find"], stdout=subprocess.PIPE, text=True)
        time.sleep(1)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
        assert time.monotonic() - started < 5
        assert "this process is about to end" in output

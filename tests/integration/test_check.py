"""`sluice check`: what is wrong with documents, before anybody runs them."""

import json
import re

import pytest

from harness import documents
from harness.certificates import encrypted_key, expired, self_signed
from harness.documents import DOMAIN
from harness.gateway import ROOT, run_sluice

DIAGNOSTIC = re.compile(
    r"(?P<file>[^:\n]+):(?P<line>\d+):(?P<column>\d+): (?P<severity>error|warning|info): (?P<message>.+)"
)


@pytest.fixture
def check(tmp_path, certificate):
    """check({file: text}) gives exit code and the diagnostics, on top of the usual documents."""

    def run(texts, *, expect):
        folder = tmp_path / "config"
        folder.mkdir(exist_ok=True)
        for name, text in (documents.kyma_texts(certificate) | texts).items():
            if text is None:
                continue
            (folder / name).write_text(text)
        result = run_sluice("check", "--config", folder)
        output = result.stdout + result.stderr
        assert result.returncode == expect, output
        return [found.groupdict() for found in DIAGNOSTIC.finditer(output)], output

    return run


def test_good_documents_pass(check):
    diagnostics, output = check({"app.yaml": documents.routes("app", 8000)}, expect=0)
    assert [one for one in diagnostics if one["severity"] == "error"] == [], output


def test_place_of_an_error_is_exact(check):
    text = documents.routes("app", 8000).replace("  resolution: STATIC", "  resolutoin: STATIC")
    line = text.splitlines().index("  resolutoin: STATIC") + 1
    diagnostics, output = check({"app.yaml": text}, expect=1)
    errors = [one for one in diagnostics if one["severity"] == "error"]
    assert any(
        one["file"].endswith("app.yaml") and (one["line"], one["column"]) == (str(line), "3") for one in errors
    ), output
    assert "resolution" in output, "a hint at what was meant"


def test_all_errors_are_told(check):
    texts = {
        f"bad{index}.yaml": documents.routes(f"app{index}", 8000).replace("  hosts:", "  hsots:", 1)
        for index in range(3)
    }
    diagnostics, output = check(texts, expect=1)
    assert {f"bad{index}.yaml" for index in range(3)} <= {one["file"].rpartition("/")[2] for one in diagnostics}, output


@pytest.mark.parametrize(
    "text, expected",
    [
        (documents.virtual_service("app", [f"app.{DOMAIN}"], "nowhere"), "nowhere"),
        (documents.virtual_service("app", [f"app.{DOMAIN}"], "nowhere", gateways=["kyma-system/missing"]), "missing"),
        (
            documents.join(
                documents.service_entry("app", 8000),
                documents.virtual_service(
                    "app",
                    [f"app.{DOMAIN}"],
                    [documents.http_rule(documents.destination("app", 0), documents.destination("app", 0))],
                ),
            ),
            "weight",
        ),
    ],
    ids=["missing_destination", "missing_gateway", "weights_without_sum"],
)
def test_what_cannot_work_is_a_warning(check, text, expected):
    diagnostics, output = check({"app.yaml": text}, expect=0)
    assert any(one["severity"] == "warning" and expected in one["message"] for one in diagnostics), output


def test_missing_secret_is_a_warning(check, tmp_path):
    diagnostics, output = check({"secret.yaml": ""}, expect=0)
    assert any(one["severity"] == "warning" and "kyma-gateway-certs" in one["message"] for one in diagnostics), output


def test_unknown_cipher_suite_is_a_warning(check):
    text = documents.kyma_gateway().replace("      - ECDHE-RSA-AES128-SHA\n", "      - ECDHE-RSA-AES999-SHA\n")
    diagnostics, output = check({"gateway.yaml": documents.join(text, documents.plain_gateway())}, expect=0)
    assert any(one["severity"] == "warning" and "ECDHE-RSA-AES999-SHA" in one["message"] for one in diagnostics), output


@pytest.mark.parametrize(
    "make, expected",
    [
        (lambda good: documents.secret(expired(f"*.{DOMAIN}")), "expired"),
        (lambda good: documents.secret(good, key=self_signed(f"*.{DOMAIN}", name="another").key), "key"),
        (lambda good: documents.secret(good, key=encrypted_key(good)), "encrypted"),
    ],
    ids=["expired", "mismatched", "encrypted"],
)
def test_bad_certificate_is_an_error(check, certificate, make, expected):
    diagnostics, output = check({"secret.yaml": make(certificate)}, expect=1)
    assert any(one["severity"] == "error" and expected in one["message"] for one in diagnostics), output
    assert not certificate.shows_key(output)


def test_certificate_for_other_hosts_is_a_warning(check):
    diagnostics, output = check({"secret.yaml": documents.secret(self_signed("*.example.org"))}, expect=0)
    assert any(one["severity"] == "warning" and DOMAIN in one["message"] for one in diagnostics), output


def test_ecdsa_key_behind_rsa_suites_is_a_warning(check):
    """The five suites are all ECDHE-RSA: such a certificate locks out every TLS 1.2 client."""
    pair = self_signed(f"*.{DOMAIN}", name="ecdsa", key=("ec", "P-256"))
    diagnostics, output = check({"secret.yaml": documents.secret(pair)}, expect=0)
    assert any(one["severity"] == "warning" and "1.2" in one["message"] for one in diagnostics), output


def test_json_is_read_as_well(check):
    text = (
        '{"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",'
        ' "metadata": {"name": "j", "namespace": "default"},'
        ' "spec": {"hosts": ["j.upstream.test"], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],'
        ' "resolution": "STATIC", "endpoints": [{"address": "127.0.0.1", "ports": {"http": 8000}}]}}'
    )
    check({"entry.json": text, "app.yaml": documents.virtual_service("j", [f"j.{DOMAIN}"], "j")}, expect=0)


@pytest.mark.parametrize("name", ["kyma-gateway", "mesh-config"])
def test_examples_pass(name):
    """What the project ships as an example must be right."""
    folder = ROOT / "examples" / name
    if not any(folder.glob("*.y*ml")):
        pytest.fail(f"no example in {folder}")
    result = run_sluice("check", "--config", folder)
    assert result.returncode == 0, result.stdout + result.stderr
    assert ": error: " not in result.stdout + result.stderr


def test_format_json_is_one_object(tmp_path):
    text = documents.routes("app", 8000).replace("  resolution: STATIC", "  resolutoin: STATIC")
    (tmp_path / "app.yaml").write_text(text)
    result = run_sluice("check", "--config", tmp_path, "--format", "json")
    assert result.returncode == 1
    report = json.loads(result.stdout)
    assert report["valid"] is False and report["hash"] is None and report["errors"] >= 1
    (unknown,) = [one for one in report["diagnostics"] if one["field"] == "spec.resolutoin"]
    assert unknown["severity"] == "error" and unknown["file"].endswith("app.yaml") and unknown["column"] == 3
    assert unknown["line"] == text.splitlines().index("  resolutoin: STATIC") + 1
    assert "resolution" in unknown["hint"] and "resolution\"" not in unknown["message"]


def test_format_json_of_what_can_serve_has_the_hash(tmp_path, certificate):
    for name, text in documents.kyma_texts(certificate).items():
        (tmp_path / name).write_text(text)
    result = run_sluice("check", "--config", tmp_path, "--format", "json")
    report = json.loads(result.stdout)
    assert result.returncode == 0 and report["valid"] is True and re.fullmatch("[0-9a-f]{32}", report["hash"])
    assert report["hash"] in result.stderr, "the summary is still there, on the other stream"


def test_format_github_is_workflow_commands(tmp_path):
    # A name that would end the property, and a kind that would be a command of its own.
    (tmp_path / "a,line=1::b.yaml").write_text('apiVersion: x/v1\nkind: "K\\n::error::x"\n---\nkind: a\n')
    result = run_sluice("check", "--config", tmp_path, "--format", "github")
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    assert lines and all(re.match(r"::(error|warning|notice) [^:]*::", line) for line in lines), result.stdout
    assert any(line.startswith("::error ") and "a%2Cline=1%3A%3Ab.yaml,line=4,col=1," in line for line in lines), lines


def test_strict_fails_on_warnings(tmp_path, certificate):
    for name, text in documents.kyma_texts(certificate).items():
        (tmp_path / name).write_text(text)
    (tmp_path / "secret.yaml").unlink()
    assert run_sluice("check", "--config", tmp_path).returncode == 0
    result = run_sluice("check", "--config", tmp_path, "--strict")
    assert result.returncode == 1 and re.search(r"\d+ errors?, \d+ of them by --strict", result.stderr), result.stderr


def test_exit_codes_are_in_the_help():
    shown = run_sluice("check", "--help").stdout
    assert "--strict" in shown and re.search(r"Exit codes: 0 .*1 .*2 wrong\s+usage", shown, re.S), shown
    assert run_sluice("check", "--config", "x", "--format", "xml").returncode == 2


def test_several_paths(tmp_path, certificate):
    for name, text in documents.kyma_texts(certificate).items():
        (tmp_path / name).write_text(text)
    for arguments in (
        ("--config", tmp_path / "gateway.yaml", "--config", tmp_path / "secret.yaml"),
        ("--config", tmp_path / "gateway.yaml", tmp_path / "secret.yaml"),
    ):
        result = run_sluice("check", *arguments)
        assert result.returncode == 0 and "kyma-gateway-certs" not in result.stdout + result.stderr, result


def test_certificate_made_by_the_program_passes(tmp_path):
    """`sluice cert self-signed` and `sluice check` agree."""
    secret = tmp_path / "secret.yaml"
    made = run_sluice(
        "cert",
        "self-signed",
        "--host",
        f"*.{DOMAIN}",
        "--host",
        DOMAIN,
        "--out",
        secret,
        "--name",
        "kyma-gateway-certs",
        "--namespace",
        "istio-system",
    )
    assert made.returncode == 0, made.stderr
    assert secret.stat().st_mode & 0o077 == 0, "others may read the key"
    (tmp_path / "gateway.yaml").write_text(documents.join(documents.kyma_gateway(), documents.plain_gateway()))
    result = run_sluice("check", "--config", tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "kyma-gateway-certs" not in result.stdout + result.stderr


def test_certificate_made_by_the_program_serves(tmp_path, own_gateway, own_upstream):
    secret = tmp_path / "made.yaml"
    made = run_sluice(
        "cert",
        "self-signed",
        "--host",
        f"*.{DOMAIN}",
        "--out",
        secret,
        "--name",
        "kyma-gateway-certs",
        "--namespace",
        "istio-system",
    )
    assert made.returncode == 0, made.stderr
    gateway = own_gateway({"secret.yaml": secret.read_text(), "app.yaml": documents.routes("app", own_upstream.port)})
    with gateway.connect(f"app.{DOMAIN}", tls=True) as client:
        assert client.request().body == b"hello"


def test_self_signed_refuses_nonsense(tmp_path):
    for host in ("", "a..b", "a b", "x" * 300):
        made = run_sluice(
            "cert", "self-signed", "--host", host, "--out", tmp_path / "x.yaml", "--name", "n", "--namespace", "ns"
        )
        assert made.returncode not in (0, -6, -11), host
    assert not (tmp_path / "x.yaml").exists()

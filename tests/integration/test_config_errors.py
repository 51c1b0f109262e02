"""Documents by hostile or clumsy hands: refused with a place and a reason, in bounded time, never a crash."""

import random
import re

import pytest

from harness import documents
from harness.documents import DOMAIN
from harness.gateway import run_sluice

GATEWAY = documents.kyma_gateway()
ROUTES = documents.routes("app", 8000)
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + index)}: &{chr(98 + index)} [{','.join(['*' + chr(97 + index)] * 9)}]\n" for index in range(12)
)

# name: (text, what the message must say)
REFUSED = {
    "unclosed_list": ("a: [1, 2\n", ""),
    "tab_indentation": ("a:\n\tb: 1\n", ""),
    "duplicate_key": (
        ROUTES.replace("  resolution: STATIC\n", "  resolution: STATIC\n  resolution: STATIC\n"),
        "resolution",
    ),
    "not_a_mapping": ("- just\n- a list\n", ""),
    "only_text": ("just text\n", ""),
    "no_kind": ("apiVersion: networking.istio.io/v1\nmetadata:\n  name: x\n", "kind"),
    "no_name": (ROUTES.replace("  name: app\n", "", 1), "name"),
    "nul_byte": ("a: \0\n", ""),
    "billion_laughs": (BOMB, ""),
    "deep_nesting": ("a: " + "[" * 10_000 + "]" * 10_000 + "\n", ""),
    "port_too_large": (ROUTES.replace("number: 80", "number: 65536", 1), "65536"),
    "port_negative": (ROUTES.replace("number: 80", "number: -1", 1), "-1"),
    "port_text": (ROUTES.replace("number: 80", "number: eighty", 1), "eighty"),
    "list_instead_of_text": (
        ROUTES.replace("  resolution: STATIC", "  resolution: [STATIC]"),
        "resolution|text|string|scalar",
    ),
    "unknown_enum": (ROUTES.replace("resolution: STATIC", "resolution: MAGIC"), "MAGIC"),
    "unknown_field": (ROUTES.replace("  location:", "  loction:"), "loction"),
    "bad_address": (ROUTES.replace("address: 127.0.0.1", "address: 127.0.0.256"), "127.0.0.256"),
    "bad_host": (ROUTES.replace(f'"app.{DOMAIN}"', f'"app..{DOMAIN}"'), r"app\.\."),
    "wildcard_inside": (ROUTES.replace(f'"app.{DOMAIN}"', f'"a*p.{DOMAIN}"'), r"a\*p"),
    "unsupported_feature": (ROUTES.replace("  resolution: STATIC", "  resolution: STATIC\n  workloadSelector:\n    labels: {a: b}"), "workloadSelector"),
    "unsupported_tls_mode": (GATEWAY.replace("mode: SIMPLE", "mode: AUTO_PASSTHROUGH"), "AUTO_PASSTHROUGH"),
    "bad_base64": (
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n  namespace: istio-system\ndata:\n  tls.crt: '!!!'\n",
        r"tls\.crt|base64",
    ),
    "gateway_without_servers": (re.sub(r"  servers:.*", "  servers: []\n", GATEWAY, flags=re.S), "server"),
    "control_characters_in_name": (ROUTES.replace("  name: app\n", '  name: "a\\e[31mpp"\n', 1), ""),
}


def check(tmp_path, text, name="document.yaml", **options):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return run_sluice("check", "--config", path, seconds=20, **options)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_place_and_reason(tmp_path, name):
    text, expected = REFUSED[name]
    result = check(tmp_path, text)
    output = result.stdout + result.stderr
    assert result.returncode == 1, output[:2000]
    assert re.search(r"document\.yaml(:\d+:\d+)?: error: ", output), output[:2000]
    assert re.search(expected, output), output[:2000]
    assert "\x1b" not in output, "a document writes to the terminal"
    assert len(output) < 100_000


def test_random_bytes_are_refused(tmp_path):
    source = random.Random(3)
    for round_number in range(20):
        result = check(tmp_path, source.randbytes(source.randrange(1, 5000)))
        assert result.returncode in (0, 1), (round_number, result.stderr[-2000:])


def test_mutated_documents_never_crash_it(tmp_path):
    """A byte changed here and there: accepted or refused, but always a verdict."""
    source = random.Random(4)
    original = documents.join(GATEWAY, ROUTES).encode()
    for round_number in range(60):
        text = bytearray(original)
        for _ in range(source.randrange(1, 6)):
            text[source.randrange(len(text))] = source.choice(b" \n\t:-[]{}&*!|>'\"%@`#,x0\xff")
        result = check(tmp_path, bytes(text))
        assert result.returncode in (0, 1), (round_number, bytes(text), result.stderr[-2000:])


def test_file_that_is_too_large_is_refused(tmp_path):
    result = check(tmp_path, b"# " + b"x" * (17 * 1024 * 1024) + b"\n")
    assert result.returncode == 1
    assert re.search("large|limit|MiB|bytes", result.stdout + result.stderr)


def test_unknown_kinds_are_no_error(tmp_path):
    text = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: x\nspec:\n  replicas: 3\n---\n" + ROUTES
    result = check(tmp_path, text)
    assert result.returncode == 0, result.stdout + result.stderr


def test_empty_file_and_empty_documents_are_no_error(tmp_path):
    for text in ("", "---\n", "# only a comment\n", "---\n---\n" + ROUTES + "---\n"):
        assert check(tmp_path, text).returncode == 0, text


def test_folder_of_other_files_is_looked_through_by_suffix(tmp_path):
    (tmp_path / "readme.md").write_text("not: [yaml")
    (tmp_path / "app.yaml").write_text(ROUTES)
    (tmp_path / "more.yml").write_text(documents.routes("more", 1))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "bad.yaml").write_text("not: [yaml")
    result = run_sluice("check", "--config", tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_conflicts_are_told(tmp_path):
    """Two documents of one name: an error; one host in two TLS servers: a warning, the first wins."""
    result = check(tmp_path, documents.join(ROUTES, ROUTES))
    assert "ServiceEntry" in result.stdout + result.stderr
    twin = GATEWAY.replace("name: kyma-gateway\n", "name: twin\n", 1)
    result = check(tmp_path, documents.join(GATEWAY, twin))
    assert result.returncode == 0
    assert re.search(r"warning: .*\*\." + re.escape(DOMAIN), result.stdout + result.stderr)

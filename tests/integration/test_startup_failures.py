"""A start that cannot succeed says what is wrong, where, and what to do about it; and serves nothing."""

import os
import platform
import re
import resource
import subprocess

import pytest

from harness import documents, ports
from harness.certificates import encrypted_key, expired, self_signed
from harness.documents import DOMAIN
from harness.gateway import BINARY, StartFailed, run_sluice


@pytest.fixture
def failing(own_gateway):
    """failing({file: text}) starts a gateway that must not come up; gives exit code and output."""

    def start(texts=None, **options):
        gateway = own_gateway(texts, start=False, **options)
        with pytest.raises(StartFailed) as failure:
            gateway.start()
        assert failure.value.exit_code == 1, failure.value.output
        return failure.value.output

    return start


def test_port_in_use_names_port_and_remedy(own_gateway):
    gateway = own_gateway(start=False)
    with ports.listen() as taken:
        number = taken.getsockname()[1]
        gateway.write("service.yaml", documents.service({443: gateway.port(443), 80: number, 8080: gateway.port(8080)}))
        with pytest.raises(StartFailed) as failure:
            gateway.start()
    output = failure.value.output
    assert failure.value.exit_code == 1
    assert str(number) in output and re.search("already in use|EADDRINUSE", output), output
    assert len(output.splitlines()) < 20, "one clear message, not a flood"


@pytest.mark.parametrize("option", ["--admin", "--status"])
def test_port_in_use_names_the_option_that_wants_it(own_gateway, option):
    gateway = own_gateway(start=False)
    with ports.listen() as taken:
        number = taken.getsockname()[1]
        gateway.command[gateway.command.index(option) + 1] = f"127.0.0.1:{number}"
        with pytest.raises(StartFailed) as failure:
            gateway.start()
    output = failure.value.output
    assert re.search(rf"{option}: .*127\.0\.0\.1:{number}: .*in use.*choose another port", output), output
    assert "Gateway" not in output and "targetPort" not in output, "no document names this port"


def test_broken_document_names_file_line_and_column(failing):
    output = failing({"broken.yaml": documents.routes("app", 1).replace("  hosts:", "  hsots:", 1)})
    assert re.search(r"error \S*broken\.yaml:7:3: .*hsots", output), output


def test_every_error_is_told_at_once(failing):
    output = failing(
        {
            "one.yaml": documents.routes("one", 1).replace("  hosts:", "  hsots:", 1),
            "two.yaml": documents.routes("two", 1).replace("  resolution:", "  resolutoin:", 1),
        }
    )
    assert "hsots" in output and "resolutoin" in output, output


def test_missing_file_is_named(own_gateway):
    gateway = own_gateway(start=False)
    gateway.command[gateway.command.index("--config") + 1] = gateway.folder / "nowhere.yaml"
    with pytest.raises(StartFailed) as failure:
        gateway.start()
    assert failure.value.exit_code == 1
    assert "nowhere.yaml" in failure.value.output and "No such file" in failure.value.output


def test_unreadable_file_is_named(own_gateway):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    gateway = own_gateway(start=False)
    gateway.write("secret.yaml", "x")
    (gateway.config / "secret.yaml").chmod(0)
    with pytest.raises(StartFailed) as failure:
        gateway.start()
    assert "secret.yaml" in failure.value.output and "Permission denied" in failure.value.output


BAD_CERTIFICATES = {
    "expired": (lambda good: documents.secret(expired(f"*.{DOMAIN}")), "expired"),
    "key_of_another": (lambda good: documents.secret(good, key=self_signed(f"*.{DOMAIN}", name="another").key), "key"),
    "encrypted_key": (lambda good: documents.secret(good, key=encrypted_key(good)), "encrypted"),
    "garbage": (
        lambda good: re.sub("tls.crt: .*", "tls.crt: aGVsbG8gd29ybGQK", documents.secret(good)),
        "tls.crt|certificate",
    ),
}


@pytest.mark.parametrize("name", BAD_CERTIFICATES)
def test_bad_certificate_is_told(failing, certificate, name):
    make, expected = BAD_CERTIFICATES[name]
    output = failing({"secret.yaml": make(certificate)})
    assert "kyma-gateway-certs" in output and re.search(expected, output), output
    assert re.search(r"error \S*secret\.yaml:\d+:\d+: ", output), output
    assert not certificate.shows_key(output)


def test_too_few_descriptors_are_told(failing):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    output = failing(preexec=limit, concurrency=2)
    assert re.search("descriptor|RLIMIT_NOFILE|open files", output), output
    assert "ulimit" in output or "LimitNOFILE" in output, output


def test_clients_beyond_the_descriptor_limit_wait(own_gateway, own_upstream):
    """With few descriptors the gateway takes fewer clients at once; the others are served when those are gone."""
    gateway = own_gateway(
        {"app.yaml": documents.routes("app", own_upstream.port)},
        preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128)),
    )
    clients = [gateway.connect(f"app.{DOMAIN}") for _ in range(150)]
    for client in clients:
        client.send_head()
    served = 0
    for client in clients:
        assert client.read_response().status == 200
        client.close()
        served += 1
    assert served == 150
    assert gateway.status() == 200


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("run", "--config"),
        ("run", "--nonsense"),
        ("fly",),
        ("run", "--config", "x", "--concurrency", "zero"),
        ("run", "--config", "x", "--admin", "nonsense"),
        ("run", "--config", "x", "--drain-timeout", "-1"),
        ("run", "--config", "x", "--concurrency", "100000"),
        ("check",),
        ("sample-upstream",),
        ("cert", "self-signed"),
    ],
    ids=" ".join,
)
def test_wrong_arguments_are_told(arguments):
    result = run_sluice(*arguments)
    assert result.returncode not in (0, -6, -11), result
    assert result.stderr.strip(), "an error goes to standard error"
    assert "Sanitizer" not in result.stderr and "terminate called" not in result.stderr


def test_access_log_that_cannot_be_written_is_told(own_gateway):
    gateway = own_gateway(start=False)
    gateway.command[gateway.command.index("--access-log") + 1] = (
        gateway.folder / "no" / "such" / "folder" / "access.log"
    )
    with pytest.raises(StartFailed) as failure:
        gateway.start()
    assert "access.log" in failure.value.output


def test_missing_secret_is_a_warning_only(own_gateway):
    """The gateway comes up, and closes connections of that server, as Istio does."""
    gateway = own_gateway(start=False)
    (gateway.config / "secret.yaml").unlink()
    gateway.start()
    assert "kyma-gateway-certs" in gateway.log
    with gateway.connect(f"a.{DOMAIN}", number=80) as client:
        assert client.request().status == 301


def test_version():
    shown = run_sluice("version")
    assert shown.returncode == 0 and re.match(r"sluice \d+\.\d+\.\d+\n", shown.stdout)
    for library in ("wolfSSL", "liburing", "llhttp"):
        assert re.search(library + r" \d+\.\d+", shown.stdout), shown.stdout


def test_libraries_of_the_private_prefix_are_linked_statically():
    """The binary goes to machines that have none of them."""
    needed = subprocess.run(["ldd", BINARY], capture_output=True, text=True, check=True).stdout
    for library in ("wolfssl", "uring", "llhttp", "crypto_mb"):
        assert library not in needed, needed
    if platform.machine() == "x86_64":
        assert "crypto_mb" in run_sluice("version").stdout


def test_help_names_every_command():
    shown = run_sluice("--help")
    assert shown.returncode == 0
    for command in ("run", "check", "cert", "sample-upstream", "version"):
        assert command in shown.stdout

"""--watch: a change of the files is a reload, without SIGHUP; one change is one reload."""

import os
import shutil
import ssl
import time

import pytest

from harness import documents
from harness.certificates import self_signed
from harness.documents import DOMAIN
from harness.gateway import StartFailed, wait_until
from harness.limits import RELOAD_SECONDS
from harness.load import Load

APP = f"app.{DOMAIN}"
NEW = f"new.{DOMAIN}"
# A change, 200 ms of quiet, and a second that shows that nothing more comes.
SETTLED_SECONDS = 1.5


class MountedSecret:
    """A folder as a kubelet mounts a Secret: links through ..data to a folder that is swapped."""

    def __init__(self, folder):
        self.folder = folder
        self._count = 0
        folder.mkdir()

    def swap(self, pair):
        self._count += 1
        state = self.folder / f"..{self._count}"
        state.mkdir()
        (state / "tls.crt").write_text(pair.certificate)
        (state / "tls.key").write_text(pair.key)
        (self.folder / "..data_tmp").symlink_to(state.name)
        before = self.folder / "..data"
        old = os.readlink(before) if before.is_symlink() else None
        (self.folder / "..data_tmp").replace(before)
        if old:
            shutil.rmtree(self.folder / old)
        else:
            for name in ("tls.crt", "tls.key"):
                (self.folder / name).symlink_to(f"..data/{name}")


@pytest.fixture
def watching(own_gateway, own_upstream):
    return own_gateway(
        {"app.yaml": documents.routes("app", own_upstream.port)}, extra_arguments=["--watch"], concurrency=2
    )


@pytest.fixture
def mounted(own_gateway, own_upstream, certificate):
    """(gateway, its certificate as a mounted Secret)"""
    gateway = own_gateway({"app.yaml": documents.routes("app", own_upstream.port)}, start=False, concurrency=2)
    (gateway.config / "secret.yaml").unlink()
    secret = MountedSecret(gateway.folder / "kyma-gateway-certs")
    secret.swap(certificate)
    gateway.command += ["--config", secret.folder, "--watch"]
    gateway.start()
    return gateway, secret


def counts_after(gateway, change, expected):
    """Waits until `change` has become `expected` more (successes, failures), and that it stays so."""
    before = gateway.reload_counts()
    wanted = tuple(count + more for count, more in zip(before, expected))
    change()
    assert wait_until(lambda: gateway.reload_counts() == wanted, RELOAD_SECONDS), (
        before,
        gateway.reload_counts(),
        gateway.log_tail(),
    )
    time.sleep(SETTLED_SECONDS)
    assert gateway.reload_counts() == wanted, gateway.log_tail()


def status_of(gateway, host):
    with gateway.connect(host) as client:
        return client.request("GET", "/").status


def presented(gateway):
    with gateway.connect(APP, tls=True) as client:
        return ssl.DER_cert_to_PEM_cert(client.socket.getpeercert(binary_form=True)).strip()


def test_edit_by_rename_is_live(watching, own_upstream):
    counts_after(watching, lambda: watching.write("new.yaml", documents.routes("new", own_upstream.port)), (1, 0))
    assert status_of(watching, NEW) == 200


def test_edit_in_place_is_live(watching, own_upstream):
    def edit():
        with open(watching.config / "app.yaml", "a", encoding="utf-8") as file:
            file.write("---\n" + documents.routes("new", own_upstream.port))

    counts_after(watching, edit, (1, 0))
    assert status_of(watching, NEW) == 200


def test_file_deleted_and_created_again(watching):
    text = (watching.config / "app.yaml").read_text()
    counts_after(watching, (watching.config / "app.yaml").unlink, (1, 0))
    assert status_of(watching, APP) == 404
    counts_after(watching, lambda: (watching.config / "app.yaml").write_text(text), (1, 0))
    assert status_of(watching, APP) == 200


def test_broken_file_keeps_the_old_configuration_until_it_is_mended(watching, own_upstream):
    counts_after(watching, lambda: watching.write("new.yaml", "kind: [\n"), (0, 1))
    assert status_of(watching, APP) == 200
    assert "new.yaml:" in watching.log
    counts_after(watching, lambda: watching.write("new.yaml", documents.routes("new", own_upstream.port)), (1, 0))
    assert status_of(watching, NEW) == 200


def test_directory_removed_and_made_again(watching):
    away = watching.folder / "away"
    counts_after(watching, lambda: watching.config.rename(away), (0, 1))
    assert status_of(watching, APP) == 200, "the old configuration serves"
    counts_after(watching, lambda: shutil.copytree(away, watching.config), (1, 0))
    counts_after(watching, (watching.config / "app.yaml").unlink, (1, 0))
    assert status_of(watching, APP) == 404


def test_rewriting_all_the_time_cannot_hold_it_off(watching, own_upstream):
    successes = watching.reload_counts()[0]
    text = documents.routes("new", own_upstream.port)
    deadline = time.monotonic() + RELOAD_SECONDS
    while watching.reload_counts()[0] == successes:
        assert time.monotonic() < deadline, watching.log_tail()
        watching.write("new.yaml", text)
        time.sleep(0.05)
    assert status_of(watching, NEW) == 200


def test_mounted_secret_is_swapped_under_traffic(mounted, own_upstream):
    gateway, secret = mounted
    pairs = [self_signed(f"*.{DOMAIN}", name=name) for name in ("one", "two", "three")]
    own_upstream.script = lambda peer, request: peer.respond(body=request.target.encode())
    load = Load()

    def keep_asking(client):
        while not load.stopping.is_set():
            load.count += 1
            target = f"/{load.count}"
            response = client.request("GET", target)
            assert (response.status, response.body) == (200, target.encode())
            time.sleep(0.01)

    clients = [gateway.connect(APP, tls=tls) for tls in (False, True)]
    for client in clients:
        load.start(keep_asking, client)
    for pair in pairs:
        counts_after(gateway, lambda pair=pair: secret.swap(pair), (1, 0))
        assert presented(gateway) == pair.certificate.strip()
    load.stop()
    assert not load.failures, load.failures
    assert load.count > 50
    for client in clients:
        client.close()


def test_mounted_secret_conflicts_with_a_document(own_gateway, certificate):
    gateway = own_gateway(start=False)
    secret = MountedSecret(gateway.folder / "kyma-gateway-certs")
    secret.swap(certificate)
    gateway.command += ["--config", secret.folder]
    with pytest.raises(StartFailed) as failure:
        gateway.start()
    output = failure.value.output
    assert f"{secret.folder}: Secret istio-system/kyma-gateway-certs is there twice; first at" in output
    assert "secret.yaml:" in output


def test_without_the_option_nothing_is_watched(own_gateway, own_upstream):
    gateway = own_gateway({"app.yaml": documents.routes("app", own_upstream.port)})
    gateway.write("new.yaml", documents.routes("new", own_upstream.port))
    time.sleep(SETTLED_SECONDS)
    assert status_of(gateway, NEW) == 404
    assert not any("inotify" in name for name in gateway.descriptors())

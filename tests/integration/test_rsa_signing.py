"""Both ways of making RSA signatures, on any machine: several at once by --rsa-signing batched, one by one by single."""

import concurrent.futures
import pathlib
import socket
import ssl

import pytest

from harness import documents, ports
from harness.certificates import self_signed
from harness.documents import DOMAIN
from harness.gateway import StartFailed
from harness.limits import IO_SECONDS

HANDSHAKES = 24
CLIENTS = 12  # more than a batch has room for


def can_batch():
    flags = next(line for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags"))
    return "avx512ifma" in flags.split()


def shake_hands(port, certificate, version):
    context = ssl.create_default_context(cafile=certificate.certificate_file)
    context.minimum_version = context.maximum_version = version
    name = f"app.{DOMAIN}"
    with socket.create_connection((ports.LOOPBACK, port), IO_SECONDS) as plain:
        with context.wrap_socket(plain, server_hostname=name) as connection:
            return connection.version()


@pytest.mark.parametrize("size", ["2048", "3072", "4096"])
@pytest.mark.parametrize("way", ["automatic", "batched", "single"])
def test_every_way_signs_for_clients_that_come_alone_and_in_crowds(own_gateway, own_upstream, way, size):
    certificate = self_signed(f"*.{DOMAIN}", name=f"rsa-{size}", key=("rsa", size))
    texts = documents.kyma_texts(certificate) | {"app.yaml": documents.routes("app", own_upstream.port)}
    gateway = own_gateway(texts, start=False, extra_arguments=["--rsa-signing", way])
    if way == "batched" and not can_batch():
        with pytest.raises(StartFailed) as failure:
            gateway.start()
        assert "--rsa-signing batched: this processor cannot (AVX-512 IFMA is missing)" in failure.value.output
        return
    gateway.start()
    versions = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
    assert shake_hands(gateway.port(443), certificate, versions[0]) == "TLSv1.2"
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        shown = list(
            pool.map(lambda i: shake_hands(gateway.port(443), certificate, versions[i % 2]), range(HANDSHAKES))
        )
    assert shown == ["TLSv1.2", "TLSv1.3"] * (HANDSHAKES // 2)

"""The operator's ports: readiness, metrics, what is configured, which certificates serve; and never a secret."""

import re

import pytest

from harness.client import Client
from harness.documents import DOMAIN
from harness.gateway import wait_until


def test_ready_while_serving(gateway):
    assert gateway.status("/healthz/ready") == 200
    assert gateway.status("/other") == 404


def test_prometheus_format(gateway, upstream):
    with gateway.connect(upstream.host) as client:
        client.request()
    status, headers, body = gateway.admin("/stats/prometheus")
    assert status == 200
    assert headers["content-type"].startswith("text/plain")
    typed = set()
    for line in body.splitlines():
        if line.startswith("# TYPE "):
            name = line.split()[2]
            assert name not in typed, f"{name} is declared twice"
            typed.add(name)
        elif line and not line.startswith("#"):
            name = re.match(r"[a-zA-Z_:][\w:]*", line).group()
            assert name in typed or re.sub("_(bucket|sum|count)$", "", name) in typed, line
    assert body.endswith("\n")


def test_requests_are_counted_by_code_flags_and_destination(gateway, upstream, refusing_host):
    service = upstream.host.partition(".")[0] + ".upstream.test"
    with gateway.connect(upstream.host) as client:
        for _ in range(3):
            client.request("POST", "/", body=b"12345")
        client.request("GET", "/", host="unknown.example.com")
    with gateway.connect(refusing_host) as client:
        client.request()

    def count(**labels):
        return gateway.metric("istio_requests_total", **labels)

    assert wait_until(lambda: count(response_code="200", response_flags="-", destination_service=service) == 3)
    assert count(response_code="404", response_flags="NR") >= 1
    refused = refusing_host.partition(".")[0] + ".upstream.test"
    assert wait_until(lambda: count(response_code="503", destination_service=refused) == 1)
    samples = [
        labels
        for name, labels, _ in gateway.metrics()
        if name == "istio_requests_total" and labels.get("destination_service") == refused
    ]
    assert "UF" in samples[0]["response_flags"].split(",")


# https://istio.io/latest/docs/reference/config/metrics/
ISTIO_LABELS = {
    "reporter",
    *(
        f"{side}_{what}"
        for side in ("source", "destination")
        for what in (
            "workload",
            "workload_namespace",
            "principal",
            "app",
            "version",
            "cluster",
            "canonical_service",
            "canonical_revision",
        )
    ),
    "destination_service",
    "destination_service_name",
    "destination_service_namespace",
    "request_protocol",
    "response_code",
    "grpc_response_status",
    "response_flags",
    "connection_security_policy",
}


def test_requests_have_the_labels_of_istio(gateway, upstream):
    name = upstream.host.partition(".")[0] + ".upstream.test"
    with gateway.connect(upstream.host) as client:
        client.request()
    assert wait_until(lambda: gateway.metric("istio_requests_total", destination_service=name) == 1)
    found = {
        sample: labels for sample, labels, _ in gateway.metrics() if labels.get("destination_service") == name
    }
    assert set(found["istio_requests_total"]) == ISTIO_LABELS
    assert set(found["istio_request_duration_milliseconds_bucket"]) == ISTIO_LABELS | {"le"}
    assert set(found["istio_request_bytes_sum"]) == set(found["istio_response_bytes_count"]) == ISTIO_LABELS
    labels = found["istio_requests_total"]
    assert labels["reporter"] == "source" and labels["source_workload"] == "unknown"
    # Of the ServiceEntry, as Istio names the service of a cluster that comes from one.
    assert (labels["destination_service_name"], labels["destination_service_namespace"]) == (name, "default")


def test_sizes_and_durations_are_counted(gateway, upstream):
    service = upstream.host.partition(".")[0] + ".upstream.test"
    with gateway.connect(upstream.host) as client:
        client.request("POST", "/", body=b"x" * 1000)

    def value(name):
        return gateway.metric(name, destination_service=service)

    assert wait_until(lambda: value("istio_request_bytes_sum") == 1000)
    assert value("istio_response_bytes_sum") == 5
    for side in ("downstream", "upstream"):
        assert wait_until(lambda side=side: gateway.metric(f"sluice_{side}_received_bytes_total") > 0)
        assert gateway.metric(f"sluice_{side}_sent_bytes_total") > 0
    assert value("istio_request_duration_milliseconds_count") == 1
    buckets = [
        (labels["le"], sample)
        for name, labels, sample in gateway.metrics()
        if name == "istio_request_duration_milliseconds_bucket" and labels.get("destination_service") == service
    ]
    values = [sample for _, sample in buckets]
    assert values == sorted(values) and buckets[-1] == ("+Inf", 1)


def test_connections_are_counted(gateway, upstream):
    def active():
        return gateway.metric("sluice_downstream_connections_active")

    before = active()
    clients = [gateway.connect(upstream.host) for _ in range(5)]
    for client in clients:
        client.request()
    assert active() == before + 5
    for client in clients:
        client.close()
    assert wait_until(lambda: active() == before)


def test_handshakes_are_counted(gateway, upstream):
    done, failed = "sluice_tls_handshakes_total", "sluice_tls_handshake_failures_total"
    before = gateway.metric(done), gateway.metric(failed)
    with gateway.connect(upstream.host, tls=True) as client:
        client.request()
    assert gateway.metric(done) == before[0] + 1
    with pytest.raises(OSError):
        gateway.connect("unknown.example.com", tls=True)
    assert wait_until(lambda: gateway.metric(failed) == before[1] + 1)


def test_label_values_cannot_be_forged(gateway, upstream):
    """Nothing that a client sends becomes a label: no growth, no injection."""
    with gateway.connect(upstream.host) as client:
        for index in range(200):
            client.request("GET", f"/{index}", host=f"h{index}.example.com")
            client.request("GET", f"/{index}", [("user-agent", f'evil"{index}')])
    names = [name for name, _, _ in gateway.metrics()]
    assert names.count("istio_requests_total") < 1000
    _, _, body = gateway.admin("/stats/prometheus")
    assert "evil" not in body and "h77.example.com" not in body


def test_config_dump_shows_what_is_live_and_no_secret(gateway, certificate):
    dump = gateway.admin_json("/config_dump")
    assert dump["phase"] == "serving"
    snapshot = dump["snapshot"]
    assert re.fullmatch(r"[0-9a-f]{16,}", snapshot["hash"])
    ports = {listener["servicePort"] for listener in snapshot["listeners"]}
    assert ports == {443, 80, 8080}
    https = next(listener for listener in snapshot["listeners"] if listener["servicePort"] == 443)
    assert https["tlsServers"][0]["cipherSuites"] == [
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-SHA",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-SHA",
    ]
    assert any(cluster["name"] == "outbound|80||u0.upstream.test" for cluster in snapshot["clusters"])
    _, _, text = gateway.admin("/config_dump")
    assert "PRIVATE" not in text and not certificate.shows_key(text)


def test_certificates_are_shown(gateway, certificate):
    shown = gateway.admin_json("/certs")["certificates"]
    assert len(shown) == 1
    one = shown[0]
    assert one["secret"] == "istio-system/kyma-gateway-certs"
    assert int(one["serial"].replace(":", ""), 16) == certificate.serial
    assert one["names"] == [f"*.{DOMAIN}"] or one["names"] == [f"DNS:*.{DOMAIN}"]
    assert one["keyType"] == "RSA-2048"
    assert "key" not in {name.lower() for name in one} - {"keytype"}
    assert gateway.metric("sluice_certificate_expiry_timestamp_seconds") > 1_700_000_000


def test_only_reading_is_allowed(gateway):
    for method in ("POST", "PUT", "DELETE"):
        assert gateway.admin("/config_dump", method)[0] == 405
    assert gateway.admin("/nonsense")[0] == 404
    status, _, body = gateway.admin("/stats/prometheus", "HEAD")
    assert (status, body) == (200, "")


def test_hostile_requests_do_not_disturb_it(gateway):
    for raw in (
        b"\0" * 1000,
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET",
    ):
        for port in (gateway.admin_port, gateway.status_port):
            with Client(port, "x") as client:
                try:
                    client.send(raw)
                    client.shutdown_write()
                except OSError:
                    pass
                assert b"root:" not in client.read_to_end()
    assert gateway.status() == 200
    assert gateway.admin("/stats/prometheus")[0] == 200


def test_many_silent_admin_clients_do_not_block_it(gateway):
    silent = [Client(gateway.status_port, "x") for _ in range(20)]
    assert gateway.status() == 200
    for client in silent:
        client.close()


def test_process_facts(gateway):
    assert abs(gateway.metric("process_resident_memory_bytes") - gateway.memory_bytes()) < 32 * 1024 * 1024
    assert gateway.metric("process_open_fds") > 10
    assert gateway.metric("sluice_shards") == 2
    assert gateway.metric("sluice_build_info") == 1

"""The access log: Istio's default text format, field by field."""

import os
import re
import subprocess

import pytest

from harness import documents, gateway as gateways, websocket
from harness.documents import DOMAIN

ADDRESS = r"127\.0\.0\.1:\d+"
QUOTED = r'(?:[^"\\]|\\.)*'
LINE = re.compile(
    r"\[(?P<start>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\] "
    r'"(?P<method>\S+) (?P<path>\S+) (?P<protocol>\S+)" '
    r"(?P<code>\d+) (?P<flags>\S+) (?P<details>\S+) (?P<termination>\S+) "
    rf'"(?P<failure>{QUOTED})" '
    r"(?P<received>\d+) (?P<sent>\d+) (?P<duration>\d+) (?P<service_time>\d+|-) "
    rf'"(?P<forwarded_for>{QUOTED})" "(?P<user_agent>{QUOTED})" "(?P<request_id>{QUOTED})" "(?P<authority>{QUOTED})" '
    rf'"(?P<upstream_host>{QUOTED})" '
    r"(?P<cluster>\S+) (?P<upstream_local>\S+) (?P<downstream_local>\S+) (?P<downstream_remote>\S+) "
    r"(?P<server_name>\S+) (?P<route>\S+)"
)


@pytest.fixture
def logged(gateway):
    """logged("/path") waits for the line with that path."""

    def find(path):
        line = gateway.wait_for_access_line(f" {path} ")
        fields = LINE.fullmatch(line)
        assert fields, line
        return fields.groupdict()

    return find


def test_line_of_a_request(gateway, client, upstream, logged, tls):
    def script(peer, request):
        peer.read_body(request)
        peer.respond(body=b"12345678")

    upstream.script = script
    path = f"/log/line?from={client.local_port}"
    client.request("POST", path, [("user-agent", "test/1.0"), ("x-forwarded-for", "192.0.2.7")], body=b"12345")
    local_port = client.local_port
    fields = logged(path)
    name = upstream.host.partition(".")[0]
    assert fields["method"] == "POST"
    assert fields["protocol"] == "HTTP/1.1"
    assert (fields["code"], fields["flags"], fields["details"], fields["termination"], fields["failure"]) == (
        "200",
        "-",
        "via_upstream",
        "-",
        "-",
    )
    assert (fields["received"], fields["sent"]) == ("5", "8")
    assert int(fields["duration"]) < 5000 and int(fields["service_time"]) <= int(fields["duration"]) + 1
    assert fields["forwarded_for"] == "192.0.2.7,127.0.0.1"
    assert fields["user_agent"] == "test/1.0"
    assert fields["request_id"] == upstream.requests[0].get("x-request-id")
    assert fields["authority"] == upstream.host
    assert fields["upstream_host"] == f"127.0.0.1:{upstream.port}"
    assert fields["cluster"] == f"outbound|80||{name}.upstream.test"
    assert re.fullmatch(ADDRESS, fields["upstream_local"])
    assert fields["downstream_local"] == f"127.0.0.1:{gateway.port(443 if tls else 8080)}"
    assert fields["downstream_remote"] == f"127.0.0.1:{local_port}"
    assert fields["server_name"] == (upstream.host if tls else "-")
    assert fields["route"] in ("-", "default")


def test_path_is_as_the_client_sent_it(client, logged):
    path = f"/log/a/../b/%7Ec{client.local_port}"
    client.request("GET", path)
    assert logged(path)["code"] == "200"


def test_unknown_host(gateway, logged):
    with gateway.connect("unknown.example.com") as client:
        client.request("GET", "/log/unknown")
    fields = logged("/log/unknown")
    assert (fields["code"], fields["flags"], fields["details"]) == ("404", "NR", "route_not_found")
    assert (fields["upstream_host"], fields["cluster"], fields["upstream_local"], fields["service_time"]) == (
        "-",
        "-",
        "-",
        "-",
    )


def test_refused_upstream(gateway, refusing_host, logged):
    with gateway.connect(refusing_host) as client:
        client.request("GET", "/log/refused")
    fields = logged("/log/refused")
    assert fields["code"] == "503" and "UF" in fields["flags"].split(",")
    assert fields["details"].startswith("upstream_reset_before_response_started")
    assert fields["cluster"].startswith("outbound|80||u")


def test_redirect(gateway, logged):
    with gateway.connect(f"x.{DOMAIN}", number=80) as client:
        client.request("GET", "/log/redirect")
    fields = logged("/log/redirect")
    assert (fields["code"], fields["flags"], fields["details"]) == ("301", "-", "direct_response"), "as Envoy logs it"


def test_bad_request_is_logged(gateway):
    marker = f"bad-{os.getpid()}"
    with gateway.connect("x") as client:
        client.send(f"GET /{marker} HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n".encode())
        assert client.read_response().status == 400
        port = client.local_port
    line = gateway.wait_for_access_line(f"127.0.0.1:{port} ")
    assert " 400 DPE " in line


def test_hostile_texts_stay_in_their_field(client, gateway, logged):
    """No client forges a line, a column or a terminal sequence."""
    path = f"/log/hostile/{client.local_port}"
    client.request("GET", path, [("user-agent", 'a" 200 - "b\\c\x9b31m\t[2J')])
    assert logged(path)["code"] == "200"
    line = gateway.wait_for_access_line(f" {path} ")
    assert all(" " <= char <= "~" for char in line), repr(line)


def test_websocket_is_logged_at_its_end(client, upstream, logged):
    upstream.script = websocket.echo_script
    path = f"/log/websocket/{client.local_port}"
    socket = websocket.WebSocket(client, path)
    socket.echo(b"x" * 1000)
    socket.send(b"", websocket.CLOSE)
    socket.receive()
    client.close()
    fields = logged(path)
    assert fields["code"] == "101" and int(fields["sent"]) > 1000 and int(fields["received"]) > 1000


def test_half_a_head_is_logged_with_its_time_or_not_at_all(gateway):
    with gateway.connect("x") as client:
        client.send(b"GET / HT")
        port = client.local_port
    with gateway.connect("after.example.com") as client:
        client.request("GET", f"/log/after/{port}")
    gateway.wait_for_access_line(f" /log/after/{port} ")
    for line in gateway.access_lines():
        if f"127.0.0.1:{port} " in line:
            assert not line.startswith("[1970-"), line


def test_off_writes_nothing(own_gateway, own_upstream):
    gateway = own_gateway({"app.yaml": documents.routes("app", own_upstream.port)}, access_log=False)
    with gateway.connect(f"app.{DOMAIN}") as client:
        assert client.request("GET", "/quiet").status == 200
    gateway.stop()
    assert "/quiet" not in gateway.log and not gateway.access_log_file.exists()


def test_dash_writes_to_standard_output(own_gateway, own_upstream):
    gateway = own_gateway({"app.yaml": documents.routes("app", own_upstream.port)}, start=False)
    gateway.command[gateway.command.index("--access-log") + 1] = "-"
    gateway.start()
    with gateway.connect(f"app.{DOMAIN}") as client:
        client.request("GET", "/to/stdout")
    gateway.wait_for_log(r'"GET /to/stdout HTTP/1\.1" 200 ')


def test_every_request_is_in_the_log_after_the_end(own_gateway, own_upstream):
    """Nothing is lost by ending: the buffers are written out."""
    gateway = own_gateway({"app.yaml": documents.routes("app", own_upstream.port)}, concurrency=2)
    for _ in range(4):
        with gateway.connect(f"app.{DOMAIN}") as client:
            for index in range(100):
                client.request("GET", f"/count/{index}")
    gateway.stop()
    assert sum("/count/" in line for line in gateway.access_lines()) == 400
    assert all(LINE.fullmatch(line) for line in gateway.access_lines())


def test_reader_that_is_stuck_does_not_block_requests(own_gateway, own_upstream, tmp_path):
    """The log goes to a pipe that nobody reads: requests go on, lines are dropped and counted."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    holder = subprocess.Popen(["sleep", "60"], stdin=os.open(pipe, os.O_RDWR))
    try:
        gateway = own_gateway({"app.yaml": documents.routes("app", own_upstream.port)}, start=False)
        gateway.command[gateway.command.index("--access-log") + 1] = pipe
        gateway.start()
        with gateway.connect(f"app.{DOMAIN}") as client:
            for _ in range(1500):
                assert client.request("GET", "/" + "x" * 2000).status == 200
        assert gateways.wait_until(lambda: gateway.metric("sluice_access_log_dropped_lines_total") > 0)
    finally:
        holder.kill()
        holder.wait()

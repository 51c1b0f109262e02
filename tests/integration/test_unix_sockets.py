"""Gateways that bind Unix sockets, and endpoints that are some: as with ports, but for who the client is."""

import contextlib
import json
import pathlib
import re
import shutil
import signal
import socket
import stat
import tempfile
import threading

import pytest

from harness import documents, proxy_header
from harness.certificates import self_signed
from harness.commands import curl
from harness.gateway import Gateway, StartFailed, run_sluice, wait_until
from harness.limits import IO_SECONDS, MIB
from harness.raw import RawServer, echo
from harness.upstream import Upstream

DOMAIN = "socket.example.com"
HOST = f"app.{DOMAIN}"
FRONT = "kyma-system/front"


@pytest.fixture(name="folder")
def make_folder():
    """Short: the name of a Unix socket has at most 107 bytes."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(name="upstream")
def start_upstream():
    upstream = Upstream().serve()
    yield upstream
    upstream.stop()


def unix_server(bind, protocol="HTTP", hosts=("*",), tls=None):
    name = f"{protocol}-{bind[-12:]}-{hosts[0].replace('*', 'any')}".lower().replace("/", "-").replace("@", "")
    return documents.server(0, protocol, hosts, tls, name=name) | {"bind": bind}


def unix_entry(name, *addresses, protocol="HTTP"):
    spec = {
        "hosts": [f"{name}.upstream.test"],
        "ports": [{"number": 80, "name": "http", "protocol": protocol}],
        "location": "MESH_INTERNAL",
        "resolution": "STATIC",
        "endpoints": [{"address": address} for address in addresses],
    }
    return documents.document("ServiceEntry", name, spec)


def texts(*servers, more=(), destination="app"):
    routes = documents.virtual_service("app", [HOST], destination, gateways=[FRONT])
    return documents.join(documents.gateway("front", *servers), routes, *more)


@contextlib.contextmanager
def running(folder, text, **options):
    with Gateway(folder / "gateway", {"all.yaml": text}, **options) as gateway:
        yield gateway


def get(socket_name, *arguments, host=HOST, path="/", scheme="http"):
    option = ["--abstract-unix-socket", socket_name[1:]] if str(socket_name).startswith("@") else ["--unix-socket", socket_name]
    return curl(*option, "-w", "\n%{http_code}", *arguments, f"{scheme}://{host}{path}")


def status_of(result):
    assert result.returncode == 0, result.stderr
    return int(result.stdout.rsplit("\n", 1)[1])


def connection_to(path):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(IO_SECONDS)
    client.connect(str(path))
    return client


@pytest.mark.parametrize("shards", [1, 2])
def test_every_kind_of_server(folder, upstream, shards):
    """Plain and TLS, HTTP/1 and HTTP/2, a path and an abstract name, connections enough for every shard."""
    pair = self_signed(f"*.{DOMAIN}", name="front")
    abstract = f"@{folder.name}"
    text = texts(
        unix_server(f"unix://{folder}/plain"),
        unix_server(f"unix://{folder}/tls", "HTTPS", [f"*.{DOMAIN}"], {"mode": "SIMPLE", "credentialName": "front"}),
        unix_server(f"unix://{abstract}", hosts=[f"*.{DOMAIN}"]),
        more=[
            documents.service_entry("app", upstream.port),
            documents.opaque_secret("front", {"tls.crt": pair.certificate, "tls.key": pair.key}),
        ],
    )
    ca_file = folder / "ca.pem"
    ca_file.write_text(pair.certificate)
    with running(folder, text, concurrency=shards) as gateway:
        for _ in range(8):
            assert status_of(get(folder / "plain")) == 200
            assert status_of(get(abstract)) == 200
            for version in ("--http1.1", "--http2"):
                assert status_of(get(folder / "tls", version, "--cacert", ca_file, scheme="https")) == 200
        assert status_of(get(folder / "plain", host="unknown.example.com")) == 404
        assert stat.S_IMODE((folder / "plain").stat().st_mode) == 0o666
        assert gateway.metric("istio_requests_total", response_code="200") == 32
        assert len(gateway.admin_json("/routes")["listeners"]) == 3


def answer_with_content(peer, request):
    peer.read_body(request)
    peer.respond(body=request.body)


def test_a_large_body_both_ways(folder, upstream):
    """Through two Unix sockets: one is the destination's."""
    content = folder / "content"
    content.write_bytes(bytes(range(256)) * (8 * MIB // 256))
    http = [{"rewrite": {"authority": "inner.test"}, "route": [{"destination": {"host": "app.upstream.test"}}]}]
    text = documents.join(
        documents.gateway("front", *(unix_server(f"unix://{folder}/{name}") for name in ("outer", "inner"))),
        documents.document("VirtualService", "outer", {"hosts": [HOST], "gateways": [FRONT], "http": http}),
        unix_entry("app", f"unix://{folder}/inner"),
        documents.virtual_service("inner", ["inner.test"], "origin", gateways=[FRONT]),
        documents.service_entry("origin", upstream.port),
    )
    with running(folder, text), upstream.answering(answer_with_content):
        result = get(folder / "outer", "--data-binary", f"@{content}", "-o", folder / "answer")
        assert status_of(result) == 200
        assert (folder / "answer").read_bytes() == content.read_bytes()


def test_who_the_client_is(folder, upstream):
    """Nobody with an address: nothing is added to x-forwarded-for, and the log says that it was a Unix socket."""
    text = texts(unix_server(f"unix://{folder}/plain"), more=[documents.service_entry("app", upstream.port)])
    with running(folder, text) as gateway:
        assert status_of(get(folder / "plain", "-H", "x-envoy-external-address: 1.2.3.4")) == 200
        seen = dict(upstream.requests[-1].headers)
        assert "x-forwarded-for" not in seen and "x-envoy-external-address" not in seen
        assert status_of(get(folder / "plain", "-H", "x-forwarded-for: 203.0.113.9")) == 200
        seen = dict(upstream.requests[-1].headers)
        assert seen["x-forwarded-for"] == "203.0.113.9"
        line = gateway.wait_for_access_line("203.0.113.9")
        assert f" unix://{folder}/plain unix:// " in line


def test_a_trusted_proxy_behind_the_socket(folder, upstream):
    """It is the one that is trusted: the client is the last that it has named."""
    text = texts(
        unix_server(f"unix://{folder}/plain"),
        more=[documents.service_entry("app", upstream.port), documents.mesh_config(numTrustedProxies=1)],
    )
    with running(folder, text):
        assert status_of(get(folder / "plain", "-H", "x-forwarded-for: 198.51.100.1, 203.0.113.9")) == 200
        seen = dict(upstream.requests[-1].headers)
        assert seen["x-forwarded-for"] == "198.51.100.1, 203.0.113.9"
        assert seen["x-envoy-external-address"] == "203.0.113.9"
        assert status_of(get(folder / "plain")) == 200
        assert "x-forwarded-for" not in dict(upstream.requests[-1].headers)


def test_a_proxy_header_names_the_client(folder, upstream):
    """A proxy at the other end of the socket says who its client is."""
    text = texts(
        unix_server(f"unix://{folder}/plain"),
        more=[documents.service_entry("app", upstream.port), documents.mesh_config(proxyProtocol={})],
    )
    with running(folder, text), connection_to(folder / "plain") as client:
        client.sendall(proxy_header.v1(("203.0.113.7", 5555), ("198.51.100.1", 443)))
        client.sendall(f"GET / HTTP/1.1\r\nhost: {HOST}\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        assert dict(upstream.requests[-1].headers)["x-forwarded-for"] == "203.0.113.7"


@pytest.mark.parametrize("version, expected", [("V1", b"PROXY UNKNOWN\r\n"), ("V2", proxy_header.v2_block(0x20, 0, b""))])
def test_destinations_are_told_that_nobody_is_known(folder, version, expected):
    with contextlib.ExitStack() as stack:
        server = RawServer(echo)
        stack.callback(server.stop)
        rule = {"host": "app.upstream.test", "trafficPolicy": {"proxyProtocol": {"version": version}}}
        text = documents.join(
            documents.gateway("front", unix_server(f"unix://{folder}/tcp", "TCP")),
            documents.tcp_service_entry("app", server.port),
            documents.document("DestinationRule", "app", rule),
            documents.document(
                "VirtualService",
                "app",
                {"hosts": ["*"], "gateways": [FRONT], "tcp": [documents.connection_route("app")]},
            ),
        )
        with running(folder, text), connection_to(folder / "tcp") as client:
            client.sendall(b"hello")
            wanted = expected + b"hello"
            received = b""
            while len(received) < len(wanted):
                received += client.recv(100)
            assert received == wanted


def test_endpoints_that_are_unix_sockets(folder):
    """A server that is not sluice: asked on a kept connection, and found again after it has gone and come back."""
    path = folder / "backend"

    def serve(listener, stop):
        with contextlib.suppress(OSError):
            while not stop.is_set():
                connection, _ = listener.accept()
                with connection:
                    received = b""
                    while not received.endswith(b"\r\n\r\n"):
                        received += connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello")

    def start():
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        listener.listen(8)
        stop = threading.Event()
        thread = threading.Thread(target=serve, args=(listener, stop), daemon=True)
        thread.start()

        def end():
            stop.set()
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join(IO_SECONDS)
            path.unlink()

        return end

    text = texts(unix_server(f"unix://{folder}/plain"), more=[unix_entry("app", f"unix://{path}")])
    with running(folder, text) as gateway:
        assert status_of(get(folder / "plain")) == 503
        assert " 503 UF" in gateway.wait_for_access_line(f"unix://{path}")
        end = start()
        for _ in range(3):
            result = get(folder / "plain")
            assert status_of(result) == 200 and result.stdout.startswith("hello")
        end()
        assert status_of(get(folder / "plain")) == 503
        end = start()
        assert status_of(get(folder / "plain")) == 200
        end()


def test_reloads_open_and_close_them(folder, upstream):
    more = [documents.service_entry("app", upstream.port)]
    first, second = unix_server(f"unix://{folder}/first"), unix_server(f"unix://{folder}/second")
    with running(folder, texts(first, more=more), concurrency=2) as gateway, connection_to(folder / "first") as kept:
        request = f"GET / HTTP/1.1\r\nhost: {HOST}\r\n\r\n".encode()
        kept.sendall(request)
        assert kept.recv(1000).startswith(b"HTTP/1.1 200")
        inode = (folder / "first").stat().st_ino
        gateway.write("all.yaml", texts(first, second, more=more))
        gateway.reload()
        assert (folder / "first").stat().st_ino == inode, "what stays is not bound anew"
        assert status_of(get(folder / "first")) == status_of(get(folder / "second")) == 200
        gateway.write("all.yaml", texts(second, more=more))
        gateway.reload()
        assert not (folder / "first").exists()
        assert status_of(get(folder / "second")) == 200
        kept.sendall(request)
        assert kept.recv(1000).startswith(b"HTTP/1.1 404"), "as with ports: its listener has no routes any more"
        gateway.write("all.yaml", texts(first, second, more=more))
        gateway.reload()
        assert status_of(get(folder / "first")) == 200
    assert not (folder / "first").exists() and not (folder / "second").exists()


def turns_of_shards(gateway):
    """How often each shard's thread has slept: what it does between any two things that happen to it."""
    counts = {}
    for task in pathlib.Path(f"/proc/{gateway.process.pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that has ended since
            if (task / "comm").read_text().startswith("shard"):
                switches = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text(), re.M)
                counts[task.name] = int(switches[1])
    return counts


def test_every_shard_gets_connections(folder, upstream):
    """They share one socket, of which the kernel wakes one at a time."""
    text = texts(unix_server(f"unix://{folder}/plain"), more=[documents.service_entry("app", upstream.port)])
    with running(folder, text, concurrency=3) as gateway:
        before = turns_of_shards(gateway)
        assert len(before) == 3
        for _ in range(60):
            assert status_of(get(folder / "plain")) == 200
        after = turns_of_shards(gateway)
        # Of a shard without connections: its one turn a second.
        assert all(after[shard] - before[shard] > 40 for shard in before), (before, after)


def test_the_next_process_begins_while_the_last_one_drains(folder, upstream):
    text = texts(unix_server(f"unix://{folder}/plain"), more=[documents.service_entry("app", upstream.port)])
    first = Gateway(folder / "first", {"all.yaml": text}, drain_seconds=30).start()
    with connection_to(folder / "plain") as busy:
        busy.sendall(f"GET / HTTP/1.1\r\nhost: {HOST}\r\n".encode())  # and no end of the head
        assert wait_until(lambda: first.metric("sluice_downstream_connections_active") == 1)
        first.signal(signal.SIGTERM)
        first.wait_for_log("draining: 1 connection")
        assert wait_until(lambda: not (folder / "plain").exists())
        with Gateway(folder / "second", {"all.yaml": text}) as second:
            busy.close()
            assert first.wait_for_exit() == 0
            first.release()
            assert status_of(get(folder / "plain")) == 200
            second.check_health()


def test_after_a_kill_the_name_is_taken_over(folder, upstream):
    text = texts(unix_server(f"unix://{folder}/plain"), more=[documents.service_entry("app", upstream.port)])
    gateway = Gateway(folder / "killed", {"all.yaml": text}).start()
    gateway.kill()
    gateway.release()
    assert (folder / "plain").exists()
    with running(folder, text):
        assert status_of(get(folder / "plain")) == 200


def test_names_that_are_taken(folder, upstream):
    """Another process', a file that is none, a folder that is missing: told, and left alone."""
    text = texts(unix_server(f"unix://{folder}/plain"), more=[documents.service_entry("app", upstream.port)])
    with running(folder, text):
        with pytest.raises(StartFailed, match="another process listens there"):
            Gateway(folder / "second", {"all.yaml": text}).start()
        assert status_of(get(folder / "plain")) == 200
    (folder / "plain").write_text("precious")
    with pytest.raises(StartFailed, match="the file is no socket"):
        Gateway(folder / "third", {"all.yaml": text}).start()
    assert (folder / "plain").read_text() == "precious"
    missing = texts(unix_server(f"unix://{folder}/no/such"), more=[documents.service_entry("app", upstream.port)])
    with pytest.raises(StartFailed, match="its folder does not exist"):
        Gateway(folder / "fourth", {"all.yaml": missing}).start()


def test_a_reload_that_is_refused_leaves_nothing(folder, upstream):
    more = [documents.service_entry("app", upstream.port)]
    first, second = unix_server(f"unix://{folder}/first"), unix_server(f"unix://{folder}/second")
    with running(folder, texts(first, more=more)) as gateway:
        broken = unix_server(f"unix://{folder}/zzz/missing")
        gateway.write("all.yaml", texts(first, second, broken, more=more))
        gateway.reload(expect_success=False)
        assert not (folder / "second").exists()
        assert status_of(get(folder / "first")) == 200


def test_what_explain_says(folder, upstream):
    text = texts(unix_server(f"unix://{folder}/plain"), more=[documents.service_entry("app", upstream.port)])
    with running(folder, text) as gateway:
        asked = run_sluice(
            "explain", "--config", gateway.config, "--unix-socket", folder / "plain", "--json", f"http://{HOST}/"
        )
        assert asked.returncode == 0, asked.stderr
        explained = json.loads(asked.stdout)
        assert explained["outcome"] == "forward"
        assert explained["listener"]["address"] == f"unix://{folder}/plain"
        assert explained["request"]["unixSocket"] == str(folder / "plain")
        fields = [field["name"] for field in explained["destinations"][0]["request"]["fields"]]
        assert "host" in fields and "x-forwarded-for" not in fields
        both = run_sluice("explain", "--config", gateway.config, "--unix-socket", "/x", "--client", "1.2.3.4", "http://a/")
        assert both.returncode != 0 and "--client" in both.stderr
        live = gateway.admin_json(f"/explain?url=http://{HOST}/&unix_socket={folder}/plain")
        assert live["outcome"] == "forward"
        assert gateway.admin_json(f"/explain?url=http://{HOST}/&unix_socket=/none")["outcome"] == "no_listener"
        assert gateway.admin_json(f"/explain?url=http://{HOST}/")["outcome"] == "no_listener"


def test_a_client_that_is_named_itself(folder, upstream):
    """What clients call their sockets is not read: it would be kept."""
    text = texts(unix_server(f"unix://{folder}/plain"), more=[documents.service_entry("app", upstream.port)])
    with running(folder, text) as gateway, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.bind(f"\0{folder.name}-client")
        client.settimeout(IO_SECONDS)
        client.connect(str(folder / "plain"))
        client.sendall(f"GET /named HTTP/1.1\r\nhost: {HOST}\r\n\r\n".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        assert " unix:// " in gateway.wait_for_access_line("/named")

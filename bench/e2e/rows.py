"""The rows of the benchmark: what is asked of which proxies, and how that is measured.

In a round of a row all of its sides have their turn, then the next round begins (A B C A B C ...): what the machine does
meanwhile meets all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import load
import measure
from configurations import LISTENERS, Listener, Setup
from measure import LEAN, MAIN, Bench, Side, check_response, generator

PEERS = ("nginx13", "haproxy13", "nginx12", "haproxy12")
UNITS = {"cpu_us": "CPU us per request", "cpu_s_per_gib": "CPU s per GiB", "bytes_per_connection": "bytes per connection",
         "p99_ms": "p99 ms", "after_10_s_bytes": "bytes 10 s after"}


@dataclass(frozen=True)
class Row:
    """`sides[0]` is sluice: its figure is divided by those of the others."""

    name: str
    about: str
    sides: tuple[Side, ...]
    measure: Callable[[Bench, Side, float], dict[str, float]]
    check: Callable[[Bench, Side], None] | None = check_response
    metric: str = "cpu_us"
    rounds_max: int = 1000
    warms_up: bool = True
    is_main: bool = False  # --quick has it


def sides(listener: str, *proxies: str, setup: Setup = MAIN) -> tuple[Side, ...]:
    return tuple(Side(proxy, listener, setup) for proxy in ("sluice", *(proxies or PEERS)))


def bodies(listener: str, body: str, is_main: bool = False) -> Row:
    http2 = listener in ("h2c", "h2")
    words = {"http": "HTTP/1.1", "https": "HTTP/1.1 over TLS", "h2c": "HTTP/2, prior knowledge, 64 connections x 10 streams",
             "h2": "HTTP/2 over TLS, 64 connections x 10 streams"}
    floor = (Side("floor", "http", Setup((LISTENERS[0],))),) if (listener, body) == ("http", "small") else ()
    return Row(f"{listener}/{body}", f"{words[listener]}, keep-alive, body {body}", sides(listener) + floor,
               generator(load.h2load if http2 else load.wrk, path=body),
               lambda bench, side: check_response(bench, side, body), is_main=is_main)


def handshakes(listener: Listener, is_main: bool = False) -> Row:
    kind = "resumed" if listener.resumes else "full"
    name = f"resumed/tls{listener.versions[0]}" if listener.resumes else f"handshake/{listener.name}"
    return Row(name, f"TLS {listener.versions[0]}, a {kind} handshake for each request, RSA-{listener.key_bits}",
               sides(listener.name), generator(load.new_connections, kind=kind), is_main=is_main)


def connections(count: int) -> Row:
    return Row(f"connections/{count}", f"HTTP/1.1, keep-alive, small body, {count} connections", sides("http"),
               measure.many_connections(count))


def hosts(count: int) -> Row:
    many, one = (Setup((LISTENERS[0],), hosts=number) for number in (count, 1))
    own = replace(Side("sluice", "http", one), label="one host")
    return Row(f"hosts/{count}", f"HTTP/1.1, keep-alive, small body, {count} virtual hosts asked in turn",
               sides("http", setup=many) + (own,), measure.many_hosts)


def shards() -> Row:
    two, one = (Setup((LISTENERS[0],), workers=number) for number in (2, 1))
    own = replace(Side("sluice", "http", one), label="one shard")
    return Row("shards/2", "HTTP/1.1, keep-alive, small body, two shards (workers, threads) on two CPUs",
               sides("http", setup=two) + (own,), generator(load.wrk, path="small"))


def http2_upstream(body: str) -> Row:
    own = replace(Side("sluice", "http"), label="HTTP/1.1 upstream")
    return Row(f"http2-upstream/{body}", f"HTTP/1.1 from clients, HTTP/2 to the upstream (nghttpd), body {body}; nginx has none",
               sides("to-http2", "haproxy13", "haproxy12") + (own,), generator(load.wrk, path=body),
               lambda bench, side: check_response(bench, side, body))


def tunnel_rows(kind: str, direction: str, is_main: bool = False) -> Row:
    peers = tuple(Side(proxy, "tcp" if kind == "connect" else kind) for proxy in ("haproxy13", "haproxy12"))
    words = {"tcp": "plain TCP", "passthrough": "TLS passthrough by SNI",
             "connect": "CONNECT; beside HAProxy's plain TCP, which knows no CONNECT"}
    return Row(f"tunnel/{kind}-{direction}", f"{direction} through a tunnel: {words[kind]}", (Side("sluice", kind), *peers),
               measure.tunnel(direction), None, "cpu_s_per_gib", is_main=is_main)


def idle_memory(listener: str, name: str, is_main: bool = False) -> Row:
    return Row(f"memory/{name}", f"growth of process memory for each of 1 500 idle connections, fresh process, {name}",
               sides(listener, setup=LEAN), measure.idle_memory(1500), None, "bytes_per_connection", 3, False, is_main)


def idle_tunnels(kind: str) -> Row:
    peers = tuple(Side(proxy, "tcp" if kind == "connect" else kind, LEAN) for proxy in ("haproxy13", "haproxy12"))
    return Row(f"memory/tunnel-{kind}", f"growth of process memory for each of 5 000 idle tunnels, fresh process, {kind}",
               (Side("sluice", kind, LEAN), *peers), measure.idle_memory(5000), None, "bytes_per_connection", 3, False)


def spike(listener: str, name: str) -> Row:
    return Row(f"spike/{name}", f"process memory 10 s after the last of 15 000 connections has gone, fresh process, {name}",
               sides(listener, setup=LEAN), measure.spike(15000), None, "after_10_s_bytes", 1, False)


def latency(listener: str, is_main: bool = False) -> Row:
    return Row(f"latency/{listener}", "open loop at 70 % of the most that nginx 1.26 can do, small body", sides(listener),
               measure.latency, metric="p99_ms", is_main=is_main)


def storm(version: str) -> Row:
    own = replace(Side("sluice", "https-4096"), label="no storm")
    return Row(f"storm/tls{version}", "p99 of 64 established TLS connections (closed loop) beside 128 others that make full "
               "handshakes, RSA-4096", sides("https-4096", "nginx13", "haproxy13") + (own,),
               measure.storm(f"tls{version}-4096"), metric="p99_ms")


def all_rows() -> list[Row]:
    by_name = {listener.name: listener for listener in LISTENERS}
    rows = [bodies(listener, body, (listener, body) != ("h2c", "small") and listener in ("http", "https")
                   or (listener, body) == ("h2", "small"))
            for body in ("small", "10k", "1m") for listener in ("http", "https", "h2c", "h2")
            if body != "1m" or listener in ("http", "https")]
    rows += [Row("new-connection", "HTTP/1.1, a new connection for each request, small body", sides("http"),
                 generator(load.new_connections, kind="plain"), is_main=True)]
    rows += [handshakes(listener, listener.name == "tls1.3-2048") for listener in LISTENERS
             if listener.name.startswith("tls")]
    rows += [Row("resumed/tls1.2", "TLS 1.2, resumed handshakes and no requests", sides("resumed-tls1.2"),
                 generator(load.resumed_tls12)), handshakes(by_name["resumed-tls1.3"])]
    rows += [http2_upstream(body) for body in ("small", "10k")]
    rows += [Row("upload/1m", "HTTP/1.1, POST of 1 MiB", sides("own"), generator(load.upload, size=1024 * 1024),
                 lambda bench, side: check_response(bench, side, "upload", bytes(1024 * 1024))),
             Row("websocket", "WebSocket messages of 64 bytes and their echoes, 64 connections", sides("own"),
                 generator(load.websocket), None)]
    rows += [tunnel_rows(kind, direction, (kind, direction) == ("tcp", "download"))
             for kind in ("tcp", "passthrough", "connect") for direction in ("download", "upload")]
    rows += [connections(count) for count in (1, 64, 1000, 8000)]
    rows += [hosts(count) for count in (100, 10000)]
    rows += [Row("reload", "HTTP/1.1, keep-alive, small body, a reload each half second",
                 sides("http", setup=Setup((LISTENERS[0],), is_reloaded=True)), measure.reloads), shards()]
    rows += [latency("http", True), latency("https"), *(storm(version) for version in ("1.2", "1.3"))]
    rows += [idle_memory("http", "plain"), idle_memory("tls1.2-2048", "tls1.2"),
             idle_memory("tls1.3-2048", "tls1.3", True), idle_memory("resumed-tls1.2", "tls1.2-resumed"),
             idle_memory("resumed-tls1.3", "tls1.3-resumed")]
    rows += [idle_tunnels(kind) for kind in ("tcp", "connect")]
    rows += [spike("http", "plain"), spike("tls1.3-2048", "tls1.3")]
    return rows

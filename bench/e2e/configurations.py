"""How each proxy is configured: the same listeners, suites, curves and keys, the same upstreams.

nginx and HAProxy have the settings that their documentation recommends for a proxy and that measurements have found
best for them; the configurations say line by line which and why. `--keep` of scripts/bench leaves them to be read.
"""

from dataclasses import dataclass
from pathlib import Path

# One for each version of TLS: left to choose, OpenSSL's servers take AES-256 from OpenSSL's clients, and sluice AES-128.
SUITE_OF_TLS12, SUITE_OF_TLS13 = "ECDHE-RSA-AES128-GCM-SHA256", "TLS_AES_128_GCM_SHA256"
CURVES = "X25519:P-256:P-384"
HOST, TUNNEL_HOST = "x.bench.test", "tunnel.bench.test"
CONNECTIONS_MAX = 20000  # of both sides together


@dataclass(frozen=True)
class Listener:
    """`upstream`: which one it leads to: "files" (nginx), "http2" (nghttpd) or "own" (bench/e2e/upstream.cc) by HTTP,
    "tunnel" by bytes: `kind` says whether plain ("tcp"), by SNI ("passthrough") or by CONNECT ("connect", sluice only)."""

    name: str
    versions: tuple[str, ...] = ()  # of TLS: the lowest and the highest; none: plain
    key_bits: int = 2048
    resumes: bool = False  # tickets of nginx and HAProxy are on; sluice's always are
    http2: bool = False
    upstream: str = "files"
    kind: str = "http"


BOTH = ("1.2", "1.3")
HANDSHAKES = tuple(Listener(f"tls{version}-{bits}", (version,), bits) for bits in (2048, 4096) for version in BOTH)
RESUMED = tuple(Listener(f"resumed-tls{version}", (version,), resumes=True) for version in BOTH)
LISTENERS = (Listener("http"), Listener("https", BOTH), Listener("h2c", http2=True), Listener("h2", BOTH, http2=True),
             *HANDSHAKES, *RESUMED, Listener("https-4096", BOTH, 4096), Listener("to-http2", upstream="http2"),
             Listener("own", upstream="own"), Listener("tcp", upstream="tunnel", kind="tcp"),
             Listener("passthrough", upstream="tunnel", kind="passthrough"),
             Listener("connect", upstream="tunnel", kind="connect"))


@dataclass(frozen=True)
class Setup:
    """What one instance of a proxy is started for."""

    listeners: tuple[Listener, ...] = LISTENERS
    workers: int = 1
    hosts: int = 0  # virtual hosts, each with a name of its own; 0: any name
    lean: bool = False  # for figures of memory: the peers have their small buffers
    is_reloaded: bool = False  # HAProxy can do that only when a master process starts its workers


@dataclass(frozen=True)
class Place:
    """Where an instance lives: folder, ports of its listeners and of the upstreams, and the peer's version."""

    folder: Path  # has the certificates, and takes the configuration
    name: str  # of the instance: its files begin with it
    ports: dict[str, int]
    upstreams: dict[str, int]
    version: tuple[int, ...] = ()


def host_names(count: int) -> list[str]:
    return [f"host-{number}.bench.test" for number in range(count)]


def write(place: Place, suffix: str, text: str) -> Path:
    path = place.folder / f"{place.name}{suffix}"
    path.write_text(text)
    return path


# --- nginx -----------------------------------------------------------------------------------------------

def nginx_listen(place: Place, setup: Setup, listener: Listener) -> str:
    # Workers that share one listening socket wake each other up.
    options = " reuseport" if setup.workers > 1 else ""
    separate = place.version >= (1, 25, 1)  # `http2` is a directive of its own
    if listener.http2 and not separate:
        options += " http2"
    lines = [f"listen 127.0.0.1:{place.ports[listener.name]}{' ssl' if listener.versions else ''} backlog=4096{options};"]
    if listener.http2 and separate:
        lines.append("http2 on;")
    if listener.versions:
        lines += [f"ssl_protocols {' '.join(f'TLSv{version}' for version in listener.versions)};",
                  f"ssl_certificate {place.folder}/cert-{listener.key_bits}.pem;",
                  f"ssl_certificate_key {place.folder}/key-{listener.key_bits}.pem;",
                  f"ssl_ciphers {SUITE_OF_TLS12};", f"ssl_conf_command Ciphersuites {SUITE_OF_TLS13};",
                  f"ssl_ecdh_curve {CURVES.replace('P-256', 'prime256v1').replace('P-384', 'secp384r1')};",
                  # A full handshake is one: nothing is kept or given to resume with.
                  "ssl_session_cache off;", f"ssl_session_tickets {'on' if listener.resumes else 'off'};"]
    return "\n    ".join(lines)


def nginx_server(place: Place, setup: Setup, listener: Listener, name: str = "_") -> str:
    if listener.upstream == "own":  # uploads are passed on as they come, not gathered; Upgrade is passed on
        special = ("proxy_request_buffering off; client_body_buffer_size 512k; client_max_body_size 0;\n      "
                   "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;")
    else:
        special = 'proxy_set_header Connection ""; # else "close": no connection would be kept'
    # Buffers hold a body: 16 of 64 KiB, and up to 512 KiB may be on their way to the client. For figures of
    # memory the defaults stay.
    buffers = "" if setup.lean else "proxy_buffers 16 64k; proxy_buffer_size 64k; proxy_busy_buffers_size 512k;"
    is_first = name in ("_", host_names(1)[0])  # of its address: it has the options
    listen = nginx_listen(place, setup, listener) if is_first else f"listen 127.0.0.1:{place.ports[listener.name]};"
    return f"""
  server {{
    {listen}
    server_name {name};
    location / {{
      proxy_pass http://{listener.upstream};
      proxy_http_version 1.1; # keep-alive to the upstream
      {special}
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
      {buffers}
    }}
  }}"""


def nginx(place: Place, setup: Setup) -> Path:
    listeners = [listener for listener in setup.listeners if listener.kind == "http" and listener.upstream != "http2"]
    names = host_names(setup.hosts) if setup.hosts else ["_"]
    servers = "".join(nginx_server(place, setup, listener, name) for listener in listeners for name in names)
    # Each worker stays on a CPU of its own; taskset has given it those that it may use.
    affinity = "worker_cpu_affinity auto;" if setup.workers > 1 else ""
    return write(place, ".conf", f"""
daemon off;
worker_processes {setup.workers}; {affinity}
pid {place.folder}/{place.name}.pid; error_log {place.folder}/{place.name}.err crit;
events {{ worker_connections {CONNECTIONS_MAX}; }}
http {{
  access_log off; # sluice's and HAProxy's are off, too
  keepalive_requests 1000000000; keepalive_timeout 1h; # connections live through a round
  client_body_temp_path {place.folder}/{place.name}-body; proxy_temp_path {place.folder}/{place.name}-proxy;
  server_names_hash_max_size 65536; server_names_hash_bucket_size 128; # one look-up for a name among 10 000
  map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
  # Idle connections to the upstreams are kept, as many as there may be of clients.
  upstream files {{ server 127.0.0.1:{place.upstreams["files"]}; keepalive 8192; keepalive_requests 1000000000; }}
  upstream own {{ server 127.0.0.1:{place.upstreams["own"]}; keepalive 8192; keepalive_requests 1000000000; }}
  {servers}
}}
""")


# --- HAProxy ---------------------------------------------------------------------------------------------

def haproxy_bind(place: Place, listener: Listener) -> str:
    line = f"  bind 127.0.0.1:{place.ports[listener.name]} backlog 4096"
    if not listener.versions:
        return line + (" proto h2" if listener.http2 else "")
    return (f"{line} ssl crt {place.folder}/pair-{listener.key_bits}.pem ciphers {SUITE_OF_TLS12} ciphersuites {SUITE_OF_TLS13} "
            f"curves {CURVES}"
            f" ssl-min-ver TLSv{listener.versions[0]} ssl-max-ver TLSv{listener.versions[-1]}"
            f" alpn {'h2' if listener.http2 else 'http/1.1'}" + ("" if listener.resumes else " no-tls-tickets"))


def haproxy_frontend(place: Place, setup: Setup, upstream: str) -> str:
    binds = "\n".join(haproxy_bind(place, listener) for listener in setup.listeners
                      if listener.kind == "http" and listener.upstream == upstream)
    if not binds:
        return ""
    proto = " proto h2" if upstream == "http2" else ""
    if setup.hosts:  # a map is how the documentation has many hosts: one look-up in a tree
        names = write(place, ".map", "".join(f"{name} {upstream}\n" for name in host_names(setup.hosts)))
        choice = f"  use_backend %[req.hdr(host),field(1,:),lower,map_str({names})]"
    else:
        choice = f"  default_backend {upstream}"
    return f"""
frontend to-{upstream}
  option forwardfor
{binds}
{choice}
backend {upstream}
  http-reuse always # an idle connection to the upstream serves whoever comes
  server upstream 127.0.0.1:{place.upstreams[upstream]} pool-max-conn -1{proto}
"""


def haproxy_tunnel(place: Place, listener: Listener) -> str:
    if listener.kind == "tcp":
        inspection = ""
    else:
        inspection = f"""
  tcp-request inspect-delay 5s
  tcp-request content accept if {{ req.ssl_sni -i {TUNNEL_HOST} }}
  tcp-request content reject"""
    return f"""
frontend {listener.name}
  mode tcp
  bind 127.0.0.1:{place.ports[listener.name]}{inspection}
  default_backend {listener.name}-tunnel
backend {listener.name}-tunnel
  mode tcp
  server upstream 127.0.0.1:{place.upstreams["tunnel"]}
"""


def haproxy(place: Place, setup: Setup) -> Path:
    frontends = "".join(haproxy_frontend(place, setup, upstream) for upstream in ("files", "http2", "own"))
    tunnels = "".join(haproxy_tunnel(place, listener) for listener in setup.listeners
                      if listener.kind in ("tcp", "passthrough"))
    return write(place, ".cfg", f"""
global
  nbthread {setup.workers}
  maxconn {CONNECTIONS_MAX // 2}
  no strict-limits # else it refuses to start where descriptors are few
  {"" if setup.lean else "tune.bufsize 65536 # bodies in few pieces; for figures of memory the default stays"}
defaults
  mode http
  maxconn {CONNECTIONS_MAX // 2}
  option http-keep-alive
  option splice-auto # long bodies and tunnels do not pass through the process
  timeout connect 10s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  timeout http-keep-alive 1h
{frontends}{tunnels}
""")


# --- sluice ----------------------------------------------------------------------------------------------

SLUICE_PORTS = {"files": (80, "HTTP"), "http2": (81, "HTTP2"), "own": (82, "HTTP")}


def sluice_server(place: Place, listener: Listener) -> str:
    name, port = listener.name.replace(".", "-"), place.ports[listener.name]
    if listener.kind == "tcp":
        return f"\n  - port: {{number: {port}, name: {name}, protocol: TCP}}\n    hosts: [\"*\"]"
    if listener.kind == "passthrough":
        return (f"\n  - port: {{number: {port}, name: {name}, protocol: TLS}}\n    tls: {{mode: PASSTHROUGH}}"
                f"\n    hosts: [{TUNNEL_HOST}]")
    if not listener.versions:
        return f"\n  - port: {{number: {port}, name: {name}, protocol: HTTP}}\n    hosts: [\"*\"]"
    lowest, highest = (f"TLSV{version.replace('.', '_')}" for version in (listener.versions[0], listener.versions[-1]))
    return f"""
  - port: {{number: {port}, name: {name}, protocol: HTTPS}}
    tls: {{mode: SIMPLE, credentialName: bench-{listener.key_bits}, minProtocolVersion: {lowest},
          maxProtocolVersion: {highest}, cipherSuites: [{SUITE_OF_TLS12}]}}
    hosts: ["*"]"""


def sluice_gateway(name: str, servers: str) -> str:
    return f"""---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: {name}, namespace: bench}}
spec:
  selector: {{istio: ingressgateway}}
  servers:{servers}
"""


def sluice_virtual_service(name: str, hosts: str, gateway: str, routes: str) -> str:
    return f"""---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: bench}}
spec:
  hosts: [{hosts}]
  gateways: [{gateway}]
{routes}
"""


def sluice_secret(place: Place, bits: int) -> str:
    files = (("tls.crt", f"cert-{bits}.pem"), ("tls.key", f"key-{bits}.pem"))
    texts = "".join(f"  {key}: |\n" + "".join(f"    {line}\n" for line in (place.folder / name).read_text().splitlines())
                    for key, name in files)
    return f"""---
apiVersion: v1
kind: Secret
metadata: {{name: bench-{bits}, namespace: istio-system}}
type: kubernetes.io/tls
stringData:
{texts}"""


def sluice_tunnels(place: Place, listeners: list[Listener]) -> str:
    gateway = sluice_gateway("bench-tunnel", "".join(sluice_server(place, listener) for listener in listeners
                                                     if listener.kind != "connect"))
    destination = f"route: [{{destination: {{host: {TUNNEL_HOST}, port: {{number: 9000}}}}}}]"
    text = gateway
    if any(listener.kind == "tcp" for listener in listeners):
        text += sluice_virtual_service("bench-tcp", '"*"', "bench-tunnel",
                                       f"  tcp:\n  - match: [{{port: {place.ports['tcp']}}}]\n    {destination}")
    if any(listener.kind == "passthrough" for listener in listeners):
        text += sluice_virtual_service("bench-passthrough", TUNNEL_HOST, "bench-tunnel",
                                       f"  tls:\n  - match: [{{sniHosts: [{TUNNEL_HOST}]}}]\n    {destination}")
    if any(listener.kind == "connect" for listener in listeners):
        text += f"""---
apiVersion: v1
kind: ConfigMap
metadata: {{name: istio, namespace: istio-system}}
data:
  mesh: |
    proxyHttpPort: {place.ports["connect"]}
"""
    return text + f"""---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: tunnel, namespace: bench}}
spec:
  hosts: [{TUNNEL_HOST}]
  ports: [{{number: 9000, name: tcp, protocol: TCP, targetPort: {place.upstreams["tunnel"]}}}]
  resolution: STATIC
  endpoints: [{{address: 127.0.0.1}}]
"""


def sluice(place: Place, setup: Setup) -> Path:
    text = ""
    for upstream, (number, _) in SLUICE_PORTS.items():
        listeners = [listener for listener in setup.listeners if listener.upstream == upstream]
        if not listeners:
            continue
        gateway = f"bench-{upstream}"
        text += sluice_gateway(gateway, "".join(sluice_server(place, listener) for listener in listeners))
        route = f"  http:\n  - route: [{{destination: {{host: upstream.test, port: {{number: {number}}}}}}}]"
        for index, host in enumerate(host_names(setup.hosts) if setup.hosts else ['"*"']):
            text += sluice_virtual_service(f"{gateway}-{index}", host, gateway, route)
    tunnels = [listener for listener in setup.listeners if listener.upstream == "tunnel"]
    if tunnels:
        text += sluice_tunnels(place, tunnels)
    ports = "".join(f"  - {{number: {number}, name: {protocol.lower()}-{upstream}, protocol: {protocol}, "
                    f"targetPort: {place.upstreams[upstream]}}}\n" for upstream, (number, protocol) in SLUICE_PORTS.items())
    text += f"""---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: upstream, namespace: bench}}
spec:
  hosts: [upstream.test]
  ports:
{ports}  resolution: STATIC
  endpoints: [{{address: 127.0.0.1}}]
"""
    for bits in sorted({listener.key_bits for listener in setup.listeners if listener.versions}):
        text += sluice_secret(place, bits)
    return write(place, ".yaml", text)


# --- the upstream of files -------------------------------------------------------------------------------

def files_upstream(folder: Path, port: int) -> Path:
    path = folder / "upstream.conf"
    path.write_text(f"""
daemon off; worker_processes 1; pid {folder}/upstream.pid; error_log {folder}/upstream.err crit;
events {{ worker_connections {CONNECTIONS_MAX}; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; keepalive_timeout 1h; open_file_cache max=16;
  client_body_temp_path {folder}/upstream-body;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ root {folder}/www; }}
  }}
}}
""")
    return path

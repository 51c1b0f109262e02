"""The proxies that are compared, and the upstreams behind them, as processes: started when they are first needed.

One upstream serves files (nginx of the machine), one speaks HTTP/2 (nghttpd), one takes uploads and echoes WebSocket
messages (bench/e2e/upstream.cc), one is the end of tunnels (tunnels.py). All proxies lead to the same ones.
"""

import multiprocessing
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import configurations
import processes
import tunnels
from configurations import Place, Setup
from processes import BenchError, free_port

BODIES = {"small": b"hello, world\n", "10k": os.urandom(10 * 1024), "1m": os.urandom(1024 * 1024)}
# nginx13 and haproxy13 are Debian 13's, nginx12 and haproxy12 the machine's, which are Debian 12's as a rule.
NAMES = ("sluice", "nginx13", "haproxy13", "nginx12", "haproxy12", "floor")


@dataclass(frozen=True)
class Programs:
    """What is run: the proxies by their names, the generators by theirs, the upstream for uploads."""

    proxies: dict[str, str]
    versions: dict[str, str]
    tools: Path  # folder of our own programs


@dataclass
class Instance:
    """A proxy with a setup, and the process while it runs."""

    proxy: str
    setup: Setup
    place: Place
    process: subprocess.Popen | None = None

    def port(self, listener: str) -> int:
        return self.place.ports[listener]


def find_programs(sluice: Path, peers: Path) -> Programs:
    proxies = {"sluice": str(sluice), "nginx13": str(peers / "bin" / "nginx"), "haproxy13": str(peers / "bin" / "haproxy"),
               "nginx12": shutil.which("nginx", path=search_path()), "haproxy12": shutil.which("haproxy", path=search_path()),
               "floor": str(sluice.parent / "bench" / "e2e" / "floor")}
    for name, program in proxies.items():
        if program is None or not os.access(program, os.X_OK):
            raise BenchError(f"{name} is missing: scripts/bench installs and builds all that it needs")
    versions = {name: version_of(name, program) for name, program in proxies.items() if name != "floor"}
    return Programs(proxies, versions, sluice.parent / "bench" / "e2e")


def search_path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin"


def version_of(name: str, program: str) -> str:
    """With the TLS library of the peers: "nginx 1.26.3, OpenSSL 3.5.9"."""
    option = {"nginx": "-V", "hapro": "-vv"}.get(name[:5], "--version")
    run = subprocess.run([program, option], capture_output=True, text=True, timeout=30, check=False)
    text = run.stdout + run.stderr
    own = re.search(r"nginx/([\d.]+)|HAProxy version (\S+)", text)
    if own is None:
        return text.strip().splitlines()[0]
    openssl = re.findall(r"running (?:with|on) OpenSSL ([\d.]+\w*)|Running on OpenSSL version : OpenSSL (\S+)", text)
    built = re.findall(r"built with OpenSSL (\S+)", text)
    library = "".join(openssl[0]) if openssl else "".join(built[:1])
    return f"{'nginx' if own.group(1) else 'HAProxy'} {own.group(1) or own.group(2)}, OpenSSL {library}"


class Proxies:
    """`proxy_cpus` is where proxies run, `other_cpus` where generators and upstreams do: lists as of taskset(1)."""

    def __init__(self, folder: Path, programs: Programs, proxy_cpus: list[int], other_cpus: list[int]):
        self.folder = folder
        self.programs = programs
        self.proxy_cpus = proxy_cpus
        self.other_cpus = ",".join(map(str, other_cpus))
        self.upstreams = {name: free_port() for name in ("files", "http2", "own", "tunnel")}
        self.upstream_processes: list[subprocess.Popen] = []
        self.tunnel_end: multiprocessing.Process | None = None
        self.instances: dict[tuple[str, Setup], Instance] = {}
        os.chmod(folder, 0o755)  # nginx's workers run as another user
        (folder / "www").mkdir()
        for name, body in BODIES.items():
            (folder / "www" / name).write_bytes(body)
        for bits in (2048, 4096):
            self.make_certificate(bits)

    def make_certificate(self, bits: int) -> None:
        certificate, key = self.folder / f"cert-{bits}.pem", self.folder / f"key-{bits}.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", f"rsa:{bits}", "-nodes", "-days", "30", "-subj",
                        "/CN=bench.test", "-addext", "subjectAltName=DNS:*.bench.test", "-keyout", key,
                        "-out", certificate], check=True, capture_output=True)
        (self.folder / f"pair-{bits}.pem").write_text(certificate.read_text() + key.read_text())

    # --- processes ---

    def start_upstreams(self) -> None:
        www, own = self.folder / "www", str(self.programs.tools / "upstream")
        nginx = self.programs.proxies["nginx12"]
        commands = {
            "files": [nginx, "-p", str(self.folder), "-e", str(self.folder / "upstream.err"), "-c",
                      str(configurations.files_upstream(self.folder, self.upstreams["files"]))],
            "http2": ["nghttpd", "--no-tls", "-a", "127.0.0.1", "-d", str(www), str(self.upstreams["http2"])],
            "own": [own, f"127.0.0.1:{self.upstreams['own']}"],
        }
        for name, command in commands.items():
            self.upstream_processes.append(processes.start(self.other_cpus, self.upstreams[name],
                                                           self.folder / f"{name}.log", command))
        self.tunnel_end = multiprocessing.Process(target=tunnels.serve, daemon=True,
                                                  args=(self.upstreams["tunnel"], self.other_cpus))
        self.tunnel_end.start()

    def instance(self, proxy: str, setup: Setup) -> Instance:
        """Not started yet, or the one that runs."""
        if (proxy, setup) not in self.instances:
            place = Place(self.folder, f"{proxy}-{len(self.instances)}",
                          {listener.name: free_port() for listener in setup.listeners}, self.upstreams,
                          self.version_numbers(proxy))
            self.instances[proxy, setup] = Instance(proxy, setup, place)
        return self.instances[proxy, setup]

    def running(self, proxy: str, setup: Setup) -> Instance:
        instance = self.instance(proxy, setup)
        if instance.process is not None and instance.process.poll() is not None:
            instance.process = None
        if instance.process is None:
            # With the other CPUs for its further workers where there is no second one for proxies.
            cpus = self.proxy_cpus[:setup.workers]
            cpus += [int(cpu) for cpu in self.other_cpus.split(",")][:setup.workers - len(cpus)]
            log = self.folder / f"{instance.place.name}.log"
            instance.process = processes.start(",".join(map(str, cpus)), self.first_port(instance), log,
                                               self.command(instance))
        return instance

    @staticmethod
    def first_port(instance: Instance) -> int:
        return instance.port(instance.setup.listeners[0].name)

    def version_numbers(self, proxy: str) -> tuple[int, ...]:
        found = re.search(r"\d+(\.\d+)+", self.programs.versions.get(proxy, ""))
        return tuple(map(int, found.group().split("."))) if found else ()

    def command(self, instance: Instance) -> list[str]:
        proxy, setup, place = instance.proxy, instance.setup, instance.place
        program = self.programs.proxies[proxy]
        if proxy.startswith("nginx"):
            return [program, "-p", str(self.folder), "-e", str(self.folder / f"{place.name}.err"), "-c",
                    str(configurations.nginx(place, setup))]
        if proxy.startswith("haproxy"):
            return [program, *(["-W"] if setup.is_reloaded else []), "-db", "-f", str(configurations.haproxy(place, setup))]
        if proxy == "floor":
            return [program, f"127.0.0.1:{self.first_port(instance)}", f"127.0.0.1:{self.upstreams['files']}"]
        return [program, "run", "--config", str(configurations.sluice(place, setup)), "--concurrency", str(setup.workers),
                "--access-log", "off", "--status", f"127.0.0.1:{free_port()}", "--admin", f"127.0.0.1:{free_port()}"]

    @staticmethod
    def stop(instance: Instance) -> None:
        if instance.process is not None:
            processes.stop(instance.process)
            instance.process = None

    def stop_except(self, wanted: list[tuple[str, Setup]]) -> None:
        for key, instance in self.instances.items():
            if key not in wanted:
                self.stop(instance)

    def stop_all(self) -> None:
        self.stop_except([])
        for process in self.upstream_processes:
            processes.stop(process)
        if self.tunnel_end is not None:
            self.tunnel_end.kill()

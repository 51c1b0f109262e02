"""The real binary as a process: start, wait until ready, look at it from outside, stop, and judge how it ended."""

import contextlib
import functools
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

from . import documents, ports
from .client import Client
from .http2_client import Http2Client, RawHttp2
from .limits import IO_SECONDS, RELOAD_SECONDS, START_SECONDS, STOP_SECONDS

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = pathlib.Path(os.environ.get("SLUICE_BINARY") or ROOT / "build" / "sluice")

# Any of these in the standard error means that memory or a rule of the language was broken, or an assertion.
BROKEN = re.compile(
    r"ERROR: (Address|Leak|Thread|Memory)Sanitizer|WARNING: ThreadSanitizer|runtime error:|internal error: "
)

alive = []  # gateways that run now: what the report of a failed test shows


@functools.cache
def is_sanitized():
    """Sanitizers need memory of their own: figures of memory mean nothing then."""
    content = BINARY.read_bytes()
    return b"__asan_init" in content or b"__tsan_init" in content or b"__msan_init" in content


def run_sluice(*arguments, seconds=30, **options):
    """A command of the binary that ends by itself."""
    return subprocess.run(
        [str(BINARY), *[str(word) for word in arguments]],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        **options,
    )


class StartFailed(Exception):
    """The process ended before it was ready; `exit_code` and `output` say how."""

    def __init__(self, exit_code, output):
        super().__init__(f"exit code {exit_code}:\n{output}")
        self.exit_code = exit_code
        self.output = output


class Gateway:
    """`texts`: file name -> content of the configuration folder. Ports are made up: port(443), port(80), port(8080).

    With `namespace`, one of harness/namespaces.py, the process and its clients are there.
    """

    def __init__(
        self,
        folder,
        texts,
        *,
        service_ports=(443, 80, 8080),
        concurrency=1,
        drain_seconds=5,
        access_log=True,
        extra_arguments=(),
        preexec=None,
        namespace=None,
    ):
        self.folder = pathlib.Path(folder)
        self.config = self.folder / "config"
        self.config.mkdir(parents=True, exist_ok=True)
        self._inside = namespace.entered if namespace else contextlib.nullcontext
        with self._inside():
            self._reserved = {number: ports.ReservedPort() for number in service_ports}
            self.admin_port = ports.free_port()
            self.status_port = ports.free_port()
        self.service_document = documents.service({number: port.number for number, port in self._reserved.items()})
        self.write("service.yaml", self.service_document)
        for name, text in texts.items():
            self.write(name, text)
        self.access_log_file = self.folder / "access.log"
        self.log_file = self.folder / "stderr.log"
        self.command = [
            BINARY,
            "run",
            "--config",
            self.config,
            "--concurrency",
            concurrency,
            "--admin",
            f"{ports.LOOPBACK}:{self.admin_port}",
            "--status",
            f"{ports.LOOPBACK}:{self.status_port}",
            "--access-log",
            self.access_log_file if access_log else "off",
            "--drain-timeout",
            drain_seconds,
            *extra_arguments,
        ]
        self._preexec = preexec
        self.process = None

    # --- files ---

    def write(self, name, text):
        """As an editor or kubelet would: the new file takes the old one's place at once."""
        temporary = self.folder / (name + ".new")
        temporary.write_text(text)
        temporary.replace(self.config / name)

    def port(self, number):
        return self._reserved[number].number

    # --- life ---

    def start(self, *, wait=True):
        with open(self.log_file, "ab") as log, self._inside():
            self.process = subprocess.Popen(
                [str(word) for word in self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=self._preexec,
                start_new_session=True,
            )
        alive.append(self)
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self, seconds=START_SECONDS):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                code = self.process.returncode
                self._forget()
                raise StartFailed(code, self.log)
            if self.is_ready():
                return
            time.sleep(0.01)
        self.kill()
        raise AssertionError(f"not ready after {seconds} s:\n{self.log}")

    def wait_for_exit(self, seconds=STOP_SECONDS):
        """The exit code; the process is killed when it does not end in time."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running {seconds} s later:\n{self.log_tail()}") from None
        self._forget()
        return code

    def stop(self):
        """Ends it as a service manager would, and insists on a clean end."""
        if self.process is not None and self in alive:
            self.check_health()
            self.signal(signal.SIGTERM)
            code = self.wait_for_exit()
            self.check_log()
            assert code == 0, f"exit code {code} after SIGTERM:\n{self.log_tail()}"
        self.release()

    def release(self):
        for reserved in self._reserved.values():
            reserved.close()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(STOP_SECONDS)
        self._forget()

    def _forget(self):
        if self in alive:
            alive.remove(self)

    def signal(self, number):
        os.kill(self.process.pid, number)

    def __enter__(self):
        return self.start() if self.process is None else self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            if self in alive:
                self.kill()
            self.release()

    # --- health ---

    def check_health(self):
        """Alive, and nothing broken so far."""
        assert self.process.poll() is None, f"the gateway ended with {self.process.returncode}:\n{self.log_tail()}"
        self.check_log()

    def check_log(self):
        broken = BROKEN.search(self.log)
        assert not broken, f"{broken.group()}\n{self.log[max(0, broken.start() - 500):][:20_000]}"

    @property
    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def log_tail(self, size=8000):
        return self.log[-size:]

    def wait_for_log(self, pattern, start=0, seconds=IO_SECONDS):
        """The first match of `pattern` in the log, from offset `start`."""
        found = wait_until(lambda: re.compile(pattern).search(self.log, start), seconds)
        assert found, f"no {pattern!r} in the log:\n{self.log[start:]}"
        return found

    def memory_bytes(self, key="VmRSS"):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{key}:\s+(\d+) kB", status, re.M).group(1)) * 1024

    def descriptors(self):
        """What every descriptor is: "socket:[1]", "pipe:[2]", a path."""
        folder = pathlib.Path(f"/proc/{self.process.pid}/fd")
        names = []
        for entry in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                names.append(os.readlink(entry))
        return sorted(names)

    # --- its own endpoints ---

    def _fetch(self, port, path, method="GET"):
        connection = http.client.HTTPConnection(ports.LOOPBACK, port, timeout=IO_SECONDS)
        try:
            with self._inside():
                connection.connect()
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, dict((k.lower(), v) for k, v in response.getheaders()), response.read().decode()
        finally:
            connection.close()

    def admin(self, path, method="GET"):
        return self._fetch(self.admin_port, path, method)

    def admin_json(self, path):
        status, _, body = self.admin(path)
        assert status == 200, (path, status, body)
        return json.loads(body)

    def status(self, path="/healthz/ready"):
        return self._fetch(self.status_port, path)[0]

    def is_ready(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.status() == 200
        return False

    def metrics(self, name=None):
        """[(name, labels, value)] of /stats/prometheus; only those of one name when it is given."""
        status, _, body = self.admin("/stats/prometheus")
        assert status == 200, status
        samples = []
        for line in body.splitlines():
            if line and not line.startswith("#") and line.startswith(name or ""):
                parsed = re.fullmatch(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)", line)
                assert parsed, f"no sample: {line!r}"
                labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', parsed.group(2) or ""))
                samples.append((parsed.group(1), labels, float(parsed.group(3))))
        return [sample for sample in samples if name in (None, sample[0])]

    def metric(self, name, **labels):
        """The sum of every sample of this name that has these labels."""
        return sum(
            value
            for _, has, value in self.metrics(name)
            if all(has.get(label) == wanted for label, wanted in labels.items())
        )

    # --- the access log ---

    def access_lines(self):
        return self.access_log_file.read_text(errors="replace").splitlines() if self.access_log_file.exists() else []

    def wait_for_access_line(self, text, seconds=IO_SECONDS, start=0):
        """The first line that contains `text`, after the first `start` lines."""
        line = wait_until(lambda: next((line for line in self.access_lines()[start:] if text in line), None), seconds)
        assert line, f"no access log line with {text!r} among\n" + "\n".join(self.access_lines()[-20:])
        return line

    # --- reloading ---

    def reload_counts(self):
        """(successes, failures) so far."""
        return tuple(self.metric("sluice_config_reload_total", result=result) for result in ("success", "failure"))

    def reload(self, *, expect_success=True):
        """SIGHUP, and waits for its outcome; returns what was logged meanwhile."""
        start, (successes, failures) = len(self.log), self.reload_counts()
        self.signal(signal.SIGHUP)
        assert wait_until(
            lambda: self.reload_counts() != (successes, failures), RELOAD_SECONDS
        ), f"SIGHUP is ignored:\n{self.log_tail()}"
        expected = (successes + 1, failures) if expect_success else (successes, failures + 1)
        assert self.reload_counts() == expected, f"successes, failures: {self.reload_counts()}\n{self.log[start:]}"
        return self.log[start:]

    # --- clients ---

    def connect(self, host, *, tls=False, number=None, **options):
        """A client on the HTTPS port (tls) or on the plain one."""
        with self._inside():
            return Client(self.port(number or (443 if tls else 8080)), host, tls=tls, **options)

    def connect_http2(self, host, *, tls=False, number=None, **options):
        """The same of HTTP/2: by ALPN, or by prior knowledge."""
        with self._inside():
            return Http2Client(self.port(number or (443 if tls else 8080)), host, tls=tls, **options)

    def connect_raw_http2(self, **options):
        """A plain connection for frames."""
        with self._inside():
            return RawHttp2(self.port(8080), **options)


def wait_until(condition, seconds=IO_SECONDS, step=0.02):
    """The first true value of condition(), or its last."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() >= deadline:
            return value
        time.sleep(step)


def is_listening(port):
    with contextlib.suppress(OSError), socket.create_connection((ports.LOOPBACK, port), timeout=IO_SECONDS):
        return True
    return False

"""Idle clients: many connections, each of which has been served once and stays open."""

import concurrent.futures
import multiprocessing
import resource
import socket
import ssl

import tunnels
from configurations import HOST
from processes import BenchError
from proxies import BODIES

CLIENT_PROCESSES = 4
CLIENT_THREADS = 32  # of each: so many connections are opened at a time
IP_BIND_ADDRESS_NO_PORT = 24  # ip(7): a source port need only be free towards this destination
DESCRIPTORS_PER_CONNECTION = 3  # that sluice sets aside: the client's, the upstream's, and of pipes
DESCRIPTORS_BESIDES = 256


def raise_descriptor_limit() -> int:
    """As far as it goes; returns how many connections a proxy may have then."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for wanted in (131072, 65536, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
            return (wanted - DESCRIPTORS_BESIDES) // DESCRIPTORS_PER_CONNECTION
        except (ValueError, OSError):  # it wants privileges
            continue
    raise BenchError("the limit of descriptors cannot be raised")


class Client:
    """Connections of one process; `address` is where they come from. `kind`: plain, tls, resumed, or a tunnel's."""

    def __init__(self, address: str, port: int, kind: str):
        self.address, self.port, self.kind = address, port, kind
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if kind in ("tls", "resumed") else None
        self.session = None
        self.open_sockets: list[socket.socket] = []
        if self.context is not None:
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE
        first = self.connect()
        if kind == "resumed":
            self.session = first.session
        first.close()

    def connect(self) -> socket.socket:
        if self.kind in ("tcp", "connect", "passthrough"):
            return tunnels.open_idle(self.port, self.kind)
        plain = socket.socket()
        plain.settimeout(60)
        plain.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        plain.bind((self.address, 0))
        plain.connect(("127.0.0.1", self.port))
        connection = plain
        if self.context is not None:
            connection = self.context.wrap_socket(plain, server_hostname=HOST, session=self.session)
            if self.session is not None and not connection.session_reused:
                raise BenchError("the session was not resumed")
        connection.sendall(f"GET /small HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(BODIES["small"]):
            received = connection.recv(4096)
            if not received:
                raise BenchError(f"the connection ended after {answer!r}")
            answer += received
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise BenchError(f"not the answer: {answer!r}")
        return connection

    def open(self, count: int) -> None:
        with concurrent.futures.ThreadPoolExecutor(CLIENT_THREADS) as pool:
            self.open_sockets.extend(pool.map(lambda _: self.connect(), range(count)))

    def close(self) -> None:
        while self.open_sockets:
            self.open_sockets.pop().close()


def serve_crowd(pipe, address: str, port: int, kind: str) -> None:
    try:
        client = Client(address, port, kind)
        pipe.send("ready")
        while (count := pipe.recv()) is not None:
            client.open(count) if count > 0 else client.close()
            pipe.send("done")
    except Exception as error:  # pylint: disable=broad-exception-caught
        pipe.send(f"{type(error).__name__}: {error}")


class Crowd:
    """Clients in several processes, each with an address of its own: none of them runs out of ports."""

    def __init__(self, port: int, kind: str):
        self.members = []
        for number in range(CLIENT_PROCESSES):
            ours, theirs = multiprocessing.Pipe()
            process = multiprocessing.Process(target=serve_crowd, args=(theirs, f"127.0.0.{number + 2}", port, kind))
            process.start()
            self.members.append((process, ours))
        self.await_all()

    def open(self, count: int) -> None:
        for number, (_, pipe) in enumerate(self.members):
            pipe.send(count // CLIENT_PROCESSES + (number < count % CLIENT_PROCESSES))
        self.await_all()

    def close(self) -> None:
        for _, pipe in self.members:
            pipe.send(0)
        self.await_all()

    def await_all(self) -> None:
        answers = [pipe.recv() if pipe.poll(300) else "no answer in 300 s" for _, pipe in self.members]
        wrong = [answer for answer in answers if answer not in ("ready", "done")]
        if wrong:
            self.end()
            raise BenchError(f"an idle client failed: {wrong[0]}")

    def end(self) -> None:
        for process, pipe in self.members:
            if process.is_alive():
                pipe.send(None)
            process.join(10)
            if process.is_alive():
                process.kill()

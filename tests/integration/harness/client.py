"""A client that sends exactly what the test says, over plain TCP or TLS."""

import socket
import ssl
import struct

from . import message, ports
from .limits import IO_SECONDS, QUIET_SECONDS


def tls_context(*, minimum=ssl.TLSVersion.TLSv1_2, maximum=ssl.TLSVersion.TLSv1_3, ca_file=None, alpn=("http/1.1",)):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = minimum
    context.maximum_version = maximum
    if ca_file:
        context.load_verify_locations(ca_file)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


class Client:
    """One connection. `host` is the default of the Host field; with `tls` also the server name; "": none.

    `prelude` goes out before anything else, also before TLS.
    """

    def __init__(
        self,
        port,
        host,
        *,
        address=ports.LOOPBACK,
        tls=None,
        server_name=None,
        receive_buffer=None,
        timeout=IO_SECONDS,
        prelude=b"",
    ):
        raw = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            if receive_buffer:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            raw.settimeout(timeout)
            raw.connect((address, port))
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if prelude:
                raw.sendall(prelude)
            if tls:
                name = host if server_name is None else server_name
                context = tls if isinstance(tls, ssl.SSLContext) else tls_context()
                self.socket = context.wrap_socket(raw, server_hostname=name or None)
            else:
                self.socket = raw
        except BaseException:
            raw.close()
            raise
        self.host = host
        self.is_tls = bool(tls)
        self.reader = message.Reader(self._receive)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _receive(self):
        try:
            return self.socket.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError):
            return b""

    @property
    def local_port(self):
        return self.socket.getsockname()[1]

    # --- sending ---

    def send(self, data):
        self.socket.sendall(data)

    def send_head(self, method="GET", target="/", headers=(), *, version="HTTP/1.1", host=None):
        fields = list(headers)
        if not any(name.lower() == "host" for name, _ in fields):
            fields.insert(0, ("host", host or self.host))
        self.send(message.head_bytes(f"{method} {target} {version}", fields))

    # --- receiving ---

    def read_response(self, method="GET", *, keep_informational=False):
        """The next final response (or also the next 1xx); None when the connection ended instead."""
        while True:
            response = self.reader.read_head()
            if response is None:
                return None
            if not response.start_line.startswith("HTTP/1."):
                raise message.Malformed(response.start_line)
            if 100 <= response.status < 200 and response.status != 101 and not keep_informational:
                continue
            return self.reader.read_body(response, is_response=True, method=method)

    def request(self, method="GET", target="/", headers=(), body=None, **options):
        fields = list(headers)
        if body is not None:
            fields.append(("content-length", str(len(body))))
        self.send_head(method, target, fields, **options)
        if body:
            self.send(body)
        return self.read_response(method)

    def read_to_end(self):
        """Everything until the peer closes."""
        return self.reader.read_to_end()

    def is_closed_by_peer(self):
        """Waits for the end; false when the peer sends something, or nothing until the timeout."""
        try:
            return self.reader.read_to_end() == b""
        except TimeoutError:
            return False

    def stays_silent(self, seconds=QUIET_SECONDS):
        """Neither bytes nor the end come for a while."""
        if self.reader.buffer:
            return False
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            self.reader.buffer += self.socket.recv(1)
            return False
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(before)

    # --- ending ---

    def shutdown_write(self):
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()

    def reset(self):
        """RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

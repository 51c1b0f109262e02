"""Clients of the explicit proxy: requests in absolute form, and tunnels by CONNECT (RFC 9110 9.3.6, RFC 9113 8.5)."""

import base64
import re

from . import message
from .client import Client
from .half_closing_tls import HalfClosingTls
from .http2_client import Http2Client


def basic(username, password):
    """The field of RFC 7617 2."""
    return ("proxy-authorization", "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode())


class Conversation:
    """HTTP/1.1 on anything with sendall() and recv(): a tunnel, or TLS in one."""

    def __init__(self, stream, host):
        self.stream = stream
        self.host = host
        self.reader = message.Reader(lambda: stream.recv(65536))

    def request(self, method="GET", target="/", headers=(), *, host=None):
        self.stream.sendall(message.head_bytes(f"{method} {target} HTTP/1.1", [("host", host or self.host), *headers]))
        response = self.reader.read_head()
        return response and self.reader.read_body(response, is_response=True, method=method)


class Tunnel:
    """What follows a CONNECT: bytes. `status` is that of its answer; `local_port` is in its line of the access log."""

    def __init__(self, client, response):
        self.client = client
        self.local_port = client.local_port
        self.response = response
        self.status = response.status if response else None

    def sendall(self, data):
        raise NotImplementedError

    def recv(self, size):
        raise NotImplementedError

    def end_writing(self):
        raise NotImplementedError

    def read_exactly(self, count):
        got = b""
        while len(got) < count:
            piece = self.recv(count - len(got))
            if not piece:
                raise message.Truncated(f"ended after {len(got)} of {count} bytes: {got[-200:]!r}")
            got += piece
        return got

    def read_to_end(self):
        return b"".join(iter(lambda: self.recv(65536), b""))

    def begin_tls(self, host, context=None):
        """`host` is the server name; "": none."""
        return HalfClosingTls(self, host, context)


class Http1Tunnel(Tunnel):
    """All of a connection of HTTP/1.1."""

    def __init__(self, client, authority, headers=(), *, host=None, early=b""):
        """`early` goes out with the request."""
        head = message.head_bytes(f"CONNECT {authority} HTTP/1.1", [("host", host or authority), *headers])
        client.send(head + early)
        response = client.reader.read_head()
        is_open = response is not None and 200 <= response.status < 300
        if response is not None and not is_open:
            client.reader.read_body(response, is_response=True, method="CONNECT")
        super().__init__(client, response)

    def sendall(self, data):
        self.client.send(data)

    def recv(self, size):
        buffered = self.client.reader.take(size)
        return buffered or self.client.socket.recv(size)

    def end_writing(self):
        self.client.shutdown_write()

    def close(self):
        self.client.close()


class Http2Tunnel(Tunnel):
    """One stream of a connection of HTTP/2."""

    def __init__(self, client, authority, headers=(), *, early=b""):
        self.stream = client.open(
            "CONNECT", headers=headers, pseudo=[(":method", "CONNECT"), (":authority", authority)], end=False
        )
        if early:
            client.send(self.stream, early)
        super().__init__(client, client.read_head(self.stream))

    def sendall(self, data):
        if not self.client.send(self.stream, data):
            raise ConnectionResetError(f"the stream is over: {self.stream.reset_code!r}")

    def recv(self, size):
        stream = self.stream
        self.client.wait_for(
            lambda: stream.body or stream.is_complete or stream.reset_code is not None or self.client.is_closed
        )
        if not stream.body and not stream.is_complete:
            raise ConnectionResetError(f"the stream was reset: {stream.reset_code!r}")
        piece = bytes(stream.response.body[:size])
        del stream.response.body[:size]
        return piece

    def end_writing(self):
        self.client.end(self.stream)

    def reset(self):
        self.client.reset(self.stream)

    def close(self):
        self.client.close()


class Proxy:
    """How clients in `namespace` find the proxy: (address, port), with `tls`, a context, over TLS for `name`."""

    def __init__(self, namespace, port, address="127.0.0.1", *, tls=None, name="proxy.example.com"):
        self.namespace = namespace
        self.port = port
        self.address = address
        self.tls = tls
        self.name = name

    def connect(self, **options):
        """A connection of HTTP/1.1; its requests are the caller's."""
        with self.namespace.entered():
            return Client(self.port, self.name, address=self.address, tls=self.tls, **options)

    def connect_http2(self, **options):
        with self.namespace.entered():
            return Http2Client(self.port, self.name, address=self.address, tls=self.tls, **options)

    def get(self, uri, headers=(), *, host=None, method="GET"):
        """The answer to one request in absolute form."""
        with self.connect() as client:
            authority = re.split("[/?]", uri.partition("://")[2])[0]
            client.send_head(method, uri, headers, host=host or authority)
            return client.read_response(method)

    def tunnel(self, authority, headers=(), *, version="http1", **options):
        if version == "http1":
            return Http1Tunnel(self.connect(), authority, headers, **options)
        return Http2Tunnel(self.connect_http2(), authority, headers, **options)

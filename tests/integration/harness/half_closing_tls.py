"""TLS by hand."""

import contextlib
import ssl

from .client import tls_context


class HalfClosingTls:
    """A client's TLS on anything with sendall() and recv(): a socket, a tunnel, TLS itself.

    Python's own connections are on sockets only, and cannot read after their close_notify.
    """

    def __init__(self, connection, host, context=None):
        self.connection = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = context or tls_context(alpn=())
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host or None)
        self._run(self._tls.do_handshake)

    def _flush(self):
        if self._outgoing.pending:
            self.connection.sendall(self._outgoing.read())

    def _run(self, step, *arguments):
        while True:
            try:
                result = step(*arguments)
                self._flush()
                return result
            except ssl.SSLWantReadError:
                self._flush()
                data = self.connection.recv(65536)
                self._incoming.write(data) if data else self._incoming.write_eof()

    def sendall(self, data):
        self._run(self._tls.write, data)

    def shutdown(self, _direction):
        """Sends close_notify, and waits for nothing."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        self._flush()

    def recv(self, size):
        try:
            return self._run(self._tls.read, size)
        except ssl.SSLZeroReturnError:
            return b""

"""Stands between sluice and Pebble, counts the exchanges and can end the process that asks at any of them."""

import http.client
import http.server
import ssl
import threading

from . import ports

KILL_BEFORE, KILL_AFTER = "before", "after"


class AcmeGate(http.server.ThreadingHTTPServer):
    """`pebble` names itself after the host that it is asked by, so all of its URLs lead here. The server's certificate
    is Pebble's own."""

    daemon_threads = True

    def __init__(self, pebble):
        gate = self
        self.count = 0
        self.kill_at = 0  # this exchange, from 1; 0: none
        self.kill_when = KILL_BEFORE
        self.kill = lambda: None
        self.accounts = 0  # that were made
        self.finalized = 0  # times that a certificate was asked for with success
        self._lock = threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                gate.pass_on(self)

            do_POST = do_HEAD = do_GET

            def log_message(self, *_):
                pass

        super().__init__((ports.LOOPBACK, 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pebble.folder / "chain.crt", pebble.folder / "leaf.key")
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self._pebble_port = int(pebble.url.split(":")[2].split("/")[0])
        self._trust = ssl.create_default_context(cafile=pebble.ca_file)
        self.url = f"https://localhost:{self.server_address[1]}/dir"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def pass_on(self, handler):
        with self._lock:
            self.count += 1
            is_last = self.count == self.kill_at
        if is_last and self.kill_when == KILL_BEFORE:
            return self._end(handler)
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        connection = http.client.HTTPSConnection("localhost", self._pebble_port, context=self._trust, timeout=30)
        fields = {name: handler.headers[name] for name in ("host", "content-type", "accept", "user-agent") if name in handler.headers}
        connection.request(handler.command, handler.path, body or None, fields)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if answer.status == 201 and "/sign-me-up" in handler.path:
            self.accounts += 1
        if answer.status == 200 and "/finalize" in handler.path:
            self.finalized += 1
        if is_last:
            return self._end(handler)
        handler.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "date"):
                handler.send_header(name, value)
        handler.send_header("content-length", len(content))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(content)
        return None

    def _end(self, handler):
        self.kill()
        handler.close_connection = True

    def handle_error(self, request, client_address):
        pass  # of connections that were cut

    def close(self):
        self.shutdown()
        self.server_close()

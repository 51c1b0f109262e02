"""A real gRPC server and real gRPC clients (grpcio). Messages are bytes: no code is generated."""

import concurrent.futures
import time

import grpc

from . import ports
from .limits import IO_SECONDS

SERVICE = "sluice.test.Echo"


def _unary(request, context):
    if request.startswith(b"fail "):
        _, code, text = request.decode().split(" ", 2)
        context.set_trailing_metadata([("x-reason", "asked")])
        context.abort(grpc.StatusCode[code], text)
    if request.startswith(b"wait "):
        time.sleep(min(float(request.split()[1]), IO_SECONDS))
    if request == b"metadata":
        return "\n".join(repr(tuple(pair)) for pair in context.invocation_metadata()).encode()
    if request == b"deadline":
        return str(context.time_remaining()).encode()
    context.set_trailing_metadata([("x-count", str(len(request))), ("x-raw-bin", b"\x00\xff")])
    return request


def _download(request, context):
    count, size = (int(word) for word in request.split())
    for number in range(count):
        yield number.to_bytes(4, "big").ljust(size, b".")


def _upload(requests, context):
    count, size = 0, 0
    for request in requests:
        count, size = count + 1, size + len(request)
    return f"{count} {size}".encode()


def _chat(requests, context):
    for request in requests:
        yield request


class GrpcService:
    """A server that listens at once. `credentials`: grpc.ssl_server_credentials(), or none: in the clear."""

    def __init__(self, credentials=None, workers=16):
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(workers))
        methods = {
            "Unary": grpc.unary_unary_rpc_method_handler(_unary),
            "Download": grpc.unary_stream_rpc_method_handler(_download),
            "Upload": grpc.stream_unary_rpc_method_handler(_upload),
            "Chat": grpc.stream_stream_rpc_method_handler(_chat),
        }
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, methods)])
        address = f"{ports.LOOPBACK}:0"
        self.port = (
            self._server.add_secure_port(address, credentials)
            if credentials
            else self._server.add_insecure_port(address)
        )
        self._server.start()

    def stop(self):
        self._server.stop(grace=None).wait(IO_SECONDS)


class GrpcClient:
    """A channel to `port`, for `authority`; with `root` (PEM) over TLS."""

    def __init__(self, port, authority, *, root=None):
        target = f"{ports.LOOPBACK}:{port}"
        options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
        if root:
            options.append(("grpc.ssl_target_name_override", authority))
            self.channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(root.encode()), options)
        else:
            options.append(("grpc.default_authority", authority))
            self.channel = grpc.insecure_channel(target, options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def unary(self, request, method="Unary", *, timeout=IO_SECONDS, metadata=()):
        """(response, call); raises grpc.RpcError, which is the call as well."""
        function = self.channel.unary_unary(f"/{SERVICE}/{method}")
        return function.with_call(request, timeout=timeout, metadata=list(metadata))

    def download(self, count, size, *, timeout=IO_SECONDS):
        return self.channel.unary_stream(f"/{SERVICE}/Download")(f"{count} {size}".encode(), timeout=timeout)

    def upload(self, requests, *, timeout=IO_SECONDS):
        return self.channel.stream_unary(f"/{SERVICE}/Upload")(requests, timeout=timeout)

    def chat(self, requests, *, timeout=IO_SECONDS):
        return self.channel.stream_stream(f"/{SERVICE}/Chat")(requests, timeout=timeout)

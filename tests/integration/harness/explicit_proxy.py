"""Explicit proxies in the middle of harness/surroundings.py."""

import contextlib

import pytest

from . import documents, ports
from .gateway import Gateway
from .namespaces import FIRST, METADATA, PRIVATE, SECOND
from .proxy_client import Proxy
from .scripted_names import FAILS
from .surroundings import ECHO, HTTP, TLS

WWW, SECOND_HOST, SIX = "www.example.com", "second.example.com", "six.example.com"
PROXY_HOST = "proxy.example.com"
VERSIONS = pytest.mark.parametrize("version", ["http1", "http2"])
HOWS = pytest.mark.parametrize("how", ["absolute", "http1", "http2"])
ECHOING = f"{WWW}:{ECHO}"

# By name: what the name server says.
FORBIDDEN_NAMES = {
    "private.example.com": [PRIVATE[0]],
    "private-six.example.com": [PRIVATE[1]],
    "loopback.example.com": ["127.0.0.1"],
    "loopback-six.example.com": ["::1"],
    "metadata.example.com": [METADATA],
    "mapped.example.com": ["::ffff:127.0.0.1"],
    "zero.example.com": ["0.0.0.0"],
    "zero-six.example.com": ["::"],
    "link-local.example.com": ["fe80::1"],
    "shared.example.com": ["100.64.0.1"],
}
NAMES = FORBIDDEN_NAMES | {
    WWW: list(FIRST),
    SECOND_HOST: [SECOND[0]],
    SIX: [SECOND[1]],
    "fails.example.com": FAILS,
    "nothing.example.com": [],
    "registered.example.com": [FIRST[0]],
    "inner.example.com": [PRIVATE[0]],
}


def entry(name, host, resolution, number=HTTP, protocol="HTTP", **more):
    port = {"number": number, "name": f"{protocol}-{number}".lower(), "protocol": protocol}
    spec = {"hosts": [host], "ports": [port], "location": "MESH_EXTERNAL", "resolution": resolution}
    return documents.document("ServiceEntry", name, spec | more)


REGISTRY = documents.join(
    entry("registered", "registered.example.com", "DNS"),
    entry("registered-tls", "registered.example.com", "DNS", TLS, "TLS"),
    entry("inner", "inner.example.com", "DNS"),
    entry("static", "static.example.com", "STATIC", endpoints=[{"address": PRIVATE[0]}]),
    entry("routed", "routed.example.com", "STATIC", endpoints=[{"address": SECOND[0]}]),
    documents.document(
        "VirtualService",
        "routed",
        {
            "hosts": ["routed.example.com"],
            "gateways": ["mesh"],
            "http": [
                {
                    "match": [{"uri": {"prefix": "/moved"}}],
                    "redirect": {"uri": "/here"},
                },
                {
                    "headers": {"request": {"set": {"x-route": "mesh"}}},
                    "route": [{"destination": {"host": "routed.example.com", "port": {"number": HTTP}}}],
                },
            ],
        },
    ),
)


@contextlib.contextmanager
def running(around, folder, annotations=None, documents_too=(), *, tls=None, **mesh):
    """A gateway with a proxy, which is its `proxy`. `annotations` and `mesh` are those of the MeshConfig."""
    with around.gateway.entered():
        port = ports.free_port()
    texts = {
        "mesh.yaml": documents.mesh(annotations, proxyHttpPort=port, **mesh),
        "registry.yaml": documents.join(REGISTRY, *documents_too),
    }
    made = Gateway(
        folder,
        texts,
        namespace=around.gateway,
        concurrency=2,
        extra_arguments=("--dns-servers", around.name_server),
    )
    made.proxy = Proxy(around.gateway, port, tls=tls, name=PROXY_HOST)
    with made:
        yield made


def told(response):
    """What tell() says: [address reached, address of who asked, Host, target]."""
    assert response is not None and response.status == 200, response
    return response.body.decode().split()


def status_of(proxy, how, host, number=HTTP):
    """Of an absolute-form request or of a CONNECT by either version."""
    if how == "absolute":
        return proxy.get(f"http://{host}/" if number == HTTP else f"http://{host}:{number}/").status
    return proxy.tunnel(f"{host}:{number}", version=how).status


def server_count(server):
    """Of the connections that came."""
    return server.count if hasattr(server, "count") else len(server.connections)

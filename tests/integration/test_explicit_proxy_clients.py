"""Who may use the explicit proxy: credentials, TLS and client certificates."""

import base64
import contextlib
import ssl
import types

import pytest

from harness import documents
from harness.authority import Authority
from harness.client import tls_context
from harness.explicit_proxy import ECHOING, HOWS, PROXY_HOST, REGISTRY, WWW, running, told
from harness.namespaces import FIRST
from harness.proxy_client import Conversation, Proxy, basic
from harness.surroundings import HTTP, TLS


# --- who may use it --------------------------------------------------------------------------------

CREDENTIALS = {"sluice.io/proxy-credentials": "proxy-users"}


def users(username="alice", password="open sesame: ü"):
    text = {"username": username, "password": password}
    return documents.document(
        "Secret", "proxy-users", namespace="istio-system", type="kubernetes.io/basic-auth", stringData=text
    )


@pytest.fixture(scope="module", name="guarded")
def make_guarded(around, tmp_path_factory):
    with running(around, tmp_path_factory.mktemp("guarded"), CREDENTIALS, [users()]) as made:
        yield made


GOOD = basic("alice", "open sesame: ü")
WRONG = {
    "none": [],
    "password": [basic("alice", "open sesame")],
    "name": [basic("bob", "open sesame: ü")],
    "case": [basic("Alice", "open sesame: ü")],
    "empty": [basic("", "")],
    "nothing": [("proxy-authorization", "")],
    "scheme": [("proxy-authorization", GOOD[1].replace("Basic", "Bearer"))],
    "base64": [("proxy-authorization", "Basic ???")],
    "colon": [("proxy-authorization", "Basic " + base64.b64encode(b"alice").decode())],
    "more": [("proxy-authorization", GOOD[1] + "AAAA")],
    "origin": [("authorization", GOOD[1])],
    "long": [("proxy-authorization", "Basic " + "A" * 4000)],
}


@pytest.mark.parametrize("fields", WRONG.values(), ids=WRONG)
@HOWS
def test_who_shows_no_credentials_is_asked_for_them(around, guarded, how, fields):
    before = len(around.http.connections)
    if how == "absolute":
        response = guarded.proxy.get(f"http://{WWW}/", fields)
    else:
        response = guarded.proxy.tunnel(f"{WWW}:{HTTP}", fields, version=how).response
    assert response.status == 407
    assert response.get("proxy-authenticate") == 'Basic realm="sluice"'
    assert len(around.http.connections) == before


@pytest.mark.parametrize("fields", [GOOD, (GOOD[0], GOOD[1].replace("Basic", "bASIC"))], ids=["as it is", "case"])
@HOWS
def test_who_shows_credentials_is_let_in(around, guarded, how, fields):
    if how == "absolute":
        assert told(guarded.proxy.get(f"http://{WWW}/", [fields]))[0] in FIRST
        assert "proxy-authorization" not in around.http.requests[-1]
    else:
        with contextlib.closing(guarded.proxy.tunnel(ECHOING, [fields], version=how)) as tunnel:
            tunnel.sendall(b"in")
            assert tunnel.read_exactly(2) == b"in"


def test_each_request_of_a_connection_shows_credentials(guarded):
    with guarded.proxy.connect() as client:
        assert client.request("GET", f"http://{WWW}/", host=WWW).status == 407
        assert client.request("GET", f"http://{WWW}/", [GOOD], host=WWW).status == 200
        assert client.request("GET", f"http://{WWW}/", host=WWW).status == 407
        assert client.request("POST", f"http://{WWW}/", host=WWW, body=b"x" * 1000).status == 407


def test_credentials_are_not_in_any_log(guarded):
    guarded.proxy.get(f"http://{WWW}/", [GOOD])
    secret = GOOD[1].removeprefix("Basic ")
    for text in (guarded.log, "\n".join(guarded.access_lines())):
        assert secret not in text and "open sesame" not in text


def test_credentials_change_with_the_secret(own_proxy):
    sluice = own_proxy(CREDENTIALS, [users()])
    assert sluice.proxy.get(f"http://{WWW}/", [GOOD]).status == 200
    sluice.write("registry.yaml", documents.join(REGISTRY, users("carol", "other")))
    sluice.reload()
    assert sluice.proxy.get(f"http://{WWW}/", [GOOD]).status == 407
    assert sluice.proxy.get(f"http://{WWW}/", [basic("carol", "other")]).status == 200


# --- over TLS --------------------------------------------------------------------------------------


@pytest.fixture(scope="module", name="people")
def make_people():
    """Who has client certificates: those of `authority` are good."""
    authority, stranger = Authority("Proxy CA"), Authority("Somebody else's CA")
    return types.SimpleNamespace(
        authority=authority,
        server=authority.issue(PROXY_HOST),
        good=authority.issue("good client"),
        foreign=stranger.issue("foreign client"),
    )


def client_context(people, pair=None, alpn=("h2", "http/1.1")):
    context = tls_context(ca_file=str(people.authority.file), alpn=alpn)
    if pair:
        context.load_cert_chain(pair.certificate_file, pair.key_file)
    return context


@pytest.fixture(name="over_tls")
def make_over_tls(own_proxy, people):
    """over_tls(mode) is a proxy that speaks TLS."""

    def make(mode=None):
        annotations = {"sluice.io/proxy-credential-name": "proxy-certs"}
        if mode:
            annotations["sluice.io/proxy-tls-mode"] = mode
        secret = {"tls.crt": people.server.certificate, "tls.key": people.server.key}
        secret |= {"ca.crt": people.authority.certificate} if mode not in (None, "SIMPLE") else {}
        return own_proxy(annotations, [documents.opaque_secret("proxy-certs", secret)])

    return make


def proxy_of(sluice, context):
    return Proxy(sluice.proxy.namespace, sluice.proxy.port, tls=context, name=PROXY_HOST)


def test_everything_over_tls(over_tls, people, around):
    sluice = over_tls()
    http1 = proxy_of(sluice, client_context(people, alpn=("http/1.1",)))
    http2 = proxy_of(sluice, client_context(people))
    assert told(http1.get(f"http://{WWW}/"))[0] in FIRST
    with http2.connect_http2() as client:
        assert client.request("GET", "/", host=WWW, scheme="http").status == 200
    context = tls_context(ca_file=str(around.authority.file), alpn=())
    for proxy, version in ((http1, "http1"), (http2, "http2")):
        with contextlib.closing(proxy.tunnel(f"{WWW}:{TLS}", version=version)) as tunnel:
            inside = Conversation(tunnel.begin_tls(WWW, context), WWW)
            assert told(inside.request("GET", "/inside"))[3] == "/inside"


def test_without_alpn_it_is_http1(over_tls, people):
    assert told(proxy_of(over_tls(), client_context(people, alpn=())).get(f"http://{WWW}/"))[0] in FIRST


def test_plain_client_gets_nothing_from_a_proxy_over_tls(over_tls):
    with over_tls().proxy.connect() as client:
        client.send(f"GET http://{WWW}/ HTTP/1.1\r\nHost: {WWW}\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            assert b"200" not in client.read_to_end()


@pytest.mark.parametrize(
    "mode, who, is_let_in",
    [
        ("SIMPLE", None, True),
        ("MUTUAL", "good", True),
        ("MUTUAL", None, False),
        ("MUTUAL", "foreign", False),
        ("OPTIONAL_MUTUAL", None, True),
        ("OPTIONAL_MUTUAL", "good", True),
        ("OPTIONAL_MUTUAL", "foreign", False),
    ],
)
def test_client_certificates(over_tls, people, mode, who, is_let_in):
    pair = getattr(people, who) if who else None
    proxy = proxy_of(over_tls(mode), client_context(people, pair, alpn=("http/1.1",)))
    if is_let_in:
        assert told(proxy.get(f"http://{WWW}/"))[0] in FIRST
        return
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        assert proxy.get(f"http://{WWW}/") is None

"""What the gateway adds, replaces and removes (RFC 9110 7.6.1)."""

import email.utils
import re
import signal
import time

import pytest

from harness.documents import DOMAIN

UUID_4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture
def seen(client, upstream):
    """seen([...]) is the request as the upstream got it."""

    def send(headers=(), **options):
        assert client.request("GET", "/", headers, **options).status == 200
        return upstream.requests[-1]

    return send


@pytest.fixture
def answered(client, upstream):
    """answered([...]) is the response as the client got it, when the upstream sends these fields."""

    def ask(headers=(), body=b"body"):
        def script(peer, request):
            peer.read_body(request)
            peer.respond(headers=headers, body=body)

        upstream.script = script
        return client.request()

    return ask


# --- to the upstream ---


def test_client_address_and_scheme_are_told(seen, tls):
    request = seen()
    assert request.all("x-forwarded-for") == ["127.0.0.1"]
    assert request.all("x-forwarded-proto") == ["https" if tls else "http"]


def test_client_address_is_appended(seen):
    assert (
        seen([("x-forwarded-for", "192.0.2.1, 192.0.2.2")]).get("x-forwarded-for") == "192.0.2.1, 192.0.2.2,127.0.0.1"
    )


def test_client_that_has_reset_is_still_named(gateway, upstream):
    """Its socket has no peer any more when it is accepted; the upstream must not be told another address."""
    gateway.signal(signal.SIGSTOP)
    try:
        for _ in range(8):
            client = gateway.connect(upstream.host)
            client.send_head("POST", "/reset", [("content-length", "0")])
            client.reset()
    finally:
        gateway.signal(signal.SIGCONT)
    with gateway.connect(upstream.host) as client:
        assert client.request().status == 200
    time.sleep(0.2)
    assert {request.get("x-forwarded-for") for request in upstream.requests} == {"127.0.0.1"}


def test_claims_of_the_client_are_replaced(seen, tls):
    request = seen(
        [
            ("x-forwarded-proto", "https" if not tls else "http"),
            ("x-envoy-external-address", "192.0.2.1"),
            ("x-request-id", "11111111-1111-4111-8111-111111111111"),
        ]
    )
    assert request.all("x-forwarded-proto") == ["https" if tls else "http"]
    assert request.all("x-envoy-external-address") == ["127.0.0.1"]
    assert request.get("x-request-id") != "11111111-1111-4111-8111-111111111111"


def test_request_id_is_a_new_uuid_each_time(seen):
    ids = [seen().get("x-request-id") for _ in range(50)]
    assert all(UUID_4.fullmatch(one) for one in ids), ids[0]
    assert len(set(ids)) == 50


def test_attempt_count(seen):
    assert seen().get("x-envoy-attempt-count") == "1"


@pytest.mark.parametrize(
    "name",
    [
        "x-envoy-internal",
        "x-envoy-retry-on",
        "x-envoy-retry-grpc-on",
        "x-envoy-max-retries",
        "x-envoy-upstream-alt-stat-name",
        "x-envoy-upstream-rq-timeout-ms",
        "x-envoy-upstream-rq-per-try-timeout-ms",
        "x-envoy-upstream-rq-timeout-alt-response",
        "x-envoy-expected-rq-timeout-ms",
        "x-envoy-force-trace",
        "x-envoy-ip-tags",
        "x-envoy-decorator-operation",
        "x-envoy-downstream-service-cluster",
        "x-envoy-downstream-service-node",
        "x-forwarded-client-cert",
        "X-Envoy-Internal",
    ],
)
def test_field_of_the_inside_is_removed(seen, name):
    assert name.lower() not in seen([(name, "forged")])


def test_hop_by_hop_fields_end_here(seen):
    request = seen(
        [
            ("connection", "keep-alive, x-private, , X-Other"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("te", "gzip"),
            ("x-private", "1"),
            ("x-other", "2"),
            ("x-kept", "3"),
        ]
    )
    for name in ("connection", "keep-alive", "proxy-connection", "te", "x-private", "x-other"):
        assert name not in request, name
    assert request.get("x-kept") == "3"


@pytest.mark.parametrize(
    "name", ["host", "x-forwarded-for", "content-length", "authorization", "cookie", "x-forwarded-proto"]
)
def test_connection_cannot_remove_what_matters(client, upstream, name):
    """ "Connection: Host" and the like: refused, or the field survives; never a request without it."""
    response = client.request(
        "POST", "/", [("connection", name), ("authorization", "Bearer x"), ("cookie", "a=b")], body=b"content"
    )
    if response.status == 200 and name not in ("authorization", "cookie"):
        assert name in upstream.requests[0]
        assert upstream.requests[0].body == b"content"


def test_end_to_end_fields_pass_unchanged(seen):
    fields = [
        ("accept", "*/*"),
        ("cookie", "a=1; b=2"),
        ("authorization", "Bearer abc"),
        ("x-empty", ""),
        ("x-latin", "\xe4\xf6\xfc"),
        ("x_underscore", "kept"),
        ("x-repeated", "one"),
        ("x-repeated", "two"),
    ]
    request = seen(fields)
    for name, value in dict(fields).items():
        assert value in request.all(name)
    assert request.all("x-repeated") == ["one", "two"]


def test_host_is_forwarded_as_received(seen, client):
    assert seen(host=f"{client.host.upper()}:1234").get("host") == f"{client.host.upper()}:1234"


@pytest.mark.parametrize(
    "sent, forwarded",
    [
        ("/a/./b/../c", "/a/c"),
        ("/%7Euser", "/~user"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a//b", "/a//b"),
        ("/x?y=/../z", "/x?y=/../z"),
        ("/../../etc/passwd", "/etc/passwd"),
        ("/%2e%2e/secret", "/secret"),
        ("/?", "/?"),
    ],
)
def test_path_is_normalised(client, upstream, sent, forwarded):
    assert client.request("GET", sent).status == 200
    assert upstream.requests[0].target == forwarded


# --- to the client ---


def test_server_is_istio_envoy(answered):
    response = answered([("server", "nginx"), ("via", "1.1 inside")])
    assert response.all("server") == ["istio-envoy"]
    assert response.get("via") == "1.1 inside"


def test_service_time_is_told(answered):
    assert re.fullmatch(r"\d+", answered().get("x-envoy-upstream-service-time"))


def test_date_is_added_when_missing(answered):
    response = answered()
    told = email.utils.parsedate_to_datetime(response.get("date")).timestamp()
    assert abs(told - time.time()) < 5


def test_date_of_the_upstream_is_kept(answered):
    assert answered([("date", "Sun, 06 Nov 1994 08:49:37 GMT")]).all("date") == ["Sun, 06 Nov 1994 08:49:37 GMT"]


def test_hop_by_hop_fields_of_the_upstream_end_here(answered):
    response = answered(
        [
            ("connection", "keep-alive, x-private"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "x"),
            ("x-private", "1"),
            ("x-kept", "2"),
            ("upgrade", "h2c"),
        ]
    )
    for name in ("connection", "keep-alive", "proxy-connection", "x-private", "upgrade"):
        assert name not in response, name
    assert response.get("x-kept") == "2"


def test_repeated_fields_of_the_upstream_stay_separate(answered):
    response = answered([("set-cookie", "a=1"), ("set-cookie", "b=2"), ("vary", "accept"), ("vary", "origin")])
    assert response.all("set-cookie") == ["a=1", "b=2"]
    assert response.all("vary") == ["accept", "origin"]


def test_local_replies_have_server_and_date(gateway):
    with gateway.connect("unknown.example.com") as client:
        response = client.request()
        assert (response.status, response.get("server"), response.body) == (404, "istio-envoy", b"")
        assert "date" in response


def test_redirect_has_server_and_date(gateway):
    with gateway.connect(f"x.{DOMAIN}", number=80) as client:
        response = client.request()
        assert response.get("server") == "istio-envoy" and "date" in response

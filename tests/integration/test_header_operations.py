"""`headers` of VirtualServices: what is set, added and removed, with Envoy's command operators."""

import re
import socket

import pytest

from harness import documents
from harness.documents import DOMAIN
from harness.gateway import Gateway

HOST = f"fields.{DOMAIN}"
ROUTE = {
    "request": {
        "set": {
            "X-Forwarded-Host": "%REQ(:AUTHORITY)%",
            "X-Replaced": "by the gateway",
            "X-Path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
            "X-First": "%REQ(x-long):5%",
            "X-About": "%PROTOCOL% %REQ(:METHOD)% from %DOWNSTREAM_REMOTE_ADDRESS% to %DOWNSTREAM_LOCAL_ADDRESS%",
            "X-Server-Name": "%REQUESTED_SERVER_NAME%",
            "X-Cluster": "%UPSTREAM_CLUSTER%",
            "X-Percent": "100%%",
            "X-Machine": "%HOSTNAME%",
            "X-Absent": "%REQ(x-not-there)%",
            "Host": "Other.example:81",
        },
        "add": {"X-Added": "2"},
        "remove": ["X-Secret"],
    },
    "response": {
        "set": {"Cache-Control": "no-store", "X-Code": "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS%"},
        "add": {"X-Time": "%START_TIME(%Y-%m-%d %s.%3f)%", "X-Type": "%RESP(CONTENT-TYPE)%"},
        "remove": ["x-powered-by"],
    },
}


@pytest.fixture(name="reach")
def make_reach(own_gateway, own_upstream, tls):
    """reach(headers): the response, and the request as the upstream got it."""
    texts = {
        "all.yaml": documents.join(
            documents.service_entry("fields", own_upstream.port), documents.header_routes("fields", [HOST], ROUTE, "fields")
        )
    }
    gateway = own_gateway(texts)
    client = gateway.connect(HOST, tls=tls)

    def ask(headers=(), target="/"):
        response = client.request("GET", target, headers)
        return response, own_upstream.requests[-1], client

    yield ask
    client.close()


def test_request_fields(reach, tls):
    _, seen, client = reach(
        [
            ("x-replaced", "one"),
            ("x-replaced", "two"),
            ("x-added", "1"),
            ("x-secret", "of the client"),
            ("x-absent", "of the client"),
            ("x-long", "0123456789"),
        ],
        "/a/../b?c=%41",
    )
    assert seen.all("x-forwarded-host") == [HOST]
    assert seen.all("host") == ["Other.example:81"]
    assert seen.all("x-replaced") == ["by the gateway"]
    assert seen.all("x-path") == ["/b?c=%41"]
    assert seen.all("x-first") == ["01234"]
    local = client.socket.getpeername()
    remote = client.socket.getsockname()
    assert seen.all("x-about") == [f"HTTP/1.1 GET from {remote[0]}:{remote[1]} to {local[0]}:{local[1]}"]
    assert seen.all("x-server-name") == ([HOST] if tls else [])
    assert seen.all("x-cluster") == ["outbound|80||fields.upstream.test"]
    assert seen.all("x-percent") == ["100%"]
    assert seen.all("x-machine") == [socket.gethostname()]
    assert seen.all("x-added") == ["1", "2"]
    assert "x-secret" not in seen
    assert "x-absent" not in seen, "an empty value takes the client's field away"


def test_response_fields(reach):
    response, _, _ = reach()
    assert response.all("cache-control") == ["no-store"]
    assert response.all("x-code") == ["200 via_upstream"]
    assert response.all("x-type") == ["text/plain"]
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d{10}\.\d{3}", response.get("x-time"))


def test_destination_has_fields_of_its_own(own_gateway, own_upstream):
    """Of two: first the destination's, then the route's, as in Envoy."""
    of_one = {"request": {"set": {"x-to": "one", "x-both": "one", "Host": "one.example"}}}
    of_two = {"request": {"set": {"x-to": "two", "x-both": "two"}}, "response": {"set": {"x-from": "two"}}}
    texts = {
        "all.yaml": documents.join(
            documents.service_entry("one", own_upstream.port),
            documents.service_entry("two", own_upstream.port),
            documents.header_routes(
                "two", [HOST], {"request": {"set": {"x-both": "route"}}}, ("one", of_one), ("two", of_two)
            ),
        )
    }
    gateway = own_gateway(texts)
    found = set()
    with gateway.connect(HOST) as client:
        for _ in range(200):
            response = client.request()
            seen = own_upstream.requests[-1]
            assert seen.all("x-both") == ["route"]
            found.add((seen.get("x-to"), seen.get("host"), response.get("x-from")))
            if len(found) == 2:
                break
    assert found == {("one", "one.example", None), ("two", HOST, "two")}


def test_own_answers_of_a_route_have_its_fields(own_gateway, own_upstream):
    headers = {"response": {"set": {"Strict-Transport-Security": "max-age=1"}}}
    own_upstream.stop()
    texts = {
        "all.yaml": documents.join(
            documents.service_entry("gone", own_upstream.port), documents.header_routes("gone", [HOST], headers, "gone")
        )
    }
    with own_gateway(texts).connect(HOST) as client:
        response = client.request()
    assert (response.status, response.get("strict-transport-security")) == (503, "max-age=1")


def test_field_of_a_client_cannot_break_the_head(reach):
    """Bytes beyond ASCII are allowed in fields, and stay; everything else the reader refuses."""
    _, seen, _ = reach([("x-long", "\xfc\"\\,;")])
    assert seen.all("x-first") == ["\xfc\"\\,;"]


def test_config_dump_shows_them(own_gateway, own_upstream):
    texts = {
        "all.yaml": documents.join(
            documents.service_entry("fields", own_upstream.port), documents.header_routes("fields", [HOST], ROUTE, "fields")
        )
    }
    snapshot = own_gateway(texts).admin_json("/config_dump")["snapshot"]
    shown = [
        route["headers"]
        for table in snapshot["routeTables"]
        for host in table["virtualHosts"]
        if host["host"] == HOST and host["routeList"] is not None
        for route in snapshot["routeLists"][host["routeList"]]
    ]
    assert shown and shown[0]["request"]["set"]["x-path"] == "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"
    assert shown[0]["authority"] == "Other.example:81"
    assert shown[0]["response"]["remove"] == ["x-powered-by"]


def test_mistakes_are_told_with_their_place(tmp_path, certificate):
    """And a reload keeps what was there."""
    good = documents.header_routes("fields", [HOST], {"request": {"set": {"x-a": "%PROTOCOL%"}}}, "fields")
    texts = documents.kyma_texts(certificate) | {
        "all.yaml": documents.join(documents.service_entry("fields", 1), good)
    }
    with Gateway(tmp_path / "gateway", texts).start() as gateway:
        gateway.write("all.yaml", documents.join(documents.service_entry("fields", 1), good.replace("PROTOCOL", "PROTOCL")))
        log = gateway.reload(expect_success=False)
        assert re.search(r"all\.yaml:\d+:\d+: .*unknown operator \"PROTOCL\"; did you mean \"PROTOCOL\"", log), log

"""httpsRedirect: 301 to the same URL by https, for every method, and nothing else."""

import pytest

from harness.commands import curl
from harness.documents import DOMAIN


@pytest.fixture
def client(gateway):
    with gateway.connect(f"any.{DOMAIN}", number=80) as made:
        yield made


def test_location_is_host_path_and_query(client):
    response = client.request("GET", "/a/b?x=1&y=%20")
    assert response.status == 301
    assert response.all("location") == [f"https://any.{DOMAIN}/a/b?x=1&y=%20"]
    assert response.body == b""


def test_location_keeps_the_port_of_host(client):
    response = client.request("GET", "/", host=f"any.{DOMAIN}:8080")
    assert response.get("location") == f"https://any.{DOMAIN}:8080/"


def test_host_is_matched_in_any_case_and_kept_as_received(client):
    response = client.request("GET", "/", host=f"ANY.{DOMAIN.upper()}")
    assert response.status == 301
    assert response.get("location") == f"https://ANY.{DOMAIN.upper()}/"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_every_method_is_redirected(client, method):
    for body in (None, b"content"):
        response = client.request(method, "/path", body=body)
        assert response.status == 301, method
        assert response.get("location") == f"https://any.{DOMAIN}/path"


def test_wildcard_covers_any_depth_but_not_the_apex(client):
    assert client.request("GET", "/", host=f"a.b.c.{DOMAIN}").status == 301
    assert client.request("GET", "/", host=DOMAIN).status == 404


def test_foreign_host_is_not_found(client):
    response = client.request("GET", "/", host="example.com")
    assert response.status == 404
    assert "location" not in response


def test_routes_are_ignored(gateway, upstream):
    """The host has a VirtualService on this gateway; the redirect comes first."""
    with gateway.connect(upstream.host, number=80) as client:
        assert client.request("GET", "/").status == 301
    assert upstream.requests == []


def test_proto_of_an_untrusted_client_is_ignored(client):
    """No trusted proxies are configured: x-forwarded-proto: https does not switch the redirect off."""
    assert client.request("GET", "/", [("x-forwarded-proto", "https")]).status == 301


def test_target_in_absolute_form(client):
    response = client.request("GET", f"http://any.{DOMAIN}/abs?q")
    assert response.status == 301
    assert response.get("location") == f"https://any.{DOMAIN}/abs?q"


@pytest.mark.parametrize(
    "host", [f"any.{DOMAIN}/evil", f"user@any.{DOMAIN}", f"any.{DOMAIN}\\evil", f"any.{DOMAIN}?", ""]
)
def test_location_cannot_be_forged(client, host):
    """What cannot be a host is refused, and never echoed into a header."""
    client.send_head("GET", "/", [("host", host)])
    response = client.read_response()
    assert response is None or (response.status in (400, 404) and "location" not in response)


def test_curl_follows_it(gateway, upstream):
    """From http to https and to the upstream. The ports are not 80 and 443 here, so curl is told where they are."""
    https, http = gateway.port(443), gateway.port(80)
    got = curl(
        "-k",
        "-L",
        "--connect-to",
        f"{upstream.host}:443:127.0.0.1:{https}",
        "--connect-to",
        f"{upstream.host}:80:127.0.0.1:{http}",
        f"http://{upstream.host}/",
    )
    assert (got.returncode, got.stdout) == (0, "hello"), got.stderr

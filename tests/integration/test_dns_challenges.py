"""TXT records of DNS-01 in a real name server (Knot DNS): how they get there, are seen and go again."""

import pytest

from harness import name_server
from harness.name_server import WRONG_SECRET

RECORDS = """
_acme-challenge.alias 60 CNAME proof.example.com.
_acme-challenge.busy 60 TXT "of somebody else"
"""


@pytest.fixture(scope="module", name="server")
def running_server(tmp_path_factory):
    if name_server.PROGRAM is None:
        pytest.skip("knotd is missing: scripts/bootstrap --test installs it")
    if not name_server.PROBE.is_file():
        pytest.skip(f"{name_server.PROBE} is missing: this build has no tests")
    zones = {"example.com": RECORDS, "sub.example.com": "", "closed.org": ""}
    open_zones = ("example.com", "sub.example.com")
    keys = {
        "acme-key": ("hmac-sha256", open_zones),
        "sha1-key": ("hmac-sha1", open_zones),
        "sha384-key": ("hmac-sha384", open_zones),
        "sha512-key": ("hmac-sha512", open_zones),
    }
    with name_server.name_server(tmp_path_factory.mktemp("knot"), zones, keys) as running:
        yield running


def test_a_record_comes_and_goes(server):
    assert server.texts("www.example.com") == ("_acme-challenge.www.example.com.", [])
    assert server.change("present", "www.example.com", "value-1") == ""
    assert server.texts("www.example.com") == ("_acme-challenge.www.example.com.", ["value-1"])
    assert server.change("cleanup", "www.example.com", "value-1") == ""
    assert server.texts("www.example.com") == ("_acme-challenge.www.example.com.", [])


def test_a_name_and_its_wildcard_have_a_record_each(server):
    assert server.change("present", "both.example.com", "of-the-name") == ""
    assert server.change("present", "*.both.example.com", "of-the-wildcard") == ""
    assert server.texts("both.example.com")[1] == ["of-the-name", "of-the-wildcard"]
    assert server.change("cleanup", "both.example.com", "of-the-name") == ""
    assert server.texts("both.example.com")[1] == ["of-the-wildcard"]
    assert server.change("cleanup", "*.both.example.com", "of-the-wildcard") == ""


def test_doing_it_twice_is_no_error(server):
    for _ in range(2):
        assert server.change("present", "twice.example.com", "value") == ""
    assert server.texts("twice.example.com")[1] == ["value"]
    for _ in range(2):
        assert server.change("cleanup", "twice.example.com", "value") == ""
    assert server.texts("twice.example.com")[1] == []


def test_records_of_others_stay(server):
    assert server.change("present", "busy.example.com", "ours") == ""
    assert server.texts("busy.example.com")[1] == ["of somebody else", "ours"]
    assert server.change("cleanup", "busy.example.com", "ours") == ""
    assert server.texts("busy.example.com")[1] == ["of somebody else"]


def test_the_nearest_zone_above_is_changed(server):
    """example.com has this name too, but nobody would find it there."""
    assert server.change("present", "a.b.sub.example.com", "value") == ""
    assert server.texts("a.b.sub.example.com")[1] == ["value"]
    assert "[sub.example.com.] DDNS" in server.log()
    assert server.change("cleanup", "a.b.sub.example.com", "value") == ""


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA384", "SHA512"])
def test_every_algorithm_is_understood(server, algorithm):
    options = {"key": f"{algorithm.lower()}-key", "algorithm": f"HMAC{algorithm}"}
    assert server.change("present", "algorithm.example.com", algorithm, **options) == ""
    assert server.texts("algorithm.example.com")[1] == [algorithm]
    assert server.change("cleanup", "algorithm.example.com", algorithm, **options) == ""


def test_an_answer_that_is_too_long_for_udp_is_read(server):
    values = sorted(f"{number:02}" + "x" * 200 for number in range(12))
    for value in values:
        assert server.change("present", "long.example.com", value) == ""
    assert server.texts("long.example.com")[1] == values
    for value in values:
        assert server.change("cleanup", "long.example.com", value) == ""


def test_a_key_that_the_server_does_not_know_is_named(server):
    error = server.change("present", "www.example.com", "value", key="other-key")
    assert "does not know the TSIG key other-key. with the algorithm HMACSHA256, or not for this zone (BADKEY)" in error


def test_a_key_with_another_algorithm_is_named(server):
    error = server.change("present", "www.example.com", "value", algorithm="HMACSHA512")
    assert "does not know the TSIG key acme-key. with the algorithm HMACSHA512, or not for this zone (BADKEY)" in error


def test_a_wrong_secret_is_said_and_not_told(server):
    error = server.change("present", "www.example.com", "value", secret=WRONG_SECRET)
    assert "another secret for the TSIG key acme-key. (BADSIG)" in error
    assert WRONG_SECRET not in error


def test_a_zone_that_the_key_is_not_for_stays_as_it_is(server):
    error = server.change("present", "www.closed.org", "value")
    assert "the TSIG key acme-key. with the algorithm HMACSHA256, or not for this zone (BADKEY)" in error
    assert server.texts("www.closed.org")[1] == []


def test_a_zone_that_the_server_does_not_have_is_said(server):
    error = server.change("present", "www.other.org", "value")
    assert "it has no zone for it (REFUSED); name the primary server of the zone" in error


def test_an_alias_is_an_error_and_a_look_follows_it(server):
    """RFC 2136 3.4.2.2: the server would ignore a record beside a CNAME and say that all is well."""
    error = server.change("present", "alias.example.com", "value")
    assert "alias (CNAME) of proof.example.com." in error and "dns01.hook" in error
    assert server.texts("alias.example.com") == ("proof.example.com.", [])

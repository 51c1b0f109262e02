"""Connections that the firewall hands over: whatever they are, they reach what they were meant for, or what
the registry says of them, or nothing."""

import contextlib
import re
import threading
import time

import pytest

from harness import documents, namespaces, pattern
from harness.client import Client, tls_context
from harness.gateway import Gateway, wait_until
from harness.http2_client import Http2Client
from harness.limits import FACTOR, IO_SECONDS, MIB
from harness.message import Truncated
from harness.namespaces import CLIENT, FIRST, METADATA, PRIVATE, REDIRECT, SECOND, TO_CLIENT, TO_OUTSIDE, TPROXY
from harness.raw import EndWatch, digest_of_all, echoed_digest
from harness.surroundings import ECHO, GREETING, HTTP, HTTP2, MAIL, TLS, Surroundings

PORT = 15001
SIZE = 8 * MIB
NOBODY = 9  # and one on which nobody does
ORIGIN = "origin.example.com"  # the gateway speaks TLS to it
ROUTED = "routed.example.com"  # by a VirtualService for the mesh
OTHERS = "others.example.com"  # by one for a Gateway only
FAMILIES = pytest.mark.parametrize("family", [0, 1], ids=["ipv4", "ipv6"])


def port(number, protocol, **more):
    return {"number": number, "name": f"{protocol}-{number}".lower(), "protocol": protocol} | more


WEB = [port(HTTP, "HTTP"), port(TLS, "TLS")]
MAIL_PORT = [port(MAIL, "TCP")]


def entry(name, hosts, resolution, entry_ports=None, **more):
    spec = {"hosts": hosts, "ports": entry_ports or WEB, "location": "MESH_EXTERNAL", "resolution": resolution}
    return documents.document("ServiceEntry", name, spec | more)


def at(*addresses):
    return [{"address": address} for address in addresses]


REGISTRY = documents.join(
    entry("none", ["none.example.com", "*.open.example.com"], "NONE"),
    entry("static", ["static.example.com"], "STATIC", endpoints=at(SECOND[0])),
    entry("static-six", ["six.example.com"], "STATIC", endpoints=at(SECOND[1])),
    entry("inner", ["inner.example.com"], "STATIC", endpoints=at(PRIVATE[0])),
    entry("dns", ["dns.example.com"], "DNS"),
    entry("dns-other", ["alias.example.com"], "DNS", endpoints=at("elsewhere.example.com")),
    entry("round", ["round.example.com"], "DNS_ROUND_ROBIN"),
    entry("wild", ["*.wild.example.com"], "DYNAMIC_DNS"),
    entry("mail", ["mail.example.com"], "NONE", MAIL_PORT, addresses=[SECOND[0], f"{SECOND[1]}/128"]),
    entry(
        *("echo", ["echo.example.com"], "STATIC", [port(ECHO, "TCP")]),
        addresses=["198.51.100.7"],
        endpoints=at(SECOND[0]),
    ),
    entry("origin", [ORIGIN], "STATIC", [port(HTTP, "HTTP", targetPort=TLS)], endpoints=at(SECOND[0])),
    documents.document(
        "DestinationRule",
        "origin",
        {"host": ORIGIN, "trafficPolicy": {"tls": {"mode": "SIMPLE", "sni": ORIGIN, "credentialName": "origin"}}},
    ),
    entry("routed", [ROUTED, OTHERS], "NONE"),
)


def route(host, name, gateways):
    spec = {
        "hosts": [host],
        "http": [
            {
                "headers": {"request": {"set": {"x-route": name}}},
                "route": [{"destination": {"host": "static.example.com", "port": {"number": HTTP}}}],
            }
        ],
    }
    return documents.document("VirtualService", name, spec | ({"gateways": gateways} if gateways else {}))


# By suffix: what the name server says of the hosts above that it is asked for.
NAMES = {
    "dns.example.com": [SECOND[0]],
    "elsewhere.example.com": [SECOND[0]],
    "round.example.com": [SECOND[0], SECOND[1]],
    "a.wild.example.com": [SECOND[0]],
    "a.b.wild.example.com": [SECOND[0]],
    "inner.wild.example.com": [PRIVATE[0]],
}


def running(stack, folder, outside_authority, interception, mode, **mesh):
    """A world with a gateway that takes what the client sends: `world.sluice`."""
    if reason := namespaces.obstacle():
        pytest.skip(reason)
    world = stack.enter_context(Surroundings(outside_authority, interception, PORT))
    world.names.records = dict(NAMES)
    config = {"defaultConfig": {"interceptionMode": interception}} if interception == TPROXY else {}
    policy = {"outboundTrafficPolicy": {"mode": mode}} if mode else {}
    texts = {
        "mesh.yaml": documents.mesh(proxyListenPort=PORT, **config, **policy, **mesh),
        "registry.yaml": REGISTRY,
        "routes.yaml": documents.join(
            route(ROUTED, "for-the-mesh", None),
            route(OTHERS, "for-a-gateway", [documents.PLAIN_GATEWAY]),
            documents.opaque_secret("origin", {"ca.crt": outside_authority.certificate}),
        ),
    }
    world.sluice = stack.enter_context(
        Gateway(
            folder,
            texts,
            namespace=world.gateway,
            concurrency=2,
            extra_arguments=("--dns-servers", world.name_server),
        )
    )
    return world


@pytest.fixture(scope="module", params=[REDIRECT, TPROXY], name="interception")
def make_interception(request):
    return request.param


@pytest.fixture(scope="module", name="open_world")
def make_open_world(interception, tmp_path_factory, outside_authority):
    """Everything is allowed, which is the default."""
    with contextlib.ExitStack() as stack:
        yield running(stack, tmp_path_factory.mktemp("open"), outside_authority, interception, None)


@pytest.fixture(scope="module", name="closed_world")
def make_closed_world(interception, tmp_path_factory, outside_authority):
    """What is not registered is refused."""
    with contextlib.ExitStack() as stack:
        yield running(stack, tmp_path_factory.mktemp("closed"), outside_authority, interception, "REGISTRY_ONLY")


@pytest.fixture(name="world", params=["ALLOW_ANY", "REGISTRY_ONLY"])
def make_world(request, open_world, closed_world):
    """Either of them."""
    return open_world if request.param == "ALLOW_ANY" else closed_world


def connect(world, address, number, host="", **options):
    """The client's connection, as it believes, to a port of an address."""
    with world.client.entered():
        return Client(number, host, address=address, **options)


def connect_tls(world, address, host, **options):
    context = tls_context(ca_file=str(world.authority.file), alpn=())
    return connect(world, address, TLS, host, tls=context, **options)


def get(world, address, host, target="/", **options):
    """What the answer of tell() says, without the target: (the address that was reached, the client's there, Host)."""
    with connect(world, address, HTTP, host) as client:
        response = client.request("GET", target, **options)
    assert response.status == 200, response
    reached, came_from, seen_host, seen_target = response.body.decode().split()
    assert seen_target == target and seen_host == host
    return reached, came_from


def is_refused(world, server, address, number, data=b""):
    """The connection ends, and the server has not seen it. A reset is an end."""
    before = world_count(server)
    with contextlib.suppress(ConnectionError):
        with connect(world, address, number) as client:
            with contextlib.suppress(ConnectionError):
                if data:
                    client.send(data)
            assert client.is_closed_by_peer()
    return world_count(server) == before


def world_count(server):
    """Of the connections that came."""
    return server.count if hasattr(server, "count") else len(server.connections)


# --- what is not registered goes where it was sent -------------------------------------------------


def gone_to(address, port):
    """What a line of the log has of a client that has connected to this. Its own port may be another one than it knows:
    the firewall changes it where two would be the same."""
    return f" [{address}]:{port} " if ":" in address else f" {address}:{port} "


@FAMILIES
@pytest.mark.parametrize("to", [FIRST, SECOND, PRIVATE], ids=["first", "second", "private"])
def test_http_goes_on_to_its_address(open_world, family, to):
    lines = len(open_world.sluice.access_lines())
    reached, came_from = get(open_world, to[family], "unregistered.example.com", "/a?b=c")
    assert reached == to[family]
    assert came_from != CLIENT[family], "it did not come through the gateway"
    line = open_world.sluice.wait_for_access_line(" /a?b=c ", start=lines)
    shown = f"[{to[family]}]" if family else to[family]
    assert re.search(r'"GET /a\?b=c HTTP/1.1" 200 - ', line), line
    assert f'"{shown}:{HTTP}" PassthroughCluster ' in line, line


def test_http_without_a_name_goes_on_to_its_address(open_world):
    reached, _ = get(open_world, FIRST[0], FIRST[0])
    assert reached == FIRST[0]


def test_requests_of_one_connection_may_be_for_several_hosts(open_world):
    with connect(open_world, FIRST[0], HTTP, "unregistered.example.com") as client:
        for host, reached in (
            ("unregistered.example.com", FIRST[0]),
            ("static.example.com", SECOND[0]),
            ("unregistered.example.com", FIRST[0]),
        ):
            response = client.request("GET", "/", host=host)
            assert response.body.decode().startswith(f"{reached} "), host


def test_http2_with_prior_knowledge_goes_on_to_its_address(open_world):
    with open_world.client.entered():
        client = Http2Client(HTTP2, "unregistered.example.com", address=FIRST[0])
    with client:
        for target in ("/one", "/two"):
            response = client.request("GET", target)
            assert (response.status, bytes(response.body)) == (200, f"unregistered.example.com {target}".encode())


@FAMILIES
def test_tls_goes_on_to_its_address(open_world, family):
    """The handshake succeeds with the certificate of the server: nobody is in between."""
    lines = len(open_world.sluice.access_lines())
    with connect_tls(open_world, FIRST[family], "unregistered.example.com") as client:
        response = client.request("GET", "/")
    assert response.body.decode().split()[0] == FIRST[family]
    assert response.body.decode().split()[1] != CLIENT[family]
    assert open_world.tls.server_names[-1] == "unregistered.example.com"
    line = open_world.sluice.wait_for_access_line(" unregistered.example.com ", start=lines)
    assert '"- - -" 0 - ' in line and " PassthroughCluster " in line, line


def test_tls_without_a_name_goes_on_to_its_address(open_world):
    with connect(open_world, FIRST[0], TLS, "", tls=tls_context(alpn=())) as client:
        assert client.request("GET", "/", host="x").body.decode().split()[0] == FIRST[0]
    assert open_world.tls.server_names[-1] is None


@FAMILIES
def test_client_that_speaks_first_gets_its_bytes_back(open_world, family):
    with connect(open_world, FIRST[family], ECHO) as client:
        for text in (b"a", b"\x00\x01\x02 neither TLS nor HTTP\n", b"\r\n", bytes(range(256))):
            client.send(text)
            assert client.reader.read_exactly(len(text)) == text


@FAMILIES
def test_server_that_speaks_first_is_heard(open_world, family):
    lines = len(open_world.sluice.access_lines())
    begun = time.monotonic()
    with connect(open_world, FIRST[family], MAIL) as client:
        assert client.reader.read_exactly(len(GREETING)) == GREETING
        assert time.monotonic() - begun < 2 * FACTOR, "200 ms is how long the client is waited for"
        client.send(b"EHLO client\r\n")
        assert client.reader.read_exactly(13) == b"EHLO client\r\n"
    line = open_world.sluice.wait_for_access_line(gone_to(FIRST[family], MAIL), start=lines)
    assert " PassthroughCluster " in line, line


def test_large_content_is_exact_in_both_directions(open_world):
    with connect(open_world, FIRST[0], ECHO) as client:
        assert echoed_digest(client.socket, SIZE) == pattern.digest(SIZE)


def test_client_may_end_first_and_still_get_the_answer(open_world):
    def listen(connection):
        count, digest = digest_of_all(connection)
        connection.sendall(f"{count} {digest}".encode())

    server, before = open_world.echo, open_world.echo.serve
    server.serve = listen
    try:
        with connect(open_world, FIRST[0], ECHO) as client:
            for block in pattern.blocks(SIZE):
                client.send(block)
            client.shutdown_write()
            answer = client.read_to_end().decode()
    finally:
        server.serve = before
    count, digest = pattern.digest(SIZE)
    assert answer == f"{count} {digest}"


def test_client_that_says_nothing_and_ends_ends_both_sides(open_world):
    with connect(open_world, FIRST[0], ECHO) as client:
        client.shutdown_write()
        assert client.is_closed_by_peer()


def test_client_that_resets_takes_the_server_with_it(open_world):
    watch = EndWatch()
    server, before = open_world.echo, open_world.echo.serve
    server.serve = watch
    try:
        client = connect(open_world, FIRST[0], ECHO)
        client.send(b"\x00 half of it")
        assert watch.begun.wait(IO_SECONDS)
        client.reset()
        assert wait_until(lambda: watch.ends)
    finally:
        server.serve = before
    assert watch.ends == ["reset"]


@pytest.mark.parametrize("opening", [b"GET / HT", b"\x16\x03\x01", b"\x16", b"G", b"PRI * HTTP/2.0\r\n"])
def test_beginning_that_never_ends_keeps_nobody_else_waiting(open_world, opening):
    with connect(open_world, FIRST[0], ECHO) as stuck:
        stuck.send(opening)
        reached, _ = get(open_world, FIRST[0], "unregistered.example.com")
    assert reached == FIRST[0]


def test_request_in_single_bytes_is_http_all_the_same(open_world):
    with connect(open_world, FIRST[0], HTTP) as client:
        for byte in b"GET /slowly HTTP/1.1\r\nHost: static.example.com\r\n\r\n":
            client.send(bytes([byte]))
        response = client.read_response()
    assert response.body.decode().split()[0] == SECOND[0]


def test_many_connections_at_once(open_world):
    failures = []

    def ask(index):
        try:
            with connect(open_world, FIRST[index % 2], ECHO) as client:
                text = b"%08d" % index
                client.send(text)
                assert client.reader.read_exactly(8) == text
            get(open_world, SECOND[index % 2], "unregistered.example.com", f"/{index}")
        except Exception as failure:  # pylint: disable=broad-except
            failures.append(failure)

    threads = [threading.Thread(target=ask, args=[index]) for index in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_connections_leave_no_descriptor_behind(open_world):
    """However they end."""
    sluice = open_world.sluice

    def open_and_end():
        for address, number in ((FIRST[0], ECHO), (FIRST[1], MAIL), (FIRST[0], NOBODY), (TO_CLIENT[0], PORT)):
            for is_reset in (False, True):
                with contextlib.suppress(ConnectionError, Truncated), connect(open_world, address, number) as client:
                    client.send(b"\x00")
                    client.reader.read_exactly(1)
                    if is_reset:
                        client.reset()

    open_and_end()
    counts = []
    assert wait_until(lambda: counts.append(len(sluice.descriptors())) or counts[-3:] == [counts[-1]] * 3)
    for _ in range(10):
        open_and_end()
    assert wait_until(lambda: len(sluice.descriptors()) <= counts[-1]), sluice.descriptors()


def test_refused_connection_is_an_end(open_world):
    lines = len(open_world.sluice.access_lines())
    with connect(open_world, FIRST[0], NOBODY) as client:
        with contextlib.suppress(ConnectionError):
            client.send(b"\x00 anything\n")
            assert client.read_to_end() == b""
    line = open_world.sluice.wait_for_access_line(gone_to(FIRST[0], NOBODY), start=lines)
    assert re.search(r'"- - -" 0 UF', line) and " PassthroughCluster " in line, line


def test_refused_request_is_told(open_world):
    with connect(open_world, FIRST[0], NOBODY, "unregistered.example.com") as client:
        assert client.request("GET", "/").status == 503


def test_link_local_addresses_are_not_gone_to(open_world):
    """The credentials of a cloud's machine are there."""
    with open_world.nothing_forbidden_is_reached():
        with connect(open_world, METADATA, HTTP, METADATA) as client:
            with contextlib.suppress(ConnectionError):
                response = client.request("GET", "/latest/meta-data/")
                assert response is None or response.status >= 400, response
        with contextlib.suppress(ConnectionError):
            with connect(open_world, METADATA, HTTP) as client:
                client.send(b"\x00 anything\n")
                assert client.read_to_end() == b""
    open_world.sluice.wait_for_access_line(" private_address ")


# --- what is not registered is refused, where only the registry counts ----------------------------


@FAMILIES
def test_unregistered_request_is_answered_with_502(closed_world, family):
    lines, before = len(closed_world.sluice.access_lines()), len(closed_world.http.connections)
    with connect(closed_world, FIRST[family], HTTP, "unregistered.example.com") as client:
        response = client.request("GET", "/refused")
        assert (response.status, response.body) == (502, b"")
        assert client.request("GET", "/", host="none.example.com").status == 200, "the connection goes on"
    line = closed_world.sluice.wait_for_access_line(" /refused ", start=lines)
    assert re.search(r'"GET /refused HTTP/1.1" 502 \S+ not_registered ', line), line
    assert len(closed_world.http.connections) <= before + 1


def test_unregistered_request_of_http2_is_answered_with_502(closed_world):
    with closed_world.client.entered():
        client = Http2Client(HTTP2, "unregistered.example.com", address=FIRST[0])
    with client:
        response = client.request("GET", "/")
        assert (response.status, bytes(response.body)) == (502, b"")


@FAMILIES
def test_unregistered_server_name_ends_the_connection(closed_world, family):
    lines, before = len(closed_world.sluice.access_lines()), len(closed_world.tls.connections)
    with pytest.raises(OSError):
        connect_tls(closed_world, FIRST[family], "unregistered.example.com")
    line = closed_world.sluice.wait_for_access_line(" unregistered.example.com ", start=lines)
    assert " not_registered " in line and " BlackHoleCluster " in line, line
    assert len(closed_world.tls.connections) == before


def test_tls_without_a_name_is_unregistered(closed_world):
    with pytest.raises(OSError):
        connect(closed_world, FIRST[0], TLS, "", tls=tls_context(alpn=()))


@FAMILIES
def test_unregistered_bytes_end_the_connection(closed_world, family):
    lines = len(closed_world.sluice.access_lines())
    assert is_refused(closed_world, closed_world.echo, FIRST[family], ECHO, b"\x00 anything\n")
    line = closed_world.sluice.wait_for_access_line("not_registered", start=lines)
    assert " BlackHoleCluster " in line, line


@FAMILIES
def test_unregistered_server_that_speaks_first_is_not_heard(closed_world, family):
    assert is_refused(closed_world, closed_world.mail, FIRST[family], MAIL)


def test_registered_name_on_another_port_is_not_registered(closed_world):
    with connect(closed_world, FIRST[0], HTTP2, "none.example.com") as client:
        assert client.request("GET", "/").status == 502


def test_private_network_is_refused_unless_registered(closed_world):
    with closed_world.nothing_forbidden_is_reached():
        with connect(closed_world, PRIVATE[0], HTTP, PRIVATE[0]) as client:
            assert client.request("GET", "/").status == 502


# --- the registry, under either policy -------------------------------------------------------------


@FAMILIES
@pytest.mark.parametrize("host", ["none.example.com", "a.open.example.com", "a.b.open.example.com"])
def test_resolution_none_keeps_the_address(world, family, host):
    lines = len(world.sluice.access_lines())
    reached, _ = get(world, FIRST[family], host, "/none")
    assert reached == FIRST[family]
    line = world.sluice.wait_for_access_line(" /none ", start=lines)
    assert f" outbound|{HTTP}||" in line, line


@pytest.mark.parametrize(
    "host, reached",
    [
        ("static.example.com", SECOND[0]),
        ("STATIC.example.com", SECOND[0]),
        ("six.example.com", SECOND[1]),
        ("dns.example.com", SECOND[0]),
        ("alias.example.com", SECOND[0]),
        ("a.wild.example.com", SECOND[0]),
        ("a.b.wild.example.com", SECOND[0]),
        ("inner.example.com", PRIVATE[0]),
    ],
)
@FAMILIES
def test_request_goes_where_the_registry_says(world, family, host, reached):
    """Wherever the client has been told to go."""
    assert get(world, FIRST[family], host)[0] == reached


def test_round_robin_of_names_reaches_one_of_them(world):
    assert get(world, FIRST[0], "round.example.com")[0] in SECOND


@pytest.mark.parametrize(
    "host", ["static.example.com", "six.example.com", "dns.example.com", "alias.example.com", "a.wild.example.com"]
)
def test_tls_goes_where_the_registry_says(world, host):
    with connect_tls(world, FIRST[0], host) as client:
        reached = client.request("GET", "/").body.decode().split()[0]
    assert reached in SECOND
    assert world.tls.server_names[-1] == host


def test_tls_of_resolution_none_keeps_the_address(world):
    with connect_tls(world, FIRST[1], "none.example.com") as client:
        assert client.request("GET", "/").body.decode().split()[0] == FIRST[1]


@FAMILIES
def test_registered_address_is_enough_for_a_server_that_speaks_first(world, family):
    lines = len(world.sluice.access_lines())
    with connect(world, SECOND[family], MAIL) as client:
        assert client.reader.read_exactly(len(GREETING)) == GREETING
    line = world.sluice.wait_for_access_line(gone_to(SECOND[family], MAIL), start=lines)
    assert f" outbound|{MAIL}||mail.example.com " in line, line


def test_registered_address_may_stand_for_another(world):
    """198.51.100.7 has no route but the gateway's."""
    with connect(world, "198.51.100.7", ECHO) as client:
        client.send(b"\x00 anything\n")
        assert client.reader.read_exactly(11) == b"\x00 anything\n"


def test_destination_rule_makes_tls_of_plain_requests(world):
    before = len(world.tls.handshakes)
    with connect(world, FIRST[0], HTTP, ORIGIN) as client:
        response = client.request("GET", "/")
    assert response.status == 200 and response.body.decode().split()[0] == SECOND[0]
    assert [shake.server_name for shake in world.tls.handshakes[before:]] == [ORIGIN]


def test_route_for_the_mesh_is_for_what_goes_out(world):
    before = len(world.http.requests)
    with connect(world, FIRST[0], HTTP, ROUTED) as client:
        assert client.request("GET", "/").body.decode().split()[0] == SECOND[0]
    assert world.http.requests[before].get("x-route") == "for-the-mesh"


def test_route_for_a_gateway_is_not(world):
    before = len(world.http.requests)
    with connect(world, FIRST[0], HTTP, OTHERS) as client:
        assert client.request("GET", "/").body.decode().split()[0] == FIRST[0]
    assert "x-route" not in world.http.requests[before]


def test_name_that_does_not_exist_is_told(world):
    lines = len(world.sluice.access_lines())
    with connect(world, FIRST[0], HTTP, "missing.wild.example.com") as client:
        assert client.request("GET", "/missing").status == 503
    line = world.sluice.wait_for_access_line(" /missing ", start=lines)
    assert re.search(r" 503 \S*DF\S* dns_resolution_failure ", line), line


def test_wildcard_opens_no_private_network(world):
    """Whoever has a name below it could send the gateway anywhere."""
    lines = len(world.sluice.access_lines())
    with world.nothing_forbidden_is_reached():
        with connect(world, FIRST[0], HTTP, "inner.wild.example.com") as client:
            assert client.request("GET", "/inner").status == 403
    assert " private_address " in world.sluice.wait_for_access_line(" /inner ", start=lines)


# --- what the firewall did not hand over -----------------------------------------------------------


@FAMILIES
@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1\r\nHost: none.example.com\r\n\r\n", b"\x00 anything\n"])
def test_connection_to_the_port_itself_is_closed(world, family, data):
    """It would go to itself for ever."""
    with world.nothing_forbidden_is_reached():
        for address in (TO_CLIENT[family], TO_OUTSIDE[family]):
            assert is_refused(world, world.http, address, PORT, data)
    with contextlib.suppress(ConnectionError), get_gateway_loopback(world, family) as client:
        if data:
            client.send(data)
        assert client.is_closed_by_peer()


def get_gateway_loopback(world, family):
    """A connection of the gateway's own machine."""
    with world.gateway.entered():
        return Client(PORT, "", address=("127.0.0.1", "::1")[family])


def test_gateway_is_well_after_all_of_this(world):
    world.sluice.check_health()
    assert get(world, FIRST[0], "none.example.com")[0] == FIRST[0]


# --- how long a client is waited for --------------------------------------------------------------


def test_detection_timeout_is_what_the_configuration_says(tmp_path, outside_authority):
    with contextlib.ExitStack() as stack:
        world = running(stack, tmp_path, outside_authority, REDIRECT, None, protocolDetectionTimeout="2s")
        begun = time.monotonic()
        with connect(world, FIRST[0], MAIL) as client:
            assert client.reader.read_exactly(len(GREETING)) == GREETING
        assert 1.9 < time.monotonic() - begun < 1.9 + 3 * FACTOR


def test_policy_changes_with_the_configuration(tmp_path, outside_authority):
    with contextlib.ExitStack() as stack:
        world = running(stack, tmp_path, outside_authority, REDIRECT, None)
        assert get(world, FIRST[0], "unregistered.example.com")[0] == FIRST[0]
        world.sluice.write(
            "mesh.yaml", documents.mesh(proxyListenPort=PORT, outboundTrafficPolicy={"mode": "REGISTRY_ONLY"})
        )
        world.sluice.reload()
        with connect(world, FIRST[0], HTTP, "unregistered.example.com") as client:
            assert client.request("GET", "/").status == 502


def test_established_connections_outlive_a_reload(tmp_path, outside_authority):
    with contextlib.ExitStack() as stack:
        world = running(stack, tmp_path, outside_authority, REDIRECT, None)
        with connect(world, FIRST[0], ECHO) as client:
            client.send(b"\x00 before\n")
            assert client.reader.read_exactly(9) == b"\x00 before\n"
            world.sluice.reload()
            client.send(b"\x00 after\n")
            assert client.reader.read_exactly(8) == b"\x00 after\n"

"""A route's timeout: 504 UT when no response came in time, a cut-off response when it had begun."""

import time

import pytest

from harness import documents, message
from harness.documents import DOMAIN

APP = f"app.{DOMAIN}"


@pytest.fixture
def app(own_gateway, own_upstream):
    """A gateway whose one route gives its upstream half a second."""
    rule = documents.http_rule("app") + "    timeout: 0.5s\n"
    texts = documents.join(
        documents.service_entry("app", own_upstream.port), documents.virtual_service("app", [APP], [rule])
    )
    return own_gateway({"app.yaml": texts})


def never_answer(peer, _request):
    peer.wait_for_close()


def test_upstream_that_never_answers(app, own_upstream):
    own_upstream.script = never_answer
    with app.connect(APP) as client:
        response = client.request("GET", "/silence")
        assert response.status == 504
        assert response.body == b"upstream request timeout"
    line = app.wait_for_access_line("/silence")
    assert '" 504 UT response_timeout ' in line
    assert own_upstream.paths == ["/silence"], "a request that ran out of time is not tried again"


def test_connection_goes_on_after_a_timeout(app, own_upstream):
    def answer_only_fast(peer, request):
        if request.target == "/fast":
            peer.respond(body=b"ok")
        else:
            never_answer(peer, request)

    own_upstream.script = answer_only_fast
    with app.connect(APP) as client:
        assert client.request("GET", "/slow").status == 504
        assert client.request("GET", "/fast").body == b"ok"


def test_response_that_had_begun_is_never_complete(app, own_upstream):
    def half(peer, _request):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        time.sleep(2)

    own_upstream.script = half
    with app.connect(APP) as client:
        client.send_head()
        head = client.reader.read_head()
        assert head.status == 200
        with pytest.raises(message.Truncated):
            client.reader.read_body(head, is_response=True)

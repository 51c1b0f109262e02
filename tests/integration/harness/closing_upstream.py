"""Upstreams that end connections at random soon after an answer: a process of its own, so that it keeps up with load.

Says on its first line, as JSON, on which ports it listens; at the end of its input what it has seen. Each answer is the
x-id of its request. HTTP/1: an idle connection is closed. HTTP/2 (prior knowledge): GOAWAY names the last stream that
will be answered, nothing that comes later is looked at, and the connection ends when the peer ends it.
"""

import asyncio
import collections
import json
import random
import sys

import h2.config
import h2.connection
import h2.events
import hyperframe.frame

LONGEST_SECONDS = 0.05


class Seen:
    """What has come so far. `executed`: how often, by id."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.connections = 0
        self.closed = 0  # connections, by us
        self.executed = collections.Counter()

    def delay(self):
        """Most are short, as connections under load are not idle for long."""
        return LONGEST_SECONDS * self.random.random() ** 4

    def execute(self, identity):
        self.executed[identity] += 1

    def as_json(self):
        return json.dumps({"connections": self.connections, "closed": self.closed, "executed": self.executed})


class Http1(asyncio.Protocol):
    def __init__(self, seen):
        self.seen = seen
        self.input = b""
        self.timer = None

    def connection_made(self, transport):
        self.transport = transport
        self.seen.connections += 1

    def data_received(self, data):
        if self.timer:
            self.timer.cancel()
        self.input += data
        while self.take_request():
            pass
        if not self.input:
            self.timer = asyncio.get_running_loop().call_later(self.seen.delay(), self.close)

    def take_request(self):
        end = self.input.find(b"\r\n\r\n")
        if end < 0:
            return False
        fields = {}
        for line in self.input[:end].split(b"\r\n")[1:]:
            name, _, value = line.partition(b": ")
            fields[name.lower()] = value
        end += 4 + int(fields.get(b"content-length", b"0"))
        if len(self.input) < end:
            return False
        self.input = self.input[end:]
        identity = fields.get(b"x-id", b"")
        self.seen.execute(identity.decode())
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(identity), identity))
        return True

    def close(self):
        self.seen.closed += 1
        self.transport.close()

    def connection_lost(self, _):
        if self.timer:
            self.timer.cancel()


class Http2(asyncio.Protocol):
    def __init__(self, seen):
        self.seen = seen
        self.http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="latin-1"))
        self.identities = {}  # of streams that are not complete
        self.last_stream_id = 0
        self.timer = None
        self.is_going = False

    def connection_made(self, transport):
        self.transport = transport
        self.seen.connections += 1
        self.http2.initiate_connection()
        transport.write(self.http2.data_to_send())

    def data_received(self, data):
        for event in self.http2.receive_data(data):
            match event:
                case h2.events.RequestReceived() if not self.is_going:
                    self.last_stream_id = event.stream_id
                    self.identities[event.stream_id] = dict(event.headers).get("x-id", "")
                case h2.events.DataReceived():
                    self.http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case h2.events.StreamEnded() if event.stream_id in self.identities:
                    self.answer(event.stream_id)
        self.transport.write(self.http2.data_to_send())

    def answer(self, stream_id):
        identity = self.identities.pop(stream_id)
        self.seen.execute(identity)
        self.http2.send_headers(stream_id, [(":status", "200"), ("content-length", str(len(identity)))])
        self.http2.send_data(stream_id, identity.encode(), end_stream=True)
        if not self.timer:
            self.timer = asyncio.get_running_loop().call_later(self.seen.delay(), self.go)

    def go(self):
        self.is_going = True
        self.seen.closed += 1
        farewell = hyperframe.frame.GoAwayFrame(last_stream_id=self.last_stream_id)
        self.transport.write(self.http2.data_to_send() + farewell.serialize())

    def connection_lost(self, _):
        if self.timer:
            self.timer.cancel()


async def main(protocol, seed, port_count):
    loop = asyncio.get_running_loop()
    seen = Seen(seed)
    servers = [await loop.create_server(lambda: protocol(seen), "127.0.0.1", 0) for _ in range(port_count)]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(seen.as_json(), flush=True)


if __name__ == "__main__":
    asyncio.run(main({"http1": Http1, "http2": Http2}[sys.argv[1]], int(sys.argv[2]), int(sys.argv[3])))

"""A name server whose every answer is the test's, over UDP (RFC 1035)."""

import contextlib
import socket
import struct
import threading

_KINDS = {1: socket.AF_INET, 28: socket.AF_INET6}  # A, AAAA
_NO_ERROR, _SERVER_FAILURE, _NO_SUCH_NAME = 0, 2, 3

FAILS = "fails"  # instead of addresses: the server says that it cannot tell
SILENCE = "silence"  # or says nothing


def _question(query):
    """(name, kind, where the question ends)."""
    labels, at = [], 12
    while size := query[at]:
        labels.append(query[at + 1 : at + 1 + size].decode("latin-1"))
        at += 1 + size
    return ".".join(labels).lower(), struct.unpack("!H", query[at + 1 : at + 3])[0], at + 5


class ScriptedNames:
    """`records`: by name, a list of addresses of either family, FAILS, SILENCE, or a function that gives one of them for
    the number of queries for IPv4 addresses of this name so far, this one included. There are no other names.
    """

    def __init__(self, bound, records, *, seconds=0):
        self.socket = bound
        self.records = dict(records)
        self.seconds = seconds  # that an answer is good for
        self.asked = []  # (name, kind)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def count(self, name):
        """Of the queries for its IPv4 addresses."""
        return self.asked.count((name, 1))

    def _serve(self):
        while True:
            try:
                query, client = self.socket.recvfrom(4096)
            except OSError:
                return
            if not query:
                return
            with contextlib.suppress(OSError):
                if answer := self._answer(query):
                    self.socket.sendto(answer, client)

    def _answer(self, query):
        name, kind, end = _question(query)
        self.asked.append((name, kind))
        found = self.records.get(name)
        if callable(found):
            found = found(self.count(name))
        if found == SILENCE:
            return None
        code = _NO_SUCH_NAME if found is None else _SERVER_FAILURE if found == FAILS else _NO_ERROR
        family = _KINDS.get(kind)
        addresses = [] if code or not family else [each for each in found if (":" in each) == (kind == 28)]
        records = b""
        for address in addresses:
            packed = socket.inet_pton(family, address)
            records += struct.pack("!HHHIH", 0xC00C, kind, 1, self.seconds, len(packed)) + packed
        head = query[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(addresses), 0, 0)
        return head + query[12:end] + records

    def stop(self):
        with contextlib.suppress(OSError):  # it is not connected, but whoever receives wakes up
            self.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self.socket.close()

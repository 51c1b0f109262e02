"""Free ports of the loopback interface."""

import contextlib
import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"


class ReservedPort:
    """A port that nobody else gets: bound, but not listening, with SO_REUSEPORT.

    The gateway's listeners, which use SO_REUSEPORT as well, can bind it; until they do, connections are refused.
    """

    def __init__(self):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._socket.bind((LOOPBACK, 0))
        self.number = self._socket.getsockname()[1]

    def listen(self, backlog=128):
        """The port's listening socket, from now on the caller's."""
        self._socket.listen(backlog)
        return self._socket

    def close(self):
        self._socket.close()


_given = set()


def free_port():
    """A port that was free a moment ago, for listeners without SO_REUSEPORT.

    None of those that the kernel gives to whoever asks for any: until it is bound, a connection of another test might
    have it.
    """
    lowest_given_by_kernel = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.sample(range(lowest_given_by_kernel - 12000, lowest_given_by_kernel), 1000):
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((LOOPBACK, port))
            if port not in _given:
                _given.add(port)
                return port
    raise AssertionError("no free port was found")


def listen(backlog=128, *, address=LOOPBACK, port=0):
    """`address` is of either family; "::" listens on both."""
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(backlog)
    return listener

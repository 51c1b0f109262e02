"""Network namespaces of a test's own (network_namespaces(7)): a client, the gateway, and what is around it.

They have no names: one lives as long as this process holds its descriptor, or as something runs in it. So nothing is
left of a run, however it ended, and two runs at once know nothing of each other. A socket belongs to the namespace that
its thread was in when it was made, and so do the threads and the processes that are started from there.
"""

import contextlib
import ctypes
import functools
import os
import pathlib
import shutil
import socket
import subprocess
import threading

from . import ports
from .limits import IO_SECONDS

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of sched.h; os.setns() and os.unshare() came with Python 3.12
_LIBC = ctypes.CDLL(None, use_errno=True)
_PROGRAMS = {"ip": "iproute2", "nft": "nftables"}  # with their Debian packages
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"

# Where everything is; the pairs are (IPv4, IPv6). Addresses outside are such that nothing takes them for special ones.
CLIENT = ("10.77.0.2", "fd77::2")
TO_CLIENT = ("10.77.0.1", "fd77::1")  # the gateway's
TO_OUTSIDE = ("93.184.215.1", "2606:2800:21f::1")
FIRST = ("93.184.215.14", "2606:2800:21f::14")
SECOND = ("93.184.215.15", "2606:2800:21f::15")
TO_PRIVATE = ("10.99.0.1", "fd99::1")
PRIVATE = ("10.99.0.5", "fd99::5")
METADATA = "169.254.169.254"  # of clouds: link-local
PREFIXES = (24, 64)

REDIRECT, TPROXY = "REDIRECT", "TPROXY"

# What is sent to the gateway itself goes where it was sent, as everything of it does. `dstnat` and `mangle`: nft(8).
_RULES = {
    REDIRECT: """
table inet outbound {{
  chain before {{
    type nat hook prerouting priority dstnat;
    iifname "to-client" fib daddr type != local meta l4proto tcp redirect to :{port}
  }}
}}
""",
    TPROXY: """
table inet outbound {{
  chain before {{
    type filter hook prerouting priority mangle;
    iifname "to-client" meta l4proto tcp socket transparent 1 meta mark set 1 accept
    iifname "to-client" fib daddr type != local meta nfproto ipv4 meta l4proto tcp tproxy ip to :{port} meta mark set 1
    iifname "to-client" fib daddr type != local meta nfproto ipv6 meta l4proto tcp tproxy ip6 to :{port} meta mark set 1
  }}
}}
""",
}
# Packets with the mark are for this machine, whatever their address: Documentation/networking/tproxy.rst of the kernel.
_MARKED_ARE_LOCAL = ("rule add fwmark 1 lookup 100", "route add local default dev lo table 100")


class NoNamespaces(Exception):
    """This machine, or this user, cannot make them; it says why."""


def _program(name):
    found = shutil.which(name, path=_PATH)
    if not found:
        raise NoNamespaces(f"{name} is missing (Debian package {_PROGRAMS[name]})")
    return found


def _check(result):
    if result != 0:
        number = ctypes.get_errno()
        raise NoNamespaces(f"no network namespace can be made or entered: {os.strerror(number)}; it takes root")


class Namespace:
    """A network of its own, with nothing in it but a loopback interface that is up."""

    def __init__(self):
        self._descriptor = None
        failures = []

        def make():
            try:
                _check(_LIBC.unshare(_NEW_NETWORK))
                self._descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            except (OSError, NoNamespaces) as failure:
                failures.append(failure)

        maker = threading.Thread(target=make)
        maker.start()
        maker.join()
        if failures:
            raise failures[0]
        self.ip("link set lo up")
        with self.entered():  # /proc/sys/net shows the namespace of the thread that looks
            for name, value in (("ipv4/conf/all/rp_filter", 0), ("ipv4/conf/default/rp_filter", 0)):
                pathlib.Path("/proc/sys/net", name).write_text(str(value))

    @property
    def path(self):
        return f"/proc/{os.getpid()}/fd/{self._descriptor}"

    @contextlib.contextmanager
    def entered(self):
        """This thread's sockets, threads and processes are of this namespace meanwhile."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _check(_LIBC.setns(self._descriptor, _NEW_NETWORK))
            try:
                yield self
            finally:
                _check(_LIBC.setns(before, _NEW_NETWORK))
        finally:
            os.close(before)

    def _run(self, command, text):
        with self.entered():
            done = subprocess.run(
                command, input=text, capture_output=True, text=True, timeout=3 * IO_SECONDS, check=False
            )
        if done.returncode != 0:
            raise NoNamespaces(f"{' '.join(command)}: {done.stderr.strip()}")

    def ip(self, *lines, options=()):
        """Commands of ip(8)."""
        self._run([_program("ip"), *options, "-batch", "-"], "".join(line + "\n" for line in lines))

    def nft(self, rules):
        self._run([_program("nft"), "-f", "-"], rules)

    def forward(self):
        """As a router does."""
        with self.entered():
            for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
                pathlib.Path("/proc/sys/net", name).write_text("1")

    def listen(self, port=0, address="::"):
        """A listening socket; of both families by default."""
        with self.entered():
            return ports.listen(address=address, port=port)

    def bind_datagrams(self, port=0, address="::"):
        """The same of UDP."""
        with self.entered():
            bound = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
            bound.bind((address, port))
        return bound

    def run(self, command, seconds=3 * IO_SECONDS, **options):
        """A program that ends by itself; its output is text."""
        with self.entered():
            return subprocess.run(
                [str(word) for word in command],
                **{"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "errors": "replace"} | options,
                timeout=seconds,
                check=False,
            )

    def close(self):
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _connect(left, left_name, left_addresses, right, right_name, right_addresses):
    """A cable; the addresses are pairs. Without the search for duplicates, for which IPv6 would take a second."""
    left.ip(f"link add {left_name} type veth peer name {right_name} netns {right.path}")
    for namespace, name, addresses in ((left, left_name, left_addresses), (right, right_name, right_addresses)):
        namespace.ip(
            *(f"address add {v4}/{PREFIXES[0]} dev {name}" for v4, _ in addresses),
            *(f"address add {v6}/{PREFIXES[1]} dev {name} nodad" for _, v6 in addresses),
            f"link set {name} up",
        )


class World:
    """The namespaces `client`, `gateway`, `outside` with public addresses, and `private`, each with a cable to the
    gateway only. With `interception` the gateway's firewall hands what comes from the client to `port` of it.
    """

    def __init__(self, interception=None, port=None):
        self._stack = contextlib.ExitStack()
        try:
            self.client, self.gateway, self.outside, self.private = (self._make() for _ in range(4))
            _connect(self.gateway, "to-client", [TO_CLIENT], self.client, "to-gateway", [CLIENT])
            _connect(self.gateway, "to-outside", [TO_OUTSIDE], self.outside, "to-gateway", [FIRST, SECOND])
            _connect(self.gateway, "to-private", [TO_PRIVATE], self.private, "to-gateway", [PRIVATE])
            for namespace, (v4, v6) in (
                (self.client, TO_CLIENT),
                (self.outside, TO_OUTSIDE),
                (self.private, TO_PRIVATE),
            ):
                namespace.ip(f"route add default via {v4}", f"route add default via {v6}")
            self.private.ip(f"address add {METADATA}/32 dev to-gateway")
            self.gateway.ip(f"route add {METADATA}/32 dev to-private")
            self.gateway.forward()
            if interception:
                self.gateway.nft(_RULES[interception].format(port=port))
            if interception == TPROXY:
                for family in ("-4", "-6"):
                    self.gateway.ip(*_MARKED_ARE_LOCAL, options=[family])
        except BaseException:
            self.close()
            raise

    def _make(self):
        made = Namespace()
        self._stack.callback(made.close)
        return made

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._stack.close()


@functools.cache
def obstacle():
    """Why there can be no worlds here; None: there can."""
    try:
        for interception in (REDIRECT, TPROXY):
            World(interception, 1).close()
    except NoNamespaces as reason:
        return str(reason)
    return None

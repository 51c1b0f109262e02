"""The header of the PROXY protocol, as load balancers write it and upstreams read it. Addresses are (IP, port)."""

import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
KIND = {4: 0x11, 6: 0x21}  # TCP over IPv4 and IPv6


def v1(source, destination):
    version = ipaddress.ip_address(source[0]).version
    return f"PROXY TCP{version} {source[0]} {destination[0]} {source[1]} {destination[1]}\r\n".encode()


def v2_block(command, kind, block):
    return SIGNATURE + struct.pack("!BBH", command, kind, len(block)) + block


def v2(source, destination, tlvs=b""):
    ips = [ipaddress.ip_address(ip) for ip, _ in (source, destination)]
    addresses = b"".join(ip.packed for ip in ips) + struct.pack("!HH", source[1], destination[1])
    return v2_block(PROXY, KIND[ips[0].version], addresses + tlvs)


def tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def read(connection):
    """Takes it off a socket: (version, source, destination), and not a byte more."""
    first = _receive(connection, 5)
    if first == b"PROXY":
        line = first
        while not line.endswith(b"\r\n"):
            line += _receive(connection, 1)
        _, _, *words = line.decode().split()
        return 1, (words[0], int(words[2])), (words[1], int(words[3]))
    head = first + _receive(connection, 11)
    assert head[:13] == SIGNATURE + bytes([PROXY]), head
    block = _receive(connection, struct.unpack("!H", head[14:])[0])
    size = {0x11: 4, 0x21: 16}[head[13]]
    ips = [str(ipaddress.ip_address(block[at : at + size])) for at in (0, size)]
    ports = struct.unpack("!HH", block[2 * size :])
    return 2, (ips[0], ports[0]), (ips[1], ports[1])


def _receive(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        assert piece, f"the end after {data!r}"
        data += piece
    return data

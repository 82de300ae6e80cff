"""Which network interface leads to the other machines; libraries ask for its name and guess badly without."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
from contextlib import suppress
from pathlib import Path

_SIOCGIFADDR = 0x8915
_INET6 = Path("/proc/net/if_inet6")


def interface(address: str) -> str | None:
    """Name of the interface that has an address of this machine; None if it is unknown.

    Args:
        address: IPv4 or IPv6.
    """
    wanted = ipaddress.ip_address(address.partition("%")[0])
    if wanted.is_loopback:
        return "lo"
    if wanted.version == 6:
        with suppress(OSError):
            for line in _INET6.read_text().splitlines():
                number, *_, name = line.split()
                if int(number, 16) == int(wanted):
                    return name
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # an interface without an address
                asked = fcntl.ioctl(any_socket, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                if asked[20:24] == wanted.packed:
                    return name
    return None

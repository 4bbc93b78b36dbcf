"""Where a webhook may go: never into the network that Guildhall itself stands in.

The address is looked up once and the connection goes to what was found, so that a name cannot answer one thing here
and another when it is called (DNS rebinding).
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from core.webhooks.errors import AddressRefused, BadAddress

_NAT64 = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = IPv6Network("2002::/16")
# What is out there (RFC 4291, 2.4): the rest is local, a translator's or not given out, though Python calls it global.
_UNICAST = IPv6Network("2000::/3")
_PROTOCOLS = IPv4Network("192.0.0.0/24")  # RFC 6890; a cloud's metadata service stands there
Networks = Sequence[IPv4Network | IPv6Network]
LONGEST = 500


@dataclass(frozen=True)
class Target:
    """A web address taken apart; ``path`` has the query with it."""

    scheme: str
    host: str
    port: int
    path: str


def parsed(url: str, allowed: Networks) -> Target:
    """The parts of a webhook's address. Raises BadAddress, AddressRefused for an IP address that is not public.

    Plain http is for ``allowed`` networks alone, such as a receiver on the same machine.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise BadAddress() from None
    odd = any(ord(one) <= 32 or ord(one) == 127 for one in url)
    if odd or len(url) > LONGEST or parts.scheme not in ("https", "http") or not host or parts.username is not None:
        raise BadAddress()
    if parts.fragment or (port is not None and not port) or not _is_name(host):
        raise BadAddress()
    if parts.scheme == "http" and not allowed:
        raise BadAddress()
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    target = Target(parts.scheme, host, port or {"https": 443, "http": 80}[parts.scheme], path)
    try:
        literal = ip_address(host)
    except ValueError:
        return target
    if not _may(literal, allowed, parts.scheme):
        raise AddressRefused(host=host)
    return target


def looked_up(target: Target, allowed: Networks) -> str:
    """An IP address of the target to call. Raises AddressRefused unless *every* one may be called; OSError."""
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    addresses = [str(one[4][0]).split("%")[0] for one in found]
    if not addresses or not all(_may(ip_address(one), allowed, target.scheme) for one in addresses):
        raise AddressRefused(host=target.host)
    return addresses[0]


def _is_name(host: str) -> bool:
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def _may(address: IPv4Address | IPv6Address, allowed: Networks, scheme: str) -> bool:
    inner = _inside(address)
    if any(inner in network for network in allowed):
        return True
    out = inner not in _PROTOCOLS if isinstance(inner, IPv4Address) else inner in _UNICAST
    return scheme == "https" and out and inner.is_global and not inner.is_multicast


def _inside(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, where it does: mapped, by NAT64 or by 6to4."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _SIX_TO_FOUR:
        return IPv4Address((int(address) >> 80) & 0xFFFFFFFF)
    return address

"""Which hosts a sandbox may connect to, by name and by the address the name stands for."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["AllowedHosts", "Target", "parse_target"]

_PORTS = frozenset({443, 80})
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_ENTRY = re.compile(r"(?P<star>\*\.)?(?P<host>\[[0-9a-f:.]+\]|[^\[\]:/]+)(:(?P<port>\d{1,5}))?")
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Target:
    """A host, in lower case and without a last dot, and a port."""

    host: str
    port: int

    @property
    def is_address(self) -> bool:
        """Whether the host is an address and not a name."""
        return _address(self.host) is not None

    def __str__(self) -> str:
        """As in an address, the port left out where it is the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port in _PORTS else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class _Entry:
    suffix: str  # with its dot for "*.", else the whole name
    wild: bool
    port: int | None

    def covers(self, target: Target) -> bool:
        ports = _PORTS if self.port is None else {self.port}
        named = target.host.endswith(self.suffix) if self.wild else target.host == self.suffix
        return named and target.port in ports


class AllowedHosts:
    """A list of hosts.

    Args:
        entries: Names ("packages.example"), all names below one ("*.example.net"), each perhaps with a port ("localhost:8443",
            without one 443 and 80), addresses, and networks ("10.0.0.0/8"). Names may stand for a private address only if
            that address is allowed too.

    Raises:
        ConfigError: An entry is none of these.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._entries: list[_Entry] = []
        self._networks: list[_Network] = []
        self._stood_for: list[
            _Network
        ] = []  # what names may stand for beside that, but which is not allowed at every port
        for entry in entries:
            self._add(entry)

    def names(self, target: Target) -> bool:
        """Whether a host is in the list by its name, or as an address by itself.

        Args:
            target: What the code asked for.
        """
        if any(entry.covers(target) for entry in self._entries):
            return True
        address = _address(target.host)
        return address is not None and target.port in _PORTS and any(address in network for network in self._networks)

    def lists(self, host: str) -> bool:
        """Whether a host is in the list by its very name or address, at whatever port.

        Args:
            host: Such as "localhost".
        """
        return any(entry.suffix == host and not entry.wild for entry in self._entries)

    def reaches(self, address: str) -> bool:
        """Whether the address that a name stands for may be connected to.

        Args:
            address: As the resolver gave it.
        """
        found = _address(address.partition("%")[0])
        if found is None:
            return False
        return _is_public(found) or any(found in network for network in (*self._networks, *self._stood_for))

    def _add(self, entry: str) -> None:
        try:
            network = ipaddress.ip_network(_unbracketed(entry))
        except ValueError:
            pass
        else:
            self._networks.append(network)
            if "/" not in entry:
                self._entries.append(_Entry(str(network.network_address), False, None))
            return
        found = _ENTRY.fullmatch(entry.lower())
        host = found["host"].rstrip(".") if found else ""
        address = _address(_unbracketed(host))
        port = int(found["port"]) if found and found["port"] else None
        if not found or not (_NAME.fullmatch(host) or address) or (port is not None and not 0 < port < 65536):
            raise ConfigError(
                f'allow_hosts takes names such as "packages.example", "*.example.net" or "localhost:8443", without a scheme, '
                f"and networks; it has {entry!r}."
            )
        if address is not None:
            self._stood_for.append(ipaddress.ip_network(address))
            host = str(address)
        self._entries.append(_Entry(f".{host}" if found["star"] else host, bool(found["star"]), port))


def parse_target(text: str) -> Target | None:
    """A host and port as ``CONNECT`` gives them; None if it is none.

    Args:
        text: Such as "packages.example:443" or "[::1]:443".
    """
    found = _ENTRY.fullmatch(text.lower())
    if not found or found["star"] or not found["port"] or not 0 < int(found["port"]) < 65536:
        return None
    host = found["host"].rstrip(".")
    address = _address(_unbracketed(host))
    if address is not None:
        return Target(str(address), int(found["port"]))
    return Target(host, int(found["port"])) if _NAME.fullmatch(host) and len(host) < 254 else None


def _unbracketed(text: str) -> str:
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text


def _address(text: str) -> _Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_public(address: _Address) -> bool:
    """Whether an address is somewhere in the internet, also if it is an IPv4 address inside of another."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if address in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
    return address.is_global and not address.is_multicast

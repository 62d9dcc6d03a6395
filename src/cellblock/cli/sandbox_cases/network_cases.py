"""Cases that are after the network: the internet, the host's services, and ways around the proxy."""

from __future__ import annotations

import fcntl
import os
import socket
import struct

from cellblock.cli.sandbox_cases.case import Cases, Group, Open
from cellblock.cli.sandbox_cases.in_kernel import WORLD, by_proxy, connects, to_proxy

__all__ = ["NETWORK"]

NETWORK = Cases(Group.NETWORK)


@NETWORK.case()
def interfaces() -> str | None:
    """Has a network interface besides its own loopback."""
    return next((name for _, name in socket.if_nameindex() if name != "lo"), None)


@NETWORK.case()
def service_of_the_host() -> str | None:
    """Connects to a service that the host keeps to its loopback."""
    return connects(socket.AF_INET, ("127.0.0.1", WORLD["loopback_port"]))


@NETWORK.case()
def service_of_the_host_by_ipv6() -> str | None:
    """Does so by IPv6."""
    return connects(socket.AF_INET6, ("::1", WORLD["loopback_port_6"]))


@NETWORK.case()
def open_service_of_the_host() -> str | None:
    """Connects to a service of the host by the host's address."""
    for address in WORLD["addresses"]:
        try:
            return connects(socket.AF_INET, (address, WORLD["open_port"]))
        except OSError:
            continue
    return None


@NETWORK.case(open_to=Open.NOBODY)
def internet() -> str | None:
    """Connects to the internet."""
    for address in ("1.1.1.1", "8.8.8.8"):
        try:
            return connects(socket.AF_INET, (address, 443))
        except OSError:
            continue
    return None


@NETWORK.case(open_to=Open.NOBODY)
def metadata_of_the_cloud() -> str | None:
    """Asks the cloud for the machine's credentials."""
    return connects(socket.AF_INET, ("169.254.169.254", 80))


@NETWORK.case()
def datagrams() -> str | None:
    """Sends datagrams, as names are looked up by and data is carried out in."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.connect(("192.0.2.1", 53))  # an address of nobody's: enough to learn that there is a way
        sending.send(b"x")
    return "sent"


@NETWORK.case(open_to=Open.NOBODY)
def names_of_hosts() -> str | None:
    """Looks up a name, which tells somebody outside."""
    return socket.gethostbyname("example.com")


@NETWORK.case()
def listen_for_the_host() -> str | None:
    """Listens where the host, and all who reach it, can connect."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen()
        with open("listening-port", "w") as file:
            file.write(str(listener.getsockname()[1]))
        listener.settimeout(1)
        return f"{listener.accept()[1][0]} connected"


@NETWORK.case(open_to=Open.ROOT)
def bring_up_an_interface() -> str | None:
    """Makes a network interface of its own to the outside."""
    tunnel = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(tunnel, 0x400454CA, struct.pack("16sH", b"cellblock0", 0x0001))  # TUNSETIFF
        return "a tunnel"
    finally:
        os.close(tunnel)


@NETWORK.case(open_to=Open.NOBODY)
def host_that_is_not_allowed() -> str | None:
    """Asks the proxy for a host that is not allowed."""
    return by_proxy(b"CONNECT example.com:443 HTTP/1.1\r\n\r\n")


@NETWORK.case(open_to=Open.NOBODY)
def service_of_the_host_by_the_proxy() -> str | None:
    """Asks the proxy for a service that the host keeps to its loopback, by every name of it."""
    port = WORLD["loopback_port"]
    for name in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "127.1", "2130706433", "[::ffff:127.0.0.1]"):
        answer = by_proxy(f"CONNECT {name}:{port} HTTP/1.1\r\n\r\n".encode()) or by_proxy(
            f"GET http://{name}:{port}/ HTTP/1.1\r\nHost: {name}\r\n\r\n".encode()
        )
        if answer:
            return answer
    return None


@NETWORK.case(open_to=Open.NOBODY)
def metadata_by_the_proxy() -> str | None:
    """Asks the proxy for the credentials of the machine."""
    return by_proxy(b"GET http://169.254.169.254/latest/meta-data/ HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n")


@NETWORK.case(open_to=Open.NOBODY)
def broken_requests() -> str | None:
    """Asks the proxy in ways it may not understand as meant."""
    for request in (
        b"CONNECT example.com:443@127.0.0.1:443 HTTP/1.1\r\n\r\n",
        b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: example.com\r\n\r\n",
        b"GET http://example.com@127.0.0.1/ HTTP/1.1\r\n\r\n",
        b"GET file:///etc/passwd HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"CONNECT \x00:443 HTTP/1.1\r\n\r\n",
        b"A" * 2**20 + b"\r\n\r\n",
    ):
        answer = by_proxy(request)
        if answer:
            return answer
    return None


@NETWORK.case(open_to=Open.NOBODY)
def flood_the_proxy() -> str | None:
    """Opens so many connections to the proxy that it answers nobody any more."""
    held = []
    try:
        for _ in range(300):
            held.append(to_proxy())
    except OSError:
        pass
    finally:
        for connection in held:
            if connection is not None:
                connection.close()
    if held and held[0] is not None:
        proxy = to_proxy()
        assert proxy is not None
        with proxy:
            proxy.sendall(b"CONNECT example.com:443 HTTP/1.1\r\n\r\n")
            return None if proxy.recv(16) else "it answers no more"
    return None

"""Where a Jupyter server is and how to be let in."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["JupyterConnectionInfo"]

# The first part of a path that belongs to a page of Jupyter's and no longer to the server's base path.
_PAGES = frozenset({"api", "doc", "edit", "lab", "login", "nbclassic", "notebooks", "terminals", "tree", "view"})

# A Jupyter Server without a token wants a cookie and a header with one value in every POST, which keeps web pages
# out. We are no web page: any value will do.
_XSRF = {"Cookie": "_xsrf=63656c6c626c6f636b", "X-XSRFToken": "63656c6c626c6f636b"}

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2


@dataclass(frozen=True, repr=False)
class JupyterConnectionInfo:
    """Where a Jupyter server is and how to be let in.

    The printed form and the errors of cellblock show neither the token nor the values of the headers; the attributes,
    ``dataclasses.asdict`` and pickling do.

    Attributes:
        host: A host name or an IP address; IPv6 with or without brackets.
        use_https: Whether to use https and, for the messages, wss.
        port: The port; None leaves it out of the URL.
        token: Sent as ``Authorization: token …``; None or an empty string sends nothing.
        base_path: Where on the host the server is ("/user/ann" behind JupyterHub); empty at the root.
        headers: More headers for every request, such as those a gateway in front of the server wants. Values are text.
        ca_file: A PEM file with the authorities to trust instead of the system's.
        verify: False accepts any certificate: anybody on the way can then read and change everything.
    """

    host: str
    use_https: bool
    port: int | None = None
    token: str | None = None
    base_path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    ca_file: Path | None = None
    verify: bool = True

    def __post_init__(self) -> None:
        host = _checked_host(self.host)
        _check_port(self.port)
        object.__setattr__(self, "token", _checked_token(self.token))
        _check_headers(self.headers)
        base_path = quote(self.base_path.strip("/"), safe="/%:@~!$&'()*+,;=-._")
        object.__setattr__(self, "host", host)
        object.__setattr__(self, "base_path", f"/{base_path}" if base_path else "")
        if self.ca_file is not None:
            object.__setattr__(self, "ca_file", Path(self.ca_file))

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        ca_file: Path | None = None,
        verify: bool = True,
    ) -> JupyterConnectionInfo:
        """The connection a URL names, as Jupyter prints it: ``http://127.0.0.1:8888/lab?token=…``.

        Args:
            url: The address of the server, or of one of its pages; a token in it is taken.
            token: Use this token rather than the URL's.
            headers: See the class.
            ca_file: See the class.
            verify: See the class.

        Raises:
            ConfigError: It is no http or https URL.
        """
        try:
            parts = urlsplit(url.strip())
        except ValueError as error:
            raise ConfigError(f"The URL of a Jupyter server cannot be read: {error}.") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"A Jupyter server's URL looks like http://127.0.0.1:8888/?token=…, not like {_shown(url)!r}."
            )
        if parts.username is not None or parts.password is not None:
            raise ConfigError("A Jupyter server's URL cannot hold a user name and password: pass headers= instead.")
        try:
            port = parts.port
        except ValueError as error:
            raise ConfigError(f"The port in {_shown(url)!r} is not a number from 1 to 65535.") from error
        in_url = parse_qs(parts.query).get("token", [None])[0]
        return cls(
            parts.hostname,
            parts.scheme == "https",
            port,
            in_url if token is None else token,
            _base_path(parts.path),
            headers or {},
            ca_file,
            verify,
        )

    @property
    def url(self) -> str:
        """The server's address with no slash at the end and without the token: ``http://[::1]:8888/base``."""
        return f"{'https' if self.use_https else 'http'}://{self._authority}{self.base_path}"

    @property
    def websocket_url(self) -> str:
        """The same address for WebSockets."""
        return f"{'wss' if self.use_https else 'ws'}://{self._authority}{self.base_path}"

    @property
    def request_headers(self) -> dict[str, str]:
        """The headers every request carries, the token's among them."""
        permission = {"Authorization": f"token {self.token}"} if self.token else _XSRF
        return permission | dict(self.headers)

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine, so that no proxy can be between."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def _authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def __repr__(self) -> str:
        shown = {"host": self.host, "use_https": self.use_https, "port": self.port}
        fields = [f"{name}={value!r}" for name, value in shown.items()]
        fields.append(f"token={'***' if self.token else self.token!r}")
        defaults = {"base_path": "", "ca_file": None, "verify": True}
        rest = {name: getattr(self, name) for name, default in defaults.items() if getattr(self, name) != default}
        fields += [f"{name}={value!r}" for name, value in rest.items()]
        fields += [f"headers={dict.fromkeys(self.headers, '***')!r}"] if self.headers else []
        return f"JupyterConnectionInfo({', '.join(fields)})"


def _checked_host(host: str) -> str:
    """The host without the brackets of an IPv6 address."""
    bare = host.removeprefix("[").removesuffix("]") if isinstance(host, str) else ""
    if not bare or any(c in bare for c in "/@?#") or any(c.isspace() for c in bare):
        raise ConfigError(
            f"host must be a host name or an IP address, not {host!r}. "
            "For a whole URL use JupyterConnectionInfo.from_url(url)."
        )
    if bare.count(":") == 1:
        raise ConfigError(f"host must be without its port, not {host!r}. Pass the port as port=.")
    return bare


def _check_port(port: int | None) -> None:
    if port is not None and (isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536):
        raise ConfigError(f"port must be a whole number from 1 to 65535, or None for none; it was {port!r}.")


def _checked_token(token: str | None) -> str | None:
    """The token without the white space around it, which a file's last line brings. Never shown, whatever is wrong with it."""
    if token is None:
        return None
    if not isinstance(token, str):
        raise ConfigError(f"token must be text, or None for none; it was {type(token).__name__}.")
    token = token.strip()
    if not _fits_header(token):
        raise ConfigError(
            "token must be of printable characters of Latin-1 only, as HTTP's headers are. Copy it again."
        )
    return token


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ConfigError(f"headers must have names of letters, digits and hyphens; one was {name!r}.")
        if not isinstance(value, str) or not _fits_header(value):
            raise ConfigError(
                f"headers must have values of printable Latin-1 text; that of {name!r} is something else."
            )


def _fits_header(value: str) -> bool:
    return all(c == "\t" or (c.isprintable() and ord(c) < 256) or c == "\xa0" for c in value)


def _base_path(path: str) -> str:
    """The path of a server out of the path of one of its pages."""
    parts = [part for part in path.split("/") if part]
    # A hub's users may be called like a page: /user/lab/lab
    first = 2 if parts[:1] == ["user"] else 0
    ends = [index for index, part in enumerate(parts) if index >= first and part in _PAGES]
    return "/".join(parts[: ends[0]] if ends else parts)


def _shown(url: str) -> str:
    """A URL for an error message: what may be secret in it is left out."""
    return url.split("?", 1)[0].rsplit("@", 1)[-1]

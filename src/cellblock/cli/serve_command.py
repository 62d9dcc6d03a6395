"""What ``cellblock serve`` does. Its options are declared in ``serve``, which ``--help`` imports without this."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from cellblock.errors import ConfigError
from cellblock.servers.local import LocalJupyterServer

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["serve_until_stopped"]


def serve_until_stopped(
    *, ip: str, port: int | None, token_file: Path | None, root: Path | None, log_file: Path | None
) -> int:
    """Serves until Ctrl-C or SIGTERM.

    Args:
        ip: Where to listen.
        port: The port; None for any that is free.
        token_file: Holds the token; None for a new one.
        root: Where kernels start.
        log_file: Where to log.

    Returns:
        The exit status: 0, or 1 if the server ended by itself.

    Raises:
        CellblockError: The server did not start.
    """
    token = LocalJupyterServer.GenerateToken() if token_file is None else _token_in(token_file)
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    with LocalJupyterServer(ip, port, token, log_file, root_dir=root) as server:
        query = f"/?token={server.token}" if server.token else "/"
        print(f"{server.connection_info.url}{query}", flush=True)
        print(f"The log is in {server.log_file}. Stop the server with Ctrl-C.", file=sys.stderr)
        try:
            last_words = server.wait()
        except KeyboardInterrupt:
            return 0
    print(f"cellblock: The server ended by itself. The end of its log:\n{last_words}", file=sys.stderr)
    return 1


def _as_ctrl_c(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _token_in(file: Path) -> str:
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--token-file must be a file with the token; {file} cannot be read: {error}.") from error
    if not token or any(c.isspace() for c in token):
        raise ConfigError(f"--token-file must be a file with the token and nothing else; {file} is not.")
    return token

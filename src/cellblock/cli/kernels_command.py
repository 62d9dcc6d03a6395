"""What ``cellblock kernels`` does. Its options are declared in ``kernels``, which ``--help`` imports without this."""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from cellblock._core.kernel_ids import KernelOwner, as_word, kernel_owner
from cellblock._core.terminal import screen_text
from cellblock.blocking import Session
from cellblock.cli.cell_printer import CellPrinter
from cellblock.cli.options import checked_seconds
from cellblock.cli.server_url import connection_of
from cellblock.errors import ConfigError
from cellblock.kernels.remote import RemoteKernel
from cellblock.servers.owner_process import process_exists
from cellblock.transports.rest import JupyterClient

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["list_kernels", "run_cells", "stop_kernels"]

_INTERRUPTED = 130  # exit status, as of a shell for SIGINT
_ORPHANED_AFTER = 60.0  # seconds since a kernel without a client was used: one that is starting has none yet
_ANY_WIDTH = 10_000  # characters


@dataclass(frozen=True, slots=True)
class _Kernel:
    """A kernel as the server describes it.

    Attributes:
        id: Its id.
        name: Its kernelspec.
        state: "idle", "busy", "starting" or "dead".
        clients: How many are connected.
        idle_for: Seconds since anything was asked of it.
        owner: Who started it, if that was cellblock.
    """

    id: str
    name: str
    state: str
    clients: int
    idle_for: float
    owner: KernelOwner | None

    @classmethod
    def of(cls, model: dict[str, Any]) -> _Kernel:
        active = datetime.fromisoformat(str(model["last_activity"]))
        return cls(
            str(model["id"]),
            str(model.get("name", "")),
            str(model.get("execution_state", "")),
            int(model.get("connections", 0)),
            (datetime.now(UTC) - active).total_seconds(),
            kernel_owner(str(model["id"])),
        )

    @property
    def without_client(self) -> bool:
        """Whether cellblock started it and nobody is connected: a session is, from its start to its end."""
        return self.owner is not None and self.clients == 0

    @property
    def orphaned(self) -> bool:
        """Whether whoever used it is gone for sure."""
        return self.without_client and (self.idle_for > _ORPHANED_AFTER or self._owner_is_gone)

    @property
    def _owner_is_gone(self) -> bool:
        """Whether its owner was a process of this machine that is there no more."""
        owner = self.owner
        return owner is not None and owner.host == as_word(socket.gethostname()) and not process_exists(owner.pid)


def list_kernels(server: str, *, as_json: bool) -> None:
    """Prints the kernels of a server.

    Args:
        server: Its URL.
        as_json: Whether for a program.

    Raises:
        CellblockError: The server does not tell.
    """
    found = _kernels_of(JupyterClient(connection_of(server)))
    if as_json:
        print(json.dumps([_as_json(kernel) for kernel in found], indent=2))
        return
    table = Table("ID", "KERNEL", "STATE", "CLIENTS", "LAST USED", "STARTED BY", box=None, pad_edge=False)
    for kernel in found:
        shown = (kernel.id, kernel.name, kernel.state, str(kernel.clients), _ago(kernel.idle_for), _whose(kernel.owner))
        table.add_row(*map(screen_text, shown))
    # An id is there to be copied: lines are as long as they must be, however wide a terminal is.
    Console(highlight=False, markup=False, emoji=False, width=_ANY_WIDTH).print(
        table if found else "No kernel runs there."
    )


def run_cells(server: str, kernel_id: str, *, code: str | None, timeout: float | None) -> int:
    """Runs cells in a kernel, prints what they show as it comes, and leaves the kernel running.

    Args:
        server: The server's URL.
        kernel_id: The kernel's id, or its beginning.
        code: The one cell to run; None reads cells from the standard input.
        timeout: Seconds for each; None for no limit.

    Returns:
        The exit status of the last cell that ran.

    Raises:
        CellblockError: The server or the kernel cannot be used.
    """
    if timeout is not None:
        checked_seconds(timeout)
    info = connection_of(server)
    (kernel,) = _chosen(_kernels_of(JupyterClient(info)), [kernel_id])
    status = 0
    with Session(RemoteKernel(info, kernel.name, kernel_id=kernel.id), timeout=timeout) as session:
        for cell in _cells() if code is None else [code]:
            printer = CellPrinter(None)
            try:
                result = session.run(cell, on_output=printer.show)
            except KeyboardInterrupt:  # it has been interrupted, and what it showed is printed
                printer.end_lines()
                status = _INTERRUPTED
                continue
            printer.end_lines()
            printer.finish(result)
            status = result.exit_code
    return status


def stop_kernels(server: str, kernel_ids: list[str], *, orphaned: bool, label: str | None) -> int:
    """Stops kernels and says which.

    Args:
        server: The server's URL.
        kernel_ids: Ids or their beginnings.
        orphaned: Whether to stop those of cellblock's that nobody is connected to, and whose owner is gone or was not
            heard of for a minute.
        label: Whether to stop those that were started with a label.

    Returns:
        The exit status.

    Raises:
        CellblockError: The server cannot be used, or has no such kernel.
    """
    if not (kernel_ids or orphaned or label is not None):
        raise ConfigError("Say which kernels to stop: their ids, --label or --orphaned.")
    client = JupyterClient(connection_of(server))
    found = _kernels_of(client)
    chosen = _chosen(found, kernel_ids)
    chosen += [kernel for kernel in found if orphaned and kernel.orphaned]
    chosen += [
        kernel for kernel in found if label is not None and kernel.owner and kernel.owner.label == as_word(label)
    ]
    for kernel_id in dict.fromkeys(kernel.id for kernel in chosen):
        client.delete_kernel(kernel_id)
        print(f"Stopped {kernel_id}")
    if waiting := [kernel for kernel in found if orphaned and kernel.without_client and kernel not in chosen]:
        print(_too_early(len(waiting)), file=sys.stderr)
    elif not chosen:
        print("There was none to stop.", file=sys.stderr)
    return 0


def _too_early(number: int) -> str:
    kernels = "1 kernel without a client was" if number == 1 else f"{number} kernels without a client were"
    return f"{kernels} used within the last minute and may be starting: try again later, or name what to stop."


def _kernels_of(client: JupyterClient) -> list[_Kernel]:
    return sorted(map(_Kernel.of, client.list_kernels()), key=lambda kernel: kernel.idle_for)


def _chosen(found: list[_Kernel], beginnings: list[str]) -> list[_Kernel]:
    chosen = []
    for beginning in beginnings:
        fitting = [kernel for kernel in found if kernel.id.startswith(beginning)]
        exact = [kernel for kernel in fitting if kernel.id == beginning]
        if len(exact or fitting) != 1:
            how_many = "more than one kernel whose id begins" if fitting else "no kernel whose id begins"
            raise ConfigError(
                f"The server has {how_many} with {beginning!r}. `cellblock kernels list` shows those it has."
            )
        chosen += exact or fitting
    return chosen


def _cells() -> Iterator[str]:
    """The standard input: one cell, or, on a terminal, cells that an empty line ends."""
    if not sys.stdin.isatty():
        yield sys.stdin.read()
        return
    lines: list[str] = []
    while True:
        try:
            line = input("... " if lines else ">>> ")
        except EOFError:
            print()
            break
        except KeyboardInterrupt:  # begins the cell afresh
            print()
            lines = []
            continue
        if line.strip():
            lines.append(line)
        elif lines:
            yield "\n".join(lines)
            lines = []
    if lines:
        yield "\n".join(lines)


def _as_json(kernel: _Kernel) -> dict[str, Any]:
    owner = kernel.owner
    return {
        "id": kernel.id,
        "name": kernel.name,
        "state": kernel.state,
        "clients": kernel.clients,
        "idle_seconds": round(kernel.idle_for, 1),
        "owner": None if owner is None else {"label": owner.label, "host": owner.host, "pid": owner.pid},
        "orphaned": kernel.orphaned,
    }


def _whose(owner: KernelOwner | None) -> str:
    if owner is None:
        return ""
    return " ".join(part for part in (owner.label, f"{owner.host or 'unknown'}:{owner.pid}") if part)


def _ago(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"

"""The files and folders that a sandbox shows, fixed when they are named: what leads to them may be exchanged later."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cellblock.errors import SandboxUnavailable
from cellblock.kernels.sandbox.sockets import doors_below

if TYPE_CHECKING:
    import os

__all__ = ["Shown", "fix"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A file or folder of the host that the code may read.

    Attributes:
        path: What it is called inside.
        real: The same without a symbolic link on the way.
        identity: The device and number of what was there.
        doors: The sockets and pipes that were in it.
    """

    path: Path
    real: Path
    identity: tuple[int, int]
    doors: tuple[Path, ...]

    def check(self, workspace: Path | None) -> None:
        """Looks whether it is still what was named. A sandbox's code may have put a link to anything in its place.

        Args:
            workspace: What code may change, without a symbolic link on the way; None for what is made for a session.

        Raises:
            SandboxUnavailable: It is something else.
        """
        # Outside of the workspace only the host's user exchanges files, as editors do with every save.
        exchanged = workspace is not None and workspace in self.real.parents and self.identity != _identity(self.real)
        if exchanged or self.path.resolve() != self.real:
            raise SandboxUnavailable(
                f"A sandboxed kernel was wanted that can read {self.path}, but that is not any more what it was when the "
                "Sandbox was made. Look at it, and make another Sandbox if it is what you want to show."
            )


def fix(path: str | os.PathLike[str]) -> Shown:
    """What is at a path now.

    Args:
        path: Of an existing file or folder.
    """
    absolute = Path(path).absolute()
    real = absolute.resolve()
    status = real.stat()
    return Shown(absolute, real, (status.st_dev, status.st_ino), doors_below(real))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return status.st_dev, status.st_ino

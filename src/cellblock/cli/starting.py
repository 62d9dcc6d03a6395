"""Starting a kernel for a command, with a sentence for one that does not start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellblock.errors import KernelStartError

if TYPE_CHECKING:
    from cellblock.session import AsyncSession

__all__ = ["started"]

_PATIENCE = 60.0  # seconds; a kernel that imports much on a busy machine takes ten


async def started(session: AsyncSession) -> None:
    """Starts the session's kernel; the time that takes is not the code's.

    Args:
        session: Not started yet.

    Raises:
        KernelStartError: The kernel did not start, or not in time.
    """
    try:
        await session.start(timeout=_PATIENCE)
    except TimeoutError:
        raise KernelStartError(
            f"The kernel {session.kernel.name} was not ready within {_PATIENCE:g} s. Try again, or try another kernel."
        ) from None

"""Running a document's blocks in one session, and telling what happens as it happens."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellblock._core.messages import check_code
from cellblock._core.results import CellResult, CellStatus
from cellblock._core.shell_failure import shell_outcome
from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from cellblock._core.outputs import Output
    from cellblock.notebook.documents import Block, Document
    from cellblock.session import AsyncSession

__all__ = ["BlockEvent", "BlockFinished", "BlockOutput", "BlockStarted", "run_document"]


@dataclass(frozen=True, slots=True)
class BlockStarted:
    """A block was given to the kernel."""

    block: Block


@dataclass(frozen=True, slots=True)
class BlockOutput:
    """A block showed something."""

    block: Block
    output: Output


@dataclass(frozen=True, slots=True)
class BlockFinished:
    """A block is over, or will not run because an earlier one failed.

    Attributes:
        block: The block.
        result: What it came to; ``not_run`` for one that was not started.
        exit_code: Of the block: 0 for one that succeeded, that may fail, or that was not started.
    """

    block: Block
    result: CellResult
    exit_code: int = 0


BlockEvent = BlockStarted | BlockOutput | BlockFinished


async def run_document(
    document: Document,
    session: AsyncSession,
    *,
    timeout: float | None = None,
    keep_going: bool = False,
) -> AsyncGenerator[BlockEvent, None]:
    """Runs the blocks of a document in order, in one session.

    After a block that failed the rest are not run; each is reported as finished with the status ``not_run``. A block
    that was interrupted ends the document in any case. Leaving the iteration early interrupts the running block.

    Args:
        document: What to run.
        session: Where; it is started if it is not.
        timeout: Seconds for each block; None for the session's own.
        keep_going: Run the blocks after a failed one too.

    Yields:
        For each block: that it started, what it shows, that it is finished.
    """
    stopped = False
    for block in document.blocks:
        if stopped:
            yield BlockFinished(block, CellResult(CellStatus.NOT_RUN))
            continue
        yield BlockStarted(block)
        if refused := _refused(block):
            result, exit_code = refused, refused.exit_code
        else:
            stream = session.stream(block.source, timeout=timeout)
            async with aclosing(aiter(stream)) as outputs:  # whoever leaves early waits for the block to end
                async for output in outputs:
                    yield BlockOutput(block, output)
            result, exit_code = shell_outcome(stream.result, block.language)
        exit_code = 0 if block.may_fail and result.status is CellStatus.ERROR else exit_code
        stopped = result.status is CellStatus.INTERRUPTED or (exit_code != 0 and not keep_going)
        yield BlockFinished(block, result, exit_code)


def _refused(block: Block) -> CellResult | None:
    """The result of a block whose text cannot be sent to a kernel, which is the block's failure and not the run's."""
    try:
        check_code(block.source)
    except ConfigError as error:
        return CellResult(CellStatus.ERROR, cause=str(error))
    return None

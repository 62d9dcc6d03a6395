"""The executor that runs each block as a file, in a new process in a Docker container of its own."""

from __future__ import annotations

import math
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from cellblock.coding.block_loop import BlockLoop
from cellblock.coding.command import run_cancellable
from cellblock.coding.container import WORKSPACE, CommandContainer
from cellblock.coding.languages import EXECUTION_POLICY, interpreter
from cellblock.coding.markdown_code_extractor import MarkdownCodeExtractor
from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from cellblock.coding.base import CodeBlock, CommandLineCodeResult

__all__ = ["DockerCommandLineCodeExecutor"]


class DockerCommandLineCodeExecutor:
    """Runs blocks in a container that is started now: variables are not kept, files and installed packages are.

    A block is written to ``work_dir``, which the container sees as /workspace, and run there by the interpreter of its
    language. The container ends with ``stop()``, with the ``with`` block, or with this program, even if it is killed.

    Args:
        image: What the container is made of; pulled if it is not here. It needs ``sh``, ``timeout`` and Python.
        container_name: The container's name; a new one if not given.
        timeout: Seconds for all blocks of one call; at least 1.
        work_dir: Where the blocks are written; made if only its last part is missing.
        bind_dir: The same directory as the Docker host names it, if that is not this machine.
        auto_remove: Whether the container is deleted when it stops.
        stop_container: Whether the container ends with this program; ``stop()`` ends it in any case.
        execution_policies: By language, whether its blocks are run (True) or only saved; overrides
            ``DEFAULT_EXECUTION_POLICY``.

    Attributes:
        execution_policies: The policies in force.

    Raises:
        ConfigError: An argument cannot be used.
        FileNotFoundError: More than the last part of ``work_dir`` is missing.
        ImageError: The image is not here and cannot be pulled.
        StartError: Docker cannot be reached, or the container does not start.
    """

    DEFAULT_EXECUTION_POLICY: ClassVar[Mapping[str, bool]] = EXECUTION_POLICY
    LANGUAGE_ALIASES: ClassVar[Mapping[str, str]] = {"py": "python", "js": "javascript"}

    def __init__(
        self,
        image: str = "python:3-slim",
        container_name: str | None = None,
        timeout: float = 60,
        work_dir: Path | str = Path(),
        bind_dir: Path | str | None = None,
        auto_remove: bool = True,
        stop_container: bool = True,
        execution_policies: Mapping[str, bool] | None = None,
    ) -> None:
        if timeout < 1:
            raise ConfigError("Timeout must be greater than or equal to 1.")
        self._timeout = timeout
        self._work_dir = Path(work_dir)
        self._work_dir.mkdir(exist_ok=True)
        self._bind_dir = self._work_dir if bind_dir is None else Path(bind_dir)
        self.execution_policies = dict(EXECUTION_POLICY) | dict(execution_policies or {})
        self._python: str | None = None
        self._container = CommandContainer(
            image, name=container_name, directory=self._bind_dir, remove=auto_remove, ends_with_us=stop_container
        )

    @property
    def timeout(self) -> float:
        """Seconds for all blocks of one call."""
        return self._timeout

    @property
    def work_dir(self) -> Path:
        """Where the blocks are written."""
        return self._work_dir

    @property
    def bind_dir(self) -> Path:
        """``work_dir`` as the Docker host names it."""
        return self._bind_dir

    @property
    def code_extractor(self) -> MarkdownCodeExtractor:
        """How an agent finds the blocks for this executor in a message."""
        return MarkdownCodeExtractor()

    def execute_code_blocks(self, code_blocks: list[CodeBlock]) -> CommandLineCodeResult:
        """Runs the blocks in order and stops after the first that fails.

        Args:
            code_blocks: What to run; at least one block.

        Raises:
            ConfigError: There is no block, or a language that nothing runs has the policy to be run.
            StartError: The container is gone.
        """
        return self._execute(code_blocks, threading.Event())

    async def a_execute_code_blocks(self, code_blocks: list[CodeBlock]) -> CommandLineCodeResult:
        """As ``execute_code_blocks``, without blocking the event loop. Cancelling it ends the running block.

        Args:
            code_blocks: What to run; at least one block.
        """
        return await run_cancellable(partial(self._execute, code_blocks))

    def _execute(self, code_blocks: list[CodeBlock], cancelled: threading.Event) -> CommandLineCodeResult:
        if not code_blocks:
            raise ConfigError("No code blocks to execute.")
        loop = BlockLoop(
            work_dir=self._work_dir,
            policies=self.execution_policies,
            run=partial(self._run, cancelled),
            shown_path=lambda file: str(self._work_dir / self._in_work_dir(file)),
            unknown_language="Unsupported language {}\n",
            check=lambda language, code: None,  # noqa: ARG005  the container is the protection
        )
        return loop.execute(code_blocks, self._timeout)

    def restart(self) -> None:
        """Ends every process in the container; its files and installed packages stay.

        Raises:
            StartError: The container does not start again.
        """
        self._container.restart()

    def stop(self) -> None:
        """Stops the container; more than one call does no harm."""
        self._container.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self, cancelled: threading.Event, language: str, file: Path, timeout: float) -> tuple[int, str]:
        """The exit code and the output of one block's file."""
        program = self._find_python(cancelled) if language == "python" else interpreter(language)
        command = [program, f"{WORKSPACE}/{self._in_work_dir(file).as_posix()}"]
        finished = self._container.run(command, timeout=max(1, math.ceil(timeout)), cancelled=cancelled)
        return finished.exit_code, finished.stdout + ("\nTimeout" if finished.exit_code == 124 else "")

    def _find_python(self, cancelled: threading.Event) -> str:
        """What runs Python in the container: Debian's own images have it as python3 only."""
        if self._python is None:
            look = ["sh", "-c", "command -v python || command -v python3"]
            found = self._container.run(look, timeout=10, cancelled=cancelled)
            self._python = found.stdout.strip() or "python"
        return self._python

    def _in_work_dir(self, file: Path) -> Path:
        return file.relative_to(self._work_dir.resolve())

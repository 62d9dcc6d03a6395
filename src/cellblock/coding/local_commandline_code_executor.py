"""The executor that runs each block as a file, in a new process on this machine."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cellblock.coding.block_loop import BlockLoop
from cellblock.coding.command import Finished, run_cancellable, run_command
from cellblock.coding.func_with_reqs import (
    DEFAULT_PROMPT_TEMPLATE,
    UserFunction,
    format_functions,
    functions_module_source,
    required_packages,
)
from cellblock.coding.languages import EXECUTION_POLICY, interpreter, refuse_dangerous
from cellblock.coding.markdown_code_extractor import MarkdownCodeExtractor
from cellblock.errors import ConfigError, StartError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import SimpleNamespace

    from cellblock.coding.base import CodeBlock, CommandLineCodeResult

__all__ = ["LocalCommandLineCodeExecutor"]


class LocalCommandLineCodeExecutor:
    """Runs blocks on this machine, with this user's rights, each in a new process: variables are not kept, files are.

    A block is written to ``work_dir`` and run there by the interpreter of its language. Python blocks run in
    this program's Python environment, or in the virtual environment given. At the deadline the block's process group is
    killed and what it printed is kept.

    Args:
        timeout: Seconds for all blocks of one call; at least 1.
        virtual_env_context: A virtual environment, as ``autogen.code_utils.create_virtual_env`` gives it.
        work_dir: Where the blocks run; made if only its last part is missing.
        functions: What the blocks can import from the module ``functions_module``.
        functions_module: That module's name.
        execution_policies: By language, whether its blocks are run (True) or only saved; overrides
            ``DEFAULT_EXECUTION_POLICY``.

    Attributes:
        execution_policies: The policies in force.

    Raises:
        ConfigError: An argument cannot be used.
        FileNotFoundError: More than the last part of ``work_dir`` is missing.
    """

    SUPPORTED_LANGUAGES: ClassVar[Sequence[str]] = tuple(EXECUTION_POLICY)
    DEFAULT_EXECUTION_POLICY: ClassVar[Mapping[str, bool]] = EXECUTION_POLICY
    FUNCTION_PROMPT_TEMPLATE: ClassVar[str] = DEFAULT_PROMPT_TEMPLATE
    FUNCTIONS_MODULE: ClassVar[str] = "functions"

    def __init__(
        self,
        timeout: float = 60,
        virtual_env_context: SimpleNamespace | None = None,
        work_dir: Path | str = Path(),
        functions: Sequence[UserFunction] = (),
        functions_module: str = FUNCTIONS_MODULE,
        execution_policies: Mapping[str, bool] | None = None,
    ) -> None:
        if timeout < 1:
            raise ConfigError("Timeout must be greater than or equal to 1.")
        if not functions_module.isidentifier():
            raise ConfigError("Module name must be a valid Python identifier")
        self._timeout = timeout
        self._virtual_env = virtual_env_context
        self._work_dir = Path(work_dir)
        self._work_dir.mkdir(exist_ok=True)
        self._functions = list(functions)
        self._functions_module = functions_module
        self._functions_ready = not self._functions
        self.execution_policies = dict(EXECUTION_POLICY) | dict(execution_policies or {})

    @property
    def timeout(self) -> float:
        """Seconds for all blocks of one call."""
        return self._timeout

    @property
    def work_dir(self) -> Path:
        """Where the blocks run."""
        return self._work_dir

    @property
    def functions(self) -> list[UserFunction]:
        """What the blocks can import from ``functions_module``."""
        return self._functions

    @property
    def functions_module(self) -> str:
        """The module that ``functions`` are imported from."""
        return self._functions_module

    @property
    def code_extractor(self) -> MarkdownCodeExtractor:
        """How an agent finds the blocks for this executor in a message."""
        return MarkdownCodeExtractor()

    @staticmethod
    def sanitize_command(lang: str, code: str) -> None:
        """Refuses shell code with one of a few commands that destroy. This is a guard against accidents, no sandbox.

        Args:
            lang: The block's language; only shells are looked at.
            code: Its source.

        Raises:
            ConfigError: One was found; the message names it.
        """
        refuse_dangerous(lang, code)

    def format_functions_for_prompt(self, prompt_template: str = DEFAULT_PROMPT_TEMPLATE) -> str:
        """A text that tells a model which functions it can import, for a system message.

        Args:
            prompt_template: A ``string.Template`` with ``$module_name`` and ``$functions`` (the stubs).
        """
        return format_functions(self._functions, self._functions_module, prompt_template)

    def execute_code_blocks(self, code_blocks: list[CodeBlock]) -> CommandLineCodeResult:
        """Runs the blocks in order and stops after the first that fails.

        The first call also installs what the functions need and checks that they load; each of these two steps has
        ``timeout`` seconds of its own.

        Args:
            code_blocks: What to run.

        Raises:
            ConfigError: A shell block holds a dangerous command, or a language that nothing runs has the policy to be
                run.
            StartError: The functions cannot be made available.
        """
        return self._execute(code_blocks, threading.Event())

    async def a_execute_code_blocks(self, code_blocks: list[CodeBlock]) -> CommandLineCodeResult:
        """As ``execute_code_blocks``, without blocking the event loop. Cancelling it kills the running block.

        Args:
            code_blocks: What to run.
        """
        return await run_cancellable(partial(self._execute, code_blocks))

    def restart(self) -> None:
        """Does nothing but warn: there is no state to lose."""
        warnings.warn("Restarting local command line code executor is not supported. No action is taken.", stacklevel=2)

    def _execute(self, code_blocks: list[CodeBlock], cancelled: threading.Event) -> CommandLineCodeResult:
        if not self._functions_ready:
            self._set_up_functions(cancelled)
            self._functions_ready = True
        loop = BlockLoop(
            work_dir=self._work_dir,
            policies=self.execution_policies,
            run=partial(self._run, cancelled),
            shown_path=str,
            unknown_language="\nunknown language {}",
            check=self.sanitize_command,
        )
        return loop.execute(code_blocks, self._timeout)

    def _run(self, cancelled: threading.Event, language: str, file: Path, timeout: float) -> tuple[int, str]:
        finished = self._run_file(cancelled, language, file, timeout)
        return finished.exit_code, _text(finished)

    def _run_file(self, cancelled: threading.Event, language: str, file: Path, timeout: float) -> Finished:
        env = self._environment()
        program = self._python(env) if language == "python" else interpreter(language, env["PATH"])
        try:
            command = [program, str(file)]
            return run_command(command, cwd=self._work_dir, env=env, timeout=timeout, cancelled=cancelled)
        except FileNotFoundError:
            return Finished(127, "", f"{program} is not installed, so this {language} block cannot be run.\n")

    def _environment(self) -> dict[str, str]:
        env = dict(os.environ)
        path = env.get("PATH", os.defpath)
        if self._virtual_env is not None:
            path = os.pathsep.join([str(Path(self._virtual_env.bin_path).absolute()), path])
        elif sys.prefix != sys.base_prefix:
            # This program's environment may be in use without being activated; pip and python in a block mean it.
            path = os.pathsep.join([str(Path(sys.executable).parent), path])
        env["PATH"] = path
        env["PYTHONUNBUFFERED"] = "1"  # what a killed process had in its buffer would be lost
        if self._functions:
            env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(self._work_dir.resolve()), env.get("PYTHONPATH")]))
        return env

    def _python(self, env: Mapping[str, str]) -> str:
        return shutil.which(interpreter("python"), path=env["PATH"]) or sys.executable

    def _set_up_functions(self, cancelled: threading.Event) -> None:
        module = self._work_dir / f"{self._functions_module}.py"
        module.write_text(functions_module_source(self._functions), encoding="utf-8")
        env = self._environment()
        if packages := required_packages(self._functions):
            command = [self._python(env), "-m", "pip", "install", *packages]
            installed = run_command(command, cwd=self._work_dir, env=env, timeout=self._timeout, cancelled=cancelled)
            if installed.exit_code == 124:
                raise StartError("Pip install timed out")
            if installed.exit_code != 0:
                raise StartError(f"Pip install failed. {installed.stdout}, {installed.stderr}")
        exit_code, text = self._run(cancelled, "python", module.resolve(), self._timeout)
        if exit_code != 0:
            raise StartError(f"Functions failed to load: {text}")


def _text(finished: Finished) -> str:
    """What a block printed, as a part of a result's output: AutoGen 0.2's form."""
    end = "Timeout" if finished.exit_code == 124 else finished.cause
    return finished.stderr + finished.stdout + (f"\n{end}" if end else "")

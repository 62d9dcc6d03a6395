"""EmbeddedIPythonCodeExecutor: AutoGen's name for an executor whose kernel belongs to this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellblock._core.render import DEFAULT_BUDGET
from cellblock.coding.jupyter.executor import JupyterCodeExecutor

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from cellblock._core.outputs import Limits, Output
    from cellblock.coding.func_with_reqs import UserFunction
    from cellblock.kernels.pool import KernelPool
    from cellblock.kernels.sandbox.options import Sandbox
    from cellblock.session import InputHandler

__all__ = ["EmbeddedIPythonCodeExecutor"]


class EmbeddedIPythonCodeExecutor(JupyterCodeExecutor):
    """Runs code blocks in a kernel of this process.

    As ``JupyterCodeExecutor()``, with AutoGen's keywords; texts of blocks that showed nothing leave no empty line.

    Args:
        timeout: Seconds one call of ``execute_code_blocks`` may take; at least 1.
        kernel_name: The kernelspec's name.
        output_dir: An existing directory for images, tables and outputs too long for ``output``.
        cwd: The kernel's working directory.
        env: Environment variables set in the kernel.
        sandbox: What confines the kernel; without one it has the rights of this process, as in AutoGen.
        pool: Gives the kernel, which was started ahead.
        input_handler: Answers ``input()``; without one it raises in the block at once.
        functions: Functions the blocks can import from ``functions_module``, also after a restart.
        functions_module: The name of that module.
        output_budget: Characters ``output`` may have; None for no limit.
        journal: A notebook that every block is added to as it ends.
        on_output: Told of each output as it comes, in another thread; must not block.
        limits: How much output of one block is kept in memory and on disk.
        ignored: Keywords that cellblock does not know are accepted and do nothing, as in AutoGen.

    Raises:
        ConfigError: An argument cannot be used (also a ValueError).
        StartError: The kernel did not start.
        SandboxUnavailable: There can be no sandbox here.
    """

    def __init__(
        self,
        *,
        timeout: int = 60,
        kernel_name: str = "python3",
        output_dir: Path | str = ".",
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        sandbox: Sandbox | None = None,
        pool: KernelPool | None = None,
        input_handler: InputHandler | None = None,
        functions: Sequence[UserFunction] = (),
        functions_module: str = "functions",
        output_budget: int | None = DEFAULT_BUDGET,
        journal: str | os.PathLike[str] | None = None,
        on_output: Callable[[Output], None] | None = None,
        limits: Limits | None = None,
        **ignored: object,  # noqa: ARG002
    ) -> None:
        super().__init__(
            kernel_name=kernel_name,
            timeout=timeout,
            output_dir=output_dir,
            cwd=cwd,
            env=env,
            sandbox=sandbox,
            pool=pool,
            input_handler=input_handler,
            functions=functions,
            functions_module=functions_module,
            output_budget=output_budget,
            journal=journal,
            on_output=on_output,
            limits=limits,
        )

    @property
    def kernel_name(self) -> str:
        """The kernelspec's name."""
        return self._kernel_name

    @property
    def output_dir(self) -> Path:
        """Where files go."""
        return self._output_dir

    @staticmethod
    def _join(texts: Sequence[str]) -> str:
        return "\n".join(text for text in texts if text)

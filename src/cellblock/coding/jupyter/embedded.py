"""EmbeddedIPythonCodeExecutor: AutoGen's name for an executor whose kernel belongs to this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellblock.coding.jupyter.executor import JupyterCodeExecutor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cellblock.coding.func_with_reqs import UserFunction
    from cellblock.kernels.sandbox.options import Sandbox

__all__ = ["EmbeddedIPythonCodeExecutor"]


class EmbeddedIPythonCodeExecutor(JupyterCodeExecutor):
    """Runs code blocks in a kernel of this process.

    As ``JupyterCodeExecutor()``, with AutoGen's keywords; texts of blocks that showed nothing leave no empty line.

    Args:
        timeout: Seconds one call of ``execute_code_blocks`` may take; at least 1.
        kernel_name: The kernelspec's name.
        output_dir: An existing directory for images, tables and outputs too long for ``output``.
        functions: Functions the blocks can import from ``functions_module``, also after a restart.
        functions_module: The name of that module.
        sandbox: What confines the kernel; without one it has the rights of this process, as in AutoGen.
        ignored: Further keywords are accepted and do nothing, as in AutoGen.

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
        functions: Sequence[UserFunction] = (),
        functions_module: str = "functions",
        sandbox: Sandbox | None = None,
        **ignored: object,  # noqa: ARG002
    ) -> None:
        super().__init__(
            kernel_name=kernel_name,
            timeout=timeout,
            output_dir=output_dir,
            functions=functions,
            functions_module=functions_module,
            sandbox=sandbox,
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

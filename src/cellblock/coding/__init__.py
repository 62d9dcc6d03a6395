"""Executors: they turn code blocks into a result. The names are those of AutoGen 0.2's ``autogen.coding``.

Each name loads on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellblock.coding.base import (
        CodeBlock,
        CodeExecutionConfig,
        CodeExecutor,
        CodeExtractor,
        CodeResult,
        CommandLineCodeResult,
        IPythonCodeResult,
    )
    from cellblock.coding.docker_commandline_code_executor import DockerCommandLineCodeExecutor
    from cellblock.coding.factory import CodeExecutorFactory
    from cellblock.coding.func_with_reqs import Alias, FunctionWithRequirements, ImportFromModule, with_requirements
    from cellblock.coding.jupyter import EmbeddedIPythonCodeExecutor, JupyterCodeExecutor
    from cellblock.coding.local_commandline_code_executor import LocalCommandLineCodeExecutor
    from cellblock.coding.markdown_code_extractor import MarkdownCodeExtractor

__all__ = [
    "Alias",
    "CodeBlock",
    "CodeExecutionConfig",
    "CodeExecutor",
    "CodeExecutorFactory",
    "CodeExtractor",
    "CodeResult",
    "CommandLineCodeResult",
    "DockerCommandLineCodeExecutor",
    "EmbeddedIPythonCodeExecutor",
    "FunctionWithRequirements",
    "IPythonCodeResult",
    "ImportFromModule",
    "JupyterCodeExecutor",
    "LocalCommandLineCodeExecutor",
    "MarkdownCodeExtractor",
    "with_requirements",
]

_HOMES = {
    "base": (
        "CodeBlock",
        "CodeExecutionConfig",
        "CodeExecutor",
        "CodeExtractor",
        "CodeResult",
        "CommandLineCodeResult",
        "IPythonCodeResult",
    ),
    "docker_commandline_code_executor": ("DockerCommandLineCodeExecutor",),
    "factory": ("CodeExecutorFactory",),
    "func_with_reqs": ("Alias", "FunctionWithRequirements", "ImportFromModule", "with_requirements"),
    "jupyter": ("EmbeddedIPythonCodeExecutor", "JupyterCodeExecutor"),
    "local_commandline_code_executor": ("LocalCommandLineCodeExecutor",),
    "markdown_code_extractor": ("MarkdownCodeExtractor",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

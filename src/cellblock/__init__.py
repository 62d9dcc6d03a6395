"""cellblock runs the code an LLM agent writes as cells of a live Jupyter kernel.

Each name loads on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellblock._core.blocks import CodeBlock, CodeResult, CommandLineCodeResult, IPythonCodeResult
    from cellblock._core.outputs import (
        ClearOutput,
        DisplayOutput,
        ErrorOutput,
        Limits,
        MimeBundle,
        OmittedOutput,
        Output,
        ResultOutput,
        StreamOutput,
    )
    from cellblock._core.render import (
        DEFAULT_BUDGET,
        DEFAULT_RENDERERS,
        ImagePart,
        Rendered,
        Renderer,
        Sink,
        apply_budget,
        render_cell,
    )
    from cellblock._core.results import CellResult, CellStatus
    from cellblock.blocking import Session
    from cellblock.coding.jupyter import EmbeddedIPythonCodeExecutor, JupyterCodeExecutor
    from cellblock.coding.markdown_code_extractor import MarkdownCodeExtractor
    from cellblock.errors import CellblockError
    from cellblock.files import DirectorySink
    from cellblock.journal import Journal
    from cellblock.kernels.pool import KernelPool
    from cellblock.kernels.sandbox.egress import HostRequest
    from cellblock.kernels.sandbox.options import Sandbox
    from cellblock.kernels.sandbox.workspace import Workspace
    from cellblock.session import AsyncSession

__version__ = "0.1.0"

_HOMES = {
    "AsyncSession": "session",
    "CellResult": "_core.results",
    "CellStatus": "_core.results",
    "CellblockError": "errors",
    "ClearOutput": "_core.outputs",
    "CodeBlock": "_core.blocks",
    "CodeResult": "_core.blocks",
    "CommandLineCodeResult": "_core.blocks",
    "DEFAULT_BUDGET": "_core.render",
    "DEFAULT_RENDERERS": "_core.render",
    "DirectorySink": "files",
    "DisplayOutput": "_core.outputs",
    "EmbeddedIPythonCodeExecutor": "coding.jupyter",
    "ErrorOutput": "_core.outputs",
    "HostRequest": "kernels.sandbox.egress",
    "IPythonCodeResult": "_core.blocks",
    "ImagePart": "_core.render",
    "Journal": "journal",
    "JupyterCodeExecutor": "coding.jupyter",
    "KernelPool": "kernels.pool",
    "Limits": "_core.outputs",
    "MarkdownCodeExtractor": "coding.markdown_code_extractor",
    "MimeBundle": "_core.outputs",
    "OmittedOutput": "_core.outputs",
    "Output": "_core.outputs",
    "Rendered": "_core.render",
    "Renderer": "_core.render",
    "ResultOutput": "_core.outputs",
    "Sandbox": "kernels.sandbox.options",
    "Session": "blocking",
    "Sink": "_core.render",
    "StreamOutput": "_core.outputs",
    "Workspace": "kernels.sandbox.workspace",
    "apply_budget": "_core.render",
    "render_cell": "_core.render",
}

__all__ = [
    "DEFAULT_BUDGET",
    "DEFAULT_RENDERERS",
    "AsyncSession",
    "CellResult",
    "CellStatus",
    "CellblockError",
    "ClearOutput",
    "CodeBlock",
    "CodeResult",
    "CommandLineCodeResult",
    "DirectorySink",
    "DisplayOutput",
    "EmbeddedIPythonCodeExecutor",
    "ErrorOutput",
    "HostRequest",
    "IPythonCodeResult",
    "ImagePart",
    "Journal",
    "JupyterCodeExecutor",
    "KernelPool",
    "Limits",
    "MarkdownCodeExtractor",
    "MimeBundle",
    "OmittedOutput",
    "Output",
    "Rendered",
    "Renderer",
    "ResultOutput",
    "Sandbox",
    "Session",
    "Sink",
    "StreamOutput",
    "Workspace",
    "__version__",
    "apply_budget",
    "render_cell",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

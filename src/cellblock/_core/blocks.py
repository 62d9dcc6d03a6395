"""Blocks of code and what running them came to, with AutoGen 0.2's fields and printed forms.

These are pydantic models because users of AutoGen call ``.model_dump()`` and match on the printed form. Fields AutoGen
does not know stay out of ``str()`` and ``repr()``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, InstanceOf

from cellblock._core.results import CellResult, CellStatus

if TYPE_CHECKING:
    from cellblock._core.outputs import Output

__all__ = ["CodeBlock", "CodeResult", "CommandLineCodeResult", "IPythonCodeResult"]


class CodeBlock(BaseModel):
    """A piece of code as a model or a document wrote it.

    Attributes:
        code: The source.
        language: Its language, such as "python"; empty if the writer did not say.
    """

    code: str = Field(description="The source.")
    language: str = Field(description="The language of the source.")


class CodeResult(BaseModel):
    """What running blocks of code came to.

    Attributes:
        exit_code: 0 for success.
        output: What it printed and showed, as text for a model.
    """

    exit_code: int = Field(description="0 for success.")
    output: str = Field(description="What the code printed and showed.")


class CommandLineCodeResult(CodeResult):
    """What running blocks as files on a command line came to.

    Attributes:
        code_file: The absolute path of the first file written, if any.
    """

    code_file: str | None = Field(default=None, description="The file the first block was written to.")


class IPythonCodeResult(CodeResult):
    """What running blocks as cells of a kernel came to.

    Attributes:
        output_files: Absolute paths of the files saved, in order.
        cells: One result for each block, blocks that did not run included.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    output_files: list[str] = Field(default_factory=list, description="Files saved, absolute paths in order.")
    cells: tuple[InstanceOf[CellResult], ...] = Field(default=(), repr=False, exclude=True)

    def __eq__(self, other: object) -> bool:
        """Whether AutoGen's fields are equal; how long a cell took makes no difference between results."""
        if type(other) is not type(self):
            return NotImplemented
        return self.model_dump() == other.model_dump()

    @property
    def status(self) -> CellStatus:
        """How the first block that failed ended; ``ok`` when none did."""
        return next((cell.status for cell in self.cells if not cell.ok), CellStatus.OK)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The typed outputs of all blocks, in order."""
        return tuple(output for cell in self.cells for output in cell.outputs)

    @property
    def state_kept(self) -> bool:
        """Whether the variables and imports of these blocks and of those before are still there."""
        return all(cell.state_kept for cell in self.cells)

    @property
    def generation(self) -> int:
        """Which kernel of the session ran the last block: 1, then one more for each restart."""
        return self.cells[-1].generation if self.cells else 1

    def raise_for_error(self) -> IPythonCodeResult:
        """Gives the result itself if every block succeeded.

        Raises:
            CellError: A block raised, or its kernel died.
            CellTimeout: A block ran into its deadline.
            CellInterrupted: A block was interrupted.
        """
        for cell in self.cells:
            cell.raise_for_error()
        return self

    def for_model(self, api: str = "openai", *, images: bool = True, budget: int | None = None) -> list[dict[str, Any]]:
        """The output as message parts for a chat model that can see.

        Args:
            api: "openai" (``image_url`` parts) or "anthropic" (``image`` parts).
            images: Whether images are included; without them their "saved to" lines stay.
            budget: At most this many characters of text; the default is the render module's.

        Returns:
            Parts to use as a message's ``content``.

        Raises:
            ConfigError: ``api`` is neither.
        """
        from cellblock._core.render import message_parts

        return message_parts(self, api, images=images, budget=budget)

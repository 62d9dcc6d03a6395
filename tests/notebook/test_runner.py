"""Documents run in a real kernel: what is told, what is written."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import nbformat
import pytest

from cellblock import AsyncSession, CellStatus, StreamOutput
from cellblock._core.notebook_cells import notebook_metadata
from cellblock.notebook.executed import ExecutedNotebook
from cellblock.notebook.reading import read_document
from cellblock.notebook.runner import BlockEvent, BlockFinished, BlockOutput, BlockStarted, run_document

pytestmark = pytest.mark.anyio


async def run(path: Path, **options: Any) -> list[BlockEvent]:
    async with AsyncSession() as session:
        return [event async for event in run_document(read_document(path), session, **options)]


def results(events: list[BlockEvent]) -> list[tuple[CellStatus, int]]:
    return [(event.result.status, event.exit_code) for event in events if isinstance(event, BlockFinished)]


Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(text: str) -> Path:
        path = tmp_path / "report.md"
        path.write_text(text)
        return path

    return write


async def test_blocks_share_a_kernel_and_are_told_in_order(written: Written) -> None:
    document = written("```python\nx = 20\n```\ntext\n```python\nprint(x + 1)\n```\n")
    events = await run(document)
    assert [type(event) for event in events] == [BlockStarted, BlockFinished, BlockStarted, BlockOutput, BlockFinished]
    assert isinstance(events[3], BlockOutput)
    assert events[3].output == StreamOutput("stdout", "21\n")


FAILING = "```python\n1/0\n```\n```python\nprint('after')\n```\n"


async def test_a_failure_ends_the_document(written: Written) -> None:
    document = written(FAILING)
    assert results(await run(document)) == [(CellStatus.ERROR, 1), (CellStatus.NOT_RUN, 0)]


async def test_keep_going(written: Written) -> None:
    document = written(FAILING)
    assert results(await run(document, keep_going=True)) == [(CellStatus.ERROR, 1), (CellStatus.OK, 0)]


async def test_a_block_that_may_fail_does_not_end_it(written: Written) -> None:
    document = written(FAILING.replace("python", "python .raises-exception", 1))
    assert results(await run(document)) == [(CellStatus.ERROR, 0), (CellStatus.OK, 0)]


async def test_each_block_has_its_own_deadline(written: Written) -> None:
    document = written("```python\nx = 1\n```\n```python\nwhile True: pass\n```\n```python\nprint(x)\n```\n")
    assert results(await run(document, timeout=1, keep_going=True)) == [
        (CellStatus.OK, 0), (CellStatus.TIMEOUT, 124), (CellStatus.OK, 0),
    ]  # fmt: skip


async def test_a_shell_that_fails_gives_its_own_exit_code(written: Written) -> None:
    document = written("```bash\necho out\nexit 3\n```\n")
    events = await run(document)
    assert results(events) == [(CellStatus.ERROR, 3)]
    finished = events[-1]
    assert isinstance(finished, BlockFinished)
    assert finished.result.text == "out\nThe shell ended with exit status 3."


async def test_leaving_early_interrupts_the_block(written: Written) -> None:
    document = written("```python\nprint('here')\nwhile True: pass\n```\n")
    async with AsyncSession() as session:
        async with aclosing(run_document(read_document(document), session)) as events:
            async for event in events:
                if isinstance(event, BlockOutput):
                    break
        assert session.status == "idle"
        assert (await session.run("1 + 1")).text.strip() == "2"


async def test_the_executed_notebook(written: Written, tmp_path: Path) -> None:
    document = written(
        "---\ntitle: t\n---\n# Title\n\n```python\nprint('a')\n'b'\n```\nbetween\n\n```bash\necho c\n```\n\n"
        "```python\nraise ValueError('d')\n```\n\n```python\nnever\n```\nend\n"
    )
    read = read_document(document)
    path = tmp_path / "out.ipynb"
    seen = []
    async with AsyncSession() as session:
        notebook = ExecutedNotebook(path, read, notebook_metadata("python3", session.kernel.language))
        assert not path.exists()
        async for event in run_document(read, session):
            if isinstance(event, BlockFinished) and event.result.status is not CellStatus.NOT_RUN:
                notebook.record(event.block, event.result)
                seen.append(len(valid(path).cells))
    notebook.finish()
    assert seen == [3, 5, 6]  # on disk with every block, not at the end
    cells = valid(path).cells
    assert [cell.cell_type for cell in cells] == [
        "raw",
        "markdown",
        "code",
        "markdown",
        "code",
        "code",
        "code",
        "markdown",
    ]
    assert [cell.execution_count for cell in cells if cell.cell_type == "code"] == [1, 2, 3, None]
    first, shell, failing, never = (cell for cell in cells if cell.cell_type == "code")
    assert [output.output_type for output in first.outputs] == ["stream", "execute_result"]
    assert shell.source == "%%bash\necho c"
    assert shell.metadata.cellblock.language == "bash"
    assert failing.outputs[0].ename == "ValueError"
    assert never.outputs == []


async def test_the_executed_notebook_runs_again(written: Written, tmp_path: Path) -> None:
    """What is written for a shell block is what a kernel runs."""
    document = written("```bash\ncat <<'END'\n%%not a magic\n\"\"\"quotes\\n'''\nEND\n```\n")
    read = read_document(document)
    path = tmp_path / "out.ipynb"
    notebook = ExecutedNotebook(path, read, notebook_metadata())
    (first,) = [event for event in await run(document) if isinstance(event, BlockFinished)]
    notebook.record(first.block, first.result)
    (second,) = [event for event in await run(path) if isinstance(event, BlockFinished)]
    assert second.result.text == first.result.text == "%%not a magic\n\"\"\"quotes\\n'''\n"


PIP = "import os\n%pip install pip"


async def test_pip_is_quiet_and_the_executed_notebook_has_what_the_author_wrote(
    written: Written, tmp_path: Path
) -> None:
    document = written(f"```python\n{PIP}\n```\n\n```bash\npip install pip\n```\n")
    first, second = tmp_path / "first.ipynb", tmp_path / "second.ipynb"
    assert await shown_while_executing(document, first) == ["", ""]
    assert [cell.source for cell in valid(first).cells] == [PIP, "%%bash\npip install pip"]
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(PIP)]), second)
    assert await shown_while_executing(second, first) == [""]
    assert [cell.source for cell in valid(first).cells] == [PIP]


async def test_a_pip_that_fails_fails_its_block(written: Written) -> None:
    document = written("```python\n%pip install --no-index no-such-package-of-ours ${NOPE}\n```\n")
    (finished,) = [event for event in await run(document) if isinstance(event, BlockFinished)]
    assert finished.exit_code == 1
    assert finished.result.text.startswith("ERROR: ")
    assert finished.result.text.endswith("\n%pip install ended with exit status 1.")


async def shown_while_executing(document: Path, notebook: Path) -> list[str]:
    """What the blocks of a document show while an executed notebook is made of it."""
    executed = ExecutedNotebook(notebook, read_document(document), notebook_metadata())
    finished = [event for event in await run(document) if isinstance(event, BlockFinished)]
    for event in finished:
        executed.record(event.block, event.result)
    return [event.result.text for event in finished]


def valid(path: Path) -> Any:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook

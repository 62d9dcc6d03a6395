"""What an agent relies on in a code executor, as tests that every executor must pass."""

from __future__ import annotations

import warnings

import pytest

from cellblock.coding.base import CodeBlock, CodeExecutor, CodeResult

__all__ = ["ExecutorContract"]


class ExecutorContract:
    """The contract of an executor that runs Python. Override the fixture ``executor``."""

    @pytest.fixture
    @classmethod
    def executor(cls) -> CodeExecutor:
        """Gives the executor to check."""
        raise NotImplementedError

    def test_it_is_an_executor(self, executor: CodeExecutor) -> None:
        """An agent takes it as the ``executor`` of its ``code_execution_config``."""
        assert isinstance(executor, CodeExecutor)

    def test_its_extractor_finds_blocks_in_a_message(self, executor: CodeExecutor) -> None:
        """What a model writes is found, in order, and talk is not."""
        found = executor.code_extractor.extract_code_blocks("First\n```python\nx = 1\n```\nthen\n```python\nx\n```\n")
        assert [(block.language, block.code) for block in found] == [("python", "x = 1"), ("python", "x")]
        assert executor.code_extractor.extract_code_blocks("only talk") == []

    def test_blocks_run_in_order(self, executor: CodeExecutor) -> None:
        """The output has what each printed, and the exit code is 0."""
        result = run(executor, "print('one')", "print('two')")
        assert result.exit_code == 0
        assert result.output.index("one") < result.output.index("two")

    def test_the_first_failing_block_stops(self, executor: CodeExecutor) -> None:
        """The exit code says so; what was printed and the error's name are there; later blocks do not run."""
        result = run(executor, "print('before')", "1 / 0", "print('after')")
        assert result.exit_code != 0
        assert "before" in result.output
        assert "ZeroDivisionError" in result.output
        assert "after" not in result.output

    def test_it_works_after_a_failure(self, executor: CodeExecutor) -> None:
        """One call does not spoil the next."""
        run(executor, "1 / 0")
        assert run(executor, "print('well')").exit_code == 0

    def test_syntax_error_is_a_result(self, executor: CodeExecutor) -> None:
        """Faulty code is nothing to raise about."""
        result = run(executor, "def f(:")
        assert result.exit_code != 0
        assert "SyntaxError" in result.output

    def test_it_works_after_a_restart(self, executor: CodeExecutor) -> None:
        """An agent's ``reset()`` restarts its executor; one that has no state may warn that it does nothing."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            executor.restart()
        assert "well" in run(executor, "print('well')").output


def run(executor: CodeExecutor, *codes: str) -> CodeResult:
    return executor.execute_code_blocks([CodeBlock(code=code, language="python") for code in codes])

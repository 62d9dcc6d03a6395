"""Each executor keeps the contract."""

import contextlib
import io

import pytest

from cellblock.coding import (
    CodeResult,
    DockerCommandLineCodeExecutor,
    LocalCommandLineCodeExecutor,
    MarkdownCodeExtractor,
)
from cellblock.coding.jupyter import EmbeddedIPythonCodeExecutor, JupyterCodeExecutor
from cellblock.testing import ExecutorContract


class TestLocalCommandLine(ExecutorContract):
    @pytest.fixture
    @classmethod
    def executor(cls, tmp_path):
        return LocalCommandLineCodeExecutor(work_dir=tmp_path)


@pytest.mark.docker
class TestDockerCommandLine(ExecutorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def executor(cls, tmp_path_factory):
        directory = tmp_path_factory.mktemp("work")
        with DockerCommandLineCodeExecutor("cellblock-test-base:latest", work_dir=directory) as executor:
            yield executor


class TestJupyter(ExecutorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def executor(cls, tmp_path_factory):
        with JupyterCodeExecutor(output_dir=tmp_path_factory.mktemp("output")) as executor:
            yield executor


class TestEmbedded(ExecutorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def executor(cls, tmp_path_factory):
        executor = EmbeddedIPythonCodeExecutor(output_dir=tmp_path_factory.mktemp("output"))
        yield executor
        executor.stop()


class OwnExecutor:
    """Runs blocks in this process; what a stranger might write."""

    code_extractor = MarkdownCodeExtractor()
    stops_at_failure = True

    def execute_code_blocks(self, code_blocks):
        output, exit_code = io.StringIO(), 0
        for block in code_blocks:
            try:
                with contextlib.redirect_stdout(output):
                    exec(block.code, {})
            except Exception as error:
                output.write(f"{type(error).__name__}: {error}\n")
                exit_code = 1
                if self.stops_at_failure:
                    break
        return CodeResult(exit_code=exit_code, output=output.getvalue())

    def restart(self):
        pass


class TestOwn(ExecutorContract):
    @pytest.fixture
    @classmethod
    def executor(cls):
        return OwnExecutor()


def test_the_contract_can_fail():
    careless = OwnExecutor()
    careless.stops_at_failure = False
    with pytest.raises(AssertionError):
        ExecutorContract().test_the_first_failing_block_stops(careless)

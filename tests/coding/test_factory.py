"""CodeExecutorFactory: an executor from an agent's configuration."""

import pytest

from cellblock.coding import CodeExecutorFactory, LocalCommandLineCodeExecutor, MarkdownCodeExtractor
from cellblock.coding.base import CodeResult


class OwnExecutor:
    code_extractor = MarkdownCodeExtractor()

    def execute_code_blocks(self, code_blocks):
        return CodeResult(exit_code=0, output=f"{len(code_blocks)} blocks")

    def restart(self):
        pass


def test_executor_object_is_given_back():
    executor = OwnExecutor()
    assert CodeExecutorFactory.create({"executor": executor}) is executor


def test_command_line_by_name(tmp_path):
    executor = CodeExecutorFactory.create(
        {"executor": "commandline-local", "commandline-local": {"timeout": 7, "work_dir": tmp_path}}
    )
    assert isinstance(executor, LocalCommandLineCodeExecutor)
    assert (executor.timeout, executor.work_dir) == (7, tmp_path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"executor": "docker"}, "Unknown code executor docker"),
        ({}, "Unknown code executor None"),
        ({"executor": 3}, "Unknown code executor 3"),
    ],
)
def test_unknown_executor(config, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        CodeExecutorFactory.create(config)

"""An executor from an agent's configuration."""

from __future__ import annotations

from typing import cast

from cellblock.coding.base import CodeExecutionConfig, CodeExecutor
from cellblock.errors import ConfigError

__all__ = ["CodeExecutorFactory"]


class CodeExecutorFactory:
    """Makes executors."""

    @staticmethod
    def create(code_execution_config: CodeExecutionConfig) -> CodeExecutor:
        """The executor that a configuration asks for.

        Args:
            code_execution_config: Its ``executor`` is an executor, which is given back as it is, or the name of one:
                "ipython-embedded" or "commandline-local". A name's own key holds the arguments for its constructor.

        Raises:
            ConfigError: ``executor`` is missing or names none.
        """
        executor = code_execution_config.get("executor")
        if executor == "ipython-embedded":
            from cellblock.coding.jupyter import EmbeddedIPythonCodeExecutor

            return cast(
                "CodeExecutor", EmbeddedIPythonCodeExecutor(**code_execution_config.get("ipython-embedded", {}))
            )
        if executor == "commandline-local":
            from cellblock.coding.local_commandline_code_executor import LocalCommandLineCodeExecutor

            return LocalCommandLineCodeExecutor(**code_execution_config.get("commandline-local", {}))
        if isinstance(executor, CodeExecutor):
            return executor
        raise ConfigError(f"Unknown code executor {executor}")

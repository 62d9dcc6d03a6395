"""Running one piece of code without an executor object: AutoGen's older form of code execution.

An agent whose ``code_execution_config`` names no executor runs each block with ``execute_code``, in Docker unless
``use_docker`` or the variable AUTOGEN_USE_DOCKER says otherwise.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cellblock.coding.base import CodeBlock
from cellblock.coding.docker_commandline_code_executor import DockerCommandLineCodeExecutor
from cellblock.coding.languages import EXECUTION_POLICY, language_of
from cellblock.coding.local_commandline_code_executor import LocalCommandLineCodeExecutor
from cellblock.errors import ConfigError, ImageError

if TYPE_CHECKING:
    from cellblock.coding.base import CommandLineCodeResult

__all__ = [
    "DEFAULT_IMAGES",
    "DEFAULT_TIMEOUT",
    "check_can_use_docker_or_throw",
    "decide_use_docker",
    "execute_code",
    "in_docker_container",
    "is_docker_running",
]

DEFAULT_TIMEOUT = 600.0
"""Seconds, as in AutoGen 0.2."""

DEFAULT_IMAGES = ("python:3-slim", "python:3", "python:3-windowsservercore")
"""Tried in this order when ``use_docker`` names no image."""

_CONTAINER_MARK = Path("/.dockerenv")

UseDocker = bool | str | list[str] | None

_YES = frozenset({"1", "true", "yes", "t"})
_NO = frozenset({"0", "false", "no", "f"})


class _UncheckedExecutor(LocalCommandLineCodeExecutor):
    """Runs shell commands of any kind, as AutoGen does where there is no executor."""

    @staticmethod
    def sanitize_command(lang: str, code: str) -> None:
        """Refuses nothing."""


def execute_code(
    code: str,
    *,
    language: str = "python",
    timeout: float | None = None,
    filename: str | None = None,
    work_dir: str | None = None,
    use_docker: UseDocker = None,
) -> tuple[int, str, str | None]:
    """Runs code as a file of a new process.

    Args:
        code: Its source.
        language: "python" or a shell.
        timeout: Seconds; ``DEFAULT_TIMEOUT`` if not given.
        filename: The file's name in ``work_dir``; one by the code's MD5 sum if not given.
        work_dir: Where it runs; ``coding`` in the current directory if not given. Made if it is missing.
        use_docker: Whether to run in a container, or the image or images to try; see ``decide_use_docker``.

    Returns:
        The exit code, the output, and the container's image (None without Docker).

    Raises:
        RuntimeError: Docker is wanted and not running.
        ImageError: None of the images can be had.
    """
    where = decide_use_docker(use_docker)
    check_can_use_docker_or_throw(where)
    language = language_of(language)
    if not EXECUTION_POLICY.get(language, False):
        return 1, f"unknown language {language}", None
    if filename is not None:
        code = f"# filename: {filename}\n{code}"
    block = CodeBlock(code=code, language=language)
    directory = Path(work_dir or "coding")
    directory.mkdir(parents=True, exist_ok=True)
    timeout = timeout or DEFAULT_TIMEOUT
    if not where or not is_docker_running():  # a program that is in a container itself may do without
        result = _UncheckedExecutor(timeout=timeout, work_dir=directory).execute_code_blocks([block])
        return result.exit_code, _legacy_text(result), None
    images = DEFAULT_IMAGES if where is True else [where] if isinstance(where, str) else where
    result, image = _in_container(block, images, directory, timeout)
    return result.exit_code, _legacy_text(result), image


def decide_use_docker(use_docker: UseDocker) -> UseDocker:
    """Whether code runs in Docker: what is asked for, else what AUTOGEN_USE_DOCKER says, else yes.

    Args:
        use_docker: What is asked for; None for nothing.

    Returns:
        The decision; None, which stands for no, if AUTOGEN_USE_DOCKER is "none".

    Raises:
        ConfigError: AUTOGEN_USE_DOCKER is none of the words for yes, no and none.
    """
    if use_docker is not None:
        return use_docker
    value = os.environ.get("AUTOGEN_USE_DOCKER", "true").lower()
    if value in _YES:
        return True
    if value in _NO:
        return False
    if value == "none":
        return None
    raise ConfigError(f"AUTOGEN_USE_DOCKER is {value!r}; set it to 1 (run code in Docker) or 0 (run it here).")


def check_can_use_docker_or_throw(use_docker: UseDocker) -> None:
    """Does nothing if what is asked for can be had.

    Args:
        use_docker: What ``decide_use_docker`` gave.

    Raises:
        RuntimeError: Docker is wanted and not running, and this program is not in a container itself.
    """
    if use_docker and not in_docker_container() and not is_docker_running():
        raise RuntimeError(
            "Code is to be executed in Docker, which is the default, but docker is not running. Start Docker; or give "
            'the agent an executor, code_execution_config={"executor": …}; or let code run on this machine with '
            '{"use_docker": False} or AUTOGEN_USE_DOCKER=0.'
        )


def is_docker_running() -> bool:
    """Whether a Docker engine answers."""
    try:
        import docker
        from docker.errors import DockerException
    except ImportError:
        return False
    try:
        client = docker.from_env()
        try:
            return bool(client.ping())
        finally:
            client.close()
    except DockerException:
        return False


def in_docker_container() -> bool:
    """Whether this program runs in a Docker container."""
    return _CONTAINER_MARK.exists()


def _legacy_text(result: CommandLineCodeResult) -> str:
    """The output; a timeout without any is AutoGen's one word, which programs compare with."""
    return "Timeout" if result.output == "\nTimeout" else result.output


def _in_container(
    block: CodeBlock, images: tuple[str, ...] | list[str], directory: Path, timeout: float
) -> tuple[CommandLineCodeResult, str]:
    """The result, and the first of the images that could be had."""
    for position, image in enumerate(images, start=1):
        try:
            executor = DockerCommandLineCodeExecutor(image, timeout=timeout, work_dir=directory)
        except ImageError:
            if position == len(images):
                raise
            continue
        with executor:
            return executor.execute_code_blocks([block]), image
    raise ConfigError("use_docker is an empty list; name at least one image in it.")

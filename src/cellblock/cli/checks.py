"""The checks of ``cellblock doctor``. Each looks at one thing and gives what it found."""

from __future__ import annotations

import asyncio
import platform
import sys
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cellblock import __version__
from cellblock.cli.kernel_choice import KernelChoice
from cellblock.errors import CellblockError
from cellblock.kernels.forkserver.rules import why_not_forked
from cellblock.kernels.kernelspec import NATIVE, find_kernelspec, kernelspec_names
from cellblock.session import AsyncSession

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["EXTRAS", "REQUIRED", "Finding", "all_findings"]

REQUIRED = ("pyzmq", "jupyter_client", "ipykernel", "pydantic", "markdown-it-py", "nbformat", "rich", "typer")
"""The packages that cellblock is always installed with."""

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "server": ("websockets", "httpx2", "jupyter_server"),
    "docker": ("docker",),
    "agents": ("openai", "genai-prices"),
    "anthropic": ("anthropic", "genai-prices"),
    "export": ("latex2mathml", "mdit-py-plugins", "vl-convert-python"),
    "pictures": ("textual-image",),
}
"""The packages that each extra brings, beside those of other extras."""

_PURPOSES = {
    "server": "Jupyter servers, local and remote",
    "docker": "Jupyter servers in containers",
    "agents": "chat models of the OpenAI API",
    "anthropic": "chat models of the Anthropic API",
    "export": "formulas and Vega charts on HTML pages",
    "pictures": "pictures in the terminal",
}
_PATIENCE = 30.0  # seconds for a kernel to start and add two numbers
_DOCKER_PATIENCE = 5  # seconds for a Docker engine to answer


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        group: What it belongs to.
        name: What was looked at.
        state: "missing" is something optional that is not there; "failed" is there and does not work.
        detail: What was found.
        advice: What to do about it.
        needed: Whether nothing works without it.
    """

    group: str
    name: str
    state: Literal["ok", "missing", "failed"]
    detail: str
    advice: str = ""
    needed: bool = False


def all_findings() -> list[Finding]:
    """Makes all checks, which takes a second or two."""
    return [*_installation(), *_extras(), *_kernels(), *_back_ends()]


def _installation() -> Iterator[Finding]:
    group = "Installation"
    yield Finding(group, "cellblock", "ok", __version__)
    yield Finding(group, "Python", "ok", f"{platform.python_version()} at {sys.executable}")
    yield Finding(group, "system", "ok", f"{platform.system()} {platform.release()} {platform.machine()}")
    for name in REQUIRED:
        found = _version(name)
        if found is None:
            advice = f"pip install {name}"
            yield Finding(group, name, "failed", "not installed, and cellblock needs it", advice, needed=True)
        else:
            yield Finding(group, name, "ok", found)


def _extras() -> Iterator[Finding]:
    for extra, packages in EXTRAS.items():
        versions = {package: _version(package) for package in packages}
        there = ", ".join(f"{package} {found}" for package, found in versions.items() if found)
        absent = [package for package, found in versions.items() if not found]
        if absent:
            detail = f"{_PURPOSES[extra]}: without {', '.join(absent)}"
            yield Finding("Extras", extra, "missing", detail, f'pip install "cellblock[{extra}]"')
        else:
            yield Finding("Extras", extra, "ok", there)


def _kernels() -> Iterator[Finding]:
    for name in kernelspec_names():
        try:
            spec = find_kernelspec(name)
        except CellblockError as error:
            yield Finding("Kernels", name, "failed", str(error))
        else:
            yield Finding("Kernels", name, "ok", f"{spec.language}, run by {spec.interpreter}")


def _back_ends() -> Iterator[Finding]:
    """Tries each back end that is installed."""
    plain = "See what it says; `python -m pip install --force-reinstall ipykernel` mends a broken ipykernel."
    yield _tried("embedded kernel", KernelChoice(), needed=True, advice=plain)
    yield _fork_server()
    advice = "Give Sandbox what it names, or leave the sandbox out and let code run with your rights."
    yield _tried("sandboxed kernel", KernelChoice(sandbox=True), needed=False, advice=advice)
    if find_spec("jupyter_server") is None or find_spec("websockets") is None:
        missing = "the server extra is not installed"
        yield Finding("Back ends", "local server", "missing", missing, 'pip install "cellblock[server]"')
    else:
        advice = "See what it says; the server's log has more: LocalJupyterServer(log_file=…)."
        yield _tried("local server", KernelChoice("local"), needed=False, advice=advice)
    yield _docker()


def _tried(name: str, where: KernelChoice, *, needed: bool, advice: str) -> Finding:
    """Starts a kernel, lets it add two numbers, and stops it."""
    group = "Back ends"

    async def one_and_one() -> str:
        with where.kernel(NATIVE, Path.cwd()) as kernel:
            async with AsyncSession(kernel, timeout=_PATIENCE) as session:
                return (await session.run("1 + 1")).text.strip()

    began = time.perf_counter()
    try:
        find_kernelspec(NATIVE)  # a server whose kernelspec is broken would be asked until the time is up
        answer = asyncio.run(one_and_one())
    except (CellblockError, OSError) as error:  # a TimeoutError is one, too
        return Finding(group, name, "failed", str(error) or "it did not answer in time", advice, needed=needed)
    if answer != "2":
        return Finding(group, name, "failed", f"1 + 1 gave: {answer}", advice, needed=needed)
    return Finding(group, name, "ok", f"1 + 1 is 2, after {time.perf_counter() - began:.2f} s", needed=needed)


def _fork_server() -> Finding:
    """Says whether kernels are forked here or started afresh, and why."""
    try:
        spec = find_kernelspec(NATIVE)
        why = why_not_forked(spec, env=spec.env)
    except CellblockError as error:
        return Finding("Back ends", "fork server", "failed", str(error))
    if why is None:
        return Finding("Back ends", "fork server", "ok", "embedded kernels are forked from a process that is warm")
    return Finding("Back ends", "fork server", "missing", f"each embedded kernel is started afresh: {why}")


def _docker() -> Finding:
    """Asks the Docker engine for its version."""
    group, name = "Back ends", "Docker"
    try:
        import docker
    except ImportError:
        return Finding(group, name, "missing", "the docker extra is not installed", 'pip install "cellblock[docker]"')
    try:
        client = docker.from_env(timeout=_DOCKER_PATIENCE)
        try:
            engine = client.version()["Version"]
        finally:
            client.close()
    except docker.errors.DockerException as error:
        advice = "Start Docker, or say where it is with DOCKER_HOST."
        return Finding(group, name, "failed", f"no engine answers: {error}", advice)
    return Finding(group, name, "ok", f"engine {engine}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

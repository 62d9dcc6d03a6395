"""Environments with the real AutoGen 0.2 and AG2, each on its own: they overwrite each other's files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
HOME = Path(os.environ.get("CELLBLOCK_TEST_ENVS", REPOSITORY / ".bench" / "envs"))
PEERS = {
    "autogen-agentchat": "autogen-agentchat==0.2.40",
    "ag2": "ag2[openai]==0.14.0",  # 1.0 has neither ConversableAgent nor the name autogen
}
OURS = ["ipykernel", "jupyter_client", "markdown-it-py", "nbformat", "pydantic", "pyzmq"]


def python_of(peer: str) -> Path:
    """The interpreter of a peer's environment, which is made the first time it is asked for."""
    home = HOME / PEERS[peer].replace("[openai]", "").replace("==", "-")
    interpreter = home / "bin" / "python"
    done = home / "complete"
    if not done.exists():
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run(
            [interpreter, "-m", "pip", "install", "-q", "--disable-pip-version-check", PEERS[peer], *OURS],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        done.touch()
    return interpreter


def run(peer: str, *arguments: object, paths: list[Path], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Runs the interpreter of a peer's environment, with directories it imports from before its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "OPENAI"))}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, paths))
    return subprocess.run(
        [python_of(peer), *map(str, arguments)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )

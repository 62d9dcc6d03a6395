"""cellblock beside the real AutoGen and AG2: its executors in their agents, and who answers to the name autogen."""

import json
import shutil
from pathlib import Path

import pytest

from compat import peers
from model_server import ModelServer

pytestmark = pytest.mark.timeout(300)  # the first run makes two environments

SOURCE = peers.REPOSITORY / "src"
COMPAT = peers.REPOSITORY / "compat" / "autogen" / "src"


@pytest.fixture(params=list(peers.PEERS))
def peer(request):
    peers.python_of(request.param)
    return request.param


def test_executor_in_the_real_conversable_agent(peer, tmp_path):
    script = ["```python\nx = 20\n```\nand\n```python\nx + 1\n```", "```python\nx / 0\n```", "TERMINATE"]
    with ModelServer(list(script)) as server:
        done = peers.run(
            peer, Path(__file__).with_name("peer_chat.py"), server.url, tmp_path, paths=[SOURCE], cwd=tmp_path
        )
    assert done.returncode == 0, done.stderr
    contents = json.loads(done.stdout.splitlines()[-1])  # AutoGen itself prints before it
    assert contents[:4] == ["Count.", script[0], "exitcode: 0 (execution succeeded)\nCode output: \n21", script[1]]
    assert contents[4].startswith("exitcode: 1 (execution failed)\nCode output: ")
    assert "ZeroDivisionError: division by zero" in contents[4]
    assert contents[5:] == ["TERMINATE"]


def test_drop_in_does_not_hide_the_real_one(peer, tmp_path):
    """Even where it comes first on the path."""
    done = peers.run(peer, "-c", "import autogen", paths=[COMPAT, SOURCE], cwd=tmp_path)
    assert done.returncode == 1
    sentence = done.stderr.strip().splitlines()[-1]
    assert sentence.startswith(f"ImportError: cellblock-autogen does not hide {peer} ")
    assert f"`pip uninstall {peer}` to run code written for AutoGen 0.2 on cellblock" in sentence


def test_drop_in_in_the_same_directory_leaves_the_real_one_whole(peer, tmp_path):
    """A module autogen.py stands back behind a package autogen/, of which it overwrites nothing."""
    site = tmp_path / "site"
    real = next((peers.python_of(peer).parents[1] / "lib").glob("python*/site-packages"))
    site.mkdir()
    (site / "autogen").symlink_to(real / "autogen")
    shutil.copytree(COMPAT, site, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    done = peers.run(peer, "-c", "import autogen; print(autogen.__file__)", paths=[site], cwd=tmp_path)
    assert Path(done.stdout.strip()) == site / "autogen" / "__init__.py", done.stderr

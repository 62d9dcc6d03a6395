"""An executor's files: the same three calls on every back end."""

from __future__ import annotations

import contextlib

import pytest

from cellblock import CodeBlock, JupyterCodeExecutor, Sandbox
from cellblock.errors import ConfigError, SessionError
from cellblock.servers.docker import DockerJupyterServer
from cellblock.servers.local import LocalJupyterServer
from docker_engine import BUNDLED, engine_client
from servers.stock import stock_gateway, stock_server


@contextlib.contextmanager
def on_this_process(folder):
    yield {"cwd": folder}


@contextlib.contextmanager
def in_a_sandbox(folder):
    yield {"sandbox": Sandbox(workspace=folder)}


@contextlib.contextmanager
def on_a_local_server(folder):
    with LocalJupyterServer(root_dir=folder, pool=0) as server:
        yield {"jupyter_server": server}


@contextlib.contextmanager
def on_a_stock_server(folder):
    with stock_server(folder / "root") as server:
        yield {"jupyter_server": server.info}


@contextlib.contextmanager
def on_a_gateway(folder):
    with stock_gateway(folder / "root") as server:
        yield {"jupyter_server": server.info}


@contextlib.contextmanager
def in_a_container(_):
    with engine_client(), DockerJupyterServer(**BUNDLED) as server:
        yield {"jupyter_server": server}


BACK_ENDS = [
    on_this_process,
    in_a_sandbox,
    on_a_local_server,
    on_a_stock_server,
    on_a_gateway,
    pytest.param(in_a_container, marks=pytest.mark.docker),
]


def run(executor, code):
    return executor.execute_code_blocks([CodeBlock(code=code, language="python")])


@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_files_go_in_and_come_out(back_end, tmp_path):
    table, folder = tmp_path / "table.csv", tmp_path / "kernel"
    table.write_bytes(b"a,b\n1,\xff\n")
    folder.mkdir()
    with back_end(folder) as options, JupyterCodeExecutor(**options) as executor:
        executor.upload(table)
        executor.upload(str(table), "in/here.csv")
        copied = run(executor, "import pathlib\nfor name in ('table.csv', 'in/here.csv'):\n"
                     "    pathlib.Path(name + '.copy').write_bytes(pathlib.Path(name).read_bytes())")  # fmt: skip
        assert copied.exit_code == 0, copied.output
        assert executor.download("table.csv.copy") == table.read_bytes()
        assert executor.download("in/here.csv.copy") == table.read_bytes()
        assert {"table.csv", "table.csv.copy", "in/here.csv", "in/here.csv.copy"} <= set(executor.list_files())
        for outside in ("../table.csv", str(table)):
            with pytest.raises(ConfigError, match="working directory"):
                executor.download(outside)
            with pytest.raises(ConfigError, match="working directory"):
                executor.upload(table, outside)
        with pytest.raises(ConfigError, match=r"missing\.txt"):
            executor.download("missing.txt")


def test_a_kernel_that_does_not_answer_is_no_reason_to_wait_for_ever(tmp_path):
    with JupyterCodeExecutor(cwd=tmp_path, timeout=1) as executor:
        run(executor, "import builtins, time\nbuiltins.exec = lambda *_: time.sleep(1000)")
        with pytest.raises(SessionError, match=r"could not be asked for its files\. Timeout"):
            executor.list_files()


def test_a_file_of_ours_that_is_not_there(tmp_path):
    with JupyterCodeExecutor(cwd=tmp_path) as executor, pytest.raises(FileNotFoundError):
        executor.upload(tmp_path / "missing")

"""A container that is killed, or stands still, under a running cell."""

import threading
import time

import pytest

from cellblock import CodeBlock
from cellblock.coding.jupyter import JupyterCodeExecutor
from cellblock.errors import CellblockError
from cellblock.servers.docker import DockerJupyterServer
from docker_engine import BUNDLED, bundled_image, engine

__all__ = ["bundled_image", "engine"]

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("bundled_image")]

COUNT = "import time\nfor i in range(200):\n    print(i, flush=True)\n    time.sleep(0.02)"


def run(executor, code):
    return executor.execute_code_blocks([CodeBlock(code=code, language="python")])


def test_a_container_killed_under_a_cell_is_told_at_once(engine, tmp_path):
    began = threading.Event()
    with (
        DockerJupyterServer(**BUNDLED) as server,
        JupyterCodeExecutor(server, output_dir=tmp_path, on_output=lambda _: began.set()) as executor,
    ):
        killed_at = []

        def kill():
            began.wait()
            engine.containers.get(server.container_name).kill()
            killed_at.append(time.monotonic())

        killer = threading.Thread(target=kill)
        killer.start()
        result = run(executor, "import time\nprint('began', flush=True)\ntime.sleep(1000)")
        ended_at = time.monotonic()
        killer.join()
        assert ended_at - killed_at[0] < 3
        assert result.exit_code == 137
        assert result.output.startswith("began\n")
        asked_at = time.monotonic()
        with pytest.raises(CellblockError, match="cannot be reached"):
            run(executor, "1")
        assert time.monotonic() - asked_at < 10


def test_a_container_that_stands_still_for_ten_seconds_loses_nothing(engine, tmp_path):
    began = threading.Event()
    with (
        DockerJupyterServer(**BUNDLED) as server,
        JupyterCodeExecutor(server, output_dir=tmp_path, on_output=lambda _: began.set()) as executor,
    ):

        def pause():
            began.wait()
            container = engine.containers.get(server.container_name)
            container.pause()
            time.sleep(10)
            container.unpause()

        pauser = threading.Thread(target=pause)
        pauser.start()
        result = run(executor, COUNT)
        pauser.join()
        assert result.exit_code == 0
        assert result.output == "".join(f"{i}\n" for i in range(200))

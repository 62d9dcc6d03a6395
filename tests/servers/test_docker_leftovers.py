"""Containers whose program is gone: ended by themselves, or found at the next start."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
import uuid

import pytest

from cellblock.servers.docker import DockerJupyterServer
from cellblock.servers.docker_leftovers import Cleaned, Owner, clean_leftovers, owner_labels, this_process
from docker_engine import BASE_IMAGE, BUNDLED, bundled_image, engine, exists, stock_image

__all__ = ["bundled_image", "engine", "stock_image"]

pytestmark = [pytest.mark.docker(alone=True), pytest.mark.usefixtures("bundled_image")]

HERE = this_process()


def ended_process():
    """The id of a process that was, and is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def labels_of(**changes):
    """The labels of a container whose owner differs in some ways from this process."""
    labels = owner_labels(keep=False)
    return labels | {f"cellblock.owner.{name}": str(value) for name, value in changes.items()}


@contextlib.contextmanager
def container_of(engine, labels):
    container = engine.containers.run(BASE_IMAGE, ["sleep", "600"], detach=True, init=True, labels=labels)
    try:
        yield container
    finally:
        if exists(engine, container.name):
            container.remove(force=True)


def own_program(arguments, rest):
    """Starts a program that makes a server, prints a line, and does the rest."""
    code = (
        "import time\n"
        "from cellblock.servers.docker import DockerJupyterServer\n"
        f"server = DockerJupyterServer(**{arguments!r})\n"
        f"print('ready', flush=True)\n{rest}"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.stdout.close()
    return process


@pytest.mark.parametrize("sudden", [False, True])
def test_a_container_ends_with_its_program(engine, sudden):
    """Also when the program is killed and can do nothing about it."""
    name = f"cellblock-test-{uuid.uuid4()}"
    process = own_program({**BUNDLED, "container_name": name}, "time.sleep(600)" if sudden else "")
    if sudden:
        container = engine.containers.get(name)
        process.kill()
        container.wait(condition="removed", timeout=20)
    process.wait(timeout=20)
    assert not exists(engine, name)


HOLDS = "import glob\nheld = [open(name, 'r+b', buffering=0) for name in glob.glob('/proc/1/fd/0')]\nprint(len(held), 'held')"


def test_code_that_holds_the_way_by_which_its_container_hears_of_the_end_does_not_keep_it(engine):
    name = f"cellblock-test-{uuid.uuid4()}"
    rest = (
        "from cellblock import Session\n"
        "from cellblock.kernels.remote import RemoteKernel\n"
        "session = Session(RemoteKernel(server.connection_info))\n"
        f"assert session.run({HOLDS!r}).outputs[0].text == '1 held\\n'\n"
        "open('held', 'w').close()\n"
        "time.sleep(600)"
    )
    with tempfile.TemporaryDirectory(prefix="cb-") as folder:
        process = own_program({**BUNDLED, "container_name": name}, f"import os; os.chdir({folder!r})\n{rest}")
        container = engine.containers.get(name)
        while not os.path.exists(f"{folder}/held"):  # noqa: PTH110
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
        container.wait(condition="removed", timeout=20)
        process.wait(timeout=20)
    assert not exists(engine, name)


def test_stop_container_false_leaves_it_running(engine):
    name = f"cellblock-test-{uuid.uuid4()}"
    process = own_program({**BUNDLED, "container_name": name, "stop_container": False}, "")
    assert process.wait(timeout=20) == 0
    container = engine.containers.get(name)
    assert container.status == "running"
    assert clean_leftovers() == Cleaned()
    container.remove(force=True)


def test_the_next_start_removes_what_a_killed_program_left_of_a_custom_image(engine, stock_image):
    name = f"cellblock-test-{uuid.uuid4()}"
    process = own_program({"custom_image_name": stock_image, "container_name": name}, "time.sleep(600)")
    process.kill()
    process.wait()
    assert engine.containers.get(name).status == "running"
    with DockerJupyterServer(**BUNDLED):
        assert not exists(engine, name)


def test_cleaning_removes_what_belongs_to_nobody_and_nothing_else(engine):
    gone = {"pid": ended_process(), "started": "1"}
    with (
        container_of(engine, labels_of(**gone)) as leftover,
        container_of(engine, labels_of(**gone) | {"cellblock.keep": "yes"}) as kept,
        container_of(engine, owner_labels(keep=False)) as ours,
        container_of(engine, labels_of(**gone, host="elsewhere")) as another_machines,
        container_of(engine, {"team": "a"}) as somebodys,
    ):
        assert clean_leftovers() == Cleaned(removed=(leftover.name,), stopped=(kept.name,))
        assert not exists(engine, leftover.name)
        kept.reload()
        assert kept.status == "exited"
        assert clean_leftovers() == Cleaned()
        for container in (ours, another_machines, somebodys):
            container.reload()
            assert container.status == "running"


@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ({}, False),
        ({"started": "1"}, True),  # the process id is another process's now
        ({"boot": "an earlier one"}, True),
        ({"namespace": "pid:[1]", "pid": 999_999_999}, False),  # a process of another container's
        ({"host": "elsewhere", "pid": 999_999_999}, False),
        ({"pid": 1, "started": HERE.started}, True),
    ],
)
def test_an_owner_is_gone_only_if_it_surely_is(changes, gone):
    assert Owner.of(labels_of(**changes)).is_gone() is gone


def test_an_owner_that_ended_is_gone():
    assert Owner.of(labels_of(pid=ended_process())).is_gone()


def test_labels_that_name_no_owner_are_nobodys():
    assert Owner.of({}) is None
    assert Owner.of(labels_of(pid="x")) is None
    assert Owner.of(owner_labels(keep=True)) == HERE
    assert os.getpid() == HERE.pid

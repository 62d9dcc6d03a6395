"""The provisioner of forked kernels: as Jupyter's own, in the hands of stock servers."""

from __future__ import annotations

import ast
import asyncio
import os
import signal
import subprocess
import sys
import time

import jupyter_kernel_test
import psutil
import pytest

from cellblock import Session
from cellblock.kernels import provisioner
from cellblock.kernels.forkserver.client import end_fork_servers
from cellblock.kernels.remote import RemoteKernel
from cellblock.testing import ProvisionerContract
from cellblock.testing.provisioner_contract import evaluate, kernel
from kernelspecs import KernelSpecs
from servers.stock import stock_gateway, stock_server

NAME = "cellblock-forked"
ARGV = [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]


def provisioned(preload=()):
    config = {"preload": list(preload)}
    provisioner = {"provisioner_name": "cellblock-forkserver", "config": config}
    return {"debugger": True, "kernel_provisioner": provisioner}


@pytest.fixture(scope="module", autouse=True)
def _kernelspecs(kernelspecs):
    kernelspecs.add(NAME, ARGV, metadata=provisioned())
    kernelspecs.add(f"{NAME}-numpy", ARGV, metadata=provisioned(["numpy"]))
    kernelspecs.add(f"{NAME}-env", ARGV, metadata=provisioned(), env={"PYTHONHASHSEED": "7"})
    kernelspecs.add(f"{NAME}-slow", ARGV, metadata=provisioned(["slow_package"]))
    kernelspecs.add(f"{NAME}-refused", ARGV, metadata=provisioned(["no_such_package"]))


@pytest.fixture(autouse=True)
def _own_servers():
    yield
    end_fork_servers()


async def parent_name(client):
    return psutil.Process(int(await evaluate(client, "__import__('os').getppid()"))).name()


class TestContract(ProvisionerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def kernel_name(cls):
        return NAME


class KernelSuite(jupyter_kernel_test.KernelTests):
    """Jupyter's own suite for kernels."""

    kernel_name = NAME
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('test', file=sys.stderr)"
    code_page_something = "zip?"
    code_generate_error = "raise Exception"
    code_execute_result = [  # noqa: RUF012 - the suite's form
        {"code": "1+2+3", "result": "6"},
        {"code": "[n*n for n in range(1, 4)]", "result": "[1, 4, 9]"},
    ]
    code_display_data = [  # noqa: RUF012
        {"code": "from IPython.display import HTML, display; display(HTML('<b>b</b>'))", "mime": "text/html"}
    ]
    completion_samples = [{"text": "zi", "matches": {"zip"}}]  # noqa: RUF012
    complete_code_samples = ["1", "def f(): pass\n"]  # noqa: RUF012
    incomplete_code_samples = ["def f():", "print('''"]  # noqa: RUF012
    invalid_code_samples = ["import = 7q"]  # noqa: RUF012
    code_inspect_sample = "zip"
    supported_history_operations = ("tail", "range", "search")
    code_history_pattern = "1?2*"
    code_clear_output = "from IPython.display import clear_output; clear_output()"

    def history_helper(self, execute_first, **query):
        """The suite's, with the running session called by its number: IPython answers a range of it with 0."""
        reply = super().history_helper(execute_first, **query)
        if query["hist_access_type"] == "range":
            history = reply["content"]["history"]
            assert {session for session, *_ in history} == {0}
            reply["content"]["history"] = [(query["session"], *rest) for _, *rest in history]
        return reply


@pytest.mark.anyio
async def test_kernels_are_forked_with_what_is_preloaded():
    async with kernel(f"{NAME}-numpy") as (_, client):
        assert await parent_name(client) == "cellblock-forks"
        assert await evaluate(client, "'numpy' in __import__('sys').modules") == "True"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "options"),
    [(f"{NAME}-env", {}), (f"{NAME}-refused", {}), (NAME, {"close_fds": True}), (NAME, {"stdout": subprocess.PIPE})],
    ids=["variable read at a start", "refused package", "option of a start", "pipe"],
)
async def test_what_cannot_be_forked_is_started(name, options):
    async with kernel(name, **options) as (manager, client):
        assert await parent_name(client) != "cellblock-forks"
        assert manager.provisioner.process.pid == int(await evaluate(client, "__import__('os').getpid()"))


@pytest.mark.anyio
async def test_packages_that_take_too_long_are_not_waited_for(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "awaited")
    (tmp_path / "slow_package.py").write_text(f"open({str(tmp_path / 'awaited')!r})")  # until somebody writes
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]).rstrip(":"))
    monkeypatch.setattr(provisioner, "_IMPORT_TIMEOUT", 0.01)
    async with kernel(f"{NAME}-slow") as (_, client):
        assert await parent_name(client) != "cellblock-forks"


@pytest.mark.anyio
async def test_the_connection_file_and_the_arguments_are_the_kernels_own():
    """As magics and programs that are started from a cell rely on."""
    async with kernel(NAME) as (manager, client):
        file = await asyncio.to_thread(os.path.realpath, manager.connection_file)
        program, *arguments = ast.literal_eval(await evaluate(client, "__import__('sys').argv"))
        assert program.endswith("/ipykernel_launcher.py")
        assert arguments == ["-f", file]
        assert await evaluate(client, "__import__('ipykernel').get_connection_file()") == repr(file)


@pytest.mark.anyio
async def test_what_the_process_itself_writes_goes_where_it_was_sent(tmp_path):
    with (tmp_path / "log").open("wb") as log:
        async with kernel(NAME, stderr=log) as (_, client):
            await evaluate(client, "__import__('os').write(2, b'written')")
    assert "written" in (tmp_path / "log").read_text()


@pytest.mark.anyio
@pytest.mark.parametrize("code", [7, -signal.SIGTERM])
async def test_the_exit_code_is_reported(code):
    async with kernel(NAME) as (manager, client):
        end = f"os._exit({code})" if code > 0 else f"os.kill(os.getpid(), {-code})"
        client.execute(f"import os; {end}")
        async with asyncio.timeout(10):
            while (ended := await manager.provisioner.poll()) is None:  # noqa: ASYNC110 - it is what servers do
                await asyncio.sleep(0.01)
        assert ended == code


@pytest.mark.anyio
async def test_a_kernel_outlives_its_fork_server_and_its_end_is_noticed():
    async with kernel(NAME) as (manager, client):
        server = int(await evaluate(client, "__import__('os').getppid()"))
        os.kill(server, signal.SIGKILL)
        assert await evaluate(client, "6 * 7") == "42"
        client.execute("import os; os._exit(0)")
        async with asyncio.timeout(10):
            while await manager.is_alive():  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@pytest.mark.anyio
async def test_the_debugger_comes_on_demand():
    """debugpy is not imported until somebody debugs, and then sets breakpoints."""

    async def ask(client, command, arguments=None):
        request = {"type": "request", "seq": 1, "command": command, "arguments": arguments or {}}
        message = client.session.msg("debug_request", request)
        client.control_channel.send(message)
        while True:
            reply = await client.get_control_msg(timeout=30)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return reply["content"]

    async with kernel(NAME) as (_, client):
        info = await client.kernel_info(reply=True)
        assert "debugger" in info["content"]["supported_features"]
        assert await evaluate(client, "'debugpy' in __import__('sys').modules") == "False"
        assert (await ask(client, "debugInfo"))["body"]["isStarted"] is False
        assert (await ask(client, "initialize", {"clientID": "test", "adapterID": ""}))["success"]
        assert (await ask(client, "attach", {"justMyCode": False}))["success"]
        source = (await ask(client, "dumpCell", {"code": "def f():\n    return 41 + 1\n"}))["body"]["sourcePath"]
        breakpoints = {"source": {"path": source}, "breakpoints": [{"line": 2}]}
        assert (await ask(client, "setBreakpoints", breakpoints))["body"]["breakpoints"][0]["verified"]
        assert (await ask(client, "disconnect", {"restart": False, "terminateDebuggee": False}))["success"]


@pytest.mark.parametrize("stock", [stock_server, stock_gateway])
def test_stock_servers_use_it_and_leave_nothing_when_they_are_killed(stock, tmp_path):
    KernelSpecs(tmp_path / "server" / "path").add(NAME, ARGV, metadata=provisioned())
    with stock(tmp_path / "server") as server, Session(RemoteKernel(server.info, NAME), timeout=60) as session:
        pid = int(session.run("import os; os.getpid()").text)
        assert session.run("6 * 7").text == "42"
        parent = psutil.Process(pid).parent()
        assert parent.name() == "cellblock-forks"
        assert parent.ppid() == server.process.pid
        session.restart()
        assert session.run("'os' in globals()").text == "False"  # which the first cell imported
        processes = psutil.Process(server.process.pid).children(recursive=True)
        server.process.kill()
        server.process.wait()
        until = time.monotonic() + 5
        while any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes):
            assert time.monotonic() < until
            time.sleep(0.01)

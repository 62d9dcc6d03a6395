"""A local server with a sandbox: each of its kernels is confined, and without bubblewrap there is no server."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest

from cellblock import CodeBlock, JupyterCodeExecutor, Sandbox, Session
from cellblock._core.contents_api import serves_contents
from cellblock.background import background_loop
from cellblock.cli.sandbox_cases.host import Host
from cellblock.cli.sandbox_cases.runner import try_cases
from cellblock.cli.sandbox_cases.table import ALL_CASES
from cellblock.cli.sandbox_check import LIMITS
from cellblock.errors import CellblockError, ConfigError, SandboxUnavailable
from cellblock.kernels.remote import RemoteKernel
from cellblock.kernels.sandbox import find_bubblewrap
from cellblock.servers.local import LocalJupyterServer
from cellblock.session import AsyncSession
from cellblock.transports.rest import AsyncJupyterClient
from kernelspecs import kernelspecs

__all__ = ["kernelspecs"]

TRIED = {
    "own_environment",
    "environments_of_processes",
    "file_of_the_user",
    "unix_socket",
    "write_outside",
    "filter_of_system_calls",
    "privileges",
    "interfaces",
    "service_of_the_host",
    "host_that_is_not_allowed",
    "processes_of_the_host",
    "signal_a_process",
    "pretend_to_be_done",
    "live_longer_than_the_session",
}


@pytest.fixture(scope="module")
def server(kernelspecs):
    kernelspecs.add("elsewhere", [sys.executable, "-c", "print('ran')"])
    provisioner = {"kernel_provisioner": {"provisioner_name": "local-provisioner"}}
    python = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernelspecs.add("provisioned", python, metadata=provisioner)
    with LocalJupyterServer(sandbox=Sandbox(env={"GREETING": "hello"})) as server:
        yield server


def run(executor, code):
    return executor.execute_code_blocks([CodeBlock(language="python", code=code)])


def printed(executor, code):
    return "".join(output.text for output in run(executor, code).outputs)


@pytest.mark.anyio
async def test_its_kernels_hold_what_sandboxes_hold():
    with contextlib.ExitStack() as servers:

        def make_kernel(workspace):
            server = servers.enter_context(LocalJupyterServer(sandbox=Sandbox(workspace=workspace)))
            return RemoteKernel(server.connection_info)

        with Host(LIMITS.limits, is_plain=False) as host:
            cases = [case for case in ALL_CASES if case.name in TRIED]
            outcomes = [outcome async for outcome in try_cases(cases, make_kernel, host)]
            servers.close()
    assert {outcome.case.name for outcome in outcomes} == TRIED
    assert {outcome.case.name: outcome.got_through for outcome in outcomes if not outcome.held} == {}


def test_an_executor_runs_interrupts_and_restarts_there(server, tmp_path):
    with JupyterCodeExecutor(server, output_dir=tmp_path, timeout=1) as executor:
        assert printed(executor, "import os; print(os.getcwd(), os.environ['GREETING'])") == "/workspace hello\n"
        assert run(executor, "x = 7\nimport time; time.sleep(60)").exit_code == 124
        assert printed(executor, "_ = open('kept', 'w').write(str(x))\nprint(x)") == "7\n"
        executor.restart()
        assert printed(executor, "print(open('kept').read())") == "7\n"


def test_each_kernel_has_a_workspace_that_ends_with_it(server, tmp_path):
    with JupyterCodeExecutor(server, output_dir=tmp_path) as one, JupyterCodeExecutor(server) as other:
        run(one, "open('mine', 'w').close()")
        assert printed(other, "import os; print(os.path.exists('mine'))") == "False\n"


def test_a_kernel_that_dies_is_told_and_replaced(server, tmp_path):
    with JupyterCodeExecutor(server, output_dir=tmp_path) as executor:
        assert run(executor, "import os; os._exit(3)").exit_code == 137
        assert printed(executor, "print('again')") == "again\n"


def test_pages_of_its_kernels_run_no_script_by_themselves(server, tmp_path):
    with JupyterCodeExecutor(server, output_dir=tmp_path) as executor:
        (file,) = run(executor, "display({'text/html': '<script>fetch(1)</script>'}, raw=True)").output_files
    assert "<script>fetch(1)" not in Path(file).read_text(encoding="utf-8")


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["bash", "elsewhere"])
async def test_a_kernel_that_cannot_be_confined_is_refused(server, name):
    async with AsyncSession(RemoteKernel(server.connection_info, name), timeout=30) as session:
        with pytest.raises(CellblockError, match="A sandbox runs Python kernels"):
            await session.start()


def test_a_kernelspec_cannot_name_another_way_to_start(server):
    with Session(RemoteKernel(server.connection_info, "provisioned"), timeout=30) as session:
        assert session.run("import os; print(os.getcwd())").outputs[0].text == "/workspace\n"


def test_it_serves_no_files(server):
    """Those of its folder are not what its kernels see, and a workspace is read in other ways."""
    client = AsyncJupyterClient(server.connection_info, keep_connections=False)
    assert background_loop().call(client.call(serves_contents())) is False


def test_without_bubblewrap_there_is_no_server(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    find_bubblewrap.find_bubblewrap.cache_clear()
    try:
        with pytest.raises(
            SandboxUnavailable, match=r"bubblewrap is not installed\. Install it: `apt install bubblewrap`"
        ):
            LocalJupyterServer(sandbox=Sandbox())
    finally:
        find_bubblewrap.find_bubblewrap.cache_clear()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"sandbox": Sandbox(), "pool": 1}, "A server's kernels are either confined or started ahead"),
        ({"sandbox": Sandbox(on_request=print)}, "the server's log has what its kernels asked for"),
    ],
)
def test_what_does_not_go_with_a_sandbox_is_said(arguments, sentence):
    with pytest.raises(ConfigError, match=sentence):
        LocalJupyterServer(**arguments)


def test_the_log_has_what_its_kernels_asked_the_network_for(server):
    with Session(RemoteKernel(server.connection_info)) as session:
        session.run("import urllib.request\nurllib.request.urlopen('https://example.com/')")
    assert "Blocked by cellblock (example.com is not in allow_hosts)" in server.log_file.read_text()


def test_the_log_holds_no_variable_of_the_sandbox(tmp_path):
    log = tmp_path / "log"
    sandbox = Sandbox(env={"TOKEN": "hunter2"})
    with (
        LocalJupyterServer(log_file=log, log_level="DEBUG", sandbox=sandbox) as server,
        JupyterCodeExecutor(server) as executor,
    ):
        assert printed(executor, "import os; print(os.environ['TOKEN'])") == "hunter2\n"
    assert "ConfinedKernels" in log.read_text()  # it does log its settings
    assert "hunter2" not in log.read_text()


def test_a_link_that_a_kernel_makes_lead_elsewhere_is_not_followed_for_the_next(tmp_path):
    workspace, secret = tmp_path / "workspace", tmp_path / "secret"
    for folder in (workspace / "data", secret):
        folder.mkdir(parents=True)
    (workspace / "named").symlink_to("data")
    with LocalJupyterServer(sandbox=Sandbox(workspace=workspace, read_only=[workspace / "named"])) as server:
        with Session(RemoteKernel(server.connection_info)) as session:
            session.run(f"import os; os.unlink('named'); os.symlink({str(secret)!r}, 'named')")
        with (
            pytest.raises(CellblockError, match="not any more what it was"),
            Session(RemoteKernel(server.connection_info)) as session,
        ):
            session.run("1")

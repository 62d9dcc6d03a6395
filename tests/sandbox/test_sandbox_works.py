"""What people do in notebooks works in a sandbox."""

import ast
import sys
import textwrap

import pytest

from cellblock.errors import SandboxUnavailable

pytestmark = pytest.mark.anyio

_WORKING = {
    "science": """
import numpy, pandas
int((numpy.ones((200, 200)) @ numpy.ones((200, 200))).sum()) == 8_000_000 and len(pandas.DataFrame({'a': [1, 2]})) == 2
""",
    "subprocess": "import subprocess\nsubprocess.run(['sh', '-c', 'echo $((6*7))'], capture_output=True).stdout == b'42\\n'",
    "shell": "lines = !echo one; echo two\nlist(lines) == ['one', 'two']",
    "python_as_a_program": """
import subprocess, sys
program = 'import numpy; print(numpy.arange(3).sum())'
subprocess.run([sys.executable, '-c', program], capture_output=True).stdout == b'3\\n'
""",
    "process_pool": """
from concurrent.futures import ProcessPoolExecutor
with ProcessPoolExecutor(2) as pool:
    answer = list(pool.map(abs, [-1, -2]))
answer == [1, 2]
""",
    "forking": """
import multiprocessing
with multiprocessing.get_context('fork').Pool(2) as pool:
    answer = pool.map(abs, [-1, -2])
answer == [1, 2]
""",
    "manager_and_shared_memory": """
import multiprocessing, multiprocessing.shared_memory
with multiprocessing.Manager() as manager:
    shared = manager.dict(a=1)
    memory = multiprocessing.shared_memory.SharedMemory(create=True, size=1000)
    memory.buf[0] = 7
    answer = shared['a'] + memory.buf[0]
    memory.close(); memory.unlink()
answer == 8
""",
    "threads": """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool:
    answer = sum(pool.map(abs, range(-100, 0)))
answer == 5050
""",
    "sqlite": """
import sqlite3
with sqlite3.connect('base.db') as base:
    base.execute('create table t (x)'); base.execute('insert into t values (42)')
    answer = base.execute('select x from t').fetchone()
base.close()
answer == (42,)
""",
    "server_on_loopback": """
import http.server, threading, urllib.request
server = http.server.HTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
answer = urllib.request.urlopen(f'http://127.0.0.1:{server.server_port}/').status
server.shutdown(); server.server_close()
answer == 200
""",
    "orphans_and_zombies": """
import os, time
for _ in range(5):
    if os.fork() == 0:
        if os.fork() == 0:
            time.sleep(0.01)
        os._exit(0)
    os.wait()
def is_unreaped(process):
    try:
        return open(f'/proc/{process}/stat').read().split()[2] == 'Z'
    except OSError:  # gone meanwhile
        return False
def unreaped():
    return [n for n in os.listdir('/proc') if n.isdigit() and is_unreaped(n)]
until = time.monotonic() + 10
while unreaped() and time.monotonic() < until:
    time.sleep(0.02)
not unreaped()
""",
    "asyncio": """
import asyncio
shown = await asyncio.create_subprocess_exec('echo', 'x', stdout=-1)
(await shown.communicate())[0] == b'x\\n'
""",
    "terminals": "import os, pty\nos.close(pty.openpty()[0])\nTrue",
    "callbacks_from_c": """
import ctypes
kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
numbers = (ctypes.c_int * 3)(3, 1, 2)
ctypes.CDLL(None).qsort(numbers, 3, 4, kind(lambda a, b: a[0] - b[0]))
list(numbers) == [1, 2, 3]
""",
    "temporary_files": """
import tempfile
with tempfile.NamedTemporaryFile('w+') as file:
    answer = file.write('abc')
answer == 3
""",
    "time_and_users": """
import getpass, os, time
getpass.getuser() == 'user' and os.path.expanduser('~') == '/home/user' and time.time() > 1e9
""",
}


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.mark.parametrize("env", [{}, {"LC_ALL": "C.UTF-8"}], ids=["forked", "spawned"])
async def test_work(make_session, env):
    async with make_session(env=env) as session:
        failed = {}
        for name, code in _WORKING.items():
            result = await session.run(code, timeout=60)
            if not result.text.endswith("True"):
                failed[name] = result.text
    assert not failed


async def test_a_plot_is_shown(session):
    result = await session.run("import matplotlib.pyplot as plt\n_ = plt.plot([1, 2])", timeout=60)
    assert "image/png" in result.outputs[-1].data


async def test_a_kernel_sees_its_workspace_and_its_variables_only(make_session, tmp_path):
    (tmp_path / "data.txt").write_text("mine")
    async with make_session(workspace=tmp_path, env={"TOKEN": "for you"}) as session:
        result = await session.run("import os\n(open('data.txt').read(), os.environ['TOKEN'], os.getcwd())")
        assert result.text == "('mine', 'for you', '/workspace')"


async def test_read_only_files_are_read_and_not_written_also_within_the_workspace(make_session, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "x").write_text("given")
    async with make_session(workspace=tmp_path, read_only=[data]) as session:
        assert (await session.run(f"open('{data}/x').read() == open('data/x').read() == 'given'")).text == "True"
        for path in (f"{data}/x", "data/x"):
            result = await session.run(f"open({path!r}, 'w')")
            assert result.error.ename == "OSError"
            assert "Read-only: in the sandbox only /workspace" in result.text


async def test_the_kernels_own_modules_are_not_the_workspaces(make_session, tmp_path):
    (tmp_path / "json.py").write_text("raise SystemExit('hijacked')")
    async with make_session(workspace=tmp_path) as session:
        assert (await session.run("6 * 7")).text == "42"


async def test_the_workspace_of_a_session_lasts_through_restarts_and_goes_with_it(make_session):
    async with make_session() as session:
        await session.run("open('kept', 'w').write('x')")
        await session.restart()
        assert (await session.run("open('kept').read()")).text == "'x'"
        workspace = session.kernel._launcher.workspace
        assert workspace.exists()
    assert not workspace.exists()


@pytest.mark.parametrize("env", [{}, {"LC_ALL": "C.UTF-8"}], ids=["forked", "spawned"])
async def test_a_kernel_looks_for_modules_where_no_sandbox_writes_but_its_own(make_session, env, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with make_session(env=env) as session:
        folders = ast.literal_eval((await session.run("import sys\nsys.path")).text)
    own = tuple({sys.prefix, sys.base_prefix, "/usr/"})
    assert [folder for folder in folders if not folder.startswith(own)] == ["/workspace/.site", ""]


async def test_proc_tells_nothing_of_the_machine(session):
    """Neither by what is hidden, nor by what is left to root."""
    code = """
        from pathlib import Path
        told = []
        hidden = "keys key-users timer_list kallsyms config.gz cmdline modules iomem ioports"
        for name in f"{hidden} kcore kpagecount kpageflags".split():
            try:
                told += [name] if Path("/proc", name).read_bytes() else []
            except (FileNotFoundError, PermissionError):
                pass
        told
    """
    assert (await session.run(textwrap.dedent(code))).text == "[]"


@pytest.mark.parametrize("env", [{}, {"LC_ALL": "C.UTF-8"}], ids=["forked", "spawned"])
async def test_a_sandbox_that_cannot_be_built_says_why_and_the_next_can(make_session, env, tmp_path):
    """The forked kernel may be in there already."""
    shown = tmp_path / "shown"
    shown.mkdir()
    async with make_session(env=env, read_only=[shown]) as session:
        shown.rmdir()
        with pytest.raises(SandboxUnavailable, match=r"its sandbox could not be built: .*shown"):
            await session.run("1")
        shown.mkdir()
        assert (await session.run("6 * 7")).text == "42"

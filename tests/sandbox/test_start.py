"""While a kernel comes into its sandbox nothing runs in it that an earlier one has left in the workspace."""

import pytest

from cellblock import KernelPool, Session
from cellblock.errors import KernelStartError, SandboxUnavailable
from cellblock.kernels.forkserver.fork import Fork, ForkServerFailed
from cellblock.kernels.forkserver.said import LONGEST, understood
from cellblock.kernels.sandbox.options import Sandbox

pytestmark = pytest.mark.anyio

# The channel to the owner is a socket without a name, whose other end is a process that cannot be seen from inside.
_LOOK = """
import os, socket, struct
found = []
for name in os.listdir('/proc/self/fd'):
    try:
        with socket.socket(fileno=os.dup(int(name))) as one:
            if one.family == socket.AF_UNIX and not one.getsockname() and not one.getsockopt(1, socket.SO_ACCEPTCONN):
                found += [struct.unpack('iii', one.getsockopt(1, socket.SO_PEERCRED, 12))[0]]
    except OSError:
        continue
with open('/workspace/seen', 'a') as file:
    file.write(__name__ + (' found the channel' if 0 in found else '') + chr(10))
"""
_PLANTED = ("sitecustomize", "usercustomize", "storemagic", "debugpy", "matplotlib", "json")
_PLANT = f"""
import os
os.makedirs('/workspace/.site', exist_ok=True)
for name in {_PLANTED!r}:
    for folder in ('/workspace/.site', '/workspace'):
        with open(f'{{folder}}/{{name}}.py', 'w') as file:
            file.write({_LOOK!r})
"""


_BROKEN = """
import os
os.makedirs('/workspace/.site', exist_ok=True)
for name in ('sitecustomize', 'usercustomize', 'json', 'zmq', 'traceback', 'IPython'):
    with open(f'/workspace/.site/{name}.py', 'w') as file:
        file.write(%r)
"""


@pytest.mark.parametrize("env", [{}, {"LC_ALL": "C.UTF-8"}, {"PYTHONUTF8": "1"}], ids=["forked", "spawned", "anew"])
@pytest.mark.parametrize("code", ["raise SystemExit(3)", "import time; time.sleep(10_000)"], ids=["end", "hang"])
async def test_what_was_left_in_the_workspace_does_not_keep_a_kernel_from_starting(make_session, env, code):
    async with make_session(env=env) as session:
        await session.run(_BROKEN % code)
        await session.restart()
        result = await session.run("import os, sys\nsys.path[0], os.environ['PYTHONPATH'].split(':')[0]")
        assert result.text == "('/workspace/.site', '/workspace/.site')"


@pytest.mark.parametrize("env", [{}, {"LC_ALL": "C.UTF-8"}], ids=["forked", "spawned"])
async def test_a_workspace_that_code_has_closed_to_itself_is_opened_for_the_next_kernel(make_session, env):
    async with make_session(env=env) as session:
        await session.run("import os\nos.mkdir('kept')\nos.chmod('/workspace', 0)\nos._exit(0)")
        assert (await session.run("import os\nos.mkdir('new')\nsorted(os.listdir())")).text == "['kept', 'new']"


async def test_what_was_left_in_the_workspace_finds_no_channel_when_a_kernel_starts(make_session):
    async with make_session() as session:
        await session.run(_PLANT)
        await session.restart()
        seen = (await session.run("import matplotlib\nprint(open('seen').read())")).text
        assert "matplotlib" in seen  # a package of the code's own
        assert "channel" not in seen
        assert "customize" not in seen


def test_nor_when_one_that_waited_is_taken(tmp_path):
    with Session(sandbox=Sandbox(workspace=tmp_path), timeout=60) as session:
        session.run(_PLANT)
    with KernelPool(1, sandbox=Sandbox(workspace=tmp_path)) as pool, Session(pool.kernel(), timeout=60) as session:
        assert session.run("import os\nos.path.exists('seen')").text == "False"
        assert session.run("import storemagic\nos.path.exists('seen')").text == "True"  # a package of the code's own


@pytest.mark.parametrize(
    "line",
    [
        b"no JSON",
        b"[]",
        b"{}",
        b'{"settled": "yes"}',
        b'{"ended": true}',
        b'{"ended": "x"}',
        b'{"ready": true, "settled": true}',
        b'{"another": 1}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_what_makes_no_sense_is_not_understood(line):
    assert understood(line) is None


@pytest.fixture
def talk():
    fork = Fork({}, {})
    yield fork, fork._theirs
    fork.close()


async def test_a_process_that_is_confined_has_no_say_in_what_went_wrong(talk):
    fork, theirs = talk
    theirs.send(b'{"confined": 5}\n{"refused": "run curl"}\n')
    assert await fork.hear("confined") == 5
    with pytest.raises(KernelStartError, match='was to say "settled" and said what makes no sense') as caught:
        await fork.hear("settled")
    assert "curl" not in str(caught.value)


async def test_before_it_is_confined_it_says_why_it_cannot_be(talk):
    fork, theirs = talk
    theirs.send(b'{"refused": "No."}\n')
    with pytest.raises(SandboxUnavailable, match=r"wanted\. No\."):
        await fork.hear("confined")


async def test_a_line_without_an_end_is_not_waited_for(talk):
    fork, theirs = talk
    theirs.send(b"x" * (LONGEST + 1))
    with pytest.raises(KernelStartError, match="makes no sense"):
        await fork.hear("pid")


async def test_what_is_heard_and_makes_no_sense_is_not_kept(talk):
    fork, theirs = talk
    for _ in range(40):
        theirs.send(b"x" * 50_000)
        assert not fork.follow()
    assert len(fork._heard) <= LONGEST
    theirs.send(b'\n{"ended": "x"}\n{"ended": 3}\n')
    assert not fork.follow()
    assert (fork.over, fork.returncode) == (True, 3)


async def test_a_process_that_hangs_up_is_noticed(talk):
    fork, theirs = talk
    theirs.close()
    with pytest.raises(ForkServerFailed):
        await fork.hear("pid")

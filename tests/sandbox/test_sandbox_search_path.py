"""A forked kernel in a sandbox looks for modules where one does that was started there."""

from pathlib import Path

import cellblock
from cellblock import Sandbox, Session
from cellblock.kernels.sandbox.joined_process import JoinedProcess

_PROJECT = Path(cellblock.__file__).parents[
    1
]  # a ``.pth`` file names it where the project is installed to be worked on
_LOOKS_IN = "import sys, importlib.util as u\nsys.path, getattr(u.find_spec('cellblock'), 'origin', None)"


def _looks_in(*, forked, **options):
    env = {} if forked else {"LC_ALL": "C.UTF-8"}  # which is read at a start
    with Session(sandbox=Sandbox(env=env, **options)) as session:
        found = session.run(_LOOKS_IN)
        assert found.ok
        assert isinstance(session.kernel._process, JoinedProcess) is forked
        return found.text


def test_a_project_that_the_sandbox_may_read_is_found_where_a_pth_file_names_it():
    assert _looks_in(forked=True, read_only=[_PROJECT]) == _looks_in(forked=False, read_only=[_PROJECT])


def test_a_project_that_it_may_not_read_is_not():
    found = _looks_in(forked=True)
    assert found == _looks_in(forked=False)
    assert str(_PROJECT / "cellblock") not in found

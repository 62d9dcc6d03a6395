"""The blocking session where programs use it: threads, event loops, notebooks, forked children, and its end."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from pathlib import Path

import psutil
import pytest

from cellblock._core.outputs import ResultOutput
from cellblock._core.results import CellStatus
from cellblock.blocking import Session
from cellblock.errors import ConfigError, SessionClosed

PID = "import os; os.getpid()"


@pytest.fixture(scope="module")
def session():
    with Session(timeout=30) as session:
        session.start()
        yield session


def value(result):
    (value,) = [o.data["text/plain"] for o in result.outputs if isinstance(o, ResultOutput)]
    return value


def comes_true(condition, within=5.0):
    until = time.monotonic() + within
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def is_gone(pid):
    def gone():
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return comes_true(gone)


def run_python(script, *arguments):
    """What a program of a user's prints, one word a line."""
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stderr == ""
    assert ran.returncode == 0
    return ran.stdout.split()


def test_it_has_what_the_asynchronous_one_has(session):
    assert (session.status, session.generation, session.kernel.name) == ("idle", 1, "python3")
    assert value(session.run("6 * 7")) == "42"
    assert value(session.run("1", user_expressions={"a": "2"})) == "1"
    seen = []
    session.run("print('seen')", on_output=seen.append)
    assert seen[0].text == "seen\n"


def test_it_works_from_a_thread(session):
    results = []
    thread = threading.Thread(target=lambda: results.append(session.run("'from a thread'")))
    thread.start()
    thread.join()
    assert value(results[0]) == "'from a thread'"


def test_sessions_of_several_threads_run_side_by_side():
    """Each cell sleeps; together they take hardly longer than one."""
    sessions = [Session(timeout=60) for _ in range(4)]
    try:
        threads = [threading.Thread(target=session.start) for session in sessions]
        run_all(threads)
        began = time.monotonic()
        run_all([threading.Thread(target=s.run, args=("import time; time.sleep(1)",)) for s in sessions])
        assert time.monotonic() - began < 3
    finally:
        for session in sessions:
            session.close()


def run_all(threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_it_works_inside_a_running_event_loop(session):
    async def program():
        return session.run("'inside a loop'")

    assert value(asyncio.run(program())) == "'inside a loop'"


NOTEBOOK = """
import nbformat, sys
from nbclient import NotebookClient
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(sys.argv[1])])
NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
(output,) = notebook.cells[0].outputs
print(output.text)
"""


def test_it_works_inside_a_notebook():
    """Whose kernel runs an event loop, and has streams and a stdin of its own."""
    cell = """
        from cellblock import Session
        with Session() as session:
            outer = "kept-here"
            print(session.run("import sys; print('inner'); 6 * 7").text)
            print(*[output.text for output in session.stream("print('streamed')")])
            print(session.run("raise ValueError('inner')").status, outer)
    """
    ran = subprocess.run(
        [sys.executable, "-c", NOTEBOOK, textwrap.dedent(cell)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["inner", "42", "streamed", "error", "kept-here"]


# Handlers that raise what ends a program


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_ends_a_program_is_raised_to_the_caller_and_the_loop_lives(kind):
    def end(*_):
        raise kind("enough")

    with Session(timeout=30, input_handler=end) as session:
        with pytest.raises(kind, match="enough"):
            session.run("input()")
        with pytest.raises(kind, match="enough"):
            session.run("print(1)", on_output=end)
        assert session.run("print('still here')").text == "still here\n"


def test_an_input_handler_that_gives_no_text():
    with Session(timeout=30, input_handler=lambda *_: 3) as session:
        with pytest.raises(
            ConfigError, match=r"^The input handler must give text, or an awaitable of it; it gave 3\.$"
        ):
            session.run("input()")
        assert session.run("print('still here')").text == "still here\n"


# Ctrl-C


def test_ctrl_c_interrupts_the_cell_and_is_raised(session):
    session.run("kept = 1")
    interrupt = [threading.main_thread().ident, signal.SIGINT]
    timers = []

    def soon(_):
        timers.append(threading.Timer(0.1, signal.pthread_kill, interrupt))
        timers[0].start()

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        session.run("import time\nprint('began', flush=True)\ntime.sleep(1000)", on_output=soon)
    assert time.monotonic() - began < 5
    assert session.status == "idle"
    timers[0].join()
    assert value(session.run("kept")) == "1"


# After a fork


def in_child(function):
    """What a function gives in a forked child, as text, and whether the child ended well."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        text, status = "it raised", 1
        try:
            text = str(function())
            status = 0
        except BaseException as error:
            text = repr(error)
        finally:
            os.write(writing, text.encode())
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    return text, os.waitpid(child, 0)[1]


def test_a_forked_child_can_have_sessions_of_its_own(session):
    ours = value(session.run(PID))

    def child():
        with Session(timeout=30) as own:
            return value(own.run(PID))

    theirs, status = in_child(child)
    assert status == 0
    assert theirs.isdigit()
    assert theirs != ours
    assert is_gone(int(theirs))
    assert value(session.run(PID)) == ours


def test_in_a_forked_child_the_parents_session_refuses(session):
    ours = value(session.run(PID))

    def child():
        for call in (lambda: session.run("1"), session.start, session.restart, session.interrupt):
            with pytest.raises(SessionClosed) as caught:
                call()
        return caught.value

    text, status = in_child(child)
    assert text == "This session belongs to the process that this one was forked from. Make a new session here."
    assert status == 0
    assert value(session.run(PID)) == ours


@pytest.mark.parametrize("ending", ["session.close()", "session.__exit__()", "del session; gc.collect()", "pass"])
def test_the_parents_kernel_survives_the_childs_end(ending):
    """Whether the child closes what it inherited, drops it, or only ends, as programs end."""
    script = f"""
        import gc, os, sys
        from cellblock import Session
        session = Session(timeout=30)
        before = session.run("kept = 1; import os; os.getpid()").text
        child = os.fork()
        if child == 0:
            {ending}
            sys.exit(0)
        status = os.waitpid(child, 0)[1]
        print(status, before == session.run("os.getpid()").text, session.run("kept").text)
        session.close()
    """
    assert run_python(script) == ["0", "True", "1"]


def test_a_fork_while_a_cell_runs_harms_nothing():
    with Session(timeout=30) as session:
        began = threading.Event()
        results = []
        code = "import time\nprint('began', flush=True)\ntime.sleep(0.5)\n'done'"
        run = threading.Thread(target=lambda: results.append(session.run(code, on_output=lambda _: began.set())))
        run.start()
        began.wait()
        assert in_child(lambda: "child") == ("child", 0)
        run.join()
        assert value(results[0]) == "'done'"


# Its end


def test_closing_twice_and_without_a_start_does_no_harm():
    session = Session()
    session.close()
    session.close()
    assert session.status == "closed"
    with pytest.raises(SessionClosed):
        session.run("1")


def test_a_session_that_is_dropped_ends_its_kernel():
    session = Session(timeout=30)
    pid = int(value(session.run(PID)))
    gone = weakref.ref(session)
    del session
    gc.collect()
    assert gone() is None
    assert is_gone(pid)


def test_a_session_dropped_while_its_cell_runs_ends_with_the_cell():
    """The thread that runs the cell holds it no longer than the call."""
    session = Session(timeout=30)
    pid = int(value(session.run(PID)))
    results = []
    began = threading.Event()

    def run(session):
        code = "import time; print(1, flush=True); time.sleep(0.3); 'done'"
        results.append(session.run(code, on_output=lambda _: began.set()))

    thread = threading.Thread(target=run, args=(session,))
    thread.start()
    began.wait()
    del session
    thread.join()
    assert value(results[0]) == "'done'"
    del thread, run
    gc.collect()
    assert is_gone(pid)


@pytest.mark.parametrize("use", ["session.run('1')", "session.start()", "pass"])
def test_a_program_that_closes_nothing_leaves_nothing(use, tmp_path):
    script = f"""
        import os, sys, tempfile
        tempfile.tempdir = sys.argv[1]
        from cellblock import Session
        session = Session(timeout=30)
        {use}
        process = getattr(session.kernel, "_process", None)
        print(process.pid if process else 0)
    """
    (pid,) = run_python(script, str(tmp_path))
    assert pid == "0" or is_gone(int(pid))
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_ends_while_a_cell_runs_in_a_thread_leaves_nothing():
    script = """
        import threading
        from cellblock import Session
        session = Session(timeout=None)
        session.start()
        began = threading.Event()
        code = "print(1, flush=True)\\nwhile True: pass"
        threading.Thread(target=session.run, args=(code,), kwargs={"on_output": lambda _: began.set()}, daemon=True).start()
        began.wait()
        print(session.kernel._process.pid)
    """
    (pid,) = run_python(script)
    assert is_gone(int(pid))


def test_many_sessions_one_after_another_leave_nothing(session):
    """Not even what a leak a session would add up to; the guard compares."""

    def descriptors():
        return len(list(Path("/proc/self/fd").iterdir()))

    before = descriptors()
    for _ in range(5):
        with Session(timeout=30) as one:
            assert one.run("1").status is CellStatus.OK
    assert comes_true(lambda: descriptors() <= before + 1)  # ZMQ closes in a thread of its own
    assert session.run("1").ok

"""What a cell's programs and libraries write to the process's descriptors, and what cells do to the streams."""

import pytest

from cellblock import Session
from cellblock._core.results import CellStatus


@pytest.fixture(scope="module")
def session():
    with Session(timeout=60) as session:
        session.start()
        yield session


@pytest.mark.parametrize(
    "code",
    [
        "import subprocess; subprocess.run(['echo', 'own {}']);",
        "import os; os.system('echo own {}');",
        "import os; os.system('echo own {} >&2');",
        "import os; os.write(1, b'own {}\\n');",
    ],
)
def test_what_programs_write_belongs_to_their_cell(session, code):
    for number in range(50):
        assert session.run(code.format(number)).text == f"own {number}\n"


def test_what_programs_write_keeps_its_place(session):
    code = "import os\nprint('a'); os.system('echo b'); print('c'); os.system('echo d'); display(1); os.system('echo e'); 5"
    assert session.run(code).text == "a\nb\nc\nd\n1\ne\n5"


def test_characters_of_programs_stay_whole(session):
    program = "print('é' * 5000 + '日本語' * 3000)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {program!r}]);"
    assert session.run(code).text == "é" * 5000 + "日本語" * 3000 + "\n"
    assert session.run("import os; os.write(1, b'caf\\xe9');").text == "caf\ufffd"


def test_a_program_that_writes_for_ever_does_not_hold_its_cell(session):
    assert session.run("import subprocess; noisy = subprocess.Popen(['yes']); noisy.pid").ok
    assert session.run("noisy.kill(); noisy.wait()").ok


def test_a_stream_that_was_put_in_place_of_ours_speaks_for_the_running_cell(session):
    tee = "class Tee:\n    def write(self, text): ours.write(text)\n    def flush(self): pass"
    session.run(f"import sys\nours = sys.stdout\n{tee}\nsys.stdout = Tee()")
    assert session.run("print('through the tee')").text == "through the tee\n"
    session.run("sys.stdout = sys.__stdout__")
    assert session.run("print('through the descriptor')").text == "through the descriptor\n"
    session.run("sys.stdout = ours")


@pytest.mark.parametrize("taken", ["sys.stderr = None", "sys.stdout = None", "sys.stdout = object()"])
def test_a_cell_that_takes_a_stream_away_costs_the_next_nothing(session, taken):
    session.run(f"import sys\n{taken}")
    result = session.run("print('there'); 1 / 0")
    assert result.status is CellStatus.ERROR
    assert result.text.startswith("there\n")
    assert result.text.endswith("ZeroDivisionError: division by zero")


def test_half_a_surrogate_pair_costs_no_output(session):
    table = "import pandas as pd; pd.DataFrame({'t': ['ok', 'bad \\ud83d']})"
    assert session.run(table).text == "       t\n0     ok\n1  bad \\ud83d"
    result = session.run("raise ValueError('bad \\ud83d')")
    assert (result.error.ename, result.error.evalue, result.missing) == ("ValueError", "bad \\ud83d", 0)

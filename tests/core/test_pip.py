"""Pip lines made quiet, and everything that only looks like one left alone."""

import pytest

from cellblock._core.pip import quiet_pip, quiet_pip_in_script

FLAGS = "-qq --disable-pip-version-check"


def magic(arguments):
    """What a ``%pip install`` becomes: its arguments stand in a literal."""
    return (
        "get_ipython().system('\"' + __import__('sys').executable + '\"' + "
        f"{' -m pip install ' + arguments!r}"
        ") or __import__('subprocess').CompletedProcess('%pip install', _exit_code).check_returncode()"
    )


@pytest.mark.parametrize(
    ("line", "quiet"),
    [
        ("!pip install numpy", f"!pip install {FLAGS} numpy"),
        ("! pip install numpy", f"! pip install {FLAGS} numpy"),
        ("!pip3 install numpy", f"!pip3 install {FLAGS} numpy"),
        ("!python -m pip install numpy", f"!python -m pip install {FLAGS} numpy"),
        ("!python3 -m pip install -U numpy", f"!python3 -m pip install {FLAGS} -U numpy"),
        ("%pip install numpy pandas", magic(f"{FLAGS} numpy pandas")),
        ("% pip install numpy", magic(f"{FLAGS} numpy")),
        ("!pip install", f"!pip install {FLAGS}"),
        ("!pip  install 'a>1'  # why", f"!pip install {FLAGS} 'a>1'  # why"),
        ("!pip install $package", f"!pip install {FLAGS} $package"),
        ("!pip install \\\n  numpy \\\n  pandas", f"!pip install {FLAGS} \\\n  numpy \\\n  pandas"),
        ("%pip install -r $DIR/a 'b>1' \\\n  {c}\n1", magic(f"{FLAGS} -r $DIR/a 'b>1'    {{c}}") + "\n1"),
        ("if True:\n    %pip install a", "if True:\n    " + magic(f"{FLAGS} a")),
        ("if True:\n    !pip install numpy\n", f"if True:\n    !pip install {FLAGS} numpy\n"),
        (
            "import os\n!pip install a\nx = 1\n%pip install b",
            f"import os\n!pip install {FLAGS} a\nx = 1\n" + magic(f"{FLAGS} b"),
        ),
        ("'''text'''\n!pip install a", f"'''text'''\n!pip install {FLAGS} a"),
        ("x = [\n  1,\n]\n!pip install a", f"x = [\n  1,\n]\n!pip install {FLAGS} a"),
        ("# it's (fine\n!pip install a", f"# it's (fine\n!pip install {FLAGS} a"),
        ("!echo 'it'\"'\"'s (\n!pip install a", f"!echo 'it'\"'\"'s (\n!pip install {FLAGS} a"),
        ("def f(:\n!pip install a", "def f(:\n!pip install a"),  # no Python, and no command either
        ("s = 'never closed\n!pip install a", f"s = 'never closed\n!pip install {FLAGS} a"),
        ("x = 1)\n!pip install a", f"x = 1)\n!pip install {FLAGS} a"),
    ],
)
def test_pip_lines_are_told_to_be_quiet(line, quiet):
    assert quiet_pip(line) == quiet


@pytest.mark.parametrize(
    "code",
    [
        "",
        "print(1)",
        "# pip install numpy",
        "pip = 1; install = 2",
        "!pip list",
        "!pip uninstall -y numpy",
        "!pip installer",
        "!pipx install numpy",
        "x = '!pip install numpy'",
        "x = !pip install numpy",
        "# !pip install numpy",
        "print('''\n!pip install numpy\n''')",
        '"""\n%pip install numpy\n"""',
        'f"""\n!pip install {x}\n"""',
        "rb'''\\'''\n!pip install a\n'''",
        "'abc \\\n!pip install numpy'",
        '"abc \\\n!pip install numpy"',
        's = """\n!pip install a"""\nt = """\n!pip install b\n"""',
        's = """\\"""\n!pip install a\n"""',
        "open('f').write('''\n!pip install a\n''' + '''\n!pip install b\n''')",
        "x = (10\n%pip install)",
        "x = 10 \\\n!pip install a",
        "!echo \\\n!pip install a",
        "x = 1 # '''\ny = '''\n!pip install a\n# '''",
        '"""never closed\n!pip install a',
        "%%bash\npip install numpy\n!pip install b",
        "\n%%writefile setup.sh\n!pip install numpy",
    ],
)
def test_what_only_looks_like_one_stays_as_it_is(code):
    assert quiet_pip(code) == code


@pytest.mark.parametrize(
    "option", ["-q", "-qq", "-qqq", "--quiet", "-v", "-vv", "--verbose", "--dry-run", "--report=-", "--report -"]
)
def test_who_chose_how_much_pip_says_is_obeyed(option):
    line = f"!pip install {option} numpy"
    assert quiet_pip(line) == line
    assert quiet_pip(f"%pip install numpy {option}") == magic(f"numpy {option}")
    assert quiet_pip_in_script(f"pip install {option} numpy") == f"pip install {option} numpy"


def test_other_lines_keep_their_ends():
    assert quiet_pip("a\r\n\r\n!pip install b\r\n") == f"a\r\n\r\n!pip install {FLAGS} b\r\n"


def test_a_large_cell_takes_no_time_to_speak_of():
    code = "x = [" + "'text with ( and \\' in it', # comment\n" * 50_000 + "]\n!pip install a"
    assert quiet_pip(code).endswith(f"!pip install {FLAGS} a")


@pytest.mark.parametrize(
    ("script", "quiet"),
    [
        ("pip install a", f"pip install {FLAGS} a"),
        ("  pip3 install a", f"  pip3 install {FLAGS} a"),
        ("python3 -m pip install a \\\n  b", f"python3 -m pip install {FLAGS} a \\\n  b"),
        ("if true; then\n  pip install a\nfi\n", f"if true; then\n  pip install {FLAGS} a\nfi\n"),
        ("pip install a \\\n  -q b", "pip install a \\\n  -q b"),
        ("echo '\npip install a\n'", "echo '\npip install a\n'"),
        ("cat <<EOF\npip install a\nEOF", "cat <<EOF\npip install a\nEOF"),
        ("echo \\\npip install a", "echo \\\npip install a"),
        ("pip list", "pip list"),
        ("pip installer", "pip installer"),
        ("echo pip install a", "echo pip install a"),
    ],
)
def test_pip_lines_of_a_script_are_told_to_be_quiet(script, quiet):
    assert quiet_pip_in_script(script) == quiet

"""Finding kernelspecs as Jupyter does, and what is said of those that cannot be used."""

import json
import sys

import pytest

from cellblock.errors import ConfigError, KernelSpecNotFound
from cellblock.kernels.kernelspec import KernelSpec, find_kernelspec, kernelspec_names
from kernelspecs import BASH, KernelSpecs

with_kernelspecs = pytest.mark.usefixtures("kernelspecs")
IPYKERNEL = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]


def test_a_kernelspec_is_read(kernelspecs):
    kernelspecs.add(
        "full", BASH, "Bash", env={"KEY": "value", "NUMBER": 1}, interrupt_mode="message", metadata={"a": {"b": 1}}
    )
    spec = find_kernelspec("full")
    assert (spec.name, spec.argv, spec.language) == ("full", tuple(BASH), "bash")
    assert (spec.env, spec.interrupt_mode) == ({"KEY": "value", "NUMBER": "1"}, "message")
    assert (spec.metadata, spec.folder) == ({"a": {"b": 1}}, str(kernelspecs.data_dir / "kernels" / "full"))


def test_what_a_kernelspec_leaves_out_has_jupyters_defaults(kernelspecs):
    kernelspecs.add_text("least", json.dumps({"argv": ["program"]}))
    spec = find_kernelspec("least")
    assert (spec.language, spec.env, spec.interrupt_mode, spec.metadata) == ("", {}, "signal", {})


def test_the_first_folder_of_jupyters_path_wins(tmp_path, monkeypatch):
    first, second = KernelSpecs(tmp_path / "first"), KernelSpecs(tmp_path / "second")
    monkeypatch.setenv("JUPYTER_PATH", f"{first.data_dir}:{second.data_dir}")
    for specs, language in ((first, "one"), (second, "two")):
        specs.add("both", BASH, language)
    assert find_kernelspec("both").language == "one"


@with_kernelspecs
def test_the_names_are_those_of_all_folders():
    names = kernelspec_names()
    assert {"bash", "python3"} <= set(names)
    assert names == sorted(names)


@with_kernelspecs
def test_an_unknown_name_is_told_with_those_there_are():
    with pytest.raises(KernelSpecNotFound) as caught:
        find_kernelspec("nosuch")
    message = str(caught.value)
    assert message.startswith(
        "Kernel nosuch is not installed. Please first install it with "
        "`python -m ipykernel install --user --name nosuch`, or use one of those installed: bash, "
    )
    assert "python3" in message


@pytest.mark.parametrize("name", ["", ".", "..", "../kernels/bash", "bash/", "/etc", "a\0b", "x" * 300])
@with_kernelspecs
def test_a_name_is_no_path(name):
    with pytest.raises(KernelSpecNotFound):
        find_kernelspec(name)


def test_python3_is_there_without_being_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("jupyter_core.paths.ENV_JUPYTER_PATH", [])
    monkeypatch.setattr("jupyter_core.paths.SYSTEM_JUPYTER_PATH", [])
    assert kernelspec_names() == ["python3"]
    spec = find_kernelspec("python3")
    assert (spec.language, spec.interpreter, spec.runs_ipykernel) == ("python", sys.executable, True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"argv": "python -m ipykernel_launcher"}',
        '{"argv": []}',
        '{"argv": [1]}',
        '{"argv": ["a"], "env": []}',
        '{"argv": ["a"], "env": null}',
        "\x00\x01",
        '{"argv":' + "[" * 100_000,
    ],
    ids=range(12),
)
def test_a_broken_file_is_one_clear_sentence(kernelspecs, text):
    file = kernelspecs.add_text("broken", text)
    with pytest.raises(ConfigError) as caught:
        find_kernelspec("broken")
    assert str(caught.value).startswith(f"The kernelspec broken cannot be used: {file} is broken (")
    assert str(caught.value).endswith("). Install it again.")


def test_a_file_that_is_no_text_is_broken_too(kernelspecs):
    kernelspecs.add_text("binary", "").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="The kernelspec binary cannot be used"):
        find_kernelspec("binary")


@pytest.mark.parametrize(
    ("argv", "native"),
    [
        (IPYKERNEL, True),
        ([sys.executable, "-Xfrozen_modules=off", *IPYKERNEL[1:]], True),
        ([*IPYKERNEL, "--matplotlib=inline"], False),
        ([sys.executable, "-m", "other_launcher", "-f", "{connection_file}"], False),
        (BASH, False),
        (["python"], False),
    ],
)
def test_only_plain_ipykernel_is_native(argv, native):
    assert KernelSpec("name", tuple(argv)).runs_ipykernel is native


@pytest.mark.parametrize("program", ["python", "python3", f"python3.{sys.version_info[1]}"])
def test_a_bare_python_is_this_interpreter(program):
    assert KernelSpec("name", (program,)).interpreter == sys.executable


@pytest.mark.parametrize("program", ["/usr/bin/python3", "python2", "julia"])
def test_another_program_is_what_it_is(program):
    assert KernelSpec("name", (program,)).interpreter == program


def test_the_places_in_a_command_are_filled_and_other_braces_left():
    argv = (
        "julia",
        "-f",
        "{connection_file}",
        "{resource_dir}/start.jl",
        "{prefix}",
        '-e={"a": {1}}',
        "{unknown}",
        "{}",
    )
    command = KernelSpec("name", argv, folder="/specs/name").command("/run/{x}.json")
    assert command == [
        "julia",
        "-f",
        "/run/{x}.json",
        "/specs/name/start.jl",
        sys.prefix,
        '-e={"a": {1}}',
        "{unknown}",
        "{}",
    ]

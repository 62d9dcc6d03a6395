"""execute_code and the question whether code runs in Docker."""

import pytest

from cellblock.coding import legacy_execution
from cellblock.coding.legacy_execution import (
    check_can_use_docker_or_throw,
    decide_use_docker,
    execute_code,
    in_docker_container,
    is_docker_running,
)


@pytest.fixture
def no_docker(monkeypatch, tmp_path):
    """No engine to reach, on a machine that is no container."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    monkeypatch.setattr(legacy_execution, "_CONTAINER_MARK", tmp_path / "dockerenv")


def test_code_runs_here_if_docker_is_not_wanted(tmp_path):
    assert execute_code("print(1)", work_dir=str(tmp_path), use_docker=False) == (0, "1\n", None)
    assert execute_code("echo 1; exit 2", language="sh", work_dir=str(tmp_path), use_docker=False) == (2, "1\n", None)


def test_file_name(tmp_path):
    execute_code("print(1)", filename="a.py", work_dir=str(tmp_path), use_docker=False)
    assert (tmp_path / "a.py").read_text().endswith("print(1)")


def test_timeout_is_autogens_word_after_what_was_printed(tmp_path):
    wait = "import time; time.sleep(60)"
    assert execute_code(wait, timeout=1, work_dir=str(tmp_path), use_docker=False) == (124, "Timeout", None)
    both = execute_code(f"print(1)\n{wait}", timeout=1, work_dir=str(tmp_path), use_docker=False)
    assert both == (124, "1\n\nTimeout", None)


@pytest.mark.parametrize("language", ["cobol", "html"])
def test_unknown_language(language):
    assert execute_code("x", language=language, use_docker=False) == (1, f"unknown language {language}", None)


@pytest.mark.docker
def test_code_runs_in_the_first_image_that_can_be_had(tmp_path):
    images = ["localhost:1/none", "cellblock-test-base:latest"]
    result = execute_code("import os; print(os.getcwd())", work_dir=str(tmp_path), use_docker=images)
    assert result == (0, "/workspace\n", "cellblock-test-base:latest")


@pytest.mark.parametrize(
    ("variable", "decision"), [("1", True), ("True", True), ("0", False), ("no", False), ("None", None)]
)
def test_variable_decides_where_nothing_is_asked_for(monkeypatch, variable, decision):
    monkeypatch.setenv("AUTOGEN_USE_DOCKER", variable)
    assert decide_use_docker(None) is decision


def test_docker_is_the_default(monkeypatch):
    monkeypatch.delenv("AUTOGEN_USE_DOCKER", raising=False)
    assert decide_use_docker(None) is True
    assert decide_use_docker(False) is False
    assert decide_use_docker("image") == "image"


def test_variable_that_says_neither(monkeypatch):
    monkeypatch.setenv("AUTOGEN_USE_DOCKER", "perhaps")
    with pytest.raises(ValueError, match=r"^AUTOGEN_USE_DOCKER is 'perhaps'; set it to 1 .* or 0 "):
        decide_use_docker(None)


@pytest.mark.usefixtures("no_docker")
def test_docker_that_is_wanted_and_not_running():
    assert not is_docker_running()
    assert not in_docker_container()
    check_can_use_docker_or_throw(False)
    with pytest.raises(RuntimeError, match="docker is not running"):
        check_can_use_docker_or_throw(True)


@pytest.mark.usefixtures("no_docker")
def test_program_in_a_container_may_do_without_docker(tmp_path):
    (tmp_path / "dockerenv").touch()
    check_can_use_docker_or_throw(True)
    assert execute_code("print(1)", work_dir=str(tmp_path), use_docker=True) == (0, "1\n", None)


@pytest.mark.docker
def test_docker_is_running():
    assert is_docker_running()
    check_can_use_docker_or_throw(True)

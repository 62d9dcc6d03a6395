"""Where a command's code runs: confined, on a server started for it, or on one that runs already."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
import trustme

from kernelspecs import KernelSpecs
from servers.stock import StockServer, jupyter_server, stock_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Program

__all__ = ["jupyter_server"]

WHERE = "import os, urllib.request\nprint(os.getcwd())\nprint(sorted(os.environ.keys() & {'SECRET_OF_MINE'}))"


def test_a_sandbox_has_its_own_folder_and_none_of_our_environment(cellblock: Program) -> None:
    done = cellblock("exec", "--sandbox", "-c", WHERE, environment=cellblock.environment(SECRET_OF_MINE="1"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "/workspace\n[]\n", "")


def test_a_sandboxed_document_can_read_what_is_beside_it(cellblock: Program) -> None:
    cellblock.folder.chmod(0o755)  # root's sandboxes run as users of their own, who cannot enter what only root can
    cellblock.write("data.txt", "beside")
    cellblock.write("a.md", f"```python\nprint(open({str(cellblock.folder / 'data.txt')!r}).read())\n```\n")
    done = cellblock("run", "--sandbox", "a.md")
    assert done.returncode == 0, done.stderr
    assert "beside" in done.stdout


PAGE = "from IPython.display import HTML\nHTML('<b>bold</b><script>fetch(1)</script>')"


def test_pages_of_confined_code_run_no_script_by_themselves(cellblock: Program) -> None:
    cellblock.folder.chmod(0o755)
    cellblock.write("a.md", f"```python\n{PAGE}\n```\n")
    assert cellblock("run", "--sandbox", "a.md").returncode == 0
    assert cellblock("exec", "--sandbox", "--output-dir", "shown", "-c", PAGE).returncode == 0
    pages = [path.read_text() for path in cellblock.folder.rglob("*.html")]
    assert len(pages) == 2
    assert all("bold" in page and "<script>fetch" not in page for page in pages)


@pytest.mark.parametrize("command", ["exec", "run"])
def test_without_a_sandbox_to_be_had_nothing_runs(
    cellblock: Program, tmp_path_factory: pytest.TempPathFactory, command: str
) -> None:
    code = "open('ran', 'w').close()"
    cellblock.write("a.md", f"```python\n{code}\n```\n")
    arguments = ["-c", code] if command == "exec" else ["a.md"]
    without = cellblock.environment(PATH=str(tmp_path_factory.mktemp("empty")))
    done = cellblock(command, "--sandbox", *arguments, environment=without)
    assert done.returncode == 2
    assert done.stderr == (
        "cellblock: A sandboxed kernel was wanted, but bubblewrap is not installed. Install it: `apt install bubblewrap`, "
        "`dnf install bubblewrap` or `pacman -S bubblewrap`.\n"
    )
    assert not list(cellblock.folder.rglob("ran"))


def test_a_local_server_is_started_for_the_run(cellblock: Program) -> None:
    cellblock.write("a.md", "```python\nx = 20\n```\n\n```python\nx + 1\n```\n")
    done = cellblock("run", "--server", "local", "a.md")
    assert done.returncode == 0, done.stderr
    assert "21" in done.stdout
    assert {path.name for path in cellblock.folder.iterdir()} == {"a.md", "a-output"}


def test_a_server_is_named_by_its_url(cellblock: Program, tmp_path: Path) -> None:
    with stock_server(tmp_path / "server") as server:
        url = f"http://127.0.0.1:{server.info.port}/?token={server.info.token}"
        done = cellblock("exec", "--server", url, "-c", "6 * 7")
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


@pytest.fixture(scope="module")
def many_kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockServer]:
    """A server with a kernelspec of Python's that is not called so, and one of another language."""
    root = tmp_path_factory.mktemp("many")
    KernelSpecs(root / "path").add("analysis", [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"])
    with stock_server(root) as server:
        yield server


def test_a_servers_kernelspec_says_its_language_whatever_its_name_is(
    cellblock: Program, many_kernels: StockServer
) -> None:
    cellblock.write("a.md", "```python\nprint(6 * 7)\n```\n\n```bash\necho from bash\n```\n")
    token = cellblock.environment(JUPYTER_TOKEN=many_kernels.info.token or "")
    for kernel, language, code_cells in (("analysis", "python", 2), ("bash", "bash", 1)):
        done = cellblock(
            "run", "a.md", "--server", many_kernels.info.url, "--kernel", kernel, "-o", "a.ipynb", environment=token
        )
        assert done.returncode == 0, done.stderr
        assert "from bash" in done.stdout
        written = json.loads((cellblock.folder / "a.ipynb").read_text())
        assert written["metadata"]["kernelspec"]["name"] == kernel
        assert written["metadata"]["language_info"]["name"] == language
        assert sum(cell["cell_type"] == "code" for cell in written["cells"]) == code_cells


def test_a_kernelspec_that_the_server_does_not_have_is_said(cellblock: Program, many_kernels: StockServer) -> None:
    cellblock.write("a.md", "```python\n1\n```\n")
    token = cellblock.environment(JUPYTER_TOKEN=many_kernels.info.token or "")
    for command in (["run", "a.md"], ["exec", "-c", "1"]):
        done = cellblock(*command, "--server", many_kernels.info.url, "--kernel", "nope", environment=token)
        assert done.returncode == 2
        assert done.stderr.startswith("cellblock: Kernel nope is not installed. The server at http://127.0.0.1:")
        assert done.stderr.endswith(" has these: analysis, bash, python3.\n")


def test_a_document_that_is_not_there_is_no_reason_to_start_a_server(cellblock: Program) -> None:
    without = cellblock.environment(DOCKER_HOST="tcp://127.0.0.1:9")
    done = cellblock("run", "none.md", "--server", "docker", environment=without)
    assert (done.returncode, done.stderr) == (2, "cellblock: There is no file none.md.\n")


@pytest.mark.parametrize("command", [("exec", "--server"), ("run", "--server"), ("chat", "--backend")])
def test_a_token_can_be_in_the_environment_where_nobody_else_sees_it(
    cellblock: Program, jupyter_server: StockServer, command: tuple[str, str]
) -> None:
    name, option = command
    cellblock.write("a.md", "```python\n6 * 7\n```\n")
    said = "<!-- message from user -->\n## user\n\nMultiply.\n\n<!-- message from writer -->\n## writer\n\n"
    cellblock.write("chat.md", f"{said}```python\n6 * 7\n```\n")
    what = {"exec": ["-c", "6 * 7"], "run": ["a.md"], "chat": ["--replay", "chat.md"]}[name]
    environment = cellblock.environment(JUPYTER_TOKEN=jupyter_server.info.token or "")
    done = cellblock(name, option, jupyter_server.info.url, *what, environment=environment)
    assert done.returncode == 0, done.stderr
    assert "42" in done.stdout


@pytest.mark.parametrize("command", [("exec", "--server", "-c", "1"), ("kernels", "list", "--server")])
def test_who_gives_no_token_is_told_how_to_on_a_command_line(
    cellblock: Program, jupyter_server: StockServer, command: tuple[str, ...]
) -> None:
    place = command.index("--server") + 1
    done = cellblock(*command[:place], jupyter_server.info.url, *command[place:])
    assert done.returncode == 2
    assert done.stderr.endswith(
        "but wants a token and none was given. Put it into the environment, as JUPYTER_TOKEN, or into the URL, as in "
        "http://127.0.0.1:8888/?token=…, where other users of this machine may see it.\n"
    )


def test_an_authority_of_ones_own_is_named_in_the_environment(cellblock: Program, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    certificate = f"--ServerApp.certfile={tmp_path / 'server.pem'}"
    with stock_server(tmp_path / "server", certificate, answers_http=False) as server:
        url = f"https://127.0.0.1:{server.info.port}"
        token = {"JUPYTER_TOKEN": server.info.token or ""}
        refused = cellblock("exec", "--server", url, "-c", "6 * 7", environment=cellblock.environment(**token))
        assert refused.returncode == 2
        trusting = cellblock.environment(**token, SSL_CERT_FILE=str(tmp_path / "ca.pem"))
        done = cellblock("exec", "--server", url, "-c", "6 * 7", environment=trusting)
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--server", "http://127.0.0.1:9/?token=x"], "127.0.0.1:9"),
        (["--server", "nonsense"], "nonsense"),
        (["--server", "local", "--sandbox"], "Leave one of the two out"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence(cellblock: Program, options: list[str], says: str) -> None:
    done = cellblock("exec", *options, "-c", "1")
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1

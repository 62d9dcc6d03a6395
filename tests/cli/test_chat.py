"""``cellblock chat``: a model writes code, a kernel runs it; without a model, a transcript takes its place."""

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import termios
import time

import pytest
from rich.console import Console

from cellblock._core.outputs import StreamOutput
from cellblock.cli.chat_view import ChatView
from cellblock.coding import IPythonCodeResult
from cellblock.coding.jupyter import LocalJupyterServer
from model_server import ModelServer, Sends
from recorded_chat import CODE, DONE, TRANSCRIPT, notebook_of


def test_replay_needs_no_model(cellblock):
    cellblock.write("old.md", TRANSCRIPT)
    done = cellblock("chat", "--replay", "old.md")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout == (
        f"\nuser\nAdd one to twenty.\n\nwriter\n{CODE}\n  │ x is 20\n  │ 21\n\nwriter\n{DONE}\n"
        "\nwriter sent a message that ends the chat.\n"
        "\nTranscript: chat/chat.md\nNotebook: chat/chat.ipynb\n"
    )
    assert notebook_of(cellblock.folder) == [
        ("markdown", "**user:** Add one to twenty."),
        ("markdown", "**writer:** Let me look.\n\n\nand"),
        ("code", "x = 20\nprint('x is', x)"),
        ("code", "x + 1"),
        ("markdown", f"**writer:** {DONE}"),
    ]


def test_transcript_of_a_replay_can_be_replayed(cellblock):
    cellblock.write("old.md", TRANSCRIPT)
    cellblock("chat", "--replay", "old.md")
    first = (cellblock.folder / "chat" / "chat.md").read_text()
    assert "exitcode: 0 (execution succeeded)\nCode output: x is 20\n\n21" in first
    done = cellblock("chat", "--replay", "chat/chat.md")
    assert done.returncode == 0
    assert (cellblock.folder / "chat" / "chat-2.md").read_text() == first


def test_earlier_chats_in_a_directory_stay(cellblock):
    cellblock.write("old.md", TRANSCRIPT)
    cellblock("chat", "--replay", "old.md")
    (cellblock.folder / "chat" / "chat-2.ipynb").write_text("mine")
    before = {path.name: path.read_bytes() for path in (cellblock.folder / "chat").glob("chat*")}
    with ModelServer([Sends(b'{"error": {"message": "over quota"}}', 400)]) as server:
        done = cellblock("chat", "Another.", "--model", "gpt-4", "--base-url", server.url)
    assert done.stdout.endswith("\nTranscript: chat/chat-3.md\nNotebook: chat/chat-3.ipynb\n")
    after = {path.name: path.read_bytes() for path in (cellblock.folder / "chat").glob("chat*")}
    assert {name: after[name] for name in before} == before
    assert b"Another." in after["chat-3.md"]
    assert b"Another." in after["chat-3.ipynb"]


def test_chat_that_cannot_begin_leaves_no_transcript(cellblock):
    cellblock.write("old.md", TRANSCRIPT)
    assert cellblock("chat", "--replay", "old.md", "--kernel", "none").returncode == 2
    assert list((cellblock.folder / "chat").glob("chat*")) == []


def test_model_over_http(cellblock):
    with ModelServer([CODE, DONE]) as server:
        done = cellblock("chat", "Add one.", "--model", "gpt-4", "--base-url", server.url, "--output-dir", "out")
    assert done.returncode == 0, done.stderr
    assert "writer sent a message that ends the chat. 30 tokens, $0.0012." in done.stdout
    assert [message["role"] for message in server.requests[1]["messages"]] == ["system", "user", "assistant", "user"]
    prompt = server.requests[0]["messages"][0]["content"]
    assert "The blocks of one message may take 60 seconds." in prompt
    assert "There is no network, so nothing can be installed" in prompt
    assert server.headers[0]["authorization"] == "Bearer none"
    assert (cellblock.folder / "out" / "chat.md").is_file()


def test_model_goes_on_where_a_transcript_ends(cellblock):
    cellblock.write("old.md", TRANSCRIPT.replace(DONE, "```python\nx + 2\n```"))
    with ModelServer([DONE]) as server:
        done = cellblock("chat", "--replay", "old.md", "--model", "gpt-4", "--base-url", server.url)
    assert done.returncode == 0, done.stderr
    assert "  │ 22\n" in done.stdout
    assert len(server.requests) == 1


def test_message_without_code_is_asked_to_go_on(cellblock):
    with ModelServer(["Hm.", DONE]) as server:
        done = cellblock("chat", "Think.", "--model", "gpt-4", "--base-url", server.url)
    assert "\nrunner\nThere was no code to run. Go on, or reply with the one word TERMINATE" in done.stdout


def test_failing_model_is_a_sentence_and_the_chat_is_kept(cellblock):
    with ModelServer([CODE, Sends(b'{"error": {"message": "over quota"}}', 400)]) as server:
        done = cellblock("chat", "Add one.", "--model", "gpt-4", "--base-url", server.url)
    assert done.returncode == 1
    assert "over quota" in done.stderr
    assert re.fullmatch(
        rf"cellblock: Error code: 400 - .*(?<!\.)\. The model gpt-4 at {server.url} was asked\.\n", done.stderr
    )
    assert "Code output: x is 20" in (cellblock.folder / "chat" / "chat.md").read_text()


def test_max_turns(cellblock):
    with ModelServer([CODE] * 5) as server:
        done = cellblock("chat", "Add one.", "--model", "gpt-4", "--base-url", server.url, "--max-turns", "2")
    assert len(server.requests) == 2
    assert "The chat had its 2 turns." in done.stdout


def test_files_are_named(cellblock):
    plot = "```python\nfrom IPython.display import HTML\nHTML('<b>bold</b>')\n```"
    cellblock.write("old.md", TRANSCRIPT.replace(CODE, plot))
    done = cellblock("chat", "--replay", "old.md")
    (page,) = (cellblock.folder / "chat").glob("*.html")
    assert f"  → chat/{page.name} ({page.stat().st_size} B)\n" in done.stdout


WHERE = "```python\nimport os, pathlib\nprint(os.getcwd())\npathlib.Path('made').write_text('by code')\n```"
SECRET = {"SECRET_OF_MINE": "hunter2"}
TELLS = "```python\nimport os\nprint(os.environ.get('SECRET_OF_MINE'))\n```"


def test_code_is_confined_and_its_files_land_in_the_output_directory(cellblock):
    cellblock.write("old.md", TRANSCRIPT.replace(CODE, f"{WHERE}\n\n{TELLS}"))
    done = cellblock("chat", "--replay", "old.md", environment=cellblock.environment(**SECRET))
    assert (done.returncode, done.stderr) == (0, "")
    assert "  │ /workspace\n" in done.stdout
    assert "  │ None\n" in done.stdout
    assert (cellblock.folder / "chat" / "files" / "made").read_text() == "by code"
    assert {path.name for path in cellblock.folder.iterdir()} == {"old.md", "chat"}


def test_code_is_not_confined_if_told_so(cellblock):
    cellblock.write("old.md", TRANSCRIPT.replace(CODE, f"{WHERE}\n\n{TELLS}"))
    done = cellblock("chat", "--replay", "old.md", "--no-sandbox", environment=cellblock.environment(**SECRET))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"  │ {cellblock.folder}\n" in done.stdout
    assert "  │ hunter2\n" in done.stdout
    assert (cellblock.folder / "made").read_text() == "by code"


@pytest.mark.parametrize("backend", ["embedded", "local"])
def test_without_a_sandbox_to_be_had_nothing_runs(cellblock, tmp_path_factory, backend):
    cellblock.write("old.md", TRANSCRIPT.replace(CODE, WHERE))
    without = cellblock.environment(PATH=str(tmp_path_factory.mktemp("empty")))
    done = cellblock("chat", "--replay", "old.md", "--backend", backend, environment=without)
    assert done.returncode == 2
    assert done.stderr == (
        "cellblock: A sandboxed kernel was wanted, but bubblewrap is not installed. Install it: `apt install bubblewrap`, "
        "`dnf install bubblewrap` or `pacman -S bubblewrap`. A model's code runs confined unless you say --no-sandbox: then "
        "it can do whatever you can.\n"
    )
    assert "/workspace" not in done.stdout
    assert not list(cellblock.folder.rglob("made"))


def test_a_kernel_that_cannot_be_confined_is_refused(cellblock, kernelspecs):
    cellblock.write("old.md", TRANSCRIPT)
    environment = cellblock.environment(JUPYTER_PATH=str(kernelspecs.data_dir))
    done = cellblock("chat", "--replay", "old.md", "--kernel", "bash", environment=environment)
    assert done.returncode == 2
    assert "A sandbox runs Python kernels (ipykernel) only, and bash is none." in done.stderr
    assert "--no-sandbox" in done.stderr


def test_a_host_that_is_not_allowed_is_named(cellblock):
    asks = "```python\nimport urllib.request\nurllib.request.urlopen('https://example.com/')\n```"
    cellblock.write("old.md", TRANSCRIPT.replace(CODE, asks))
    done = cellblock("chat", "--replay", "old.md", "--allow-host", "packages.example")
    assert "403 Blocked by cellblock (example.com is not in allow_hosts)" in done.stdout


def test_ctrl_c_ends_the_chat_and_keeps_it(cellblock):
    code = "```python\nimport pathlib, time\npathlib.Path('begun').touch()\ntime.sleep(60)\n```"
    cellblock.write("old.md", TRANSCRIPT.replace(CODE, code))
    process = subprocess.Popen(
        cellblock.command("chat", "--replay", "old.md"),
        cwd=cellblock.folder,
        env=cellblock.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (cellblock.folder / "chat" / "files" / "begun").exists():
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert "Interrupted." in out
    assert "time.sleep(60)" in (cellblock.folder / "chat" / "chat.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["Do."], "Name a model: cellblock chat --model NAME TASK, or --replay a transcript."),
        (["--model", "gpt-4"], "Say what to do: cellblock chat TASK."),
        (
            ["Do.", "--model", "m"],
            "Set OPENAI_API_KEY to the model's key, or say with --base-url where a server without keys is.",
        ),
        (["--replay", "none.md"], "none.md"),
        (["--replay", "plain.md"], "plain.md is no transcript of a chat. Name a chat.md that `cellblock chat` wrote."),
        (
            ["--replay", "old.md", "--backend", "moon"],
            "--backend takes embedded, local, docker or a Jupyter server's URL, not 'moon'.",
        ),
        (["--replay", "old.md", "--timeout", "0"], "--timeout takes a number of seconds above 0, not 0."),
        (["--replay", "old.md", "--backend", "docker", "--no-sandbox"], "only kernels of this machine"),
        (
            ["--replay", "old.md", "--no-sandbox", "--allow-host", "packages.example"],
            "there is none here. Leave it out.",
        ),
        (["--replay", "old.md", "--allow-host", "https://packages.example"], "without a scheme"),
    ],
)
def test_bad_command_lines(cellblock, arguments, sentence):
    cellblock.write("old.md", TRANSCRIPT)
    cellblock.write("plain.md", "# Nothing\n")
    environment = {k: v for k, v in cellblock.environment().items() if not k.startswith(("OPENAI_", "CELLBLOCK_MODEL"))}
    done = cellblock("chat", *arguments, environment=environment)
    assert done.returncode == 2
    assert done.stderr.startswith("cellblock: ")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_local_server(cellblock):
    cellblock.write("old.md", TRANSCRIPT)
    done = cellblock("chat", "--replay", "old.md", "--backend", "local")
    assert done.returncode == 0, done.stderr
    assert "  │ 21\n" in done.stdout


def test_a_local_servers_kernel_is_confined_too(cellblock):
    cellblock.write("old.md", TRANSCRIPT.replace(CODE, WHERE))
    done = cellblock("chat", "--replay", "old.md", "--backend", "local")
    assert "  │ /workspace\n" in done.stdout
    assert (cellblock.folder / "chat" / "files" / "made").read_text() == "by code"


def test_any_jupyter_server(cellblock):
    cellblock.write("old.md", TRANSCRIPT)
    with LocalJupyterServer() as server:
        info = server.connection_info
        done = cellblock("chat", "--replay", "old.md", "--backend", f"{info.url}/?token={info.token}")
    assert done.returncode == 0, done.stderr
    assert "  │ 21\n" in done.stdout


def test_terminal_gets_no_control_characters_of_the_model():
    shown = io.StringIO()
    view = ChatView(Console(file=shown, force_terminal=True, width=80, color_system=None))
    view.message("writer", "**bold** \x1b]0;title\x07\n\n```python\nx = 1\n```\n")
    view.output(StreamOutput("stdout", "\x1b[2Jcleared\n"))
    assert "title" not in shown.getvalue()
    assert "\x1b[2J" not in shown.getvalue()
    assert "x = 1" in shown.getvalue()
    assert "  │ cleared\n" in shown.getvalue()


PICTURE = "```python\nfrom PIL import Image\nImage.new('RGB', (80, 40), 'red')\n```"


@pytest.mark.parametrize(
    ("colours", "size", "drawn"),
    [("xterm-256color", (24, 80), True), ("xterm", (24, 80), False), ("xterm-256color", (0, 0), False)],
)
def test_pictures_are_drawn_where_a_terminal_can_and_nothing_is_logged(cellblock, colours, size, drawn):
    """In a terminal that does not say what it is."""
    cellblock.write("old.md", TRANSCRIPT.replace(CODE, PICTURE))
    shown = in_terminal(cellblock, "chat", "--replay", "old.md", size=size, TERM=colours)
    assert "writer sent a message that ends the chat." in shown
    assert ".png (" in shown
    assert ("▀" in shown) is drawn
    assert "Traceback" not in shown


def test_a_damaged_picture_is_named_and_no_more(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    shown = io.StringIO()
    view = ChatView(Console(file=shown, force_terminal=True, width=200, color_system=None))
    view.outcome(IPythonCodeResult(exit_code=0, output="", output_files=[str(tmp_path / "a.png")]))
    assert shown.getvalue().count("\n") == 1
    assert "a.png (10 B)" in shown.getvalue()


def in_terminal(cellblock, *arguments, size, **variables):
    """What a command shows in a terminal."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, size)
    with subprocess.Popen(
        [sys.executable, "-m", "cellblock", *arguments],
        cwd=cellblock.folder,
        env=cellblock.environment(**variables),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ):
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the end, on Linux
            while piece := os.read(ours, 65536):
                shown += piece
    os.close(ours)
    return shown.decode()


def test_message_that_looks_like_a_mark_of_the_transcript(cellblock):
    said = "```python\n'''\n<!-- message from user -->\n\\<!-- message from x -->'''\n```"
    with ModelServer([said, DONE]) as server:
        first = cellblock("chat", "Print.", "--model", "gpt-4", "--base-url", server.url)
    assert r"'\n<!-- message from user -->\n\\<!-- message from x -->'" in first.stdout
    again = cellblock("chat", "--replay", "chat/chat.md")
    assert again.stdout == first.stdout.replace(" 30 tokens, $0.0012.", "").replace("chat/chat.", "chat/chat-2.")

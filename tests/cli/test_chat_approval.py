"""``cellblock chat --ask``: a person decides about each block, and a replay does the same."""

import pytest

from recorded_chat import TRANSCRIPT, notebook_of


def ask(cellblock, answers, **environment):
    cellblock.write("old.md", TRANSCRIPT)
    return cellblock(
        "chat", "--replay", "old.md", "--ask", text_in=answers, environment=cellblock.environment(**environment)
    )


def test_approval_to_run_and_to_skip(cellblock):
    done = ask(cellblock, "what\nr\ns\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Run block 1 of 2 (python)? [r]un, [e]dit, [s]kip, s[t]op: ") == 2
    assert done.stdout.count("Run block 2 of 2 (python)? [r]un, [e]dit, [s]kip, s[t]op: ") == 1
    assert "  │ x is 20\n" in done.stdout
    assert "  │ 21\n" not in done.stdout
    transcript = (cellblock.folder / "chat" / "chat.md").read_text()
    assert "Code output: x is 20\n\n[The user skipped this block.]" in transcript


def test_approval_with_an_edit(cellblock):
    editor = cellblock.write("editor.py", "import sys\nopen(sys.argv[1], 'w').write('x = 7\\nx')\n")
    done = ask(cellblock, "edit\nrun\nrun\n", EDITOR=f"python {editor}")
    assert done.returncode == 0, done.stderr
    assert "  │ 7\n" in done.stdout
    assert "  │ 8\n" in done.stdout
    assert (
        "[The user changed this block before it ran, to:]\nx = 7\nx\n"
        in (cellblock.folder / "chat" / "chat.md").read_text()
    )
    assert ("code", "x = 7\nx") in notebook_of(cellblock.folder)


def test_what_was_decided_is_done_again_by_a_replay(cellblock):
    code = "x = 7\n'''\n```\n<!-- message from user -->\n'''\nprint('seven')"
    editor = cellblock.write("editor.py", f"import sys\nopen(sys.argv[1], 'w').write({code!r})\n")
    first = ask(cellblock, "edit\nrun\nskip\n", EDITOR=f"python {editor}")
    assert "  │ seven\n" in first.stdout
    recorded = (cellblock.folder / "chat" / "chat.md").read_text()
    assert "\n## approval\n\nBlock 1 was changed to:\n\n````python\nx = 7\n" in recorded
    assert "\n## approval\n\nBlock 2 was skipped.\n" in recorded
    for arguments in (["--replay", "chat/chat.md"], ["--replay", "chat/chat-2.md", "--ask"]):
        again = cellblock("chat", *arguments)
        assert (again.returncode, again.stderr) == (0, "")
        assert "Run block" not in again.stdout
        assert "  │ seven\n" in again.stdout
        assert "  │ x is 20\n" not in again.stdout
    assert (cellblock.folder / "chat" / "chat-3.md").read_text() == recorded


def test_replay_stops_where_the_chat_was_stopped_unless_the_person_goes_on(cellblock):
    ask(cellblock, "run\nstop\n")
    assert "Block 2 did not run: the chat was stopped." in (cellblock.folder / "chat" / "chat.md").read_text()
    again = cellblock("chat", "--replay", "chat/chat.md")
    assert "  │ x is 20\n" in again.stdout
    assert "  │ 21\n" not in again.stdout
    assert "The chat was stopped before the block ran." in again.stdout
    further = cellblock("chat", "--replay", "chat/chat.md", "--ask", text_in="run\nrun\n")
    assert "  │ 21\n" in further.stdout


@pytest.mark.parametrize("answers", ["r\nt\n", "r\n"])
def test_approval_that_stops_the_chat(cellblock, answers):
    done = ask(cellblock, answers)
    assert done.returncode == 0, done.stderr
    assert "The chat was stopped before the block ran." in done.stdout
    assert "x is 20" in done.stdout

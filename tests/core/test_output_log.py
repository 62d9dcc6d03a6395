"""The log of what a cell showed: against a model that keeps everything, and at its limits."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellblock._core.output_log import OutputLog
from cellblock._core.outputs import (
    ClearOutput,
    DisplayOutput,
    ErrorOutput,
    Limits,
    OmittedOutput,
    Output,
    ResultOutput,
    StreamOutput,
)

texts = st.text("abc\n\r\x08é", max_size=12)
streams = st.builds(StreamOutput, st.sampled_from(["stdout", "stderr"]), texts)
ids = st.sampled_from([None, "a", "b"])
displays = st.builds(
    lambda text, id_, update: DisplayOutput({"text/plain": text}, display_id=id_, update=update and id_ is not None),
    texts,
    ids,
    st.booleans(),
)
results = st.builds(lambda text: ResultOutput({"text/plain": text}), texts)
clears = st.builds(lambda wait: ClearOutput(wait=wait), st.booleans())
anything = st.lists(streams | displays | results | clears, max_size=40)

WIDE = Limits(memory=1_000_000)


def logged(outputs: list[Output], limits: Limits = WIDE, spool: "Kept | None" = None) -> OutputLog:
    log = OutputLog(limits, spool)
    for output in outputs:
        log.add(output)
    return log


def as_a_notebook_shows(outputs: list[Output]) -> list[Output]:
    """The model: what stands below the cell in the end."""
    shown: list[Output] = []
    clear_next = False
    for output in outputs:
        if isinstance(output, ClearOutput):
            clear_next = output.wait
            shown = shown if output.wait else []
            continue
        if isinstance(output, DisplayOutput) and output.update and any(same_display(o, output) for o in shown):
            shown = [as_shown(output) if same_display(o, output) else o for o in shown]
            continue
        if clear_next:
            shown, clear_next = [], False
        if isinstance(output, StreamOutput) and shown and continues(shown[-1], output):
            shown[-1] = StreamOutput(output.name, shown[-1].text + output.text)
        else:
            shown.append(as_shown(output) if isinstance(output, DisplayOutput) else output)
    return shown


def same_display(shown: Output, update: DisplayOutput) -> bool:
    return isinstance(shown, DisplayOutput) and shown.display_id == update.display_id


def continues(last: Output, chunk: StreamOutput) -> bool:
    return isinstance(last, StreamOutput) and last.name == chunk.name


def as_shown(output: DisplayOutput) -> DisplayOutput:
    return DisplayOutput(output.data, output.metadata, display_id=output.display_id)


class Kept:
    """A spool in memory."""

    location = "the whole"

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text


@settings(max_examples=400)
@given(anything)
def test_the_log_shows_what_a_notebook_shows(outputs):
    assert list(logged(outputs).outputs()) == as_a_notebook_shows(outputs)


# Limits


@settings(max_examples=300)
@given(st.lists(streams, max_size=200), st.integers(200, 3000))
def test_no_character_is_lost_without_being_counted(chunks, memory):
    spool = Kept()
    log = logged(chunks, Limits(memory=memory), spool)
    written = [(chunk.name, character) for chunk in chunks for character in chunk.text]
    head, omitted, tail = parts(log)
    assert len(head) + omitted + len(tail) == len(written)
    assert head == written[: len(head)]
    assert tail == written[len(written) - len(tail) :]
    assert len(head) + len(tail) <= memory
    if omitted:
        assert spool.text == "".join(chunk.text for chunk in chunks)
        assert log.location == "the whole"


def parts(log: OutputLog) -> tuple[list[tuple[str, str]], int, list[tuple[str, str]]]:
    """The characters before and after what was cut, and how many that are; all before if nothing was cut."""
    outputs = log.outputs()
    at = next((i for i, o in enumerate(outputs) if isinstance(o, OmittedOutput)), len(outputs))
    head, cut, tail = outputs[:at], outputs[at : at + 1], outputs[at + 1 :]
    assert log.omitted == sum(o.characters for o in cut)
    return characters(head), log.omitted, characters(tail)


def characters(outputs: tuple[Output, ...]) -> list[tuple[str, str]]:
    return [(o.name, character) for o in outputs for character in o.text]


@settings(max_examples=300)
@given(st.lists(streams | displays | results, max_size=60), st.integers(0, 4000))
def test_memory_is_bounded_whatever_comes(outputs, memory):
    log = logged(outputs, Limits(memory=memory))
    assert sum(map(size, log.outputs())) <= memory


@given(st.lists(st.integers(0, 30), max_size=60), st.integers(0, 60))
def test_updates_cannot_grow_past_the_limit(growth, displayed):
    """However large the updates of displays that are kept, and whether those stand in the head or in the tail."""
    log = logged([DisplayOutput({"text/plain": "x" * 20}, display_id=str(i)) for i in range(displayed)], Limits(3000))
    for number in growth:
        log.add(DisplayOutput({"text/plain": "y" * 100 * number}, display_id=str(number), update=True))
        assert sum(map(size, log.outputs())) <= 3000


def size(output: Output) -> int:
    if isinstance(output, StreamOutput):
        return len(output.text)
    return sum(len(text) for text in output.data.values()) if isinstance(output, DisplayOutput | ResultOutput) else 0


def test_head_and_tail_are_about_half_of_memory_each():
    log = logged([StreamOutput("stdout", f"{i:5}\n") for i in range(10_000)], Limits(memory=6000))
    head, omitted, tail = log.outputs()
    assert 2900 <= len(head.text) <= 3000
    assert omitted.characters == 60_000 - len(head.text) - len(tail.text)
    assert tail.text.endswith(" 9999\n")


def test_an_update_of_a_display_that_was_dropped_is_a_new_output():
    log = logged([DisplayOutput({"text/plain": "x" * 100}, display_id=str(i)) for i in range(100)], Limits(2000))
    log.add(DisplayOutput({"text/plain": "again"}, display_id="50", update=True))
    assert log.outputs()[-1] == DisplayOutput({"text/plain": "again"}, display_id="50")


def test_an_update_in_the_head_is_seen():
    log = logged([DisplayOutput({"text/plain": "x" * 100}, display_id=str(i)) for i in range(100)], Limits(2000))
    log.add(DisplayOutput({"text/plain": "new"}, display_id="0", update=True))
    assert log.outputs()[0] == DisplayOutput({"text/plain": "new"}, display_id="0")


def test_one_output_larger_than_memory_leaves_its_count():
    log = logged([ResultOutput({"text/plain": "x" * 5000})], Limits(memory=1000))
    assert log.outputs() == (OmittedOutput(5100),)  # with what any object is charged


def test_a_small_output_after_a_large_one_costs_little():
    """The large one is not copied for each of them, which would take half a minute here."""
    log = logged([StreamOutput("stdout", "x" * 40_000_000)], Limits(memory=20_000_000))
    began = time.monotonic()
    for _ in range(20_000):
        log.add(StreamOutput("stdout", "y"))
    assert time.monotonic() - began < 3
    head, omitted, tail = log.outputs()
    assert len(head.text) + omitted.characters + len(tail.text) == 40_020_000


# The spool


def test_the_spool_gets_everything_in_order_once_memory_is_full():
    spool = Kept()
    outputs = [
        StreamOutput("stdout", "a" * 600),
        DisplayOutput({"text/plain": "shown"}, display_id="d"),
        StreamOutput("stderr", "b" * 600),
        DisplayOutput({"text/plain": "updated"}, display_id="d", update=True),
        ErrorOutput("E", "message", ("a frame",)),
    ]
    log = logged(outputs, Limits(memory=1000), spool)
    assert log.location == "the whole"
    lines = spool.text.replace("a" * 600, "A").replace("b" * 600, "B\n").splitlines()
    assert [line if line[0] != "{" else json.loads(line) for line in lines] == [
        'A{"data": {"text/plain": "shown"}}',
        "B",
        {"data": {"text/plain": "updated"}},
        "a frame",
        "E: message",
    ]


def test_nothing_is_spooled_while_memory_will_do():
    spool = Kept()
    log = logged([StreamOutput("stdout", "a" * 500)], Limits(memory=1000), spool)
    assert (spool.text, log.location) == ("", "")


def test_what_the_spool_may_not_keep_is_in_no_file():
    """A part of the whole must not pass for the whole."""
    spool = Kept()
    log = logged([StreamOutput("stdout", "a" * 100)] * 100, Limits(memory=1000, spool=5000), spool)
    assert len(spool.text) == 5000
    assert (log.location, log.outputs()[1].location) == ("", "")


def test_a_clear_forgets_what_was_cut():
    log = logged(
        [StreamOutput("stdout", "a" * 5000), ClearOutput(), StreamOutput("stdout", "new")], Limits(memory=1000)
    )
    assert (log.outputs(), log.omitted) == ((StreamOutput("stdout", "new"),), 0)


# Single facts


def test_late_text_is_not_joined_with_other_text():
    outputs = [
        StreamOutput("stdout", "a"),
        StreamOutput("stdout", "b", late=True),
        StreamOutput("stdout", "c", late=True),
    ]
    assert logged(outputs).outputs() == (StreamOutput("stdout", "a"), StreamOutput("stdout", "bc", late=True))


def test_outputs_are_values():
    with pytest.raises(AttributeError):
        StreamOutput("stdout", "a").text = "b"
    assert DisplayOutput({"text/plain": "a"}) == DisplayOutput({"text/plain": "a"})

"""System messages for writers of code: what they say of an executor."""

import pytest

from cellblock.agentchat import COMMAND_LINE_PROMPT, DOCKER_COMMAND_LINE_PROMPT, JUPYTER_PROMPT, jupyter_prompt


def test_without_more_it_says_what_holds_for_all():
    of_this_one = "The blocks of one message may take 60 seconds."
    of_all = "There is a time limit for each message of yours."
    assert jupyter_prompt(seconds=60).replace(of_this_one, of_all) == JUPYTER_PROMPT


def test_images_are_shown_or_named():
    assert "you are told their paths" in jupyter_prompt(seconds=1)
    assert "you are shown the images" in jupyter_prompt(seconds=1, images=True)


@pytest.mark.parametrize(
    ("hosts", "sentence"),
    [
        ((), "There is no network, so nothing can be installed or downloaded."),
        (
            ("packages.example", "10.0.0.0/8"),
            "Only these hosts can be reached: packages.example, 10.0.0.0/8. `%pip install",
        ),
    ],
)
def test_a_sandbox_is_described(hosts, sentence):
    prompt = jupyter_prompt(seconds=1, hosts=hosts)
    assert sentence in prompt
    assert ("%pip" in prompt) is bool(hosts)


@pytest.mark.parametrize("prompt", [JUPYTER_PROMPT, COMMAND_LINE_PROMPT, DOCKER_COMMAND_LINE_PROMPT])
def test_each_says_how_to_end_and_what_is_kept(prompt):
    assert "TERMINATE" in prompt
    assert "stay" in prompt
    assert "time limit" in prompt


def test_the_container_is_told_of():
    assert "Linux container" in DOCKER_COMMAND_LINE_PROMPT

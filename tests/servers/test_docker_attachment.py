"""The connection to a container's streams, and that nothing of it stays behind."""

import gc
import sys

import pytest

from cellblock.servers.docker_attachment import Attachment
from docker_engine import BASE_IMAGE, engine

__all__ = ["engine"]

pytestmark = pytest.mark.docker


@pytest.fixture
def unraisable(monkeypatch):
    """What was raised where nobody can catch it, while garbage was collected."""
    found = []
    monkeypatch.setattr(sys, "unraisablehook", lambda raised: found.append(raised.exc_value))
    return found


@pytest.fixture
def attached(engine):
    """Makes an attached container that runs a command."""
    made = []

    def make(command):
        container = engine.containers.create(BASE_IMAGE, ["sh", "-c", command], stdin_open=True, network_mode="none")
        made.append(container)
        attachment = Attachment(container, hold_stdin=True)
        container.start()
        return container, attachment

    yield make
    for container in made:
        container.remove(force=True)


def test_the_end_of_what_it_says_is_kept(attached):
    container, attachment = attached("seq 10000")
    container.wait()
    attachment.close()
    assert attachment.ended
    assert attachment.tail.endswith("\n9999\n10000")
    assert len(attachment.tail) <= 8192


@pytest.mark.parametrize("command", ["true", "exec sleep 100"])
def test_it_can_be_closed_more_than_once_and_leaves_nothing(attached, unraisable, command):
    container, attachment = attached(command)
    if command == "true":
        container.wait()
    attachment.close()
    attachment.close()
    assert attachment.ended
    del attachment
    gc.collect()
    assert unraisable == []


def test_the_end_of_the_connection_is_the_end_of_standard_input(attached):
    container, attachment = attached("read line; exit 7")
    attachment.close()
    assert container.wait()["StatusCode"] == 7

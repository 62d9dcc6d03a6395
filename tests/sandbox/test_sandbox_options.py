"""What a sandbox is asked for is checked when it is asked for."""

import tempfile
from pathlib import Path

import pytest

from cellblock.errors import ConfigError
from cellblock.kernels.sandbox.options import Sandbox
from cellblock.kernels.sandbox.sizes import in_words, parse_size


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workspace": "/nowhere"}, "must be an existing directory, and /nowhere is none"),
        ({"workspace": "/"}, "workspace cannot be /"),
        ({"workspace": "/tmp"}, "workspace cannot be /tmp"),
        ({"read_only": ["/nowhere"]}, "read_only names /nowhere, which does not exist"),
        ({"read_only": ["/proc"]}, "read_only cannot name /proc"),
        ({"read_only": ["/dev"]}, "read_only cannot name /dev"),
        ({"read_only": ["/"]}, "read_only cannot name /"),
        ({"read_only": ["/tmp"]}, "read_only cannot name /tmp: the sandbox has a /tmp of its own"),
        ({"read_only": ["/home"]}, "read_only cannot name /home: the sandbox has a /home/user of its own"),
        *(
            ({"workspace": folder}, f"workspace cannot be {folder}: the code may change all that is in it")
            for folder in ("/proc", "/dev", "/run", "/usr/local", "/etc/ssl", "/var/tmp", "/home", "/var/lib")
            if Path(folder).exists()
        ),
        ({"read_only": "/usr"}, "read_only must be a list of paths"),
        ({"allow_hosts": "packages.example"}, "allow_hosts must be a list of names"),
        ({"allow_hosts": ["https://packages.example"]}, "without a scheme"),
        ({"allow_hosts": ["*"]}, "allow_hosts takes names"),
        ({"memory": "1M"}, "memory must be at least 192M"),
        ({"memory": "much"}, 'memory must be a number of bytes or a size such as "512M"'),
        ({"disk": 0}, "disk must be a number of bytes"),
        ({"disk": True}, "disk must be a number of bytes"),
        ({"cpus": 0}, "cpus must be a number from 0.01 up"),
        ({"cpus": 0.001}, "cpus must be a number from 0.01 up"),
        ({"cpus": float("inf")}, "cpus must be a number from 0.01 up"),
        ({"cpus": "2"}, "cpus must be a number from 0.01 up"),
        ({"pids": 5_000_000}, "and at most 4194304; it was 5000000"),
        ({"pids": 4}, "pids must be at least 32"),
        ({"pids": 64.5}, "pids must be at least 32"),
        ({"env": {"NOT A NAME": "x"}}, "none of an environment variable"),
        ({"env": {"TOKEN": "a\0b"}}, "The value of TOKEN in env must be text"),
    ],
)
def test_a_wrong_argument_is_refused(options, message):
    with pytest.raises(ConfigError) as caught:
        Sandbox(**options)
    assert message in str(caught.value)


def test_an_ancestor_of_the_home_is_no_workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "people" / "me"))
    (tmp_path / "people").mkdir()
    with pytest.raises(ConfigError, match="workspace cannot be"):
        Sandbox(workspace=tmp_path / "people")


def test_folders_of_a_users_own_in_memory_are_workspaces(tmp_path):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        Sandbox(workspace=folder, read_only=[tmp_path])


def test_a_refusal_does_not_repeat_a_secret():
    with pytest.raises(ConfigError) as caught:
        Sandbox(env={"TOKEN": "secret\0"})
    assert "secret" not in str(caught.value)


def test_the_printed_form_holds_no_secret():
    assert "secret" not in repr(Sandbox(env={"TOKEN": "secret"}))


@pytest.mark.parametrize(
    ("size", "number"),
    [(1024, 1024), ("1024", 1024), ("512M", 2**29), ("2G", 2**31), ("1.5 GiB", 3 * 2**29), ("64kb", 2**16)],
)
def test_sizes_are_powers_of_1024(size, number):
    assert parse_size(size, "memory") == number


@pytest.mark.parametrize(("number", "words"), [(100, "100 bytes"), (2**29, "512 MiB"), (3 * 2**29, "1.5 GiB")])
def test_sizes_are_said_shortly(number, words):
    assert in_words(number) == words

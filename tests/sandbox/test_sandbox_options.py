"""What a sandbox is asked for is checked when it is asked for."""

import tempfile
from pathlib import Path

import pytest

from cellblock import KernelPool, Session
from cellblock.coding.jupyter import LocalJupyterServer
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
        ({"cpus": "2"}, "cpus must be a number from 0.01 up, as in 0.5 or 2, or None for all; it was '2'."),
        ({"pids": 5_000_000}, "and at most 4194304; it was 5000000"),
        ({"pids": 4}, "pids must be at least 32"),
        ({"pids": 64.5}, "pids must be at least 32"),
        ({"env": {"NOT A NAME": "x"}}, "none of an environment variable"),
        ({"env": {"TOKEN": "a\0b"}}, "The value of TOKEN in env must be text"),
        ({"env": {"TOKEN": "\ud800"}}, "The value of TOKEN in env must be text"),
        ({"env": None}, 'env must be a dict such as {"NAME": "value"}; it was a NoneType.'),
        ({"env": ["A=1"]}, "env must be a dict"),
        ({"workspace": 3}, "workspace must be a directory's path, or None; it was 3."),
        ({"workspace": b"/srv"}, "workspace must be a directory's path"),
        ({"read_only": None}, "read_only must be a list of paths; it was None."),
        ({"read_only": [3]}, "read_only must be a list of paths; it was [3]."),
        ({"read_only": Path("/usr")}, "read_only must be a list of paths"),
        ({"allow_hosts": None}, "allow_hosts must be a list of names; it was None."),
        ({"allow_hosts": [123]}, "allow_hosts must be a list of names; it was [123]."),
        ({"allow_hosts": ["a.example:99999"]}, "it has 'a.example:99999'"),
        ({"allow_hosts": ["a.example:0"]}, "it has 'a.example:0'"),
        ({"memory": "99999999T"}, "memory can be 1024 TiB at most; it was '99999999T'."),
        ({"disk": 10**400}, "disk can be 1024 TiB at most"),
        ({"on_request": 3}, "on_request must be a function, or None; it was 3."),
    ],
)
def test_a_wrong_argument_is_refused(options, message):
    with pytest.raises(ConfigError) as caught:
        Sandbox(**options)
    assert message in str(caught.value)


@pytest.mark.parametrize("make", [lambda it: Session(sandbox=it), lambda it: KernelPool(1, sandbox=it)])
@pytest.mark.parametrize("sandbox", [True, {"memory": "1G"}])
def test_what_is_no_sandbox_is_refused(make, sandbox):
    with pytest.raises(ConfigError, match=r"^sandbox must be a Sandbox, as in") as caught:
        make(sandbox)
    assert repr(sandbox) in str(caught.value)


def test_what_is_no_sandbox_is_refused_by_a_server():
    with pytest.raises(ConfigError, match=r"^sandbox must be a Sandbox, as in"):
        LocalJupyterServer(sandbox=True)


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

"""What a container is asked to be, without an engine."""

import contextlib
import json
import os
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
from docker.types import Mount
from docker.utils import parse_bytes

from cellblock.errors import ConfigError
from cellblock.servers.docker import DockerJupyterServer
from cellblock.servers.docker_confinement import Confinement, seccomp_profile
from cellblock.servers.docker_handover import GATEWAY_PORT, ListenerHandover, handover_for, why_not_handed_over
from cellblock.servers.docker_options import ContainerPlan

CONFINEMENT = {
    "cap_drop": ("ALL",),
    "cpus": 2.0,
    "init": True,
    "log_max_size": "10m",
    "mem_limit": "2g",
    "no_new_privileges": True,
    "pids_limit": 512,
    "seccomp": "cellblock",
}


def plan(**changes):
    arguments = {
        "confinement": Confinement(**CONFINEMENT),
        "name": "cells",
        "environment": {"TOKEN": "secret"},
        "labels": {"cellblock.owner.pid": "1"},
        "network": None,
        "volumes": (),
        "work_dir": None,
        "user": None,
        "gpus": None,
        "allow_docker_socket": False,
        "docker_kwargs": {},
    }
    return ContainerPlan(**arguments | changes)


def options(of_image="1000", *, bundled=True, engine_cpus=8, handover=None, **changes):
    image = SimpleNamespace(attrs={"Config": {"User": of_image}})
    return plan(**changes).options(
        image, bundled=bundled, engine_cpus=engine_cpus, profile="PROFILE", handover=handover
    )


@pytest.fixture
def handover(tmp_path):
    with contextlib.closing(ListenerHandover(tmp_path)) as handover:
        yield handover


def test_a_container_without_a_network_publishes_nothing_and_sees_the_way_to_its_socket(handover):
    made = options(handover=handover, docker_kwargs={"mounts": ["another"]}, environment={"TOKEN": "secret"})
    assert made["network_mode"] == "none"
    assert "ports" not in made
    mount, another = made["mounts"]
    assert (mount["Type"], mount["Target"], mount["ReadOnly"], another) == ("bind", "/run/cellblock", True, "another")
    assert made["environment"]["CELLBLOCK_LISTENER"] == "/run/cellblock/control"
    assert made["environment"]["PIP_RETRIES"] == "1"


def test_the_callers_variables_win_in_a_container_without_a_network(handover):
    made = options(handover=handover, environment={"TOKEN": "", "PIP_RETRIES": "9"})
    assert made["environment"]["PIP_RETRIES"] == "9"


@pytest.mark.parametrize(
    ("arguments", "needs"),
    [
        ({}, None),
        ({"network": True}, True),
        ({"network": "mine"}, True),
        ({"network": False}, False),
        ({"docker_kwargs": {"network_mode": "none"}}, False),
        ({"docker_kwargs": {"network_mode": "host"}}, True),
        ({"docker_kwargs": {"ports": {"5000/tcp": 5000}}}, True),
        ({"docker_kwargs": {"shm_size": "1g"}}, None),
    ],
)
def test_who_asks_for_a_network_or_for_a_port_gets_one(arguments, needs):
    assert plan(**arguments).needs_network is needs


def test_a_network_of_the_callers_is_the_containers():
    assert options(network="mine")["network"] == "mine"
    assert "network" not in options(network=True)


@pytest.mark.parametrize("host", [{"network": "host"}, {"docker_kwargs": {"network_mode": "host"}}])
def test_on_this_machines_network_the_server_is_for_this_machine_only(host, handover):
    by_port = options(**host)
    assert by_port["environment"]["CELLBLOCK_ADDRESS"] == "127.0.0.1"
    assert "ports" not in by_port
    by_socket = options(**host, handover=handover)
    assert by_socket["network_mode"] == "host"
    assert by_socket["environment"]["CELLBLOCK_LISTENER"] == "/run/cellblock/control"
    assert "PIP_RETRIES" not in by_socket["environment"]


BUNDLED_IMAGE = SimpleNamespace(
    attrs={"Config": {"Entrypoint": ["/opt/cellblock/venv/bin/python", "/opt/cellblock/gateway.py"]}}
)
OTHER_IMAGE = SimpleNamespace(attrs={"Config": {"Entrypoint": None}})


def engine(**info):
    return SimpleNamespace(info=lambda: {"Name": os.uname().nodename, "SecurityOptions": ["name=seccomp"]} | info)


@pytest.mark.parametrize(
    ("engine", "image", "runtime", "why"),
    [
        (engine(), BUNDLED_IMAGE, None, None),
        (engine(), OTHER_IMAGE, None, "its image is not the bundled one"),
        (engine(Name="docker-desktop"), BUNDLED_IMAGE, None, "the engine is on another machine, or in a virtual one"),
        (engine(SecurityOptions=["name=selinux"]), BUNDLED_IMAGE, None, "SELinux"),
        (engine(SecurityOptions=None), BUNDLED_IMAGE, None, None),
        (engine(), BUNDLED_IMAGE, "runsc", "its runtime runsc may have a kernel of its own"),
        (engine(DefaultRuntime="kata-runtime"), BUNDLED_IMAGE, None, "its runtime kata-runtime"),
        (engine(DefaultRuntime="/usr/bin/crun"), BUNDLED_IMAGE, None, None),
    ],
)
def test_where_a_container_can_be_reached_without_a_network(engine, image, runtime, why, monkeypatch):
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    found = why_not_handed_over(engine, image, runtime)
    assert found is None if why is None else found.startswith(why)
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2375")
    assert why_not_handed_over(engine, image, runtime) is not None


def test_where_it_cannot_the_old_way_is_taken_and_said_but_never_against_the_callers_word(caplog):
    with handover_for(engine(), OTHER_IMAGE, None, needs_network=None) as handover:
        assert handover is None
    (said,) = caplog.messages
    assert said.startswith("The container has a network: its image is not the bundled one, or one made of it, ")
    assert said.endswith(". Pass network=True if that is what you want.")
    with (
        pytest.raises(ConfigError, match="was to have no network, but its image"),
        handover_for(engine(), OTHER_IMAGE, None, needs_network=False),
    ):
        pass
    with handover_for(engine(), BUNDLED_IMAGE, None, needs_network=True) as handover:
        assert handover is None


def test_on_this_machines_network_a_socket_is_handed_in_where_it_can_be(caplog):
    with handover_for(engine(), BUNDLED_IMAGE, None, needs_network=True, on_hosts_network=True) as handover:
        assert handover.port != GATEWAY_PORT
    assert not caplog.messages


def test_a_port_of_this_machines_that_is_taken_is_nobody_elses():
    with contextlib.ExitStack() as taken:
        with contextlib.suppress(OSError):  # somebody else may have it: then it is taken
            taken.enter_context(socket.create_server(("127.0.0.1", GATEWAY_PORT)))
        wanted = handover_for(engine(), OTHER_IMAGE, None, needs_network=True, on_hosts_network=True)
        with pytest.raises(
            ConfigError, match=r"serve on its port 8888, but that cannot be had \(Address already in use\)"
        ):
            taken.enter_context(wanted)


def test_memory_and_swap_are_limited_together():
    assert Confinement(**CONFINEMENT | {"mem_limit": "3g"}).options(8, "PROFILE", {})["memswap_limit"] == "3g"
    assert (
        not {"mem_limit", "memswap_limit"}
        & Confinement(**CONFINEMENT | {"mem_limit": None}).options(8, "PROFILE", {}).keys()
    )


@pytest.mark.parametrize(
    ("cpus", "engine_cpus", "expected"), [(2.0, 8, 2 * 10**9), (2.0, 1, 10**9), (0.5, 1, 5 * 10**8)]
)
def test_no_more_processors_are_asked_for_than_there_are(cpus, engine_cpus, expected):
    assert Confinement(**CONFINEMENT | {"cpus": cpus}).options(engine_cpus, "PROFILE", {})["nano_cpus"] == expected


@pytest.mark.parametrize(
    ("seccomp", "begins"),
    [
        ("cellblock", ["no-new-privileges", "seccomp=PROFILE"]),
        ("unconfined", ["no-new-privileges", "seccomp="]),
    ],
)
def test_the_rules_on_system_calls_are_asked_for(seccomp, begins):
    rules = Confinement(**CONFINEMENT | {"seccomp": seccomp}).options(8, "PROFILE", {})["security_opt"]
    assert len(rules) == len(begins)
    assert all(rule.startswith(begin) for rule, begin in zip(rules, begins, strict=True))


def test_the_profile_is_text_for_docker_and_a_file_for_podman():
    with seccomp_profile(as_file=False) as text, seccomp_profile(as_file=True) as file:
        assert json.loads(text)["defaultAction"] == "SCMP_ACT_ERRNO"
        assert Path(file).read_text() == text
    assert not Path(file).exists()


@pytest.mark.parametrize(
    ("of_image", "user", "runs_as"),
    [("1000", None, None), ("jovyan:users", None, None), ("", None, "1000:1000"), ("root", None, "1000:1000"),
     ("0:0", None, "1000:1000"), ("", "root", "root"), ("1000", "5:6", "5:6")],
)  # fmt: skip
def test_nobody_is_root_unless_asked(of_image, user, runs_as):
    assert options(of_image, user=user).get("user") == runs_as


def test_a_user_the_image_does_not_know_gets_a_home():
    made = options("root", bundled=False)
    assert (made["environment"]["HOME"], made["working_dir"]) == ("/tmp", "/tmp")
    assert "HOME" not in options("root", bundled=True)["environment"]
    assert options("root", bundled=False, environment={"TOKEN": "", "HOME": "/data"})["environment"]["HOME"] == "/data"


def test_the_work_dir_is_the_workspace_and_the_containers_user_can_write_there(tmp_path):
    made = options(work_dir=tmp_path, volumes={"/data": {"bind": "/data", "mode": "ro"}})
    assert made["volumes"] == ["/data:/data:ro", f"{tmp_path}:/workspace:rw"]
    assert made["working_dir"] == "/workspace"
    if os.getuid() == 0:
        assert (made.get("user"), tmp_path.stat().st_uid) == (None, 1000)
    else:
        assert made["user"] == f"{os.getuid()}:{os.getgid()}"


def test_the_callers_options_win_and_labels_and_ports_are_added():
    made = options(docker_kwargs={"pids_limit": 9, "labels": {"team": "a"}, "ports": {"5000/tcp": 5000}})
    assert made["pids_limit"] == 9
    assert made["labels"] == {"team": "a", "cellblock.owner.pid": "1"}
    assert made["ports"] == {"8888/tcp": ("127.0.0.1", None), "5000/tcp": ("127.0.0.1", 5000)}
    assert options(docker_kwargs={"labels": ["team"]})["labels"]["team"] == ""
    assert "ports" not in options(docker_kwargs={"network_mode": "host"})


@pytest.mark.parametrize(
    ("gpus", "request_"), [("all", {"Count": -1}), (2, {"Count": 2}), (["GPU-1"], {"DeviceIDs": ["GPU-1"]})]
)
def test_graphics_processors_are_asked_for(gpus, request_):
    (made,) = options(gpus=gpus)["device_requests"]
    assert made["Capabilities"] == [["gpu"]]
    assert request_.items() <= made.items()


REFUSAL = r"rules its machine\. Leave it out, or pass allow_docker_socket=True\.$"


@pytest.mark.parametrize(
    "volumes",
    [["/var/run/docker.sock:/s"], {"/run": {"bind": "/run"}}, ["/:/host:ro"], ["/var/run:/r"], ["/run/podman:/p"]],
)
def test_an_engines_socket_is_refused_unless_allowed(volumes):
    with pytest.raises(ConfigError, match=REFUSAL):
        options(volumes=volumes)
    assert len(options(volumes=volumes, allow_docker_socket=True)["volumes"]) == 1


def test_an_engines_socket_is_refused_as_a_mount_too():
    mounts = [Mount("/data", "data", type="volume"), Mount("/s", "/var/run/docker.sock", type="bind")]
    with pytest.raises(ConfigError, match=REFUSAL):
        options(docker_kwargs={"mounts": mounts})
    assert options(docker_kwargs={"mounts": mounts}, allow_docker_socket=True)["mounts"] == mounts
    assert options(docker_kwargs={"mounts": mounts[:1]})["mounts"] == mounts[:1]


@pytest.mark.parametrize(
    ("variable", "value", "below"),
    [
        ("DOCKER_HOST", "unix://{}/engine.sock", "engine.sock"),
        ("XDG_RUNTIME_DIR", "{}", "docker.sock"),
        ("XDG_RUNTIME_DIR", "{}", "podman/podman.sock"),
    ],
)
def test_a_users_engine_has_a_socket_too(variable, value, below, tmp_path, monkeypatch):
    monkeypatch.setenv(variable, value.format(tmp_path))
    link = tmp_path.with_name(f"{tmp_path.name}-link")
    link.symlink_to(tmp_path)
    for source in (tmp_path / below, tmp_path, link, tmp_path.parent):
        with pytest.raises(ConfigError, match=REFUSAL):
            options(volumes=[f"{source}:/s"])
    with pytest.raises(ConfigError, match=REFUSAL):
        options(work_dir=tmp_path)
    assert options(volumes=[f"{tmp_path}/data:/data"])["volumes"] == [f"{tmp_path}/data:/data"]


def test_ports_are_published_for_this_machine_unless_they_name_an_address():
    ports = {"1/tcp": None, "2/tcp": 2, "3/tcp": ("0.0.0.0", 3), "4/tcp": [4, ("::1", 5)]}
    assert options(docker_kwargs={"ports": ports})["ports"] == {
        "8888/tcp": ("127.0.0.1", None),
        "1/tcp": ("127.0.0.1", None),
        "2/tcp": ("127.0.0.1", 2),
        "3/tcp": ("0.0.0.0", 3),
        "4/tcp": [("127.0.0.1", 4), ("::1", 5)],
    }


@pytest.mark.parametrize("asked", [{"cpu_quota": 50_000}, {"cpu_period": 100_000}])
def test_our_limit_of_processors_gives_way_to_another_kind(asked):
    made = options(docker_kwargs=asked)
    assert "nano_cpus" not in made
    assert asked.items() <= made.items()


@pytest.mark.parametrize(("reserved", "limit"), [("3g", "3g"), (3 * 2**30, 3 * 2**30), ("1g", "2g"), (None, "2g")])
def test_our_limit_of_memory_is_not_below_what_is_reserved(reserved, limit):
    made = options(docker_kwargs={"mem_reservation": reserved})
    assert made["mem_limit"] == made["memswap_limit"] == limit


def test_what_is_reserved_must_be_a_size():
    with pytest.raises(
        ConfigError, match=r"^mem_reservation must be a number of bytes or a size such as \"1g\"; it was"
    ):
        options(docker_kwargs={"mem_reservation": "lots"})


@pytest.mark.parametrize("size", [2**31, "2147483648", "2g", "2GB", "1.5 g", "100b"])
def test_sizes_of_memory_are_those_of_the_sdk(size):
    assert parse_bytes(options(confinement=Confinement(**CONFINEMENT | {"mem_limit": size}))["mem_limit"]) > 0


def test_a_plan_does_not_show_the_token():
    assert "secret" not in repr(plan())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"environment": {}}, "environment cannot be passed on to Docker. Use docker_env= instead."),
        ({"name": "x"}, "name cannot be passed on to Docker. Use container_name= instead."),
        ({"tty": True}, "tty cannot be passed on to Docker. Leave it out: the server depends on it."),
        ({"work_dir": "/nosuch"}, "work_dir must be an existing directory, and /nosuch is none. Create it first."),
        (
            {"work_dir": "/"},
            "work_dir cannot be /: the code may change all that is in it. Give a directory of its own.",
        ),
        ({"gpus": "some"}, "gpus must be a number, \"all\", or a list of ids; it was 'some'."),
        ({"mem_limit": "lots"}, "mem_limit must be a number of bytes or a size such as \"2g\"; it was 'lots'."),
        (
            {"volumes": {"/tmp/x": "/r"}},
            "volumes must say where each is seen, as in {'/tmp/x': {'bind': '/data', 'mode': 'ro'}}; it was '/r'.",
        ),
        ({"volumes": "/tmp/x:/r"}, "volumes must be a list, as in ['/tmp/x:/r']."),
        ({"cpus": 0}, "cpus must be positive, as in 0.5 or 2; it was 0."),
        ({"cap_drop": "ALL"}, "cap_drop must be a list of names, as in ['ALL']."),
        ({"seccomp": "none"}, "seccomp must be one of cellblock, engine, unconfined; it was 'none'."),
        (
            {"network": True, "network_mode": "host"},
            "Leave out network= or network_mode=: both say which network the container has.",
        ),
        ({"start_timeout": 0}, "start_timeout must be a positive number of seconds; it was 0."),
    ],
)
def test_arguments_are_checked_before_an_engine_is_asked(arguments, message, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    with pytest.raises(ConfigError) as caught:
        DockerJupyterServer(**arguments)
    assert str(caught.value) == message

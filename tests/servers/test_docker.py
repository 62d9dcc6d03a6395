"""DockerJupyterServer: real containers, of the bundled image and of images that do not do what they must."""

import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from cellblock import CodeBlock
from cellblock.coding.jupyter import JupyterCodeExecutor
from cellblock.errors import ConfigError, ImageError, MissingDependency, ServerStartError, StartError
from cellblock.servers.connection_info import JupyterConnectable
from cellblock.servers.docker import DockerJupyterServer
from docker_engine import BASE_IMAGE, BUNDLED, build, bundled_image, engine, engine_client, exists, stock_image

__all__ = ["bundled_image", "engine", "stock_image"]

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("bundled_image")]


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def server(work_dir):
    with DockerJupyterServer(
        **BUNDLED, work_dir=work_dir, docker_env={"GREETING": "hello"}, labels={"team": "a"}, hostname="cells"
    ) as server:
        yield server


@pytest.fixture(scope="module")
def executor(server, tmp_path_factory):
    with JupyterCodeExecutor(server, timeout=60, output_dir=tmp_path_factory.mktemp("output")) as executor:
        yield executor


@pytest.fixture(scope="module")
def attrs(server):
    with engine_client() as client:
        return client.containers.get(server.container_name).attrs


def run(executor, code):
    return executor.execute_code_blocks([CodeBlock(code=code, language="python")])


def lines(executor, command):
    return run(executor, f"!{command}").output.splitlines()


def test_printed_result_is_autogens(server):
    assert isinstance(server, JupyterConnectable)
    with JupyterCodeExecutor(server) as executor:
        result = run(executor, "print('Hello, World!')")
    assert str(result) == r"exit_code=0 output='Hello, World!\n' output_files=[]"


def test_connection_info_and_client(server):
    info = server.connection_info
    assert (info.host, info.use_https, len(info.token)) == ("127.0.0.1", False, 64)
    assert "python3" in server.get_client().list_kernel_specs()["kernelspecs"]
    assert server.container_name.startswith("autogen-jupyterkernelgateway-")


def test_the_code_has_no_network_and_nothing_is_published(executor, attrs, server):
    assert attrs["HostConfig"]["NetworkMode"] == "none"
    assert not attrs["HostConfig"]["PortBindings"]
    assert run(executor, "import socket; print(socket.if_nameindex())").output == "[(1, 'lo')]\n"
    for port in (server.connection_info.port, 8888):
        assert "Connection refused" in run(executor, f"socket.create_connection(('127.0.0.1', {port}))").output


def test_the_code_cannot_look_into_the_server_beside_it(executor):
    """It holds a socket of this machine's network."""
    looked = """
import glob, os
for folder in glob.glob('/proc/[0-9]*'):
    with open(f'{folder}/cmdline') as file:
        if 'gateway.py' in file.read() and os.path.basename(folder) != '1':
            for name in ('mem', 'environ', 'fd/0'):
                try:
                    open(f'{folder}/{name}').close()
                except PermissionError:
                    print(name)
"""
    assert run(executor, looked).output == "mem\nenviron\nfd/0\n"


def test_pip_without_a_network_says_so_at_once(executor):
    output = run(executor, "%pip install nothing-like-this").output
    assert "Temporary failure in name resolution" in output
    assert output.count("Retrying (") == 1


def test_with_a_network_it_is_published_for_this_machine_only(engine):
    with DockerJupyterServer(**BUNDLED, network=True) as server, JupyterCodeExecutor(server) as executor:
        published = engine.containers.get(server.container_name).attrs["NetworkSettings"]["Ports"]
        assert published == {"8888/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(server.connection_info.port)}]}
        assert "eth0" in run(executor, "import socket; print(socket.if_nameindex())").output


def test_what_the_caller_wants_of_the_engine_goes_with_our_limits(engine):
    """An engine refuses some pairs of options, of which one is ours."""
    wanted = {"cpu_quota": 50_000, "cpu_period": 100_000, "mem_reservation": "3g", "ports": {"5000/tcp": None}}
    with DockerJupyterServer(**BUNDLED, **wanted) as server:
        container = engine.containers.get(server.container_name).attrs
        config = container["HostConfig"]
        assert (config["NanoCpus"], config["CpuQuota"], config["Memory"]) == (0, 50_000, 3 * 2**30)
        published = container["NetworkSettings"]["Ports"].values()
        assert [place["HostIp"] for places in published for place in places] == ["127.0.0.1", "127.0.0.1"]


def test_files_go_in_and_come_out(executor, work_dir):
    (work_dir / "in.txt").write_text("from here")
    result = run(
        executor, "from pathlib import Path\nPath('out.txt').write_text(Path('in.txt').read_text() + ' and back')"
    )
    assert result.exit_code == 0, result.output
    assert (work_dir / "out.txt").read_text() == "from here and back"
    assert run(executor, "!pwd").output.strip() == "/workspace"


def test_images_land_in_the_callers_directory(executor):
    picture = "aGVsbG8="  # any bytes will do
    result = run(executor, f"display({{'image/png': {picture!r}}}, raw=True)")
    (file,) = result.output_files
    assert Path(file).read_bytes() == b"hello"


def test_the_code_has_no_rights(executor):
    status = dict(line.split(":\t") for line in lines(executor, "cat /proc/self/status"))
    assert {status[name] for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert "0" not in status["Uid"].split()


def test_the_code_meets_our_rules_on_system_calls(executor):
    """AF_VSOCK is one that an engine's own rules may leave open."""
    result = run(executor, "import socket; socket.socket(40, socket.SOCK_STREAM)")
    assert "PermissionError" in result.output or "OSError" in result.output
    assert "Errno 97" not in result.output  # the kernel's answer to a family it does not have


def test_the_container_is_limited(attrs):
    config = attrs["HostConfig"]
    assert config["Memory"] == config["MemorySwap"] == 2 * 2**30
    assert config["PidsLimit"] == 512
    assert 0 < config["NanoCpus"] <= 2 * 10**9
    assert config["LogConfig"]["Config"] == {"max-size": "10m"}
    assert config["Init"] is True
    assert config["AutoRemove"] is True
    assert not any("docker.sock" in bind for bind in config["Binds"])


def test_nobody_else_learns_the_token(executor, server, attrs):
    """It is in no command line, on either side, and in no kernel's environment."""
    token = server.connection_info.token
    assert token not in str(attrs["Config"]["Cmd"]) + str(attrs["Config"]["Entrypoint"])
    assert token not in run(executor, "!cat /proc/[0-9]*/cmdline | tr '\\0' ' '").output
    assert token not in run(executor, "import os; print(dict(os.environ))").output


def test_environment_and_further_options_reach_the_container(executor, attrs):
    assert run(executor, "import os; print(os.environ['GREETING'])").output == "hello\n"
    assert run(executor, "import socket; print(socket.gethostname())").output == "cells\n"
    assert attrs["Config"]["Labels"]["team"] == "a"


def test_twenty_megabytes_and_thousands_of_displays_arrive(executor):
    result = run(executor, "print('x' * 20_000_000)\nfor i in range(5000): display({'text/plain': str(i)}, raw=True)")
    assert result.outputs[0].text == "x" * 20_000_000 + "\n"
    assert len(result.outputs) == 5001


def test_one_server_serves_many(server):
    executors = [JupyterCodeExecutor(server) for _ in range(3)]
    for number, executor in enumerate(executors):
        assert run(executor, f"mine = {number}; print(mine)").output == f"{number}\n"
    executors[0].stop()
    assert [run(executor, "print(mine)").output for executor in executors[1:]] == ["1\n", "2\n"]
    for executor in executors[1:]:
        executor.stop()
    assert len(server.get_client().list_kernels()) <= 1


def test_stop_removes_the_container_and_may_be_called_again(engine):
    server = DockerJupyterServer(**BUNDLED, container_name=f"cellblock-test-{uuid.uuid4()}", token="")
    assert server.connection_info.token == ""
    assert server.get_client().list_kernels() == []
    server.stop()
    assert not exists(engine, server.container_name)
    server.stop()


def test_a_container_that_is_gone_is_no_error(engine):
    server = DockerJupyterServer(**BUNDLED)
    engine.containers.get(server.container_name).remove(force=True)
    server.stop()


def test_everything_can_be_switched_off(engine):
    with DockerJupyterServer(
        **BUNDLED,
        auto_remove=False,
        user="root",
        cap_drop=(),
        no_new_privileges=False,
        seccomp="engine",
        pids_limit=None,
        mem_limit=None,
        cpus=None,
        init=False,
        log_max_size=None,
        token="mine",
    ) as server:
        container = engine.containers.get(server.container_name)
        assert container.exec_run(["id", "-u"]).output == b"0\n"
        assert server.connection_info.token == "mine"
    config = container.attrs["HostConfig"]
    assert not config["Memory"]
    assert not config["NanoCpus"]
    assert not config["PidsLimit"]
    assert not config["CapDrop"]
    assert not config["SecurityOpt"]
    container.reload()
    assert container.status == "exited"  # kept for a look
    container.remove()


def test_an_image_of_roots_does_not_run_as_root(stock_image):
    image = build("cellblock-test-as-root:latest", f"FROM {stock_image}\nUSER root\nENV HOME=/root\n")
    with DockerJupyterServer(custom_image_name=image) as server, JupyterCodeExecutor(server) as executor:
        assert lines(executor, "id -u; pwd; touch file && echo written") == ["1000", "/tmp", "written"]


@pytest.mark.parametrize("name", ["localhost/none", "UPPER", "Bad Name", ""])
def test_missing_custom_image_is_said(name):
    """Also one that no image can have."""
    with pytest.raises(ImageError, match=rf"^Custom image {name} does not exist$"):
        DockerJupyterServer(custom_image_name=name)


@pytest.mark.parametrize("asked", [{"shm_size": "lots"}, {"restart_policy": {"Name": "always"}}, {"ports": {"x": 1}}])
def test_what_the_sdk_cannot_read_is_said(asked, engine):
    name = f"cellblock-test-{uuid.uuid4()}"
    with pytest.raises((ConfigError, StartError), match=r"\.$"):
        DockerJupyterServer(**BUNDLED, container_name=name, **asked)
    assert not exists(engine, name)


def test_a_container_that_ends_at_its_start_shows_its_log(engine):
    image = build("cellblock-test-broken:latest", f"FROM {BASE_IMAGE}\nCMD echo no gateway here >&2; exit 3\n")
    name = f"cellblock-test-{uuid.uuid4()}"
    with pytest.raises(ServerStartError, match=r"it ended at its start\.(.|\n)*The end of its log:\nno gateway here$"):
        DockerJupyterServer(custom_image_name=image, container_name=name)
    assert not exists(engine, name)


def test_an_image_that_ignores_the_token_is_told_so(stock_image):
    image = build(
        "cellblock-test-other-token:latest",
        f"FROM {stock_image}\nCMD exec python -m jupyter kernelgateway --KernelGatewayApp.ip=0.0.0.0 "
        "--KernelGatewayApp.auth_token=other --JupyterWebsocketPersonality.list_kernels=true\n",
    )
    with pytest.raises(ServerStartError, match="refused our token"):
        DockerJupyterServer(custom_image_name=image)


def test_an_image_that_never_answers_ends_at_the_deadline(engine):
    image = build("cellblock-test-silent:latest", f"FROM {BASE_IMAGE}\nCMD echo waiting; exec sleep 600\n")
    name = f"cellblock-test-{uuid.uuid4()}"
    with pytest.raises(ServerStartError, match=r"did not answer within 1 s\.(.|\n)*log:\nwaiting$"):
        DockerJupyterServer(custom_image_name=image, container_name=name, start_timeout=1)
    assert not exists(engine, name)


def test_a_name_that_is_taken_is_said(server):
    with pytest.raises(StartError, match=r"^A container of cellblock-jupyter:\w+ cannot be made: Conflict.*\.$"):
        DockerJupyterServer(**BUNDLED, container_name=server.container_name)


def test_a_custom_image_that_needs_a_network_is_told_so(stock_image):
    with pytest.raises(ConfigError, match="was to have no network, but its image is not the bundled one"):
        DockerJupyterServer(custom_image_name=stock_image, network_mode="none")


def test_an_image_made_of_the_bundled_one_has_no_network_either(bundled_image, engine):
    image = build("cellblock-test-derived:latest", f"FROM {bundled_image}\nENV MINE=1\n")
    with DockerJupyterServer(custom_image_name=image, network=False) as server:
        assert engine.containers.get(server.container_name).attrs["HostConfig"]["NetworkMode"] == "none"
        assert server.get_client().list_kernels() == []


def test_an_option_the_sdk_does_not_know_is_said():
    with pytest.raises(ConfigError, match="unexpected keyword argument 'colour'"):
        DockerJupyterServer(**BUNDLED, colour="red")


def test_on_the_hosts_network_the_server_is_for_this_machine_only():
    with DockerJupyterServer(**BUNDLED, network_mode="host") as server, JupyterCodeExecutor(server) as executor:
        assert server.connection_info.port != 8888
        tables = run(executor, "print(open('/proc/net/tcp').read() + open('/proc/net/tcp6').read())").output
        port = f"{server.connection_info.port:04X}"
        rows = [line.split() for line in tables.splitlines() if line.strip()]
        assert [row[1] for row in rows if row[1].endswith(f":{port}") and row[3] == "0A"] == [f"0100007F:{port}"]
        assert "gateway.py" in run(executor, "!cat /proc/1/cmdline").output  # of the container's processes


def test_an_image_that_gets_no_socket_listens_where_it_is_told(bundled_image, engine):
    """As on a host's network, where its port may be anybody's."""
    container = engine.containers.create(
        bundled_image,
        name=f"cellblock-test-{uuid.uuid4()}",
        environment={"TOKEN": "x", "CELLBLOCK_ADDRESS": "127.0.0.1"},
        network_mode="none",
    )
    try:
        container.start()
        log = container.logs(stream=True, follow=True)
        assert b"http://127.0.0.1:8888" in next(line for line in log if b"Kernel Gateway" in line)
        container.kill()
        list(log)  # the connection is let go of at the log's end
    finally:
        container.remove(force=True)


def test_a_server_that_takes_any_token_is_not_taken_for_the_containers(stock_image, engine):
    image = build(
        "cellblock-test-any-token:latest",
        f"FROM {stock_image}\nCMD exec python -m jupyter kernelgateway --KernelGatewayApp.ip=0.0.0.0 "
        "--JupyterWebsocketPersonality.list_kernels=true\n",
    )
    name = f"cellblock-test-{uuid.uuid4()}"
    with pytest.raises(
        ServerStartError, match=r"but it takes any token, or something else answers at http://127\.0\.0\.1:"
    ):
        DockerJupyterServer(custom_image_name=image, container_name=name)
    assert not exists(engine, name)


def test_no_engine_is_said(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    with pytest.raises(
        StartError, match=r"^Docker cannot be reached: .*Start it, or set DOCKER_HOST to where it is\.$"
    ):
        DockerJupyterServer()


def test_a_missing_sdk_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "docker", None)
    with pytest.raises(MissingDependency, match=r"cellblock\[docker\]"):
        DockerJupyterServer()


def test_the_module_loads_without_the_sdk():
    code = (
        "import sys; sys.modules['docker'] = None\n"
        "from cellblock.servers.docker import DockerJupyterServer\n"
        "print(DockerJupyterServer.DEFAULT_DOCKERFILE)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "ARG BASE_IMAGE=quay.io/jupyter/docker-stacks-foundation" in shown

"""What is imported when: a program pays only for what it uses."""

import subprocess
import sys

import pytest

HEAVY = {
    "IPython", "anthropic", "docker", "genai_prices", "httpx2", "ipykernel", "jupyter_client", "jupyter_server", "markdown_it",
    "nbconvert", "nbformat", "openai", "pydantic", "rich", "tornado", "typer", "websockets", "zmq",
}  # fmt: skip

RUN_A_CELL = "with Session() as session: assert session.run('6 * 7').text == '42'"
RUN_A_BLOCK = "with JupyterCodeExecutor() as e: e.execute_code_blocks([CodeBlock(code='1', language='python')])"

CASES = {
    "import cellblock": set(),
    "from cellblock import AsyncSession, Session": set(),
    "import cellblock.coding": set(),
    "import cellblock.coding.jupyter": set(),
    "import cellblock.agentchat": set(),
    "import cellblock.errors": set(),
    "from cellblock import CodeBlock, JupyterCodeExecutor": {"pydantic"},
    f"from cellblock import Session\n{RUN_A_CELL}": {"zmq"},
    f"from cellblock import CodeBlock, JupyterCodeExecutor\n{RUN_A_BLOCK}": {"pydantic", "zmq"},
}
"""Programs, and which heavy packages each may load."""


@pytest.mark.parametrize(("program", "may_load"), CASES.items())
def test_a_program_loads_only_what_it_uses(program, may_load):
    """In an interpreter of its own; what it starts with is not charged to it."""
    code = f"import sys\nbefore = set(sys.modules)\n{program}\nprint(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {module.partition(".")[0] for module in loaded} & HEAVY == may_load


def test_the_package_itself_loads_nothing_but_the_standard_library():
    code = "import sys\nbefore = set(sys.modules)\nimport cellblock\nprint(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "cellblock" in loaded
    assert {module.partition(".")[0] for module in loaded} - sys.stdlib_module_names == {"cellblock"}
    assert not {"asyncio", "socket", "ssl", "subprocess"} & set(loaded)

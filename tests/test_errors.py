"""Exceptions: their tree is the one described, and each message is a sentence that says what to do."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from cellblock import JupyterCodeExecutor, Session, errors
from cellblock.coding import CodeExecutorFactory
from cellblock.coding.jupyter import JupyterConnectionInfo

SOURCE = Path(errors.__file__).parent
CLASSES = {name: getattr(errors, name) for name in errors.__all__}

OF_AUTOGEN = {
    "Could not compile function: {}",
    "Custom image {} does not exist",
    "Functions failed to load: {}",
    "Module name must be a valid Python identifier",
    "Pip install failed. {}, {}",
    "Pip install timed out",
    "The string must contain exactly one function",
    "Unknown code executor {}",
    "'{}' in code_execution_config is not valid when 'executor' is set. Use the appropriate arg in the chosen executor instead.",
}
"""Texts that programs written for AutoGen 0.2 match on, and that are no sentences by our measure."""

ARGUMENT_FIRST = re.compile(
    r"--[a-z-]+ |[a-z]+_[a-z_]+ |[a-z]+((, [a-z_]+)* and [a-z_]+)? (belong|has|is|must|names|takes) "
)

KERNEL_MISSING = (
    "Kernel nosuch is not installed. Please first install it with `python -m ipykernel install --user --name nosuch`, "
    "or use one of those installed: "
)
TIMEOUT_WANTED = "The timeout must be a positive number of seconds, or None for none; it was "

BAD_ARGUMENTS = [
    (lambda: Session(kernel_name="nosuch"), errors.KernelSpecNotFound, KERNEL_MISSING),
    (lambda: Session(timeout=0), errors.ConfigError, TIMEOUT_WANTED + "0."),
    (lambda: Session(timeout=float("nan")), errors.ConfigError, TIMEOUT_WANTED + "nan."),
    (lambda: Session(timeout="5"), errors.ConfigError, TIMEOUT_WANTED + "'5'."),
    (
        lambda: Session(cwd="/nosuch"),
        errors.ConfigError,
        "The kernel's working directory must exist, and /nosuch is no directory. Create it first.",
    ),
    (
        lambda: JupyterCodeExecutor(timeout=0),
        errors.ConfigError,
        "Timeout must be greater than or equal to 1.",
    ),
    (
        lambda: JupyterCodeExecutor(output_dir="/nosuch"),
        errors.ConfigError,
        "Output directory /nosuch does not exist.",
    ),
    (
        lambda: JupyterCodeExecutor(output_dir=__file__),
        errors.ConfigError,
        f"Output directory {__file__} is not a directory. Give the path of an existing directory.",
    ),
    (
        lambda: JupyterCodeExecutor("http://127.0.0.1:8888"),
        errors.ConfigError,
        "jupyter_server must be a JupyterConnectable or JupyterConnectionInfo.",
    ),
    (
        lambda: JupyterCodeExecutor(kernel_id="x"),
        errors.ConfigError,
        "kernel_id names a kernel on a server: give jupyter_server as well.",
    ),
    (
        lambda: JupyterCodeExecutor(JupyterConnectionInfo("127.0.0.1", False), cwd="/tmp"),
        errors.ConfigError,
        "cwd, env and sandbox belong to kernels of this process only: leave them out, or leave out the server. ",
    ),
    (
        lambda: JupyterCodeExecutor(label="analysis"),
        errors.ConfigError,
        "label and path belong to a kernel that is started on a server: give jupyter_server, and no kernel_id.",
    ),
    (
        lambda: JupyterCodeExecutor(journal="/nosuch/run.ipynb"),
        errors.ConfigError,
        "The notebook cannot be written to /nosuch/run.ipynb: its directory does not exist.",
    ),
    (lambda: CodeExecutorFactory.create({"executor": "x"}), errors.ConfigError, "Unknown code executor x"),
    (lambda: CodeExecutorFactory.create({}), errors.ConfigError, "Unknown code executor None"),
]


def described_tree():
    """Child and parents of each line of the tree in the module's docstring."""
    stack = []
    for line in inspect.getdoc(errors).splitlines():
        found = re.fullmatch(
            r" {4}(?P<branch>(?:[│ ] {2})*(?:[├└]─ )?)(?P<name>[A-Z]\w+)(?: \(also (?P<also>\w+)\))?.*", line
        )
        if found:
            depth = len(found["branch"]) // 3
            del stack[depth:]
            yield found["name"], {*stack[-1:], *([found["also"]] if found["also"] else [])}
            stack.append(found["name"])


def raised_messages():
    """Where exceptions of ours are made, and their messages with ``{}`` for what is filled in."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CLASSES and node.args:
                text = template(node.args[0])
                if text is not None:
                    yield f"{path.relative_to(SOURCE)}:{node.lineno}", text


def template(node):
    """The text of a literal, with ``{}`` for each value in it; None for what is no literal."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def test_the_tree_is_its_docstring():
    described = dict(described_tree())
    assert described.keys() == CLASSES.keys()
    for name, parents in described.items():
        bases = {base.__name__ for base in CLASSES[name].__bases__} - {"Exception"}
        assert bases == parents, name


def is_sentence(message):
    begins = (
        message[0].isupper()
        or message[0] in "{'\"`"
        or message.startswith("cellblock ")
        or ARGUMENT_FIRST.match(message)
    )
    ends = message.rstrip("'\")`").endswith((".", "!", "?", "{}"))
    return bool(begins) and ends and len(message.split()) >= 3


def test_each_message_is_a_sentence():
    faults = [
        f"{place}: {text}" for place, text in raised_messages() if text not in OF_AUTOGEN and not is_sentence(text)
    ]
    assert faults == []


@pytest.mark.parametrize("message", ["no such file", "Failed", "The kernel did not start"])
def test_what_is_no_sentence_is_found(message):
    assert not is_sentence(message)


@pytest.mark.parametrize(("wrong", "kind", "text"), BAD_ARGUMENTS, ids=[text[:40] for *_, text in BAD_ARGUMENTS])
def test_a_bad_argument_is_told_before_anything_starts(wrong, kind, text):
    with pytest.raises(kind) as caught:
        wrong()
    assert str(caught.value).startswith(text)
    assert isinstance(caught.value, errors.CellblockError)
    assert isinstance(caught.value, ValueError)


def test_a_missing_extra_names_the_command():
    error = errors.MissingDependency.for_extra("Talking to a Jupyter server", "server")
    assert str(error) == (
        "Talking to a Jupyter server needs packages that are not installed. "
        'Install them with: pip install "cellblock[server]"'
    )
    assert isinstance(error, ImportError)


def test_what_a_session_says():
    """Code that cannot be sent, a stream that is not read, cells that fail, a session that is closed."""
    with Session() as session:
        with pytest.raises(errors.ConfigError, match=r"^The code of a cell must be text; it was int\.$"):
            session.run(5)
        with pytest.raises(
            errors.ConfigError, match=r"^The code cannot be run: its character 2 is half of a surrogate pair\."
        ):
            session.run("'\ud800'")
        with pytest.raises(
            errors.SessionError, match=r"^The cell has no result yet: read its stream to the end first\.$"
        ):
            _ = session.stream("1").result
        with pytest.raises(errors.CellError, match=r"^ZeroDivisionError: division by zero$"):
            session.run("1 / 0").raise_for_error()
        with pytest.raises(
            errors.CellTimeout, match=r"Timeout: the cell was stopped after 0\.2 s\. Variables and imports are kept\.$"
        ):
            session.run("while True: pass", timeout=0.2).raise_for_error()
        with pytest.raises(
            errors.CellError,
            match=r"^The kernel exited with code 3\. The kernel was restarted: all variables and imports were lost\.$",
        ):
            session.run("import os; os._exit(3)").raise_for_error()
    with pytest.raises(errors.SessionClosed, match=r"^The session is closed\. Make a new one\.$"):
        session.run("1")

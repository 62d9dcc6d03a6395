"""JupyterCodeExecutor: code blocks as cells of a kernel, here or on a Jupyter server."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from cellblock._core.render import DEFAULT_BUDGET
from cellblock.blocking import Session
from cellblock.coding.func_with_reqs import DEFAULT_PROMPT_TEMPLATE, format_functions
from cellblock.coding.jupyter.cells import BlockRunner
from cellblock.coding.jupyter.startup import startup_code
from cellblock.coding.markdown_code_extractor import MarkdownCodeExtractor
from cellblock.errors import ConfigError, KernelStartError, StartupCodeFailed
from cellblock.files import DirectorySink

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from cellblock._core.blocks import CodeBlock, IPythonCodeResult
    from cellblock._core.outputs import Limits, Output
    from cellblock._core.renderers import Sink
    from cellblock.coding.func_with_reqs import UserFunction
    from cellblock.coding.jupyter.file_store import FileStore
    from cellblock.journal import Journal
    from cellblock.kernels import Kernel
    from cellblock.kernels.pool import KernelPool
    from cellblock.kernels.sandbox.options import Sandbox
    from cellblock.servers.connection_info import JupyterConnectable, JupyterConnectionInfo
    from cellblock.session import InputHandler

__all__ = ["JupyterCodeExecutor", "checked_output_dir"]

T = TypeVar("T")

_START_WITHIN = 60  # seconds a kernel has for its start, or more if its blocks have


class JupyterCodeExecutor:
    """Runs code blocks in one kernel, whose variables stay from block to block and from call to call.

    The constructor starts the kernel. Use the executor as ``with JupyterCodeExecutor() as executor``, or call ``stop()``.

    Args:
        jupyter_server: Where the kernel runs: a server object, which the executor keeps from ending by garbage
            collection, a ``JupyterConnectionInfo``, or None for a kernel of this process, which needs no server.
        kernel_name: The kernelspec's name.
        timeout: Seconds one call of ``execute_code_blocks`` may take; at least 1.
        output_dir: An existing directory for images, tables and outputs too long for ``output``. Of what code in a sandbox
            or a container shows, pages run their scripts only after a click, and drawings have none.
        kernel_id: A kernel that runs on the server already: it is used, and left running by ``stop()``.
        label: A word in the id of a kernel started on a server, by which ``cellblock kernels`` finds it.
        path: The working directory of a kernel started on a server, below the server's root.
        cwd: The kernel's working directory (kernels of this process).
        env: Environment variables set in the kernel (kernels of this process).
        sandbox: What confines the kernel (kernels of this process); without one it has the rights of this process.
        pool: Gives the kernel, which was started ahead (kernels of this process).
        input_handler: Answers ``input()``; without one it raises in the block at once.
        functions: Functions the blocks can import from ``functions_module``, also after a restart.
        functions_module: The name of that module.
        output_budget: Characters ``output`` may have; the whole text is then in a file, and the typed ``outputs`` are
            whole in any case. None for no limit.
        journal: A notebook that every block is added to as it ends.
        on_output: Told of each output as it comes, in another thread; must not block.
        limits: How much output of one block is kept in memory and on disk.

    Raises:
        ConfigError: An argument cannot be used (also a ValueError, as in AutoGen).
        StartError: The kernel did not start.
        TransportError: The server cannot be reached.
    """

    def __init__(
        self,
        jupyter_server: JupyterConnectable | JupyterConnectionInfo | None = None,
        kernel_name: str = "python3",
        timeout: int = 60,
        output_dir: Path | str = Path(),
        *,
        kernel_id: str | None = None,
        label: str = "",
        path: str = "",
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        sandbox: Sandbox | None = None,
        pool: KernelPool | None = None,
        input_handler: InputHandler | None = None,
        functions: Sequence[UserFunction] = (),
        functions_module: str = "functions",
        output_budget: int | None = DEFAULT_BUDGET,
        journal: str | os.PathLike[str] | None = None,
        on_output: Callable[[Output], None] | None = None,
        limits: Limits | None = None,
    ) -> None:
        if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 1 <= timeout < math.inf:
            raise ConfigError("Timeout must be greater than or equal to 1.")
        self._timeout = timeout
        self._output_dir = checked_output_dir(output_dir)
        self._kernel_name = kernel_name
        self._functions, self._functions_module = list(functions), functions_module
        self._server = jupyter_server  # held, since a server that nobody holds ends
        if jupyter_server is not None and (cwd is not None or env is not None or sandbox is not None):
            raise ConfigError(
                "cwd, env and sandbox belong to kernels of this process only: leave them out, or leave out the server. "
                "On a server path= is the working directory."
            )
        if (label or path) and (jupyter_server is None or kernel_id is not None):
            raise ConfigError(
                "label and path belong to a kernel that is started on a server: give jupyter_server, and no kernel_id."
            )
        kernel = None
        if jupyter_server is not None:
            kernel = _kernel_on(jupyter_server, kernel_name, kernel_id, label=label, path=path)
        if pool is not None:
            if jupyter_server is not None or sandbox is not None or kernel_name != "python3":
                raise ConfigError(
                    "A pool has kernels of this process only: leave out the server, sandbox and kernel_name."
                )
            kernel = pool.kernel(cwd=cwd, env=env)
            cwd = env = None
        if kernel_id is not None and kernel is None:
            raise ConfigError("kernel_id names a kernel on a server: give jupyter_server as well.")
        self._session = Session(
            kernel,
            kernel_name=kernel_name,
            cwd=cwd,
            env=env,
            sandbox=sandbox,
            timeout=None,
            input_handler=input_handler,
            limits=limits,
            spool_dir=self._output_dir,
            startup_code=startup_code(functions, functions_module) if functions else None,
        )
        try:
            self._session.start(timeout=max(timeout, _START_WITHIN))
            self._runner = BlockRunner(
                self._session.asynchronous,
                sink=_sink(self._output_dir, confined=sandbox is not None or _is_confined(jupyter_server)),
                budget=output_budget,
                journal=_journal(journal, self._session.kernel),
                on_output=on_output,
                join=self._join,
            )
        except TimeoutError as error:
            self._session.close()
            raise KernelStartError(_not_ready(self._session.kernel, max(timeout, _START_WITHIN))) from error
        except BaseException as error:
            self._session.close()
            if isinstance(error, StartupCodeFailed):  # it is nothing but the functions
                raise KernelStartError(f"Functions failed to load: {error.what}") from error
            raise

    @staticmethod
    def _join(texts: Sequence[str]) -> str:
        return "\n".join(texts)

    @property
    def code_extractor(self) -> MarkdownCodeExtractor:
        """How an agent finds the blocks for this executor in a message."""
        return MarkdownCodeExtractor()

    @property
    def session(self) -> Session:
        """The session underneath: streams, interrupts, status."""
        return self._session

    @property
    def timeout(self) -> int:
        """Seconds one call may take."""
        return self._timeout

    @property
    def functions(self) -> list[UserFunction]:
        """What the blocks can import from ``functions_module``."""
        return self._functions

    @property
    def functions_module(self) -> str:
        """The module that ``functions`` are imported from."""
        return self._functions_module

    def format_functions_for_prompt(self, prompt_template: str = DEFAULT_PROMPT_TEMPLATE) -> str:
        """A text that tells a model which functions it can import, for a system message.

        Args:
            prompt_template: A ``string.Template`` with ``$module_name`` and ``$functions`` (the stubs).
        """
        return format_functions(self._functions, self._functions_module, prompt_template)

    def execute_code_blocks(self, code_blocks: list[CodeBlock]) -> IPythonCodeResult:
        """Runs the blocks in order and stops after the first that fails.

        ``output`` has the blocks' texts joined by newlines, each with a line for every file saved.

        Args:
            code_blocks: What to run.

        Raises:
            TransportError: The server cannot be reached.
            SessionClosed: The executor was stopped.
        """
        from cellblock.background import background_loop

        return background_loop().call(self._runner.run(code_blocks, self._timeout))

    async def a_execute_code_blocks(self, code_blocks: list[CodeBlock]) -> IPythonCodeResult:
        """As ``execute_code_blocks``, without blocking the caller's event loop. Cancelling it interrupts the block.

        Args:
            code_blocks: What to run.
        """
        from cellblock.background import background_loop

        return await background_loop().call_from_loop(self._runner.run(code_blocks, self._timeout))

    def upload(self, path: str | os.PathLike[str], name: str | None = None) -> None:
        """Puts a file into the kernel's working directory, in place of what has its name there.

        Args:
            path: The file, on this side.
            name: What it shall be called there, with slashes for folders, which are made; its own name if not given.

        Raises:
            ConfigError: The name leads out of the working directory, or there is no way to move files.
            OSError: The file cannot be read.
        """
        source = Path(path)
        self._call(lambda files: files.upload(source, source.name if name is None else name))

    def download(self, name: str) -> bytes:
        """The content of a file in the kernel's working directory.

        Args:
            name: As ``list_files`` gives it.

        Raises:
            ConfigError: There is no such file, the name leads elsewhere, or there is no way to move files.
        """
        return self._call(lambda files: files.download(name))

    def list_files(self) -> list[str]:
        """The names of all files in the kernel's working directory, sorted, with slashes for folders.

        They are the code's choice: do not print them as they are.

        Raises:
            ConfigError: There is no way to ask.
        """
        return self._call(lambda files: files.list_files())

    def _call(self, ask: Callable[[FileStore], Awaitable[T]]) -> T:
        from cellblock.background import background_loop
        from cellblock.coding.jupyter.file_store import file_store_of

        async def asked() -> T:
            return await ask(await file_store_of(self._session.asynchronous, timeout=self._timeout))

        return background_loop().call(asked())

    def restart(self) -> None:
        """Starts the kernel afresh: all variables and imports are gone."""
        self._session.restart(timeout=max(self._timeout, _START_WITHIN))

    def stop(self) -> None:
        """Ends the kernel, or leaves it if it was there before. May be called more than once."""
        self._session.close()

    def __enter__(self) -> Self:
        """Gives the executor itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Ends the kernel."""
        self.stop()


def checked_output_dir(output_dir: Path | str) -> Path:
    """The directory as a path, if it is one.

    Args:
        output_dir: As the caller gave it.

    Raises:
        ConfigError: It does not exist or is a file.
    """
    path = Path(output_dir)
    if not path.exists():
        raise ConfigError(f"Output directory {output_dir} does not exist.")
    if not path.is_dir():
        raise ConfigError(f"Output directory {output_dir} is not a directory. Give the path of an existing directory.")
    return path


def _kernel_on(server: Any, kernel_name: str, kernel_id: str | None, *, label: str, path: str) -> Kernel:
    from cellblock.servers.connection_info import JupyterConnectable, JupyterConnectionInfo

    if isinstance(server, JupyterConnectionInfo):
        info = server
    elif isinstance(server, JupyterConnectable) and not isinstance(server, type):
        info = server.connection_info
    else:
        raise ConfigError("jupyter_server must be a JupyterConnectable or JupyterConnectionInfo.")
    from cellblock.kernels.remote import RemoteKernel

    return RemoteKernel(info, kernel_name, kernel_id=kernel_id, label=label, path=path)


def _not_ready(kernel: Kernel, timeout: float) -> str:
    from cellblock.servers.connection_info import JupyterConnectionInfo

    info = getattr(kernel, "connection_info", None)
    where = f"on the server at {info.url} " if isinstance(info, JupyterConnectionInfo) else ""
    does = (
        "The server may not answer: see that it runs, and try again."
        if where
        else "The machine may be busy: try again."
    )
    return f"The kernel {kernel.name} {where}was not ready within {timeout:g} s. {does}"


def _is_confined(server: Any) -> bool:
    """Whether the code on a server is kept from this machine because nobody vouches for it."""
    if server is None:
        return False
    from cellblock.servers.docker import DockerJupyterServer
    from cellblock.servers.local import LocalJupyterServer

    return isinstance(server, DockerJupyterServer) or (
        isinstance(server, LocalJupyterServer) and server.sandbox is not None
    )


def _sink(output_dir: Path, *, confined: bool) -> Sink:
    files = DirectorySink(output_dir)
    if not confined:
        return files
    from cellblock.guarded_files import GuardedSink

    return GuardedSink(files)


def _journal(path: str | os.PathLike[str] | None, kernel: Kernel) -> Journal | None:
    """The journal of a kernel that has started, and whose language is known."""
    if path is None:
        return None
    from cellblock._core.notebook_cells import notebook_metadata
    from cellblock.journal import Journal

    return Journal(path, metadata=notebook_metadata(kernel.name, kernel.language or kernel.name))

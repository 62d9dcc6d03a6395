"""What runs a shell's script runs in the kernel, in a namespace of its own; see ``block_cells``. It imports nothing of ours."""

import codecs
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TextIO

_LONGEST_ARGUMENT = 30_000  # bytes; Linux takes 128 KiB, Windows 32,767 characters


class ShellNotFound(Exception):
    """There is no such program."""


class Shown:
    """A pipe whose other end shows what comes, also what the shell's background jobs say after its end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._out, self.end = os.pipe()
        self._mark = os.urandom(16)
        self._marked, self._drained = threading.Event(), threading.Event()
        threading.Thread(target=self._show, daemon=True).start()

    def drain(self) -> None:
        """Comes back when all is shown that is in the pipe, which other processes may still hold."""
        self._marked.set()
        with contextlib.suppress(BrokenPipeError):
            os.write(self.end, self._mark)
        os.close(self.end)
        self._drained.wait()

    def _show(self) -> None:
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        try:
            data, held = b"", b""
            while piece := os.read(self._out, 65536):
                data = held + piece
                ends = self._marked.is_set() and not self._drained.is_set()
                if ends and self._mark not in data:
                    held = data
                    continue
                self._stream.write(decode(data.replace(self._mark, b"", 1), ends))
                held = b""
                if ends:
                    self._drained.set()
            self._stream.write(decode(held, True))
        finally:
            os.close(self._out)
            self._drained.set()


def run_script(shell: str, script: str) -> None:
    """Runs a script to its end and shows what it prints as it comes.

    Raises:
        CalledProcessError: The shell's exit status is not 0.
        ShellNotFound: There is no such shell.
    """
    out, err = Shown(sys.stdout), Shown(sys.stderr)
    data = os.fsencode(script)
    file = None
    try:
        command = [shell, "-c", script]
        if len(data) > _LONGEST_ARGUMENT or b"\0" in data:
            handle, file = tempfile.mkstemp(suffix=".sh")
            with os.fdopen(handle, "wb") as whole:
                whole.write(data)
            command = [shell, file]
        status = wait_for(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out.end, stderr=err.end))
    except FileNotFoundError:
        raise ShellNotFound(shell) from None
    finally:
        out.drain()
        err.drain()
        if file is not None:
            Path(file).unlink()
    if status:
        raise subprocess.CalledProcessError(status, shell)


def wait_for(process: "subprocess.Popen[bytes]") -> int:
    """The exit status of a process; whoever interrupts the kernel interrupts its process group, and so the process too."""
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(0.3)
        process.kill()
        raise

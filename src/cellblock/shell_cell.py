"""What runs a shell's script runs in the kernel, in a namespace of its own; see ``block_cells``. It imports nothing of ours."""

import codecs
import contextlib
import os
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_ARGUMENT = 30_000  # bytes; Linux takes 128 KiB, Windows 32,767 characters
_MUCH = 4096  # bytes or characters; less is sent with what comes after it, as the kernel does with all text
_GRACE = 0.25  # seconds for an interrupted shell to end by itself, and again when it was told to


class ShellNotFound(Exception):
    """There is no such program."""


class Pipe:
    """A pipe into which processes write, and whose text another thread puts into a queue.

    It can be read to where a process ended while others still hold it: a mark is written then, and read like the rest. What
    they say after it goes straight to the stream, as the output of any other thread.
    """

    def __init__(self, stream: TextIO, texts: "queue.Queue[tuple[Pipe, str | None]]") -> None:
        self.stream = stream
        self.over = False
        self._texts = texts
        self._out, self.end = os.pipe()
        self._mark, self._marked = os.urandom(16), False
        threading.Thread(target=self._read, daemon=True).start()

    def mark(self) -> None:
        """Marks the end of what counts, and writes no more."""
        self._marked = True
        with contextlib.suppress(BrokenPipeError):
            os.write(self.end, self._mark)
        os.close(self.end)

    def _read(self) -> None:
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        held, passed = b"", False
        while data := os.read(self._out, _MUCH):
            if passed:
                self.stream.write(decode(data))
            elif not self._marked:
                self._texts.put((self, decode(data)))
            else:
                held += data
                passed = self._mark in held
                if passed:
                    self._texts.put((self, decode(held.replace(self._mark, b"", 1), True)))
                    self._texts.put((self, None))
        os.close(self._out)


def run_script(shell: str, script: str) -> None:
    """Runs a script to its end and shows what it prints as it comes.

    Raises:
        CalledProcessError: The shell's exit status is not 0.
        ShellNotFound: There is no such shell.
    """
    with arguments(script) as given:
        texts: queue.Queue[tuple[Pipe, str | None]] = queue.Queue(16)  # whoever prints more waits for the kernel
        pipes = [Pipe(sys.stdout, texts), Pipe(sys.stderr, texts)]
        try:
            process = subprocess.Popen(
                [shell, *given], stdin=subprocess.DEVNULL, stdout=pipes[0].end, stderr=pipes[1].end
            )
        except OSError as error:
            mark_end(None, pipes)
            raise (ShellNotFound(shell) if isinstance(error, FileNotFoundError) else error) from None
        ending = threading.Thread(target=mark_end, args=(process, pipes), daemon=True)
        ending.start()
        try:
            show(texts, pipes)
        except BaseException:
            stop(process, ending)
            show(texts, pipes)
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, shell)


@contextlib.contextmanager
def arguments(script: str) -> "Iterator[list[str]]":
    """What a shell is given to run a script: the script, or a file with it where that is too long."""
    data = os.fsencode(script)
    if len(data) <= _LONGEST_ARGUMENT and b"\0" not in data:
        yield ["-c", script]
        return
    handle, name = tempfile.mkstemp(suffix=".sh")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        yield [name]
    finally:
        Path(name).unlink()


def mark_end(process: "subprocess.Popen[bytes] | None", pipes: "list[Pipe]") -> None:
    """Marks the end of a process in its pipes."""
    if process is not None:
        process.wait()
    for pipe in pipes:
        pipe.mark()


def show(texts: "queue.Queue[tuple[Pipe, str | None]]", pipes: "list[Pipe]") -> None:
    """Shows what comes until the marks of all pipes have come, and waits for the kernel each time that it has much to send."""
    waiting = 0
    while not all(pipe.over for pipe in pipes):
        pipe, text = texts.get()
        if text is None:
            pipe.over = True
            continue
        pipe.stream.write(text)
        waiting += len(text)
        if waiting >= _MUCH:
            pipe.stream.flush()
            waiting = 0


def stop(process: "subprocess.Popen[bytes]", ending: threading.Thread) -> None:
    """Ends a shell. Who interrupts the kernel interrupts its process group, so that most shells have ended already."""
    for tell in (process.terminate, process.kill):
        with contextlib.suppress(KeyboardInterrupt):  # of one who cannot wait
            ending.join(_GRACE)
        tell()

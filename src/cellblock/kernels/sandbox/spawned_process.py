"""The process of a sandboxed kernel whose interpreter was started in its sandbox.

What the first process does, which starts the kernel, is in ``kernel_program/sandbox/first_process``.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import signal
import socket
from typing import IO, TYPE_CHECKING, Any

from cellblock.errors import SandboxUnavailable
from cellblock.kernels.sandbox.sandboxed_process import SandboxedProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cellblock.kernels.sandbox.descriptors import Descriptors
    from cellblock.kernels.sandbox.limiter import Limiter

__all__ = ["SpawnedProcess"]

_MESSAGE = 64 * 1024  # bytes one message of the first process may have
_MARSHAL_VERSION = 2  # that every Python reads


class SpawnedProcess(SandboxedProcess):
    """A sandbox being built, then with a kernel in it that was started inside. Made inside the event loop that will watch it.

    Await ``begun``, call ``configure``, and await ``confined``.

    Args:
        bubblewrap: As for ``SandboxedProcess``.
        first: The command of the first process inside, without the descriptor of its configuration.
        passed: As for ``SandboxedProcess``.
        log: As for ``SandboxedProcess``.
        memory: As for ``SandboxedProcess``.
        limiter: As for ``SandboxedProcess``.
        on_listener: Given the socket that listens inside for the proxy, answers it and gives what ends that.

    Raises:
        KernelStartError: The command cannot be run.
    """

    def __init__(
        self,
        bubblewrap: Sequence[str],
        first: Sequence[str],
        passed: Descriptors,
        *,
        log: IO[bytes],
        memory: IO[bytes],
        limiter: Limiter,
        on_listener: Callable[[socket.socket], Callable[[], None]],
    ) -> None:
        self._on_listener = on_listener
        # A socket and not a pipe: a pipe's end can be opened again for writing, by whoever can see it in /proc.
        lifeline, lifeline_inside = socket.socketpair()
        self._status, status_inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._status.setblocking(False)
        config_inside, self._config = os.pipe()
        self._descriptors_inside = {
            "lifeline": passed.own(lifeline_inside.detach()),
            "status": passed.own(status_inside.detach()),
        }
        super().__init__(
            bubblewrap,
            [*first, str(passed.own(config_inside))],
            passed,
            log=log,
            memory=memory,
            lifeline=lifeline.detach(),
            limiter=limiter,
        )

    async def begun(self) -> None:
        """Waits for the first process, which does nothing before it is configured, and puts it under its limits.

        Raises:
            SandboxUnavailable: The sandbox could not be built.
        """
        await self._announced()
        await self._hold(self._first)

    def configure(self, config: Mapping[str, Any]) -> None:
        """Lets the first process begin.

        Args:
            config: What it is told.

        Raises:
            SandboxUnavailable: It is gone.
        """
        descriptor, self._config = self._config, -1
        try:
            with os.fdopen(descriptor, "wb") as pipe:
                pipe.write(marshal.dumps({**config, **self._descriptors_inside}, _MARSHAL_VERSION))
        except BrokenPipeError:
            raise self._not_built() from None

    async def confined(self) -> None:
        """Waits until the kernel's process can do nothing any more that it may not.

        Raises:
            SandboxUnavailable: Something could not be taken away from it.
        """
        while True:
            await self._readable(self._status.fileno())
            data, descriptors, _, _ = socket.recv_fds(self._status, _MESSAGE, 1)
            word, _, rest = data.decode().partition(" ")
            if word == "proxy":
                self.belongings.callback(self._on_listener(socket.socket(fileno=descriptors[0])))
            elif word == "confined":
                self._limiter.watch(self._first, self._kill_because)
                return
            elif word == "refused":
                raise SandboxUnavailable(f"A sandboxed kernel was wanted. {rest}")
            else:
                raise self._not_built()

    def interrupt(self) -> None:
        """Sends SIGINT to the kernel and to what it started; the first process ignores it."""
        if self._first and not self.ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._first, signal.SIGINT)

    def _end_told(self) -> tuple[str, int]:
        """What the first process said last: how the kernel ended. It says nothing when it was killed itself."""
        with contextlib.suppress(OSError):  # nothing there, or closed
            word, _, number = self._status.recv(_MESSAGE).decode().partition(" ")
            if number:
                return word, int(number)
        return "", signal.SIGKILL

    def _release(self) -> None:
        super()._release()
        self._status.close()
        config, self._config = self._config, -1
        if config >= 0:
            os.close(config)

"""The process of a sandboxed kernel that a fork server made: it came into the sandbox, which bubblewrap built, from outside.

Two end together: bubblewrap's sandbox, with its first process, and the forked process that waits for the kernel. Whichever
ends first, the other is ended. What the forked process does is in ``kernel_program/sandbox/forked``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from typing import IO, TYPE_CHECKING, Any

from cellblock.errors import KernelStartError
from cellblock.kernels.forkserver.fork import ForkServerFailed
from cellblock.kernels.readable import is_readable
from cellblock.kernels.sandbox.sandboxed_process import SandboxedProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cellblock.kernels.forkserver.fork import Fork
    from cellblock.kernels.sandbox.descriptors import Descriptors
    from cellblock.kernels.sandbox.limiter import Limiter

__all__ = ["JoinedProcess"]

_FIRST = ("/bin/sh", "-c", """trap '' INT; echo built >"/proc/self/fd/$0"; cat; exit""")
"""The first process: a shell, which is there in a fraction of the time that an interpreter takes to start. It ignores what
interrupts the kernel, says that the sandbox is built, and then waits for a program that ends with its standard input, on which
nothing ever comes. While it waits it reaps whatever loses its parent, as every shell does. Ending, it ends all."""


class JoinedProcess(SandboxedProcess):
    """A sandbox being built, then with a kernel in it that was forked outside. Made inside the event loop that will watch it.

    Await ``enter``, and ``settle`` if it is a spare.

    Args:
        fork: The process, which a fork server has been asked for; this object closes it.
        door: A socket whose other end the process has; this object closes it.
        bubblewrap: As for ``SandboxedProcess``.
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
        fork: Fork,
        door: socket.socket,
        bubblewrap: Sequence[str],
        passed: Descriptors,
        *,
        log: IO[bytes],
        memory: IO[bytes],
        limiter: Limiter,
        on_listener: Callable[[socket.socket], Callable[[], None]],
    ) -> None:
        self._fork, self._door = fork, door
        self._joiner: int | None = None  # a descriptor of the process that waits for the kernel
        self._kernel = 0
        self._sandbox_gone = self._joiner_gone = self._hearing = False
        self._on_listener = on_listener
        self._listener: socket.socket | None = None
        self._built, built_inside = os.pipe()
        lifeline, lifeline_inside = socket.socketpair()
        with lifeline_inside:
            super().__init__(
                bubblewrap,
                [*_FIRST, str(passed.own(built_inside))],
                passed,
                stdin=lifeline_inside.fileno(),
                log=log,
                memory=memory,
                lifeline=lifeline.detach(),
                limiter=limiter,
            )

    async def enter(self, confinement: Mapping[str, Any], where: Mapping[str, Any] | None) -> None:
        """Waits until the forked process is in the sandbox and can do nothing any more that it may not.

        Args:
            confinement: What it is told.
            where: Where it is to run, as a fork server's children are told, but for limits; None for a spare, which makes
                itself ready before it is told.

        Raises:
            ForkServerFailed: The server is gone, or has imported what is no longer installed.
            KernelStartError: The process could not be forked or ended.
            SandboxUnavailable: The sandbox could not be built, or something could not be taken away from the process.
        """
        await self._announced()
        early = confinement["uid"] is not None  # the process then has the rights to enter what is not complete
        if early:
            await self._let_in(confinement)
        waiting = await self._heard("pid")
        try:
            self._joiner = os.pidfd_open(waiting)
        except ProcessLookupError:
            raise ForkServerFailed("the fork server ended") from None
        await self._readable(self._built)
        if not os.read(self._built, 1):
            raise self._not_built()
        if not early:
            await self._let_in(confinement)
        with _perhaps_ended():
            self._door.send(b"\0")
        self._kernel = await self._heard("confined")
        _, (listener,), _, _ = socket.recv_fds(self._door, 1, 1)
        self._listener = socket.socket(fileno=listener)
        # While it gets ready: it runs no line of the user's code before it is told where.
        await self._hold(self._kernel)
        self._limiter.watch(self._first, self._kill_because, joined=self._kernel)
        if where is not None:
            await self._fork.tell(where)
            await self._settled()

    async def _let_in(self, confinement: Mapping[str, Any]) -> None:
        assert self._inside is not None
        await self._fork.tell({**confinement, "first": self._first})
        with _perhaps_ended():
            socket.send_fds(self._door, [b"\0"], [self._inside])

    async def move_here(self) -> None:
        """Has the running event loop watch it, instead of the one it was made in.

        Raises:
            ForkServerFailed: It has ended.
        """
        here = asyncio.get_running_loop()
        if here is not self._loop:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._leave_loop(), self._loop))
            self._loop = here
            self.ended = here.create_future()
            here.add_reader(self._pidfd, self._on_exit)

    async def _leave_loop(self) -> None:
        if self.ended.done() or is_readable(self._pidfd):
            raise ForkServerFailed("it ended while it waited")
        self._loop.remove_reader(self._pidfd)

    async def settle(self, where: Mapping[str, Any]) -> None:
        """Waits until a spare is where it is to run.

        Args:
            where: As for ``enter``.

        Raises:
            ForkServerFailed: Nobody is there.
            KernelStartError: It ended.
        """
        await self._heard("ready")
        await self._fork.tell(where)
        await self._settled()

    async def _settled(self) -> None:
        await self._heard("settled")
        assert self._listener is not None
        self.belongings.callback(self._on_listener(self._listener))
        self._listener = None
        self._follow()

    def interrupt(self) -> None:
        """Sends SIGINT to the kernel and to what it started."""
        if self._kernel and not self._joiner_gone and not self.ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._kernel, signal.SIGINT)

    def let_go(self) -> None:
        """In a forked child: leaves the kernel to the owner."""
        super().let_go()
        self._fork.close()

    async def _heard(self, word: str) -> int:
        self._hearing = True
        try:
            said = await self._fork.hear(word)
        finally:
            self._hearing = False
            if self._sandbox_gone and not self.ended.done():
                self._follow()
        if said is None:
            raise KernelStartError(
                f"The kernel could not be started: {self.complaints() or 'its process ended at once'}."
            )
        return int(said)

    def _follow(self) -> None:
        """Listens for the kernel's end; only while nobody else listens."""
        if self._fork.channel.fileno() < 0:
            return
        self._loop.add_reader(self._fork.channel, self._on_message)
        self._loop.call_soon(self._on_message)  # something may have been read already

    def _on_message(self) -> None:
        if self._joiner_gone or not self._fork.follow():
            return
        self._loop.remove_reader(self._fork.channel)
        self._fork.close()
        if self._fork.over:
            self._on_joiner_exit()
        else:
            assert self._joiner is not None
            self._loop.add_reader(self._joiner, self._on_joiner_exit)

    def _on_joiner_exit(self) -> None:
        """Called when the kernel's parent has ended, which it does after the kernel."""
        if self._joiner is not None:
            self._loop.remove_reader(self._joiner)
        self._joiner_gone = True
        if self._sandbox_gone:
            super()._on_empty()
        else:
            self.kill()

    def _on_empty(self) -> None:
        self._sandbox_gone = True
        if self._joiner_gone or self._joiner is None:
            super()._on_empty()
            return
        with contextlib.suppress(OSError):
            self._fork.channel.shutdown(socket.SHUT_WR)  # it may still wait to be told something
        if not self._hearing:
            self._follow()

    def _end_told(self) -> tuple[str, int]:
        returncode = self._fork.returncode
        if returncode is None or returncode == -signal.SIGKILL:
            return "", signal.SIGKILL
        return ("exited", returncode) if returncode >= 0 else ("killed", -returncode)

    def _release(self) -> None:
        super()._release()
        self._fork.close()
        self._door.close()
        if self._listener is not None:
            self._listener.close()
        built, self._built = self._built, -1
        if built >= 0:
            os.close(built)
        joiner, self._joiner = self._joiner, None
        if joiner is not None:
            os.close(joiner)


def _perhaps_ended() -> contextlib.AbstractContextManager[None]:
    """For what is said to the process: it may have ended, and what it says next tells why."""
    return contextlib.suppress(BrokenPipeError, ConnectionResetError)

"""What a container may do and use, as options of Docker's SDK."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cellblock.errors import ConfigError
from cellblock.kernels.sandbox.docker_profile import docker_seccomp_profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Confinement", "SeccompProfile", "seccomp_profile"]

SeccompProfile = Literal["cellblock", "engine", "unconfined"]
_ULIMITS = {"core": 0, "nofile": 4096}  # of each process: no image of its memory on disk, and so many open files
_SIZE = re.compile(r"\d+(\.\d+)? ?[bkmg]?b?", re.IGNORECASE)  # as Docker's SDK reads it
_PROFILES = ("cellblock", "engine", "unconfined")


@dataclass(frozen=True, kw_only=True)
class Confinement:
    """What the code in a container may do and use.

    Attributes:
        cap_drop: The capabilities of root that not even root has there.
        cpus: Processors' worth of time; None for all.
        init: Whether the first process is one that reaps the processes others leave.
        log_max_size: What the engine keeps of the container's log; None for its own rule.
        mem_limit: Memory, swap included, as bytes or a size such as "2g"; None for all.
        no_new_privileges: Whether set-uid programs give no rights.
        pids_limit: Processes and threads; None for any number.
        seccomp: The rules on system calls: cellblock's, the engine's, or none.
    """

    cap_drop: Sequence[str]
    cpus: float | None
    init: bool
    log_max_size: str | None
    mem_limit: int | str | None
    no_new_privileges: bool
    pids_limit: int | None
    seccomp: SeccompProfile

    def __post_init__(self) -> None:
        if self.seccomp not in _PROFILES:
            raise ConfigError(f"seccomp must be one of {', '.join(_PROFILES)}; it was {self.seccomp!r}.")
        if self.cpus is not None and not self.cpus > 0:
            raise ConfigError(f"cpus must be positive, as in 0.5 or 2; it was {self.cpus!r}.")
        if isinstance(self.mem_limit, str) and not _SIZE.fullmatch(self.mem_limit):
            raise ConfigError(f'mem_limit must be a number of bytes or a size such as "2g"; it was {self.mem_limit!r}.')
        if isinstance(self.cap_drop, str):
            raise ConfigError(f"cap_drop must be a list of names, as in [{self.cap_drop!r}].")

    def options(self, engine_cpus: int, profile: str, callers: Mapping[str, Any]) -> dict[str, Any]:
        """The options to create a container with.

        Args:
            engine_cpus: How many the engine has; it refuses more.
            profile: Our rules on system calls, in the engine's form; see ``seccomp_profile``.
            callers: The caller's options of Docker's SDK; where both cannot be, ours give way.
        """
        from docker.types import Ulimit

        options: dict[str, Any] = {
            "ulimits": [Ulimit(name=name, soft=most, hard=most) for name, most in _ULIMITS.items()],
            "cap_drop": list(self.cap_drop),
            "init": self.init,
            "security_opt": self._security(profile),
        }
        if self.cpus is not None and not callers.keys() & {"cpu_period", "cpu_quota"}:
            options["nano_cpus"] = int(min(self.cpus, engine_cpus) * 1e9)
        if self.log_max_size is not None:
            options["log_config"] = {"Type": "json-file", "Config": {"max-size": self.log_max_size}}
        if self.mem_limit is not None:
            limit = _above(self.mem_limit, callers.get("mem_reservation"))
            options |= {"mem_limit": limit, "memswap_limit": limit}
        if self.pids_limit is not None:
            options["pids_limit"] = self.pids_limit
        return options

    def _security(self, profile: str) -> list[str]:
        rules = ["no-new-privileges"] if self.no_new_privileges else []
        if self.seccomp == "cellblock":
            rules.append(f"seccomp={profile}")
        elif self.seccomp == "unconfined":
            rules.append("seccomp=unconfined")
        return rules


def _above(limit: int | str, reserved: int | str | None) -> int | str:
    """A limit of memory, or what is reserved of it if that is more: no engine takes a limit below it."""
    from docker.errors import DockerException
    from docker.utils import parse_bytes

    try:
        return limit if not reserved or parse_bytes(reserved) <= parse_bytes(limit) else reserved
    except DockerException:
        raise ConfigError(
            f'mem_reservation must be a number of bytes or a size such as "1g"; it was {reserved!r}.'
        ) from None


@contextlib.contextmanager
def seccomp_profile(*, as_file: bool) -> Iterator[str]:
    """Gives our rules on system calls in the engine's form, for the time in which a container starts.

    Args:
        as_file: Whether as the path of a file, which podman wants and Docker does not take, rather than as JSON.
    """
    profile = json.dumps(docker_seccomp_profile())
    if not as_file:
        yield profile
        return
    with tempfile.NamedTemporaryFile("w", prefix="cellblock-", suffix=".json") as file:
        file.write(profile)
        file.flush()
        yield file.name

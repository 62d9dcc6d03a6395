"""The way to a Docker engine, or to podman by its Docker-compatible socket."""

from __future__ import annotations

from typing import Any

from cellblock.errors import MissingDependency, StartError

__all__ = ["connect_engine", "is_podman", "reason_of"]


def connect_engine() -> Any:
    """A client of Docker's SDK, connected to the engine that DOCKER_HOST names; close it in the end.

    Raises:
        MissingDependency: The SDK is not installed.
        StartError: No engine answers.
    """
    try:
        import docker
    except ImportError as error:
        raise MissingDependency.for_extra("Running code in a Docker container", "docker") from error
    client = None
    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException as error:
        if client is not None:
            client.close()
        raise StartError(f"Docker cannot be reached: {error}. Start it, or set DOCKER_HOST to where it is.") from error
    return client


def is_podman(client: Any) -> bool:
    """Whether the engine is podman, which is Docker's like but for what its callers say of it."""
    return any("podman" in component["Name"].lower() for component in client.version().get("Components", ()))


def reason_of(error: Any) -> str:
    """What the engine said about a request it refused, without a full stop at its end."""
    return str(error.explanation or error).strip().rstrip(".")

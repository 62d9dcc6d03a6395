"""The image a container is made of: the bundled one, built when it is first needed, or one the caller names."""

from __future__ import annotations

import hashlib
import io
import logging
import tarfile
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellblock.errors import ImageError
from cellblock.servers.docker_engine import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["DEFAULT_BASE_IMAGE", "DEFAULT_DOCKERFILE", "REPOSITORY", "custom_image", "image_tag", "provide_image"]

DEFAULT_BASE_IMAGE = "quay.io/jupyter/docker-stacks-foundation"
REPOSITORY = "cellblock-jupyter"
"""The name of the images built here; a tag says from what."""

_CONTEXT = Path(__file__).with_name("docker_context")
DEFAULT_DOCKERFILE = (_CONTEXT / "Dockerfile").read_text(encoding="utf-8")
_PACKAGE = _CONTEXT.parents[1]
_PARTS = (
    *("__init__.py", "errors.py", "background.py", "_core/__init__.py", "_core/last_words.py"),
    *("kernels/*.py", "kernels/forkserver/*.py", "kernels/kernel_program/*.py"),
    *("servers/__init__.py", "servers/local_server_main.py"),
)
"""What of cellblock starts a server's kernels; it needs nothing but the standard library and Jupyter's packages."""
_QUOTED_LINES = 15  # of a failed build's output

_log = logging.getLogger(__name__)


def custom_image(client: Any, name: str) -> Any:
    """The image of that name, which must be on the engine.

    Raises:
        ImageError: It is not, or there can be none of such a name.
    """
    from docker.errors import APIError, NullResource

    try:
        return client.images.get(name)
    except NullResource as error:
        raise ImageError(f"Custom image {name} does not exist") from error
    except APIError as error:
        if error.is_client_error():
            raise ImageError(f"Custom image {name} does not exist") from error
        raise ImageError(f"Custom image {name} cannot be looked up: {reason_of(error)}.") from error


def provide_image(
    client: Any, dockerfile: str, base_image: str, *, network: str | None, on_build: Callable[[str], None] | None
) -> Any:
    """The image of a Dockerfile, built if it is not on the engine yet.

    Args:
        client: The engine's.
        dockerfile: Its text.
        base_image: Given to the build as BASE_IMAGE.
        network: The network of the build's steps; None for the engine's default.
        on_build: Told each line of the build's output.

    Raises:
        ImageError: It cannot be built; the message has the end of the build's output.
    """
    from docker.errors import ImageNotFound

    tag = image_tag(dockerfile, base_image)
    try:
        return client.images.get(tag)
    except ImageNotFound:
        _log.warning("Building the image %s on %s, once; this takes a minute or more.", tag, base_image)
    _build(client, tag, dockerfile, base_image, network, on_build or _log.info)
    return client.images.get(tag)


def image_tag(dockerfile: str, base_image: str) -> str:
    """The name of the image: another one when the Dockerfile, a file it copies, or the base changes."""
    digest = hashlib.sha256()
    digest.update(len(base_image).to_bytes(8, "big") + base_image.encode())
    for name, content in _context_files(dockerfile).items():
        digest.update(b"%d %b %d " % (len(name), name.encode(), len(content)) + content)
    return f"{REPOSITORY}:{digest.hexdigest()[:12]}"


def _build(
    client: Any, tag: str, dockerfile: str, base_image: str, network: str | None, on_build: Callable[[str], None]
) -> None:
    from docker.errors import APIError

    shown: deque[str] = deque(maxlen=_QUOTED_LINES)
    try:
        events = client.api.build(
            fileobj=_context(dockerfile),
            custom_context=True,
            tag=tag,
            buildargs={"BASE_IMAGE": base_image},
            network_mode=network,
            rm=True,
            forcerm=True,
            decode=True,
        )
        for line in _lines(events):
            shown.append(line)
            on_build(line)
    except APIError as error:
        raise ImageError(f"The image on {base_image} cannot be built: {reason_of(error)}.") from error
    except _BuildFailed as error:
        output = "\n".join(shown)
        raise ImageError(
            f"The image on {base_image} cannot be built: {error}. Check that the base image can be had here and that "
            f"the build reaches a package index (build_network, base_image). The end of the build's output:\n{output}"
        ) from error


class _BuildFailed(Exception):
    """What the engine says of a step that failed."""


def _lines(events: Any) -> Iterator[str]:
    """What a reader wants of a build's events: the steps and their output, and of a pull each layer once it is there."""
    for event in events:
        if "error" in event:
            raise _BuildFailed(str(event["error"]).strip().rstrip("."))
        text = event.get("stream") or ("" if "progressDetail" in event else event.get("status", ""))
        yield from (line for line in str(text).splitlines() if line.strip())


def _context_files(dockerfile: str) -> dict[str, bytes]:
    """What the Dockerfile may copy."""
    beside = {file.name: file for file in sorted(_CONTEXT.iterdir()) if file.suffix in {".json", ".py"}}
    parts = {
        f"cellblock/{file.relative_to(_PACKAGE).as_posix()}": file
        for pattern in _PARTS
        for file in sorted(_PACKAGE.glob(pattern))
    }
    return {"Dockerfile": dockerfile.encode()} | {name: file.read_bytes() for name, file in (beside | parts).items()}


def _context(dockerfile: str) -> io.BytesIO:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in _context_files(dockerfile).items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    archive.seek(0)
    return archive

"""The REST API of Jupyter servers: which request asks for what, and what an answer means. No sockets.

``transports.rest`` performs a call, blocking or not; what is sent and how each answer is read is said here, once.

Source: the API of Jupyter Server (https://jupyter-server.readthedocs.io/en/latest/developers/rest-api.html), which
Kernel Gateway, Enterprise Gateway and the servers of JupyterHub share.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, TypeVar
from urllib.parse import quote, urlsplit

from cellblock.errors import AuthError, ConnectError, KernelSpecNotFound, KernelStartError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Answer",
    "ApiCall",
    "ServerBusyError",
    "delete_kernel",
    "get_kernel",
    "interrupt_kernel",
    "kernel_spec_of",
    "list_kernel_specs",
    "list_kernels",
    "open_channels",
    "read_answer",
    "restart_kernel",
    "start_kernel",
]

T = TypeVar("T")
JsonObject = dict[str, Any]


class ServerBusyError(ConnectError):
    """A proxy says that the server cannot be reached just now (HTTP 502, 503 or 504); asking again may help."""


@dataclass(frozen=True, slots=True)
class ApiCall(Generic[T]):
    """One request and how its answer is read.

    Attributes:
        method: The HTTP method.
        path: Below the server's base path, with a slash at its start.
        goal: What is wanted, as in "was asked to <goal>".
        read: Makes the value of the JSON that a success carries (None where it carries none).
        body: Sent as JSON.
        params: The query.
        absent: What a 404 comes to; without it a 404 means that no Jupyter server is there.
        failed: Makes the error of a 500's message; without it a 500 is a RemoteProtocolError.
        unsuitable: Makes the error of a message that finds fault with the file we named (a 400, or a 403 that is about
            the file and not about us).
        hint: What else a refusal may mean, as a sentence.
    """

    method: Literal["GET", "POST", "DELETE", "PUT"]
    path: str
    goal: str
    read: Callable[[Any], T]
    body: JsonObject | None = None
    params: dict[str, str] = field(default_factory=dict)
    absent: Callable[[], T] | None = None
    failed: Callable[[str], Exception] | None = None
    unsuitable: Callable[[str], Exception] | None = None
    hint: str = ""

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does what sending it once does."""
        return self.method != "POST"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response.

    Attributes:
        status: The status code.
        content_type: The header of that name, or an empty string.
        location: Where a redirect points, or an empty string.
        body: The body.
    """

    status: int
    content_type: str
    location: str
    body: bytes


def read_answer(call: ApiCall[T], answer: Answer, server: str, *, has_token: bool) -> T:
    """The value a call came to.

    Args:
        call: What was asked.
        answer: What the server said.
        server: Its address, for the messages.
        has_token: Whether we sent a token.

    Raises:
        AuthError: The server refused us.
        ConnectError: A proxy could not reach the server.
        KernelStartError: The server could not do what was asked of a kernel.
        RemoteProtocolError: The answer is not one of a Jupyter server.
    """
    if answer.status == 404 and call.absent is not None:
        return call.absent()
    if not 200 <= answer.status < 300:
        _refuse(call, answer, server, has_token=has_token)
    try:
        return call.read(json.loads(answer.body) if answer.body else None)
    except (ValueError, KeyError, TypeError) as error:
        raise RemoteProtocolError(_not_jupyter(call, answer, server)) from error


def _refuse(call: ApiCall[Any], answer: Answer, server: str, *, has_token: bool) -> NoReturn:
    status, message = answer.status, _message(answer)
    asked = f"The server at {server} was asked to {call.goal}"
    if 300 <= status < 400:
        _refuse_redirect(answer, asked, server)
    if status == 403 and message == "Resource Limit":
        raise KernelStartError(f"{asked}, but already runs as many kernels as it is allowed to. Stop one of them.")
    if call.unsuitable is not None and (status == 400 or (status == 403 and message.startswith("Permission denied"))):
        raise call.unsuitable(message)
    if status in (401, 403):
        raise _unauthorized(asked, message, call.hint, has_token=has_token)
    if status == 424:
        raise ConnectError(f"{asked}, but the hub says that this user's server is not running. Start it on the hub.")
    if status in (502, 503, 504):
        raise ServerBusyError(f"{asked}, but a proxy before it answered {status}: the server cannot be reached.")
    if status >= 500 and call.failed is not None:
        raise call.failed(message)
    if status == 404 or _is_html(answer):
        raise RemoteProtocolError(_not_jupyter(call, answer, server))
    raise RemoteProtocolError(f"{asked} and failed with HTTP {status}: {message or 'it did not say why'}.")


def _refuse_redirect(answer: Answer, asked: str, server: str) -> NoReturn:
    target = urlsplit(answer.location)._replace(query="", fragment="").geturl()
    if "login" in target or "oauth" in target:
        raise AuthError(f"{asked} and sent us to its login page ({target}). Check the token.")
    if target.startswith(server.replace("http://", "https://", 1)) and server.startswith("http://"):
        raise RemoteProtocolError(f"{asked} and sent us to {target}. Connect with https (use_https=True).")
    raise RemoteProtocolError(f"{asked} and sent us to {target or 'nowhere'}. Connect to that address instead.")


def _unauthorized(asked: str, message: str, hint: str, *, has_token: bool) -> AuthError:
    also = f" {hint}" if hint else ""
    if not has_token:
        wants = f"{asked}, but wants a token and none was given."
        return AuthError(f"{wants} Pass token= (the server prints it when it starts).{also}", wants_token=wants)
    check = "Check it against the one the server was started with"
    if (
        "_xsrf" in message
    ):  # said of a wrong token, and of any where none is needed: a web page would need something else
        return AuthError(f"{asked}, but refused our token. {check}, or leave token= out if that was none.{also}")
    said = f" ({message})" if message and message != "Forbidden" else ""
    return AuthError(f"{asked}, but refused our token{said}. {check}.{also}")


def _not_jupyter(call: ApiCall[Any], answer: Answer, server: str) -> str:
    what = "an HTML page" if _is_html(answer) else f"HTTP {answer.status} and no JSON of Jupyter's"
    return (
        f"{server} was asked to {call.goal} and answered with {what}, so it is no Jupyter server, or one with another "
        f"base path, or a proxy stands before it. Open {server}/api in a browser: a Jupyter server shows its version."
    )


def _is_html(answer: Answer) -> bool:
    return "html" in answer.content_type or answer.body.lstrip()[:1] == b"<"


def _message(answer: Answer) -> str:
    """What the server said about a failure, in one line and short."""
    try:
        fields = json.loads(answer.body)
        text = str(fields.get("message") or fields.get("reason") or "")
    except (ValueError, AttributeError):
        text = "" if _is_html(answer) else answer.body.decode(errors="replace")
    return " ".join(text.split())[:300]


def list_kernel_specs() -> ApiCall[JsonObject]:
    """The kernelspecs of the server: ``{"default": name, "kernelspecs": {name: {…}}}``."""
    return ApiCall("GET", "/api/kernelspecs", "list its kernelspecs", _object)


def kernel_spec_of(specs: JsonObject, name: str, server: str) -> JsonObject:
    """What a server says of one of its kernelspecs: "language", "argv", "display_name".

    Args:
        specs: All of them, as the server lists them.
        name: Of the kernelspec.
        server: The server's address, for the message.

    Raises:
        KernelSpecNotFound: It has none of that name.
    """
    there = specs.get("kernelspecs", {})
    if name not in there:
        raise KernelSpecNotFound(
            f"Kernel {name} is not installed. The server at {server} has these: {', '.join(sorted(there)) or 'none'}."
        )
    return _object(there[name].get("spec", {}))


def list_kernels() -> ApiCall[list[JsonObject]]:
    """The models of the kernels that run: id, name, execution_state, connections, last_activity."""
    hint = "A Kernel Gateway lists them only if started with --JupyterWebsocketPersonality.list_kernels=true."
    return ApiCall("GET", "/api/kernels", "list its kernels", _objects, hint=hint)


def get_kernel(kernel_id: str) -> ApiCall[JsonObject | None]:
    """The model of one kernel, or None if there is none of that id. Does not count as activity of the user's."""
    return ApiCall(
        "GET",
        _kernel_path(kernel_id),
        f"show kernel {kernel_id}",
        _object,
        params={"no_track_activity": "1"},
        absent=lambda: None,
    )


def start_kernel(name: str, kernel_id: str | None = None, path: str = "") -> ApiCall[str]:
    """Starts a kernel and gives its id.

    Args:
        name: The kernelspec's name.
        kernel_id: The id it shall have; servers that know this answer with the running kernel if there is one.
        path: The working directory, below the server's root.
    """
    body = {"name": name, "path": path} | ({"kernel_id": kernel_id} if kernel_id else {})
    return ApiCall(
        "POST",
        "/api/kernels",
        f"start a kernel {name!r}",
        lambda model: str(model["id"]),
        body,
        failed=lambda why: KernelStartError(f"The server could not start a kernel {name!r}: {why}. Its log says more."),
    )


def restart_kernel(kernel_id: str) -> ApiCall[None]:
    """Restarts a kernel; its state is lost, its id stays."""
    return ApiCall(
        "POST",
        f"{_kernel_path(kernel_id)}/restart",
        f"restart kernel {kernel_id}",
        _nothing,
        absent=lambda: _gone(kernel_id),
        failed=lambda why: KernelStartError(f"The server could not restart kernel {kernel_id}: {why}."),
    )


def interrupt_kernel(kernel_id: str) -> ApiCall[bool]:
    """Interrupts what a kernel runs; False if there is no such kernel."""
    path = f"{_kernel_path(kernel_id)}/interrupt"
    return ApiCall("POST", path, f"interrupt kernel {kernel_id}", lambda _: True, absent=lambda: False)


def delete_kernel(kernel_id: str) -> ApiCall[bool]:
    """Ends a kernel; False if there is no such kernel."""
    path = _kernel_path(kernel_id)
    return ApiCall("DELETE", path, f"stop kernel {kernel_id}", lambda _: True, absent=lambda: False)


def open_channels(kernel_id: str) -> ApiCall[bool]:
    """Opens the WebSocket of a kernel; False if there is no such kernel. Only a refusal is ever read as an answer."""
    path = f"{_kernel_path(kernel_id)}/channels"
    return ApiCall("GET", path, f"connect to kernel {kernel_id}", _no_upgrade, absent=lambda: False)


def _kernel_path(kernel_id: str) -> str:
    return f"/api/kernels/{quote(kernel_id, safe='')}"


def _gone(kernel_id: str) -> NoReturn:
    raise KernelStartError(f"Kernel {kernel_id} was to be restarted, but the server has no kernel of that id any more.")


def _no_upgrade(_: Any) -> NoReturn:
    raise ValueError("a WebSocket is opened with status 101")


def _nothing(_: Any) -> None:
    return None


def _object(value: Any) -> JsonObject:
    if not isinstance(value, dict):
        raise TypeError("not a JSON object")
    return value


def _objects(value: Any) -> list[JsonObject]:
    if not isinstance(value, list):
        raise TypeError("not a JSON array")
    return [_object(item) for item in value]

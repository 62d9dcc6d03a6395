"""Reading what a server sent, which may be of any shape: the libraries do not check it."""

from __future__ import annotations

import sys
from typing import Any

from pydantic import BaseModel

__all__ = ["count_at", "plain", "text_at", "transport_errors", "value_at"]


def plain(answer: Any) -> Any:
    """A library's object as the JSON value it was made of; other values as they are.

    Args:
        answer: What a provider's library gave.
    """
    return answer.model_dump(warnings=False) if isinstance(answer, BaseModel) else answer


def value_at(value: Any, *path: str | int) -> Any:
    """What is at a path in a JSON value; None where the value has another shape.

    Args:
        value: The JSON value.
        path: Keys of objects, and indices of arrays.
    """
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            value = value[step] if isinstance(value, list) and step < len(value) else None
    return value


def text_at(value: Any, *path: str | int) -> str | None:
    """The text at a path, which may also be an array of parts with texts; None if there is neither.

    Args:
        value: The JSON value.
        path: See ``value_at``.
    """
    found = value_at(value, *path)
    if isinstance(found, list):
        texts = [text for part in found if isinstance(text := value_at(part, "text"), str)]
        return "".join(texts) if texts else None
    return found if isinstance(found, str) else None


def count_at(value: Any, *path: str | int) -> int:
    """The whole number at a path; 0 if there is none.

    Args:
        value: The JSON value.
        path: See ``value_at``.
    """
    found = value_at(value, *path)
    return found if isinstance(found, int) else 0


def transport_errors() -> tuple[type[Exception], ...]:
    """What a provider's library lets through when a connection breaks within a stream.

    Which HTTP library it uses depends on its version, as does whether it translates the errors.
    """
    return tuple(sys.modules[name].TransportError for name in ("httpx", "httpx2") if name in sys.modules)

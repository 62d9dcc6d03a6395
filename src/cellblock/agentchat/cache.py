"""Answers of models, kept on disk, so that a request that was made before is not sent again."""

from __future__ import annotations

import hashlib
import json
import tempfile
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DEFAULT_CACHE_SEED", "Cache"]

DEFAULT_CACHE_SEED = 41
"""AutoGen 0.2's."""


class Cache:
    """A directory with one JSON file for each answer. Processes can share it.

    Args:
        directory: Where the files are; made with the first answer.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @classmethod
    def disk(cls, cache_seed: str | int = 42, cache_path_root: str = ".cache") -> Cache:
        """The cache of a seed: another seed has other answers.

        Args:
            cache_seed: The seed.
            cache_path_root: Where caches are; relative to the current directory.
        """
        return cls(Path(cache_path_root) / str(cache_seed))

    @staticmethod
    def in_use() -> Cache | None:
        """The cache that the current chat was given; None if it was given none."""
        return _in_use.get()

    @staticmethod
    @contextmanager
    def use(cache: Cache | None) -> Iterator[None]:
        """Makes models use a cache within a ``with`` block.

        Args:
            cache: The cache; with None the models' own settings hold.
        """
        token = _in_use.set(cache)
        try:
            yield
        finally:
            _in_use.reset(token)

    def get(self, key: str, default: Any = None) -> Any:
        """The value kept under a key.

        Args:
            key: Any text.
            default: What to give if there is none.
        """
        try:
            return json.loads(self._file(key).read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):  # a file damaged by others is as good as none
            return default

    def set(self, key: str, value: Any) -> None:
        """Keeps a value, in the place of an earlier one.

        Args:
            key: Any text.
            value: What JSON can hold.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=self._directory, suffix=".new", delete=False
        ) as file:
            json.dump(value, file)
        Path(file.name).replace(self._file(key))  # at once, for processes that read meanwhile

    def close(self) -> None:
        """Does nothing: no file is held open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _file(self, key: str) -> Path:
        return self._directory / f"{hashlib.sha256(key.encode()).hexdigest()}.json"


_in_use: ContextVar[Cache | None] = ContextVar("cellblock_model_cache", default=None)

"""``autogen.cache``: where answers of models are kept. A package, for AutoGen has modules in it."""

from __future__ import annotations

from cellblock.agentchat.cache import Cache

__all__ = ["Cache"]

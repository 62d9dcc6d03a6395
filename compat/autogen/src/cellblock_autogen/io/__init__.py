"""``autogen.io``: where a chat prints and asks. A package, for AutoGen has modules in it."""

from __future__ import annotations

from cellblock.agentchat.io import InputStream, IOConsole, IOStream, OutputStream

__all__ = ["IOConsole", "IOStream", "InputStream", "OutputStream"]

"""``autogen.coding.utils``: what executors written for AutoGen take from there."""

from __future__ import annotations

from cellblock.coding.block_files import file_name_in_code as _get_file_name_from_content
from cellblock.coding.block_files import silence_pip

__all__ = ["_get_file_name_from_content", "silence_pip"]

"""Runs a kernel that is not ipykernel so that it ends with its owner: ``guard.py LIFELINE COMMAND…``."""

from __future__ import annotations

import os
import sys

from cellblock_process import end_with_owner

if __name__ == "__main__":
    lifeline = int(sys.argv[1])
    os.set_inheritable(lifeline, True)
    end_with_owner(lifeline, before_exec=True)
    try:
        os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - the command of a kernelspec
    except OSError as error:
        sys.exit(f"{sys.argv[2]} cannot be run: {error.strerror}.")

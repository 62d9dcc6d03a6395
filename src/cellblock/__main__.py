"""``python -m cellblock``, and the program ``cellblock``."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Runs the command line."""
    from cellblock.cli.app import main as run_command_line

    run_command_line()


if __name__ == "__main__":
    main()

"""Runs the fork server: see ``cellblock_fork_server``, which is a module so that it is compiled once only."""

from cellblock_fork_server import main

if __name__ == "__main__":
    main()

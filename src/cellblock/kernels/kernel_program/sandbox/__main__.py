"""Runs the first process of a sandbox: see ``first_process``, which is a module so that it is compiled once only."""

from first_process import main

if __name__ == "__main__":
    main()

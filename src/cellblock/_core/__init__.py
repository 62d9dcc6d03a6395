"""What Jupyter messages mean, decided without sockets, clocks, threads or files."""

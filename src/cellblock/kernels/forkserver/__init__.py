"""Kernels in milliseconds: a process that has imported ipykernel already forks one for each request (Linux)."""

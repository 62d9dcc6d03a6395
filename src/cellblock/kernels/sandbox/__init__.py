"""Kernels confined by bubblewrap, seccomp, Landlock and limits (Linux)."""

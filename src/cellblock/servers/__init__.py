"""Jupyter servers: where they are, and starting them here or in a container."""

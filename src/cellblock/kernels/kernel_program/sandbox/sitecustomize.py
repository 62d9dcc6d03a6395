"""In the place of the environment's own ``sitecustomize``, which would run outside of the sandbox: see ``fork_server``."""

"""In the place of the environment's own ``usercustomize``, which would run outside of the sandbox: see ``fork_server``."""

"""Turns at the container engine, which all workers share: some tests look at every container there is."""

import contextlib
import fcntl


@contextlib.contextmanager
def engine_turn(folder, *, alone):
    """Holds the engine together with others, or alone; across processes."""
    # Whoever wants to be alone waits at the gate, so that those who come later do not go first.
    with (folder / "cellblock-tests-gate").open("w") as gate, (folder / "cellblock-tests-engine").open("w") as engine:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(engine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield

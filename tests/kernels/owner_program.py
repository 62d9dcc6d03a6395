"""A program that owns kernels, for tests that kill it: ``owner_program.py {forked|pool} [CHILD]``.

It prints the ids of all processes it has, and waits. With CHILD it also forks a child that outlives it and would keep its
descriptors open.
"""

import os
import sys
import time

import psutil

from cellblock import Session
from cellblock.kernels.pool import KernelPool

pool = KernelPool(2) if sys.argv[1] == "pool" else None
session = Session(None if pool is None else pool.kernel())
pid = session.run("import os, subprocess; child = subprocess.Popen(['sleep', '1000']); os.getpid()").text
while pool is not None and len(psutil.Process().children(recursive=True)) < 5:
    time.sleep(0.01)
processes = [process.pid for process in psutil.Process().children(recursive=True)]
assert int(pid) in processes
if "CHILD" in sys.argv:
    ready, done = os.pipe()
    if os.fork() == 0:
        os.close(ready)
        os.write(done, b"x")
        time.sleep(1000)
    os.read(ready, 1)
print(*processes, flush=True)
time.sleep(1000)

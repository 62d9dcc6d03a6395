"""The program of an embedded kernel: ipykernel on sockets that its owner made, tuned for one program as its client.

It runs in the kernel's interpreter, which may be another than the owner's, so it imports nothing of cellblock.
Its only argument is a file descriptor from which it reads its configuration as JSON:

``key``        the messages' secret
``sockets``    for shell, control, stdin and iopub a descriptor of a listening socket
``lifeline``   a descriptor of a pipe nobody writes to: its end means that the owner is gone
``last_words`` a descriptor of memory shared with the owner (see ``cellblock_streams``)
``log``        a descriptor for complaints before the kernel can speak for itself
``extensions`` names of IPython extensions to load; may be missing
``path``       in a sandbox, where it looks for modules before the interpreter's own folders: only once the kernel is made,
               so that nothing that code has put there can keep it from starting

The kernel's application itself is in ``cellblock_kernel_app``; this file comes before it, so that an interpreter without
ipykernel can say so.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys

from cellblock_process import complaints_to, end_with_owner, silence_own_streams, trace_crashes


def main() -> None:
    """Runs a kernel until it is shut down."""
    gc.disable()  # there is next to no garbage in an import, and looking for it is an eighth of the time
    with os.fdopen(int(sys.argv[1]), "rb") as pipe:
        config = json.load(pipe)
    sys.argv[1:] = []
    for descriptor in (config["lifeline"], config["log"], config["last_words"], *config["sockets"].values()):
        os.set_inheritable(descriptor, False)
    end_with_owner(config["lifeline"])
    silence_own_streams()
    with complaints_to(config["log"]):
        from cellblock_kernel_app import make_app

        for extension in config.get("extensions", []):
            importlib.import_module(extension)  # while this folder can be imported from
        sys.path.pop(0)  # the folder of this file, which is no business of the user's code
        app = make_app(config)
    if "path" in config:
        sys.path[0:0] = config["path"]
        os.environ["PYTHONPATH"] = ":".join(config["path"])
    trace_crashes(config["log"])
    gc.freeze()
    gc.enable()
    app.start()


if __name__ == "__main__":
    main()

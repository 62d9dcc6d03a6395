"""cellblock's executor on a local server of cellblock's that keeps no kernel waiting."""

from __future__ import annotations

from typing import ClassVar

from benchmarks.contenders import cellblock_local_server
from cellblock.coding.jupyter import LocalJupyterServer


class Contender(cellblock_local_server.Contender):
    server: ClassVar[LocalJupyterServer] = LocalJupyterServer(pool=0)

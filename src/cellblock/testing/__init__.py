"""What a back end must do, as tests anybody can run on their own, and a kernel that plays a script.

The contracts need pytest. Subclass one in a test module of yours and give it what it is to check::

    class TestMyKernel(SessionContract):
        @pytest.fixture(scope="class")
        @classmethod
        def make_kernel(cls):
            return MyKernel
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellblock.testing import steps
    from cellblock.testing.contract import SessionContract
    from cellblock.testing.executor_contract import ExecutorContract
    from cellblock.testing.provisioner_contract import ProvisionerContract
    from cellblock.testing.scripted import Script, ScriptedKernel
    from cellblock.testing.server_contract import ServerContract
    from cellblock.testing.transport_contract import TransportContract

__all__ = [
    "ExecutorContract",
    "ProvisionerContract",
    "Script",
    "ScriptedKernel",
    "ServerContract",
    "SessionContract",
    "TransportContract",
    "steps",
]

_HOMES = {
    "ExecutorContract": "executor_contract",
    "ProvisionerContract": "provisioner_contract",
    "Script": "scripted",
    "ScriptedKernel": "scripted",
    "ServerContract": "server_contract",
    "SessionContract": "contract",
    "TransportContract": "transport_contract",
    "steps": "steps",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        module = import_module(f"{__name__}.{_HOMES[name]}")
        return module if name == _HOMES[name] else getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""``autogen.exception_utils``."""

from __future__ import annotations

from cellblock.agentchat.opening import InvalidCarryOverType

__all__ = ["AgentNameConflict", "InvalidCarryOverType", "NoEligibleSpeaker", "SenderRequired", "UndefinedNextAgent"]


class AgentNameConflict(Exception):
    """Two agents of a group have one name. Never raised here: there are no groups."""

    def __init__(self, msg: str = "Found multiple agents with the same name.", *args: object) -> None:
        super().__init__(msg, *args)


class NoEligibleSpeaker(Exception):
    """Nobody in a group may speak. Never raised here: there are no groups."""

    def __init__(self, message: str = "No eligible speakers.") -> None:
        super().__init__(message)


class SenderRequired(Exception):
    """A chat has no sender."""

    def __init__(self, message: str = "Sender is required but not provided.") -> None:
        super().__init__(message)


class UndefinedNextAgent(Exception):
    """A group does not know who is next. Never raised here: there are no groups."""

    def __init__(self, message: str = "The provided agents list does not overlap with agents in the group.") -> None:
        super().__init__(message)

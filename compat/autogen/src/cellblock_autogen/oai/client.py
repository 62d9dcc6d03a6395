"""``autogen.oai.client``: a model without an agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cellblock.agentchat.cache import Cache
from cellblock.agentchat.calls import BlockingCalls, run_now
from cellblock.agentchat.models.custom_client import CustomClients, ModelClient
from cellblock.agentchat.models.llm_config import checked_llm_config, model_from_llm_config
from cellblock.agentchat.usage import UsageLedger, UsageSummary, sum_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellblock.agentchat.messages import Message
    from cellblock.agentchat.models.reply import ModelReply

__all__ = ["ModelClient", "OpenAIWrapper"]


class OpenAIWrapper:
    """Asks the models of a ``config_list`` in order until one answers.

    Args:
        config_list: The models.
        base_config: Settings that hold for all of them. The ``model`` may also be named in ``create``.

    Raises:
        ConfigError: A setting cannot be used.
    """

    def __init__(self, *, config_list: list[dict[str, Any]] | None = None, **base_config: Any) -> None:
        self._settings = {**base_config, "config_list": config_list} if config_list else base_config
        self._clients: list[tuple[type[Any], dict[str, Any]]] = []
        self._usage = UsageLedger()
        # What cannot be used is said now; what is not known yet is only the model's name.
        self._model({"model": self._settings.get("model") or "named later"})

    def create(
        self, *, messages: list[Message] | None = None, cache: Cache | None = None, **settings: Any
    ) -> ModelReply:
        """A model's reply.

        Args:
            messages: The chat so far.
            cache: Where answers are kept and looked up.
            settings: For this call only.
        """
        model = self._model(settings)
        with Cache.use(cache):
            reply = run_now(BlockingCalls().ask_model(model, messages or []))
        self._usage.add(reply)
        return reply

    def register_model_client(self, model_client_cls: type[Any], **arguments: Any) -> None:
        """Gives the class for models that name it as their ``model_client_cls``.

        Args:
            model_client_cls: A class with the ``ModelClient`` protocol.
            arguments: For its constructor, beside the model's settings.
        """
        self._clients.append((model_client_cls, arguments))

    @classmethod
    def extract_text_or_completion_object(cls, response: ModelReply) -> list[str]:
        """The texts of a reply: one."""
        return [response.content]

    @property
    def total_usage_summary(self) -> UsageSummary | None:
        """What was used, cached answers included; None if nothing was asked."""
        return sum_of([self._usage.total]) if self._usage.total else None

    @property
    def actual_usage_summary(self) -> UsageSummary | None:
        """What was used, cached answers left out; None if nothing was asked."""
        return sum_of([self._usage.actual]) if self._usage.actual else None

    def print_usage_summary(self, mode: str | Sequence[str] = ("actual", "total")) -> None:
        """Prints what was used.

        Args:
            mode: "actual" (without cached answers), "total" (with them), or both.
        """
        self._usage.print_summary("OpenAIWrapper", [mode] if isinstance(mode, str) else mode)

    def clear_usage_summary(self) -> None:
        """Forgets what was used."""
        self._usage = UsageLedger()

    def _model(self, settings: dict[str, Any]) -> Any:
        custom = CustomClients()
        model = model_from_llm_config(checked_llm_config({**self._settings, **settings}), custom)
        for client, arguments in self._clients:
            custom.register(client, arguments)
        return model

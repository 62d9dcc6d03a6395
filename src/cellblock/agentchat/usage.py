"""What an agent's model has used: tokens and dollars, with and without what a cache answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cellblock.agentchat.io import IOStream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellblock.agentchat.models.reply import ModelReply

__all__ = ["ModelUsage", "UsageLedger", "UsageSummary", "sum_of"]

UsageSummary = dict[str, Any]
"""``{"total_cost": …, "<model>": {"cost": …, "prompt_tokens": …, "completion_tokens": …, "total_tokens": …}, …}``."""


@dataclass
class ModelUsage:
    """What one model has used.

    Attributes:
        cost: US dollars, as far as they are known.
        prompt_tokens: Tokens it read.
        completion_tokens: Tokens it wrote.
        cost_is_known: Whether every answer had a price.
    """

    cost: float = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_is_known: bool = True

    @property
    def total_tokens(self) -> int:
        """Tokens it read or wrote."""
        return self.prompt_tokens + self.completion_tokens

    def add(self, reply: ModelReply) -> None:
        """Adds one answer."""
        self.cost += reply.cost or 0
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens
        self.cost_is_known = self.cost_is_known and reply.cost is not None


class UsageLedger:
    """An agent's account of what its model has used.

    Attributes:
        total: By model, all answers.
        actual: By model, the answers that did not come from a cache.
    """

    def __init__(self) -> None:
        self.total: dict[str, ModelUsage] = {}
        self.actual: dict[str, ModelUsage] = {}

    def add(self, reply: ModelReply) -> None:
        """Enters an answer. A model whose price is not known is said, once."""
        if not reply.model:
            return
        if reply.cost is None and reply.model not in self.unknown_costs():
            _warn_of_unknown_cost(reply.model)
        for account in (self.total,) if reply.cached else (self.total, self.actual):
            account.setdefault(reply.model, ModelUsage()).add(reply)

    def unknown_costs(self) -> list[str]:
        """The models that have answered without a known price."""
        return [model for model, usage in self.total.items() if not usage.cost_is_known]

    def print_summary(self, name: str, accounts: Iterable[str]) -> None:
        """Prints what was used.

        Args:
            name: The agent's.
            accounts: "actual", "total" or both.
        """
        stream = IOStream.get_default()
        for account, title in (("actual", "excluding"), ("total", "including")):
            if account not in accounts:
                continue
            by_model = self.actual if account == "actual" else self.total
            if not by_model:
                stream.print(f"Agent '{name}': no usage ({title} cached answers).", flush=True)
                continue
            cost = sum(usage.cost for usage in by_model.values())
            stream.print(f"Agent '{name}': usage summary {title} cached answers, total cost ${cost:.5f}", flush=True)
            for model, usage in by_model.items():
                dollars = f"${usage.cost:.5f}" if usage.cost_is_known else "unknown"
                stream.print(
                    f"* Model '{model}': cost: {dollars}, prompt_tokens: {usage.prompt_tokens}, "
                    f"completion_tokens: {usage.completion_tokens}, total_tokens: {usage.total_tokens}",
                    flush=True,
                )


def sum_of(accounts: Iterable[dict[str, ModelUsage]]) -> UsageSummary:
    """Several accounts in one, in the form of AutoGen 0.2. An unknown cost counts as 0.

    Args:
        accounts: Usage by model.
    """
    totals: dict[str, ModelUsage] = {}
    for account in accounts:
        for model, usage in account.items():
            total = totals.setdefault(model, ModelUsage())
            total.cost += usage.cost
            total.prompt_tokens += usage.prompt_tokens
            total.completion_tokens += usage.completion_tokens
    summary: UsageSummary = {"total_cost": sum(usage.cost for usage in totals.values())}
    for model, usage in totals.items():
        summary[model] = {
            "cost": usage.cost,
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
        }
    return summary


def _warn_of_unknown_cost(model: str) -> None:
    now = datetime.now().astimezone().strftime("%m-%d %H:%M:%S")
    IOStream.get_default().print(
        f"[cellblock.agentchat: {now}] WARNING - Model {model} is not found. The cost will be 0. In your config_list, add "
        'field {"price" : [prompt_price_per_1k, completion_token_price_per_1k]} for customized pricing.',
        flush=True,
    )

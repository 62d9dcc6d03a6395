"""What an answer costs, by the table of the genai-prices package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellblock.errors import MissingDependency

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["cost_of"]


def cost_of(
    model: str,
    prompt_tokens: int,
    completion_tokens: int,
    *,
    provider: str,
    base_url: str | None = None,
    price_1k: Sequence[float] | None = None,
) -> float | None:
    """The US dollars an answer costs; None if the model's price is not known.

    Args:
        model: The name it answered under.
        prompt_tokens: Tokens it read.
        completion_tokens: Tokens it wrote.
        provider: Whose price list holds if the address says nothing, such as "openai".
        base_url: Where the answer came from.
        price_1k: The user's own price: dollars for 1000 tokens read, and for 1000 written.
    """
    if price_1k is not None:
        return (prompt_tokens * price_1k[0] + completion_tokens * price_1k[1]) / 1000
    try:
        from genai_prices import Usage, calc_price
    except ImportError as error:
        raise MissingDependency.for_extra("Knowing what a model costs", "agents") from error

    usage = Usage(input_tokens=prompt_tokens, output_tokens=completion_tokens)
    if base_url is not None:
        try:
            return float(calc_price(usage, model, provider_api_url=base_url).total_price)
        except LookupError:
            pass
    try:
        return float(calc_price(usage, model, provider_id=provider).total_price)
    except LookupError:
        return None

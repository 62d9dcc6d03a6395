"""What an answer costs, by the user's own price or the table of the genai-prices package."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

from cellblock.errors import ConfigError, MissingDependency

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["cost_of", "own_price"]


def own_price(price: Any) -> tuple[float, float] | None:
    """The ``price`` of an entry as dollars for 1000 tokens read, and for 1000 written; None if there is none.

    Args:
        price: Both prices, or one number for both.

    Raises:
        ConfigError: It is neither.
    """
    if price is None:
        return None
    both = (price, price) if isinstance(price, Real) else price
    if not (isinstance(both, list | tuple) and len(both) == 2 and all(isinstance(one, Real) for one in both)):
        raise ConfigError(
            f"'price' in llm_config is the dollars for 1000 tokens read and for 1000 written, [0.01, 0.03], or one number "
            f"for both, not {price!r}."
        )
    return float(both[0]), float(both[1])


def cost_of(
    model: str,
    prompt_tokens: int,
    completion_tokens: int,
    *,
    provider: str,
    base_url: str | None = None,
    price_1k: Sequence[float] | None = None,
) -> float | None:
    """The US dollars an answer costs; None if the model's price is not known, or the server's counts of tokens are none.

    Args:
        model: The name it answered under.
        prompt_tokens: Tokens it read.
        completion_tokens: Tokens it wrote.
        provider: Whose price list holds if the address says nothing, such as "openai".
        base_url: Where the answer came from.
        price_1k: The user's own price: dollars for 1000 tokens read, and for 1000 written.
    """
    if prompt_tokens < 0 or completion_tokens < 0:
        return None
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

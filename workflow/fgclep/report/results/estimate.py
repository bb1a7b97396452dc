"""A value with its interval, and how the report writes it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; ``None`` where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


UNDEFINED = Estimate(None)


def percent(value: float | None) -> str:
    """Write a share as a percentage with one decimal, without its sign.

    >>> percent(0.9234), percent(None)
    ('92.3', '–')
    """
    return "–" if value is None else f"{100 * value:.1f}"


def interval(estimate: Estimate) -> str:
    """Write the interval of an estimate, or nothing.

    >>> interval(Estimate(0.9, 0.85, 0.94))
    '85.0–94.0'
    """
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{percent(estimate.low)}–{percent(estimate.high)}"


def difference(estimate: Estimate) -> str:
    """Write a difference of shares in percent with its sign, and its interval.

    >>> difference(Estimate(-0.0123, -0.02, 0.001))
    '−1.2 (−2.0 to +0.1)'
    """

    def signed(value: float) -> str:
        return f"{round(100 * value, 1) + 0.0:+.1f}".replace("-", "−")  # + 0.0: no negative zero

    if estimate.value is None:
        return "–"
    limits = (
        "" if estimate.low is None or estimate.high is None else f" ({signed(estimate.low)} to {signed(estimate.high)})"
    )
    return signed(estimate.value) + limits


def p_value(p: float | None) -> str:
    """Write a p-value with two significant digits.

    >>> p_value(0.0314), p_value(0.3), p_value(0.00004), p_value(1.0), p_value(None)
    ('0.031', '0.30', '<0.001', '1.0', '–')
    """
    if p is None:
        return "–"
    if p < 0.001:
        return "<0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}" if p < 0.995 else "1.0"

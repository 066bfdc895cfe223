"""What a handful of samples supports, and what it does not. Pure; shared by the ladder, its rule and the report.

Exact one-sided Mann-Whitney test (Mann and Whitney 1947), Holm's correction over several comparisons (Holm 1979), the
binomial test for exceedances (Hahn and Meeker, Statistical Intervals). All samples are seconds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

ALPHA = 0.05
RATIO = 1.5
FLOOR = 0.25
"""Seconds below which a difference is no jump, whatever its ratio. Ours: a judgement."""


@dataclass(frozen=True, slots=True)
class Jump:
    """Upper samples that are truly above lower ones."""

    lower: str
    upper: str
    lower_median: float
    upper_median: float
    p: float
    """Of the one-sided Mann-Whitney test; after Holm's correction where several were compared."""
    n: int
    """Samples of the smaller side."""

    @property
    def ratio(self) -> float:
        """Upper median over lower median."""
        return self.upper_median / self.lower_median if self.lower_median > 0 else math.inf

    @property
    def seconds(self) -> float:
        """What the upper one takes longer."""
        return self.upper_median - self.lower_median


def median(samples: Sequence[float]) -> float:
    """Return the middle of `samples`. Raises ValueError for none."""
    if not samples:
        raise ValueError("no samples have no median")
    ordered = sorted(samples)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def mann_whitney_p(lower: Sequence[float], upper: Sequence[float]) -> float:
    """Return the chance that `upper` ranks this high above `lower` by accident; exact, ties included; 1.0 for none."""
    if not lower or not upper:
        return 1.0
    ranks = _doubled_ranks([*lower, *upper])
    observed = sum(ranks[len(lower) :])
    ways = _sums_of_subsets(ranks, len(upper))
    return sum(count for total, count in ways.items() if total >= observed) / math.comb(len(ranks), len(upper))


def jump(lower: Sequence[float], upper: Sequence[float], *, names: tuple[str, str] = ("", "")) -> Jump | None:
    """Return the jump from `lower` to `upper`, or None where there is none or the samples cannot show one."""
    if not lower or not upper:
        return None
    found = Jump(*names, median(lower), median(upper), mann_whitney_p(lower, upper), min(len(lower), len(upper)))
    return found if _holds(found, found.p) else None


def jumps(rungs: Sequence[tuple[str, Sequence[float]]]) -> list[Jump]:
    """Return every jump between neighbouring rungs, lowest first, with Holm's correction over all comparisons."""
    pairs = [
        Jump(low, high, median(below), median(above), mann_whitney_p(below, above), min(len(below), len(above)))
        for (low, below), (high, above) in itertools.pairwise(rungs)
        if below and above
    ]
    corrected = _holm([pair.p for pair in pairs])
    return [
        Jump(pair.lower, pair.upper, pair.lower_median, pair.upper_median, p, pair.n)
        for pair, p in zip(pairs, corrected, strict=True)
        if _holds(pair, p)
    ]


def conclusive(n: int, comparisons: int = 1) -> bool:
    """Whether `n` samples a side could show a jump at all: the smallest p they can give, over `comparisons`."""
    return n > 0 and comparisons / math.comb(2 * n, n) <= ALPHA


def exceedance_claim(exceeded: int, n: int, quantile: float = 0.95) -> bool:
    """Whether `exceeded` of `n` samples above a limit show that it lies below the `quantile` (2 of 5, 3 of 10)."""
    if exceeded <= 0 or n <= 0:
        return False
    rare = 1 - quantile
    chance = sum(math.comb(n, k) * rare**k * quantile ** (n - k) for k in range(min(exceeded, n), n + 1))
    return chance <= ALPHA


def _holds(found: Jump, p: float) -> bool:
    return p <= ALPHA and found.ratio >= RATIO and found.seconds >= FLOOR


def _holm(chances: Sequence[float]) -> list[float]:
    order = sorted(range(len(chances)), key=lambda index: chances[index])
    corrected = [1.0] * len(chances)
    highest = 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, chances[index] * (len(chances) - place)))
        corrected[index] = highest
    return corrected


def _doubled_ranks(values: Sequence[float]) -> list[int]:
    """Return twice the rank of every value, ties sharing their mean rank: whole numbers, so sums are exact."""
    ordered = sorted(values)
    first = {value: index for index, value in reversed(list(enumerate(ordered)))}
    last = {value: index for index, value in enumerate(ordered)}
    return [first[value] + last[value] + 2 for value in values]


def _sums_of_subsets(ranks: Sequence[int], size: int) -> dict[int, int]:
    """Return sum -> number of subsets of `size` ranks that have it."""
    ways: list[dict[int, int]] = [{0: 1}, *({} for _ in range(size))]
    for rank in ranks:
        for taken in range(size, 0, -1):
            for total, count in ways[taken - 1].items():
                ways[taken][total + rank] = ways[taken].get(total + rank, 0) + count
    return ways[size]

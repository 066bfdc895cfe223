"""The statistics a verdict leans on."""

import math
import random

import pytest

from crewdoctor.sampling import FLOOR, conclusive, exceedance_claim, jump, jumps, mann_whitney_p, median


def test_smallest_p_is_one_over_the_number_of_arrangements():
    assert mann_whitney_p([1, 2, 3], [4, 5, 6]) == pytest.approx(1 / 20)
    assert mann_whitney_p([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]) == pytest.approx(1 / math.comb(10, 5))


def test_the_other_direction_is_no_evidence():
    assert mann_whitney_p([4, 5, 6], [1, 2, 3]) == 1.0


def test_all_equal_is_no_evidence():
    assert mann_whitney_p([2.0] * 5, [2.0] * 5) == 1.0


def test_known_value_with_ties():
    # every one of the 20 ways to choose three of (1 2 2 | 2 3 3), counted by hand: those with both threes
    assert mann_whitney_p([1, 2, 2], [2, 3, 3]) == pytest.approx(3 / 20)


def test_p_is_uniform_enough_under_no_difference():
    draw = random.Random(7)
    false = sum(
        mann_whitney_p([draw.random() for _ in range(5)], [draw.random() for _ in range(5)]) <= 0.05 for _ in range(400)
    )
    assert false <= 400 * 0.08


@pytest.mark.parametrize(
    ("lower", "upper", "found"),
    [
        ([0.1] * 5, [1.0] * 5, True),
        ([0.1] * 2, [9.0] * 2, False),
        ([0.01] * 5, [0.01 + FLOOR * 0.9] * 5, False),
        ([2.0] * 5, [2.8] * 5, False),
        ([0.1, 0.1, 0.1, 3.0, 3.0], [0.1, 0.1, 0.1, 3.0, 3.1], False),
        ([], [1.0], False),
    ],
)
def test_jump_needs_significance_ratio_and_floor(lower, upper, found):
    assert (jump(lower, upper) is not None) is found


def test_jumps_names_the_rung_where_it_happens():
    rungs = [
        ("tcp", [0.001] * 6),
        ("sdk", [0.05] * 6),
        ("crewai", [2.0, 2.1, 2.2, 2.0, 2.1, 2.3]),
        ("agent", [2.4] * 6),
    ]
    found = jumps(rungs)
    assert [(each.lower, each.upper, each.n) for each in found] == [("sdk", "crewai", 6)]
    assert found[0].seconds == pytest.approx(2.05)


def test_holm_makes_a_lone_weak_comparison_of_many_inconclusive():
    weak = ([0.1, 0.2, 0.3], [1.0, 1.1, 1.2])
    assert jump(*weak) is not None
    assert jumps([("a", weak[0]), ("b", weak[1]), ("c", [1.0, 1.1, 1.2]), ("d", [1.0, 1.1, 1.2])]) == []


@pytest.mark.parametrize(
    ("n", "comparisons", "able"), [(2, 1, False), (3, 1, True), (3, 4, False), (5, 4, True), (0, 1, False)]
)
def test_conclusive(n, comparisons, able):
    assert conclusive(n, comparisons) is able


@pytest.mark.parametrize(
    ("exceeded", "n", "claim"),
    [
        (1, 5, False),
        (2, 5, True),
        (2, 10, False),
        (3, 10, True),
        (3, 20, False),
        (4, 20, True),
        (5, 30, True),
        (7, 59, True),
        (0, 5, False),
    ],
)
def test_exceedance_claim_matches_the_published_table(exceeded, n, claim):
    assert exceedance_claim(exceeded, n) is claim


def test_median():
    assert (median([3, 1, 2]), median([4, 1, 2, 3])) == (2, 2.5)
    with pytest.raises(ValueError, match="no samples"):
        median([])

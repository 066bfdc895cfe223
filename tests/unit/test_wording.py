import pytest

from crewdoctor.wording import percents


@pytest.mark.parametrize(
    ("shares", "shown"),
    [
        ((1 / 3, 1 / 3, 1 / 3), (34, 33, 33)),
        ((0.834, 0.146, 0.02), (83, 15, 2)),
        ((0.975, 0.015), (98, 1)),
        ((1.0,), (100,)),
        ((), ()),
    ],
)
def test_whole_percents_sum_to_what_the_shares_do(shares, shown):
    assert percents(shares) == shown
    assert sum(shown) == round(100 * sum(shares))

import numpy as np
import pytest

from compkit.competition.row_limit import limit_rows


def test_limit_keeps_order_proportions_and_every_class():
    targets = np.repeat([0, 1, 2], [700, 290, 10])
    rows = limit_rows(targets, 1000, 100)
    assert len(rows) == 100 and (np.diff(rows) > 0).all()
    np.testing.assert_allclose(np.bincount(targets[rows]), [70, 29, 1], atol=1)


@pytest.mark.parametrize("limit", range(3, 12))
def test_limit_of_at_least_the_classes_loses_none(limit):
    targets = np.array([0] * 50 + [1] * 2 + [2])
    assert set(targets[limit_rows(targets, 53, limit)]) == {0, 1, 2}


def test_limit_is_the_same_every_time_and_random():
    first, again = limit_rows(None, 1000, 10), limit_rows(None, 1000, 10)
    assert first.tolist() == again.tolist() != list(range(10))
    assert limit_rows(None, 1000, 10, seed=1).tolist() != first.tolist()


@pytest.mark.parametrize("targets", [None, np.arange(4), np.zeros((4, 2))])
@pytest.mark.parametrize("limit", [4, 100])
def test_limit_above_the_rows_takes_all(targets, limit):
    assert limit_rows(targets, 4, limit).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("limit", [0, -1, 2.5, "10", True])
def test_limit_must_be_a_whole_number_from_one(limit):
    with pytest.raises(ValueError, match=f"limit={limit}: expected a whole number"):
        limit_rows(None, 10, limit)

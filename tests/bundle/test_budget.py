"""Time: what is forecast, what is handed out, what is left out."""

import pytest

from compkit.bundle import budget as budgets
from compkit.bundle.budget import Budget, Cost, views_that_fit
from compkit.bundle.recipe import Unit

A0, A1, B0 = Unit("a", 0), Unit("a", 1), Unit("b", 0)


@pytest.fixture
def now(monkeypatch):
    """now[0] is the time in seconds."""
    moment = [0.0]
    monkeypatch.setattr(budgets, "time", type("Time", (), {"monotonic": staticmethod(lambda: moment[0])}))
    return moment


def budget(seconds, devices=1, views=4):
    return Budget([A0, A1, B0], {A0: views, A1: views, B0: views}, seconds, 0.0, devices)


def test_views_that_fit_is_the_largest_number_whose_sum_is_in_time():
    costs = [Cost(2, 3, 4), Cost(1, 5, 2)]
    for seconds in range(40):
        fitting = [views for views in (1, 2, 3, 4) if sum(cost.seconds(views) for cost in costs) <= seconds]
        assert views_that_fit(costs, seconds, 1) == max(fitting, default=1)
        assert views_that_fit(costs, seconds, 2) >= views_that_fit(costs, seconds, 1)


def test_without_a_limit_all_units_come_in_their_order_with_all_views():
    work = budget(None)
    assert [work.next_unit() for _ in range(4)] == [A0, A1, B0, None]
    assert work.choose_views(A0) == 4 and work.fits(A0, 4)


def test_units_that_do_not_fit_are_passed_over_for_those_that_do(now):
    work = budget(100)
    assert work.next_unit() == A0
    work.measured(A0, fixed=0, per_view=50)
    work.measured(B0, fixed=0, per_view=5)
    now[0] = 60
    assert work.next_unit() == B0 and work.next_unit() is None


def test_a_run_of_unknown_speed_counts_as_the_slowest_known(now):
    work = budget(100)
    work.measured(A0, fixed=1, per_view=10)
    assert work.next_unit() == A0 and work.choose_views(A0) == 3  # 3 units x (1 + 3 x 10) s in 95 s
    assert work.next_unit() == A1 and work.choose_views(A1) == 4
    work.measured(B0, fixed=1, per_view=30)
    assert work.choose_views(A1) == 2  # 1 + 2 x 10 s, and 1 + 2 x 30 s for b


def test_views_stay_those_of_the_unit_and_time_is_kept_for_writing(now):
    work = budget(100, views=2)
    work.measured(A0, fixed=0, per_view=1)
    assert work.choose_views(A0) == 2
    work.write_seconds = 95
    assert work.seconds_left == pytest.approx(0) and work.next_unit() is None
    assert not work.fits(A0, 1) and work.fits(B0, 1) is False


def test_two_devices_share_the_time(now):
    one, two = budget(100, devices=1), budget(100, devices=2)
    for work in (one, two):
        work.next_unit()
        work.measured(A0, fixed=0, per_view=20)
    assert one.choose_views(A0) == 1 and two.choose_views(A0) == 3

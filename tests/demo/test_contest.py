import numpy as np
import pytest

from compkit.demo import EMBEDDED
from compkit.demo.contest import below, draws, shuffled, zero_padded_ids
from compkit.demo.folder import find_embedded

COUNTS = {"digits": (1437, 360), "mosaic": (1600, 400), "tilt": (1600, 400)}


@pytest.fixture(scope="module", params=EMBEDDED)
def named_contest(request):
    return request.param, EMBEDDED[request.param].make()


def test_tables_and_pictures_belong_together(named_contest):
    name, contest = named_contest
    assert (len(contest.train), len(contest.solution)) == COUNTS[name]
    ids = [*contest.train["id"], *contest.solution["id"]]
    assert len(set(ids)) == len(ids)
    assert contest.images.keys() == set(ids)
    assert list(contest.solution.columns) == ["id", EMBEDDED[name].target] == list(contest.train.columns[:2])


def test_every_cell_is_text_the_grader_reads(named_contest):
    name, contest = named_contest
    for table in (contest.train, contest.solution):
        cells = table[EMBEDDED[name].target]
        assert all(type(cell) is str for cell in cells)
        for cell in [*cells, contest.placeholder]:
            EMBEDDED[name].parse(cell)


def test_ids_have_leading_zeros_are_sorted_and_tell_nothing(named_contest):
    contest = named_contest[1]
    for ids in (contest.train["id"], contest.solution["id"]):
        assert ids.str.fullmatch(r"0\d{4}").all()
        assert ids.is_monotonic_increasing
    test = contest.solution["id"].astype(int)
    everything = len(contest.images)
    assert abs(test.mean() / everything - 0.5) < 0.05  # spread over the whole sequence


def test_pictures_of_test_and_training_differ(named_contest):
    contest = named_contest[1]
    train = {contest.images[one].tobytes() for one in contest.train["id"]}
    test = {contest.images[one].tobytes() for one in contest.solution["id"]}
    assert not train & test


def test_draws_are_uniform():
    rng = draws(5)
    counts = np.bincount([below(rng, 4) for _ in range(4000)], minlength=4)
    assert np.abs(counts - 1000).max() < 120
    assert sorted(shuffled(rng, 100)) == list(range(100))


def test_ids_of_both_parts_fill_one_sequence():
    train, test = zero_padded_ids(draws(1), 7, 5)
    assert sorted(train + test) == [f"{n:05d}" for n in range(12)]


def test_unknown_competition_is_an_error_that_lists_them():
    with pytest.raises(
        ValueError, match="'digit' is no embedded competition; expected one of digits, mosaic"
    ):
        find_embedded("digit")

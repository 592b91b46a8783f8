"""The search on toy objectives whose best policy is known."""

import albumentations as A
import numpy as np
import optuna
import pytest
import yaml

from compkit.augment.page import finding, policy_page, trials_table
from compkit.augment.search import Trial, compare, search_policy
from compkit.augment.space import CHOICES, NONE, suggest
from compkit.build import build_all


class Clock:
    """Seconds that pass only while something is evaluated."""

    def __init__(self, seconds=1.0):
        self.now, self.seconds = 0.0, seconds

    def __call__(self):
        return self.now


def toy(clock=None, gain=1.0, noise=0.0, log=None):
    """Better with a horizontal flip and little rotation; harmed by every other operation."""

    def evaluate(policy, seed):
        if clock is not None:
            clock.now += clock.seconds
        if log is not None:
            log.append((policy, seed))
        names = [node.get("name", member) for member, node in policy.items()]
        score = gain * (0.2 * ("flip" in names) + 0.3 * ("Rotate" in names))
        score -= gain * 0.1 * len([name for name in names if name not in ("flip", "Rotate")])
        return 0.5 + score + noise * np.random.default_rng([seed, len(str(policy))]).standard_normal()

    return evaluate


def test_it_finds_what_helps():
    search = search_policy(toy(), True, budget_seconds=60, max_trials=40, clock=Clock())
    best = search.candidates[0]
    assert "flip" in best.policy and any(node.get("name") == "Rotate" for node in best.policy.values())
    assert best.convinces and best.gain > 0.3
    assert finding(search, "accuracy").startswith("Better than")


def test_a_smaller_score_can_be_the_better_one():
    def evaluate(policy, seed):
        return -toy()(policy, seed)

    up = search_policy(toy(), True, 60, max_trials=15, clock=Clock())
    down = search_policy(evaluate, False, 60, max_trials=15, clock=Clock())
    assert [one.policy for one in up.candidates] == [one.policy for one in down.candidates]
    assert [one.gains for one in up.candidates] == [one.gains for one in down.candidates]


def test_none_is_trial_0_and_all_share_a_seed_until_the_fresh_ones():
    log = []
    search = search_policy(toy(log=log), True, 60, seed=7, top=2, repeats=4, max_trials=6, clock=Clock())
    assert log[0] == ({}, 7) and search.trials[0].number == 0
    assert {seed for _, seed in log[:6]} == {7}
    again = log[6:]
    assert [seed for _, seed in again] == [8] * 3 + [9] * 3 + [10] * 3 + [11] * 3
    assert all(policy == {} for policy, _ in again[::3])
    best = sorted(search.trials[1:], key=lambda trial: -trial.score)[:2]
    assert {trial.number for trial in search.again} == {0, *(trial.number for trial in best)}


def test_the_same_seed_searches_the_same_way():
    first, second, other = (
        search_policy(toy(noise=0.1), True, 60, seed=seed, max_trials=15, clock=Clock()) for seed in (1, 1, 2)
    )
    assert first.trials == second.trials and first.candidates == second.candidates
    assert [one.policy for one in first.trials] != [one.policy for one in other.trials]


@pytest.mark.parametrize("budget", [12.0, 30.0, 45.5])
def test_the_budget_holds_the_confirmation_too(budget):
    clock = Clock()
    search_policy(toy(clock), True, budget, top=3, repeats=3, clock=clock)
    assert clock.now <= budget
    if budget > 20:
        assert budget - clock.now < 2  # nor is much left over


def test_a_budget_for_nothing_says_what_it_takes():
    clock = Clock(seconds=60)
    with pytest.raises(ValueError, match=r"budget_minutes=3 .*60\.0 s\. Set budget_minutes=80"):
        search_policy(toy(clock), True, 180, clock=clock)


def test_chance_is_called_chance():
    luck, unconvincing = [], 0
    for seed in range(12):
        search = search_policy(toy(gain=0.0, noise=1.0), True, 60, seed=seed, max_trials=10, clock=Clock())
        best_seen = max(trial.score for trial in search.trials) - search.trials[0].score
        luck.append(best_seen - search.candidates[0].gain)
        if not search.candidates[0].convinces:
            unconvincing += 1
            assert finding(search, "auc").startswith("NOT shown")
    assert np.mean(luck) > 0.5  # fresh seeds take it out
    assert unconvincing >= 7


def test_gains_are_paired_by_seed():
    again = [Trial(0, {}, 1, 10.0, 1.0), Trial(3, {"a": {}}, 2, 25.0, 1.0),
             Trial(3, {"a": {}}, 1, 14.0, 1.0), Trial(0, {}, 2, 20.0, 1.0)]  # fmt: skip
    best = compare(again, sign=1)[0]
    assert best.scores == [14.0, 25.0] and best.gains == [4.0, 5.0]
    assert best.gain == 4.5 and best.spread == pytest.approx(np.std([4, 5], ddof=1))
    assert compare(again, sign=-1)[0].gain == -4.5


@pytest.mark.parametrize(
    "given, message",
    [({"top": 0}, "confirm_top=0"), ({"repeats": 1}, "confirm_seeds=1.*at least 2")],
)
def test_mistakes_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        search_policy(toy(), True, 60, **given)


def test_a_score_that_is_none_ends_the_search():
    with pytest.raises(ValueError, match=r"trial 0.*nan"):
        search_policy(lambda policy, seed: float("nan"), True, 60)


def test_every_choice_of_the_space_builds_and_survives_its_page():
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 1)).astype(np.uint8)
    for name in CHOICES:
        operation = {
            "operations": 1,
            "operation_1": name,
            "operation_1_strength": 0.777,
            "operation_1_p": 0.5,
        }
        chosen = NONE | operation | {"flip": "symmetry", "crop": "resized", "crop_scale": 0.4}
        policy = suggest(optuna.trial.FixedTrial(chosen))
        page = policy_page(policy, "mine", ["Found by a test."])
        assert page.startswith("# A policy") and yaml.safe_load(page) == policy
        result = A.Compose(build_all(policy))(image=image)["image"]
        assert result.shape == image.shape


def test_the_page_of_none_is_a_policy_too():
    assert yaml.safe_load(policy_page({}, "mine", [])) == {}


def test_the_table_has_a_row_an_evaluation():
    search = search_policy(toy(), True, 60, top=1, repeats=2, max_trials=4, clock=Clock())
    table = trials_table([*search.trials, *search.again], 0)
    assert table["stage"].tolist() == ["search"] * 4 + ["confirm"] * 4
    assert table["policy"][0] == "{}" and table["trial"][0] == 0

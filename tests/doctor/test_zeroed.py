"""Pictures against black ones: labels that fit are seen, labels that do not are named, too little says nothing."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from compkit.doctor.trainings.zeroed import judge, zeroed
from compkit.doctor.trainings.zeroed_score import label_signal, paired_gap
from compkit.doctor.trainings.zeroed_training import Lesson, Training, is_telling, lesson_rows
from compkit.engine import Console, MicroBatch
from compkit.findings import Status
from compkit.losses import CrossEntropy
from compkit.randomness import rng_state
from compkit.run.trial import open_trial
from compkit.types import Targets, Task

ROWS, CLASSES = 80, 4
GUESS = float(np.log(CLASSES))


def lesson(labels):
    """A lesson whose pictures nobody looks at."""
    micro = MicroBatch(torch.zeros(len(labels), 1, 1, 1), Targets(labels), None, torch.arange(len(labels)))
    return Lesson(micro, micro, guess=GUESS, floor=0.0, guess_logits=torch.zeros(1, CLASSES))


def training(logits, last=0.1):
    return Training(np.linspace(GUESS, last, 40), logits)


def judged(real_logits, labels, last=0.1, black_last=GUESS):
    real = [training(logits, last) for logits in real_logits]
    black = [training(torch.zeros(ROWS, CLASSES), black_last) for _ in range(3)]
    return judge(CrossEntropy(), lesson(labels), real, black, seed=0)


@pytest.fixture
def labels():
    return torch.arange(ROWS) % CLASSES


def noise(seed, scale=3.0):
    return scale * torch.randn(ROWS, CLASSES, generator=torch.Generator().manual_seed(seed))


def test_answers_that_fit_pass(labels):
    known = 2 * F.one_hot(labels, CLASSES).float()
    (finding,) = judged([known + noise(seed, 0.5) for seed in range(3)], labels)
    assert finding.status == Status.PASS and finding.value > 2
    assert finding.evidence["black_over_guess"] == pytest.approx(1)


def test_rows_learnt_by_heart_for_nothing_warn(labels):
    (finding,) = judged([noise(seed) for seed in range(3)], labels)
    assert (
        finding.status == Status.WARN and finding.value < 2 and "competition.target_column" in finding.remedy
    )


def test_too_sure_is_no_alarm(labels):
    half_known = 20 * F.one_hot(labels, CLASSES).float() * (torch.arange(ROWS) % 8 < 4)[:, None]
    (finding,) = judged([half_known + noise(seed, 15.0) for seed in range(3)], labels)
    assert finding.evidence["real_loss"][0] > GUESS
    assert finding.status == Status.PASS and "too sure" in finding.message


def test_too_short_a_training_says_so(labels):
    (finding,) = judged([noise(seed, 0.1) for seed in range(3)], labels, last=GUESS)
    assert finding.status == Status.INFO and not finding.remedy


def test_one_answer_for_all_fails(labels):
    (finding,) = judged([torch.ones(ROWS, CLASSES) * torch.arange(CLASSES)] * 3, labels)
    assert finding.status == Status.FAIL and "same answer" in finding.message


def test_labels_known_without_pictures_fail(labels):
    known = 2 * F.one_hot(labels, CLASSES).float()
    found = judged([known + noise(seed, 0.5) for seed in range(3)], labels, black_last=0.01)
    assert [one.check for one in found] == ["zeroed", "zeroed.labels"] and found[1].status == Status.WARN


def test_a_network_that_has_not_learnt_to_guess_does_not_flatter(labels):
    real = [training(noise(seed)) for seed in range(3)]
    wild = [training(noise(9, 50.0), GUESS) for _ in range(3)]
    finding = judge(CrossEntropy(), lesson(labels), real, wild, seed=0)[0]
    assert finding.status == Status.WARN


def test_the_error_of_a_gap_is_that_of_rows_when_seeds_agree():
    rng = np.random.default_rng(0)
    better = np.repeat(rng.normal(size=(1, 50)), 3, axis=0)
    gap = paired_gap(np.ones((3, 50)), better)
    assert gap.error == pytest.approx(better[0].std(ddof=1) / np.sqrt(50))
    assert paired_gap(np.ones((3, 50)) * [[0], [1], [2]], better).error > gap.error


def test_shuffled_labels_give_no_signal_on_average():
    rng = np.random.default_rng(0)
    said = rng.normal(size=60)
    signals = []
    for seed in range(40):
        own = rng.permutation(said)
        signals.append(label_signal(lambda order, own=own: ((said - own[order]) ** 2).mean(), 60, seed))
    assert abs(np.mean(signals)) < 0.5 and np.std(signals) == pytest.approx(1, abs=0.35)


def test_when_rows_are_enough():
    assert is_telling(Task.MULTICLASS, np.repeat([0, 1], 8)) and not is_telling(
        Task.MULTICLASS, np.repeat([0, 1], 7)
    )
    assert not is_telling(Task.MULTICLASS, np.zeros(96, int))
    several = np.zeros((96, 2), np.float32)
    assert not is_telling(Task.MULTILABEL, several)
    several[:8, 1] = 1
    assert is_telling(Task.MULTILABEL, several)
    assert is_telling(Task.REGRESSION, np.zeros((48, 1))) and not is_telling(
        Task.REGRESSION, np.zeros((47, 1))
    )


def test_rows_are_held_out_and_balanced(plan):
    with open_trial(plan("limit=300", "folds=3"), Console(quiet=True)) as trial:
        rows, held = lesson_rows(trial)
        labels = trial.data.table.labels
    assert not set(rows) & set(held) and len(held) == len(rows)
    counts = np.bincount(labels[rows])
    assert counts[counts > 0].min() >= 10 and np.count_nonzero(counts) == 8


def test_few_rows_and_losses_of_features_are_skipped(plan):
    for overrides in (("limit=60",), ("loss=triplet",)):
        with open_trial(plan(*overrides), Console(quiet=True)) as trial:
            (finding,) = zeroed(trial)
        assert finding.status == Status.SKIP


@pytest.mark.slow
def test_digits_pass_and_shuffled_digits_warn(plan):
    for shuffle, status in ((False, Status.PASS), (True, Status.WARN)):
        with open_trial(plan("limit=400"), Console(quiet=True)) as trial:
            if shuffle:
                np.random.default_rng(1).shuffle(trial.data.table.labels)
            before = rng_state()
            (finding,) = zeroed(trial)
            assert torch.equal(before["torch"], rng_state()["torch"])
        assert finding.status == status

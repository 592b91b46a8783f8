import json

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from compkit.diagnosis import diagnose
from compkit.diagnosis.gap_rules import errors_at_most
from compkit.types import Task

from .histories import PRIOR, cosine, facts, falling, fired, history

RNG = np.random.default_rng(0)
FLAT = np.full(20, PRIOR)
SHAKY = 0.6 + 0.3 * (-1.0) ** np.arange(20)
OVERFIT = np.concatenate([falling(PRIOR, 0.5, 6), np.linspace(0.55, 1.2, 14)])
PAST_BEST = np.concatenate([np.linspace(0.2, 0.85, 6), np.linspace(0.84, 0.7, 14)])
STUCK = np.concatenate([falling(PRIOR, 1.0, 8), np.full(12, 1.0)])
CONSTANT = np.full(20, 1e-3)

ILL = {
    "non_finite": (history(np.append(falling(epochs=19), np.nan)), facts()),
    "first_epoch": (history(np.append(3 * PRIOR, np.full(19, 2.0))), facts()),
    "not_learning": (history(FLAT, FLAT, np.full(20, 0.1)), facts()),
    "slow": (
        history(
            np.linspace(PRIOR, 0.85 * PRIOR, 20),
            np.linspace(PRIOR, 0.86 * PRIOR, 20),
            np.linspace(0.1, 0.2, 20),
        ),
        facts(),
    ),
    "divergence": (history(np.append(falling(end=0.4, epochs=14), np.full(6, 2.0))), facts()),
    "explosion": (history(falling(end=0.9), np.append(falling(epochs=10), [40.0] + [1.0] * 9)), facts()),
    "chance": (history(falling(), np.full(20, 3.0), 0.1 + 0.005 * RNG.normal(size=20)), facts()),
    "oscillation": (history(falling(), SHAKY, 1 - SHAKY / 2, CONSTANT), facts()),
    "overfit": (history(falling(end=0.4), OVERFIT, PAST_BEST), facts()),
    "gap": (history(falling(end=0.01), np.full(20, 1.3), np.linspace(0.5, 0.7, 20)), facts()),
    "plateau": (history(STUCK, STUCK, np.full(20, 0.6), CONSTANT), facts()),
}


@pytest.mark.parametrize("name", ILL)
def test_each_illness_is_named_with_its_numbers_and_what_to_do(name):
    findings = diagnose(*ILL[name])
    assert name in fired(findings)
    [found] = [one for one in findings if one.check == name]
    assert found.remedy and found.expected and any(letter.isdigit() for letter in found.message)
    assert found.evidence["fold"] == 0 and ("=" in found.remedy or "scripts/" in found.remedy)
    assert not fired(findings, "pass")


def test_findings_are_plain_json():
    for case in ILL.values():
        for one in diagnose(*case):
            assert json.loads(json.dumps(one.to_dict()))["check"] == one.check


def test_only_what_is_proven_fails():
    assert fired(diagnose(*ILL["non_finite"]), "fail") == {"non_finite"}
    assert all(fired(diagnose(*case), "fail") <= {"non_finite"} for case in ILL.values())


def noisy(values, share, seed=0):
    return values * np.exp(share * np.random.default_rng(seed).normal(size=len(values)))


def healthy():
    """Histories of kinds that could be taken for ill: name -> (history, facts)."""
    cycles = np.concatenate([falling(PRIOR, 0.1, 10), falling(0.5, 0.05, 10)])
    mixed = np.linspace(PRIOR, 0.75 * PRIOR, 20)
    thawed = np.concatenate([falling(PRIOR, 1.8, 5), falling(2.0, 0.05, 15)])
    one_cycle = np.concatenate([np.linspace(4e-5, 1e-3, 6), cosine(14)])
    calm = np.concatenate([SHAKY[:10], 0.3 * falling(1.0, 0.9, 10)])
    scores = np.linspace(0.5, 0.97, 20)
    return {
        "plain": (history(falling()), facts()),
        "one epoch": (history(falling(epochs=20)[:1]), facts(epochs=1)),
        "two epochs": (history([PRIOR, 2.28], steps=8), facts(epochs=2)),
        "few steps, validation behind": (history(falling(epochs=4), [2.4, 2.6, 2.3, 2.3], np.full(4, 0.1), steps=10), facts(epochs=4)),
        "cycles": (history(cycles, 1.2 * cycles, lr=cosine(cycles=2)), facts()),
        "one cycle": (history(falling(), lr=one_cycle), facts()),
        "warm-up under way": (history(np.full(3, PRIOR), lr=np.linspace(1e-5, 1e-4, 3)), facts(is_over=False, epochs=50)),
        "constant rate, learnt": (history(np.append(falling(epochs=12), np.full(8, 0.05)), lr=CONSTANT), facts()),
        "annealed and at rest": (history(np.append(falling(end=0.6, epochs=14), np.full(6, 0.6))), facts()),
        "mixed pictures": (history(mixed, falling(end=0.3), scores), facts(is_mixed=True)),
        "mixed until late": (history(np.append(mixed[:16], np.full(4, 0.1)), falling(end=0.3), scores), facts(is_mixed=True)),
        "frozen first": (history(thawed), facts(frozen_epochs=5)),
        "overconfident, score holds": (history(falling(end=0.01), OVERFIT, np.linspace(0.6, 0.9, 20)), facts()),
        "tiny validation": (history(falling(end=0.01), noisy(np.full(20, 0.9), 0.3), 0.7 + 0.1 * RNG.choice([-1, 0, 1], 20)), facts(val_rows=10, val_class_rows=np.ones(10))),
        "shaky at first": (history(falling(), calm, 1 - calm / 2), facts()),
        "tiny losses that shake": (history(falling(end=1e-4), noisy(np.full(20, 0.02), 0.8), np.full(20, 0.99)), facts()),
        "stopped early": (history(falling(end=0.3, epochs=9), lr=CONSTANT[:9]), facts(epochs=50)),
        "stopped by the score": (ILL["overfit"][0], facts(stops_early=True)),
        "one epoch astray at a high rate": (history(np.append(falling(end=0.03, epochs=9), np.full(6, 0.029)), np.append(falling(end=0.08, epochs=9), [0.12, 0.12, 0.43, 0.2, 0.1, 0.3]), np.append(np.linspace(0.3, 0.98, 9), [0.97, 0.97, 0.89, 0.93, 0.96, 0.92]), np.full(15, 1e-3)), facts()),
        "rare positives": (history(np.linspace(0.088, 0.075, 20), np.linspace(0.087, 0.078, 20), np.linspace(0.6, 0.85, 20)), facts(prior=0.0886, valid_prior=0.0886, task=Task.MULTILABEL, classes=None, chance=None, judged_by="")),
        "no reference": (history(20 * falling(), lr=CONSTANT), facts(prior=None, valid_prior=None, classes=None)),
        "loss of features alone": (history(falling(), np.full(20, np.nan), scores), facts(prior=None, valid_prior=None, classes=None)),
        "numbers": (history(falling(600, 20), falling(600, 40), -falling(25, 6)), facts(prior=650.0, valid_prior=640.0, task=Task.REGRESSION, metric="accuracy", classes=None, chance=None, judged_by="")),
    }  # fmt: skip


@pytest.mark.parametrize("name", healthy())
def test_healthy_runs_are_left_alone(name):
    findings = diagnose(*healthy()[name])
    assert not fired(findings), [one.message for one in findings]
    assert "curves" in fired(findings, "pass")


def test_noise_on_healthy_curves_raises_no_alarm():
    alarms = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        epochs = int(rng.integers(1, 40))
        train = noisy(falling(end=rng.uniform(0.01, 0.8), epochs=epochs), 0.05, seed)
        valid = noisy(np.maximum(train, 0.2), 0.04, seed + 1)
        lr = cosine(epochs) if seed % 2 else np.full(epochs, 1e-3)
        alarms += bool(fired(diagnose(history(train, valid, lr=lr), facts(epochs=epochs))))
    assert alarms <= 3


@pytest.mark.parametrize("share", range(1, 21))
def test_a_healthy_run_is_healthy_at_every_epoch(share):
    whole = history(noisy(falling(), 0.05))
    assert not fired(diagnose(whole.iloc[:share], facts(is_over=share == 20)))


def test_rules_without_reference_are_skipped_by_name():
    [skip] = [one for one in diagnose(history(FLAT, lr=CONSTANT), facts(prior=None)) if one.status == "skip"]
    assert "not_learning" in skip.message and "overfit" not in skip.message


def test_a_score_of_guessing_is_seen_without_any_reference():
    """A margin head's loss starts anywhere, and says little of how much is learnt."""
    guessing = history(np.linspace(15, 9, 20), np.full(20, 2.4), 0.1 + 0.005 * RNG.normal(size=20))
    assert fired(diagnose(guessing, facts(prior=None, valid_prior=None, classes=None))) == {"chance"}


def test_a_measured_training_score_shows_the_gap_that_the_loss_cannot():
    mixed = facts(is_mixed=True)
    row = dict(train=np.full(20, 1.5), valid=np.full(20, 1.0), score=np.full(20, 0.7))
    assert not fired(diagnose(history(**row), mixed))
    measured = history(**row, clean_loss=np.full(20, 0.02), clean_accuracy=np.full(20, 0.99))
    assert fired(diagnose(measured, mixed)) == {"gap"}


def test_a_recovered_start_is_worth_a_word_only():
    start = history(np.append(3 * PRIOR, falling(epochs=19)), falling())
    assert "first_epoch" in fired(diagnose(start, facts()), "info") and not fired(diagnose(start, facts()))


def test_an_ema_is_judged_by_its_own_scores():
    shaky, still = ILL["oscillation"][0], falling(end=0.3)
    assert not fired(diagnose(shaky.assign(ema_val_loss=still, ema_val_accuracy=1 - still / 3), facts()))


def test_no_epoch_no_finding():
    assert diagnose(history(FLAT).iloc[:0], facts()) == []


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_loss_limits_how_many_can_be_wrong(smoothing):
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(2000, 7)) * rng.exponential(3, (2000, 1)))
    targets = torch.from_numpy(rng.integers(7, size=2000))
    logits[torch.arange(1500), targets[:1500]] += 6
    losses = cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")
    wrong = logits.argmax(dim=1) != targets
    for rows in torch.argsort(losses).split(250):
        limit = errors_at_most(losses[rows].mean().item(), 7, smoothing)
        assert wrong[rows].double().mean() <= limit + 1e-6
    tied = torch.full((1, 7), -50.0).double()
    tied[0, :2] = 0
    least = float(cross_entropy(tied, torch.tensor([1])))
    assert errors_at_most(least, 7, 0.0) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    "judged_by, chance, scores", [("accuracy", 1.0, np.ones(20)), ("log_loss", 0.0, np.zeros(20))]
)
def test_validation_rows_of_one_class_prove_nothing(judged_by, chance, scores):
    slowly = ILL["slow"][0].assign(**{f"val_{judged_by}": scores})
    one_class = facts(judged_by=judged_by, chance=chance, valid_prior=None, val_class_rows=np.array([1000]))
    assert not fired(diagnose(slowly, one_class)) & {"slow", "chance"}
    assert "slow" in fired(diagnose(ILL["slow"][0], facts()))


def test_losses_of_exactly_zero_are_read_like_others():
    rose = np.append(np.zeros(15), np.full(5, 1.0))
    assert "plateau" not in fired(diagnose(history(rose, STUCK, lr=CONSTANT), facts()))
    from_zero = np.append([0.5, 0.2, 0.0], np.linspace(0.5, 1.2, 17))
    [found] = [
        one
        for one in diagnose(history(falling(end=0.4), from_zero, PAST_BEST), facts())
        if one.check == "overfit"
    ]
    assert found.value is None and "was least in epoch 3, 0, and is" in found.message
    shaky = np.where(np.arange(20) % 2, 0.9, 0.0)
    with np.errstate(divide="raise", invalid="raise"):
        assert "oscillation" in fired(
            diagnose(history(falling(), shaky, 1 - SHAKY / 2, CONSTANT), facts(valid_prior=None))
        )


@pytest.mark.parametrize("majority, alarm", [(0.9, False), (0.55, True)])
def test_beside_a_frequent_class_accuracy_alone_does_not_prove_guessing(majority, alarm):
    """Focal loss: the loss of guessing is not known. 2 % above the majority is what good networks get at 90 %."""
    scores = np.linspace(majority, majority + 0.02, 20)
    shares = np.round(1000 * np.array([majority, 1 - majority]))
    of = facts(prior=None, valid_prior=None, classes=None, chance=majority, val_class_rows=shares)
    seen = history(falling(), np.full(20, 0.2), scores)
    assert fired(diagnose(seen, of)) == ({"chance"} if alarm else set())

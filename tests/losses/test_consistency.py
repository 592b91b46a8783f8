import math

import numpy as np
import pytest
import scipy.special
import torch

from compkit.losses import BCE, MSE, CrossEntropy, WithConsistency, consistency_loss, drowned_terms, ramp_up
from compkit.types import Moment, Outputs, Targets, Task, Taught

MAIN = {Task.MULTICLASS: CrossEntropy, Task.MULTILABEL: BCE, Task.REGRESSION: MSE}
SPREAD = np.array([0.5, 1.0, 2.0, 8.0])


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def labels_of(task, rows):
    return torch.randint(0, 4, (rows,)) if task == Task.MULTICLASS else torch.rand(rows, 4).round()


def last_moment(loss):
    loss.set_moment(Moment(9, 1.0, 1))
    return loss


@pytest.mark.parametrize("task", list(Task))
def test_is_the_formula(task):
    logits, other = torch.randn(6, 4), torch.randn(6, 4)
    said, wanted = logits.double().numpy(), other.double().numpy()
    if task == Task.MULTICLASS:
        said, wanted = scipy.special.softmax(said, axis=1), scipy.special.softmax(wanted, axis=1)
    elif task == Task.MULTILABEL:
        said, wanted = scipy.special.expit(said), scipy.special.expit(wanted)
    else:
        said, wanted = said / SPREAD, wanted / SPREAD
    got = consistency_loss(logits, other, task, torch.from_numpy(SPREAD))
    np.testing.assert_allclose(got.numpy(), ((said - wanted) ** 2).mean(axis=1), rtol=1e-5)


def test_no_gradient_flows_to_the_teacher_and_the_student_s_is_that_of_the_value():
    student = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: consistency_loss(x, teacher.detach(), Task.MULTICLASS), student)
    consistency_loss(student, teacher, Task.MULTICLASS).sum().backward()
    assert teacher.grad is None


def test_ramp_up_grows_to_one_and_stays():
    grown = [ramp_up(progress, 0.4) for progress in np.linspace(0, 1, 21)]
    assert grown == sorted(grown) and grown[0] == pytest.approx(math.exp(-5)) and set(grown[8:]) == {1.0}
    assert ramp_up(0.0, 0.0) == 1.0


def test_the_weight_follows_progress_alone():
    loss = WithConsistency(CrossEntropy(), Task.MULTICLASS, weight=3.0, ramp_up=0.5)
    logits, taught = torch.randn(2, 4), Taught(torch.randn(1, 2, 4))
    targets = Targets(torch.tensor([0, 1]), taught=taught)
    full = consistency_loss(logits, taught.logits[0], Task.MULTICLASS).mean().item()
    for epoch in (0.0, 5.0, 2.5, 10.0):  # in any order: a resumed run begins in the middle
        loss.set_moment(Moment(1, epoch, 10))
        got = loss.terms(Outputs(logits), targets)["consistency"].item()
        assert got == pytest.approx(3 * math.exp(-5 * (1 - min(1, epoch / 5)) ** 2) * full, rel=1e-5)


@pytest.mark.parametrize("task", list(Task))
def test_unlabelled_images_are_in_the_consistency_alone(task):
    main = MAIN[task]()
    loss = last_moment(WithConsistency(main, task, weight=2.0, ramp_up=0.3, spread=SPREAD))
    labels, logits, taught = labels_of(task, 5), torch.randn(8, 4), Taught(torch.randn(1, 8, 4))
    poison = torch.full((3, *labels.shape[1:]), 3, dtype=labels.dtype)
    values = []
    for filler in (poison, 0 * poison):
        targets = Targets(torch.cat([labels, filler]), taught=taught, unlabelled=3)
        terms = loss.terms(Outputs(logits), targets)
        torch.testing.assert_close(terms["target"], main(logits[:5], labels))
        weights = {name: len(weight) for name, weight in loss.term_weights(targets).items()}
        assert weights == {"target": 5, "consistency": 8}
        values.append(torch.stack([*terms.values()]))
    assert torch.equal(*values)


def test_pieces_of_a_batch_add_up_even_where_one_has_no_label():
    loss = last_moment(
        WithConsistency(CrossEntropy(class_weight=[1, 2, 3, 4]), Task.MULTICLASS, weight=2.0, ramp_up=0.3)
    )
    logits, taught = torch.randn(9, 4), Taught(torch.randn(1, 9, 4))
    whole = Targets(torch.tensor([0, 1, 2, 3, 0, 0, 0, 0, 0]), taught=taught, unlabelled=5)
    all_weights = loss.term_weights(whole)
    total = dict.fromkeys(loss.term_names, 0.0)
    for rows in torch.arange(9).chunk(3):  # the last two pieces: 1 + 2 and 0 + 3
        piece = whole.take(rows)
        weights = loss.term_weights(piece)
        for name, term in loss.terms(Outputs(logits[rows]), piece).items():
            total[name] += (term * weights[name].sum() / all_weights[name].sum()).item()
    want = {name: term.item() for name, term in loss.terms(Outputs(logits), whole).items()}
    assert total == pytest.approx(want, rel=1e-5)


def test_evaluation_looks_at_the_labels_alone():
    loss = WithConsistency(CrossEntropy(), Task.MULTICLASS, weight=2.0, ramp_up=0.3).eval()
    logits, labels = torch.randn(6, 4), torch.randint(0, 4, (6,))
    assert torch.equal(loss(logits, labels), CrossEntropy()(logits, labels))


def test_a_consistency_that_is_still_growing_is_no_drowned_term():
    assert drowned_terms({"target": 2.0, "consistency": 1e-5}) is None
    assert "raise semi.alpha" in drowned_terms({"target": 2.0, "distillation": 1e-5, "consistency": 1e-6})

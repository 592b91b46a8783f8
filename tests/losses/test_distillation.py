import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
import torch.nn.functional as F

from compkit.losses import BCE, MSE, Center, CrossEntropy, WithTeacher, cross_entropy, distillation_loss
from compkit.types import Outputs, Targets, Task, Taught


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("teachers", [1, 3])
def test_is_the_formula(temperature: float, alpha: float, teachers: int) -> None:
    logits, taught = torch.randn(5, 4), torch.randn(teachers, 5, 4)
    labels = torch.randint(0, 4, (5,))
    wanted = sum((one / temperature).softmax(dim=1) for one in taught) / teachers
    divergence = F.kl_div((logits / temperature).log_softmax(dim=1), wanted, reduction="batchmean")
    want = alpha * temperature**2 * divergence + (1 - alpha) * F.cross_entropy(logits, labels)
    got = distillation_loss(logits, taught, labels, temperature, alpha)
    assert got.shape == (5,)
    torch.testing.assert_close(got.mean(), want)


def test_one_teacher_needs_no_axis_of_its_own() -> None:
    logits, teacher, labels = torch.randn(5, 4), torch.randn(5, 4), torch.randint(0, 4, (5,))
    torch.testing.assert_close(
        distillation_loss(logits, teacher, labels), distillation_loss(logits, teacher[None], labels)
    )


def test_soft_labels() -> None:
    logits, labels = torch.randn(5, 4), torch.rand(5, 4).softmax(dim=1)
    got = distillation_loss(logits, torch.randn(5, 4), labels, alpha=0.0)
    torch.testing.assert_close(got, cross_entropy(logits, labels))


def test_no_gradient_flows_to_the_teacher() -> None:
    logits, teacher = torch.randn(5, 4, requires_grad=True), torch.randn(5, 4, requires_grad=True)
    distillation_loss(logits, teacher, torch.randint(0, 4, (5,))).sum().backward()
    assert teacher.grad is None and logits.grad.abs().sum() > 0


@pytest.mark.parametrize("extreme", [1e4, -1e4])
def test_finite_at_extreme_logits(extreme: float) -> None:
    logits = torch.zeros(2, 3)
    logits[:, 1] = extreme
    logits.requires_grad_()
    value = distillation_loss(logits, -logits.detach(), torch.tensor([0, 1])).sum()
    value.backward()
    assert value.isfinite() and logits.grad.isfinite().all()


def test_gradient_is_that_of_the_value() -> None:
    teachers, labels = torch.randn(2, 3, 4, dtype=torch.float64), torch.randint(0, 4, (3,))
    logits = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: distillation_loss(x, teachers, labels), logits)


@pytest.mark.parametrize("temperature, alpha", [(0.0, 0.5), (1.0, 1.5)])
def test_out_of_range_is_a_bug(temperature: float, alpha: float) -> None:
    with pytest.raises(AssertionError):
        distillation_loss(torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([0]), temperature, alpha)


# the loss of a run, beside the dense formula in float64


def taught(
    teachers: int = 2, rows: int = 6, classes: int = 4, features: tuple[torch.Tensor, ...] = ()
) -> Taught:
    return Taught(torch.randn(teachers, rows, classes), features)


def dense(task: Task, logits, teachers, temperature: float, spread) -> float:
    """The mean distance to the teachers by loops over images and outputs, float64."""
    logits, teachers = logits.double().numpy(), teachers.double().numpy()
    total = 0.0
    for row, said in enumerate(logits):
        if task == Task.REGRESSION:
            wanted = teachers[:, row].mean(axis=0)
            total += np.mean([((s - w) / d) ** 2 for s, w, d in zip(said, wanted, spread, strict=True)])
        elif task == Task.MULTICLASS:
            wanted = scipy.special.softmax(teachers[:, row] / temperature, axis=1).mean(axis=0)
            total += temperature**2 * scipy.stats.entropy(wanted, scipy.special.softmax(said / temperature))
        else:
            wanted = scipy.special.expit(teachers[:, row] / temperature).mean(axis=0)
            p = scipy.special.expit(said / temperature)
            each = [scipy.stats.entropy([w, 1 - w], [s, 1 - s]) for w, s in zip(wanted, p, strict=True)]
            total += temperature**2 * np.mean(each)
    return total / len(logits)


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("temperature, alpha", [(1.0, 0.3), (4.0, 0.9)])
def test_terms_are_the_dense_formula(task: Task, temperature: float, alpha: float) -> None:
    spread = np.array([0.5, 1.0, 2.0, 8.0])
    main = {Task.MULTICLASS: CrossEntropy, Task.MULTILABEL: BCE, Task.REGRESSION: MSE}[task]()
    labels = torch.randint(0, 4, (6,)) if task == Task.MULTICLASS else torch.rand(6, 4).round()
    logits, said = torch.randn(6, 4), taught()
    loss = WithTeacher(main, task, temperature, alpha, spread)
    terms = loss.terms(Outputs(logits), Targets(labels, taught=said))
    want = dense(task, logits, said.logits, temperature, spread)
    assert terms["distillation"].item() == pytest.approx(alpha * want, rel=1e-5)
    torch.testing.assert_close(terms["target"], (1 - alpha) * main(logits, labels))
    assert loss.term_names == tuple(terms) == tuple(loss.term_weights(Targets(labels)))


@pytest.mark.parametrize("task", list(Task))
def test_a_teacher_that_is_the_student_asks_for_nothing(task: Task) -> None:
    labels = torch.randint(0, 4, (6,)) if task == Task.MULTICLASS else torch.rand(6, 4)
    logits = torch.randn(6, 4, requires_grad=True)
    main = {Task.MULTICLASS: CrossEntropy, Task.MULTILABEL: BCE, Task.REGRESSION: MSE}[task]()
    loss = WithTeacher(main, task, 4.0, alpha=1.0, spread=np.ones(4))
    value = loss(Outputs(logits), Targets(labels, taught=Taught(logits.detach()[None])))
    value.backward()
    assert abs(value.item()) < 1e-6 and logits.grad.abs().max() < 1e-7


def test_alpha_0_is_the_main_loss_to_the_bit() -> None:
    labels, weight = torch.randint(0, 4, (6,)), [1, 2, 3, 4]
    gradients, values = [], []
    for loss in (
        CrossEntropy(class_weight=weight),
        WithTeacher(CrossEntropy(class_weight=weight), Task.MULTICLASS, 4.0, 0.0),
    ):
        torch.manual_seed(1)
        logits = torch.randn(6, 4, requires_grad=True)
        value = loss(Outputs(logits), Targets(labels, taught=taught()))
        value.backward()
        values.append(value.detach())
        gradients.append(logits.grad)
    assert torch.equal(*values) and torch.equal(*gradients)


def test_evaluation_looks_at_the_labels_alone() -> None:
    loss = WithTeacher(CrossEntropy(), Task.MULTICLASS, 4.0, alpha=0.9).eval()
    logits, labels = torch.randn(6, 4), torch.randint(0, 4, (6,))
    assert torch.equal(loss(logits, labels), CrossEntropy()(logits, labels))


def test_several_views_are_averaged_as_the_main_loss_does() -> None:
    loss, said = WithTeacher(CrossEntropy(), Task.MULTICLASS, 2.0, alpha=1.0), taught()
    views, labels = (torch.randn(6, 4), torch.randn(6, 4)), torch.randint(0, 4, (6,))
    each = [loss(Outputs(view), Targets(labels, taught=said)) for view in views]
    got = loss(Outputs(torch.zeros(6, 4), views=views), Targets(labels, taught=said))
    torch.testing.assert_close(got, torch.stack(each).mean())


def test_features_go_through_a_learned_map() -> None:
    loss = WithTeacher(
        CrossEntropy(), Task.MULTICLASS, feature_weight=0.5, feature_lr=0.1, feature_sizes=(7, 3)
    )
    loss.prepare(5)
    optimizer = loss.make_optimizer()
    features = torch.randn(6, 5, requires_grad=True)
    said = taught(features=(torch.randn(6, 7), torch.randn(6, 3)))
    outputs, targets = Outputs(torch.randn(6, 4), features), Targets(torch.randint(0, 4, (6,)), taught=said)
    terms = loss.terms(outputs, targets)
    want = []
    for map, wanted in zip(loss.maps, said.features, strict=True):
        student = (features @ map.weight.T).detach().double().numpy()
        student /= np.linalg.norm(student, axis=1, keepdims=True)
        wanted = wanted.double().numpy() / np.linalg.norm(wanted.double().numpy(), axis=1, keepdims=True)
        want.append(np.mean(np.sum((student - wanted) ** 2, axis=1)))
    assert terms["features"].item() == pytest.approx(0.5 * np.mean(want), rel=1e-5)
    terms["features"].backward()
    assert features.grad.abs().sum() > 0
    before = [parameter.detach().clone() for parameter in loss.maps.parameters()]
    optimizer.step()
    assert all(not torch.equal(old, new) for old, new in zip(before, loss.maps.parameters(), strict=True))
    assert loss.term_names == tuple(terms) == tuple(loss.term_weights(targets))


def test_only_one_part_of_a_loss_learns() -> None:
    center = Center(class_counts=np.array([1, 1]))
    loss = WithTeacher(center, Task.MULTICLASS, feature_weight=1.0, feature_sizes=(3,))
    loss.prepare(5)
    with pytest.raises(
        ValueError, match=r"semi\.feature_weight=1 .*Center learns.*Set semi\.feature_weight=0"
    ):
        loss.make_optimizer()


def test_centers_learn_as_if_alone() -> None:
    grads = []
    for alpha in (0.0, 0.75):
        loss = WithTeacher(Center(class_counts=np.array([1, 1])), Task.MULTICLASS, alpha=alpha)
        loss.prepare(3)
        torch.nn.init.zeros_(loss.main.centers)
        features = torch.arange(6.0).reshape(2, 3).requires_grad_()
        targets = Targets(torch.tensor([0, 1]), taught=taught(rows=2, classes=2))
        loss(Outputs(torch.zeros(2, 2), features), targets).backward()
        grads.append((loss.main.centers.grad, features.grad))
    torch.testing.assert_close(grads[0][0], grads[1][0])
    torch.testing.assert_close(0.25 * grads[0][1], grads[1][1])

import pytest
import torch
import torch.nn.functional as F

from compkit.losses import cross_entropy, distillation_loss


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

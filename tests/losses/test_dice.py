import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score

from compkit.losses import BinaryDice, Dice, dice_loss

SURE = 60.0


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def test_of_decisions_it_is_one_minus_the_f1_of_present_classes() -> None:
    decisions, labels = torch.randint(0, 6, (40,)), torch.randint(0, 4, (40,))  # 4 and 5 are absent
    want = 1 - f1_score(labels, decisions, labels=range(4), average="macro")
    got = Dice(smooth=0)(SURE * F.one_hot(decisions, 6).float(), labels)
    assert got.item() == pytest.approx(want, abs=1e-6)


@pytest.mark.parametrize("smooth", [0, 1])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_is_the_definition_in_loops(smooth: float, shape: tuple) -> None:
    probs = torch.rand(5, 4, *shape, dtype=torch.float64).softmax(dim=1)
    targets = torch.rand(5, 4, *shape, dtype=torch.float64)
    targets[:, 2] = 0
    values = []
    for c in (0, 1, 3):
        p, t = probs[:, c].flatten().tolist(), targets[:, c].flatten().tolist()
        overlap = sum(one * other for one, other in zip(p, t, strict=True))
        values.append(1 - (2 * overlap + smooth) / (sum(p) + sum(t) + smooth))
    assert dice_loss(probs, targets, smooth).item() == pytest.approx(sum(values) / 3)
    for loss, logits in [(Dice(smooth), probs.log()), (BinaryDice(smooth), probs.logit())]:
        assert loss(logits, targets).item() == pytest.approx(sum(values) / 3)


def test_pixels_are_samples() -> None:
    logits, labels = torch.randn(2, 4, 3, 5), torch.randint(0, 4, (2, 3, 5))
    flat = logits.movedim(1, -1).reshape(-1, 4)
    torch.testing.assert_close(Dice()(logits, labels), Dice()(flat, labels.flatten()))


def test_labels_are_judged_each_by_itself() -> None:
    logits, labels = torch.randn(8, 3), torch.randint(0, 2, (8, 3)).float()
    labels[0] = 1
    each = [BinaryDice()(logits[:, c : c + 1], labels[:, c : c + 1]) for c in range(3)]
    torch.testing.assert_close(BinaryDice()(logits, labels), torch.stack(each).mean())


@pytest.mark.parametrize("smooth", [0, 1])
def test_no_class_present_costs_nothing_and_can_be_learnt_from(smooth: float) -> None:
    logits = torch.full((3, 2), -1e4, requires_grad=True)
    value = BinaryDice(smooth)(logits, torch.zeros(3, 2))
    value.backward()
    assert value == 0
    assert logits.grad.tolist() == [[0, 0]] * 3


def test_absent_classes_get_no_gradient() -> None:
    logits = torch.randn(4, 3, requires_grad=True)
    BinaryDice(smooth=0)(logits, torch.tensor([[1.0, 0.0, 1.0]] * 4)).backward()
    assert (logits.grad[:, 1] == 0).all() and (logits.grad[:, 0] != 0).all()


@pytest.mark.parametrize("loss", [Dice, BinaryDice])
def test_smooth_out_of_range(loss: type) -> None:
    with pytest.raises(ValueError, match=r"loss\.smooth: got -1; expected"):
        loss(smooth=-1)

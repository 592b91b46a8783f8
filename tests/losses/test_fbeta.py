import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import fbeta_score

from compkit.losses import SoftFBeta, SoftmaxFBeta, TopK, soft_fbeta

SURE = 60.0  # a logit whose sigmoid is 1 in float32, and that of its negative 0


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def hard(rows: int = 12, columns: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    decisions, labels = torch.rand(2, rows, columns) > 0.5
    labels[0], labels[:, 0] = True, True  # no label without a true image, no image without a true label
    return decisions, labels


@pytest.mark.parametrize("beta", [0.5, 1, 2])
@pytest.mark.parametrize("axis, average", [("sample", "samples"), ("class", "macro"), ("all", "micro")])
def test_of_decisions_it_is_one_minus_the_score(beta: float, axis: str, average: str) -> None:
    decisions, labels = hard()
    want = 1 - fbeta_score(labels, decisions, beta=beta, average=average)
    loss = SoftFBeta(beta=beta, smooth=1e-6, axis=axis)
    got = loss(torch.where(decisions, SURE, -SURE), labels.float())
    assert got.item() == pytest.approx(want, abs=1e-5)


@pytest.mark.parametrize("beta", [0.5, 1, 2])
def test_softmax_form_of_decisions_is_one_minus_macro_f(beta: float) -> None:
    decisions, labels = torch.randint(0, 4, (2, 30))
    want = 1 - fbeta_score(labels, decisions, beta=beta, average="macro", labels=range(4))
    got = SoftmaxFBeta(beta=beta, smooth=1e-6)(SURE * F.one_hot(decisions, 4).float(), labels)
    assert got.item() == pytest.approx(want, abs=1e-5)


@pytest.mark.parametrize("smooth", [0.1, 1])
@pytest.mark.parametrize("beta", [1, 2])
def test_is_the_definition_with_soft_labels_too(smooth: float, beta: float) -> None:
    probs, targets = np.random.default_rng(0).random((2, 5, 3))
    values = soft_fbeta(torch.tensor(probs), torch.tensor(targets), beta, smooth)
    for row in range(5):
        p, t = probs[row], targets[row]
        hits, missed, false = sum(p * t), sum((1 - p) * t), sum(p * (1 - t))
        gain = (1 + beta**2) * hits + smooth
        assert values[row].item() == pytest.approx(1 - gain / (gain + beta**2 * missed + false))


def test_nothing_predicted_where_nothing_is_costs_nothing() -> None:
    assert SoftFBeta()(torch.full((2, 3), -SURE), torch.zeros(2, 3)) == 0


def test_axis_sample_is_an_ordinary_loss() -> None:
    logits, labels = torch.randn(6, 3), torch.randint(0, 2, (6, 3)).float()
    values = torch.stack(
        [SoftFBeta()(row[None], label[None]) for row, label in zip(logits, labels, strict=True)]
    )
    torch.testing.assert_close(SoftFBeta().per_sample(logits, labels), values)
    top = SoftFBeta(reduce=TopK(count=2))
    torch.testing.assert_close(top(logits, labels), values.sort().values[-2:].mean())
    assert not SoftFBeta().per_batch and SoftFBeta(axis="class").per_batch


@pytest.mark.parametrize("axis", ["class", "all"])
def test_top_k_needs_samples(axis: str) -> None:
    with pytest.raises(ValueError, match=rf"loss\.reduce: TopK .*loss\.axis={axis}.*Set loss\.axis=sample"):
        SoftFBeta(axis=axis, reduce=TopK(fraction=0.5))


def test_unknown_axis() -> None:
    with pytest.raises(ValueError, match=r"loss\.axis: got 'label'; expected one of sample, class, all"):
        SoftFBeta(axis="label")


@pytest.mark.parametrize("loss", [SoftFBeta, SoftmaxFBeta])
@pytest.mark.parametrize("key", ["beta", "smooth"])
def test_out_of_range(loss: type, key: str) -> None:
    with pytest.raises(ValueError, match=rf"loss\.{key}: got 0; expected a number > 0"):
        loss(**{key: 0})

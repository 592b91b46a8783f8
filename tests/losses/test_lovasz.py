import itertools

import pytest
import torch
from sklearn.metrics import jaccard_score

from compkit.losses import LovaszMultilabel, LovaszSoftmax, TopK, lovasz_hinge, lovasz_softmax
from compkit.losses.lovasz import lovasz_extension

SIZE = 5
ALL_SETS = list(itertools.product([False, True], repeat=SIZE))


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def jaccard_loss(wrong: set[int], positive: list[bool]) -> float:
    """One minus intersection over union when exactly the members of `wrong` are predicted wrongly."""
    true = {i for i, yes in enumerate(positive) if yes}
    predicted = true ^ wrong
    union = true | predicted
    return 1 - len(true & predicted) / len(union) if union else 0.0


def by_definition(errors: list[float], positive: list[bool]) -> float:
    """Berman et al. 2018, eq. 8: members in the order of their errors, each times what it adds."""
    order = sorted(range(len(errors)), key=lambda i: -errors[i])
    total, wrong = 0.0, set()
    for i in order:
        before = jaccard_loss(wrong, positive)
        wrong.add(i)
        total += errors[i] * (jaccard_loss(wrong, positive) - before)
    return total


def test_is_the_jaccard_loss_of_every_set_of_errors() -> None:
    for positive in ALL_SETS:
        errors = torch.tensor(ALL_SETS, dtype=torch.float64)
        want = [jaccard_loss({i for i, bad in enumerate(wrong) if bad}, positive) for wrong in ALL_SETS]
        got = lovasz_extension(errors, torch.tensor(positive).expand(len(ALL_SETS), -1))
        torch.testing.assert_close(got, torch.tensor(want, dtype=torch.float64))


def test_is_the_definition_between_them() -> None:
    errors, positive = torch.rand(len(ALL_SETS), SIZE, dtype=torch.float64), torch.tensor(ALL_SETS)
    want = [by_definition(row, yes) for row, yes in zip(errors.tolist(), ALL_SETS, strict=True)]
    torch.testing.assert_close(lovasz_extension(errors, positive), torch.tensor(want, dtype=torch.float64))


def test_is_the_largest_over_all_orders() -> None:
    # the extension of a submodular function is its convex closure: no order of the members gives more
    errors = torch.rand(SIZE, dtype=torch.float64)
    for positive in ALL_SETS[1:]:
        best = 0.0
        for order in itertools.permutations(range(SIZE)):
            losses = [jaccard_loss(set(order[:n]), positive) for n in range(SIZE + 1)]
            best = max(best, sum(errors[i].item() * (losses[n + 1] - losses[n]) for n, i in enumerate(order)))
        got = lovasz_extension(errors[None], torch.tensor([positive]))
        assert got.item() == pytest.approx(best)


def test_a_set_without_positives_costs_its_worst_error() -> None:
    logits = torch.tensor([[0.5, -3.0, 0.2], [-2.0, -3.0, -1.5]])
    assert lovasz_hinge(logits, torch.zeros(2, 3)).tolist() == [1.5, 0.0]


def test_steps_stay_exact_in_large_sets() -> None:
    errors, positive = torch.rand(1, 200_000), torch.rand(1, 200_000) < 0.3
    want = lovasz_extension(errors.double(), positive)
    torch.testing.assert_close(lovasz_extension(errors, positive).double(), want, rtol=1e-5, atol=0)


def test_softmax_form_is_the_mean_over_present_classes() -> None:
    probs = torch.rand(12, 5, dtype=torch.float64).softmax(dim=1)
    labels = torch.tensor([0, 1, 3] * 4)
    values = []
    for c in (0, 1, 3):
        positive = [label == c for label in labels.tolist()]
        errors = [1 - p if yes else p for p, yes in zip(probs[:, c].tolist(), positive, strict=True)]
        values.append(by_definition(errors, positive))
    assert lovasz_softmax(probs, labels).item() == pytest.approx(sum(values) / 3)


def test_softmax_form_of_decisions_is_one_minus_the_jaccard_score() -> None:
    decisions, labels = torch.randint(0, 4, (2, 30))
    probs = torch.nn.functional.one_hot(decisions, 4).float()
    want = 1 - jaccard_score(labels, decisions, average="macro", labels=range(4))
    assert lovasz_softmax(probs, labels).item() == pytest.approx(want, abs=1e-6)


def test_pixels_are_one_set() -> None:
    probs, labels = torch.rand(2, 4, 3, 5).softmax(dim=1), torch.randint(0, 4, (2, 3, 5))
    flat = probs.movedim(1, -1).reshape(-1, 4)
    torch.testing.assert_close(lovasz_softmax(probs, labels), lovasz_softmax(flat, labels.flatten()))


def test_hinge_form_takes_masks_image_by_image() -> None:
    logits, masks = torch.randn(3, 2, 3, dtype=torch.float64), torch.randint(0, 2, (3, 2, 3))
    got = lovasz_hinge(logits, masks)
    for image in range(3):
        positive = masks[image].flatten().bool().tolist()
        margins = [
            s if yes else -s for s, yes in zip(logits[image].flatten().tolist(), positive, strict=True)
        ]
        want = by_definition([max(0.0, 1 - margin) for margin in margins], positive)
        assert got[image].item() == pytest.approx(want)


def test_the_axis_says_what_a_set_is() -> None:
    logits, labels = torch.randn(6, 3), torch.randint(0, 2, (6, 3)).float()
    for axis, want in [
        ("sample", lovasz_hinge(logits, labels).mean()),
        ("class", lovasz_hinge(logits.T, labels.T).mean()),
        ("all", lovasz_hinge(logits.reshape(1, -1), labels.reshape(1, -1))[0]),
    ]:
        torch.testing.assert_close(LovaszMultilabel(axis=axis)(logits, labels), want)


def test_top_k_chooses_among_samples() -> None:
    logits, labels = torch.randn(6, 3), torch.randint(0, 2, (6, 3)).float()
    want = lovasz_hinge(logits, labels).max()
    torch.testing.assert_close(LovaszMultilabel(reduce=TopK(count=1))(logits, labels), want)


def test_soft_labels_are_refused() -> None:
    assert not LovaszSoftmax.takes_mixed and not LovaszMultilabel.takes_mixed
    with pytest.raises(AssertionError, match="soft labels"):
        LovaszSoftmax()(torch.zeros(2, 3), torch.full((2, 3), 1 / 3))

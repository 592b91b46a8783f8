import numpy as np
import pytest
import torch

from compkit.losses import BCE, CrossEntropy, class_weights
from compkit.losses.class_weights import given_weights, resolve_class_weight

COUNTS = np.array([100, 10, 0, 1])
PRESENT = COUNTS > 0


@pytest.mark.parametrize("kind", ["inverse_frequency", "effective_number"])
def test_mean_is_one_over_the_classes_that_occur(kind: str) -> None:
    weights = class_weights(kind, COUNTS)
    assert weights[PRESENT].mean() == pytest.approx(1)
    assert weights[2] == 1
    assert weights[0] < weights[1] < weights[3]


@pytest.mark.parametrize("kind", ["inverse_frequency", "effective_number"])
def test_equal_classes_weigh_one(kind: str) -> None:
    np.testing.assert_allclose(class_weights(kind, np.array([7, 7, 7])), 1)


def test_inverse_frequency_gives_each_class_the_same_total() -> None:
    totals = (class_weights("inverse_frequency", COUNTS) * COUNTS)[PRESENT]
    np.testing.assert_allclose(totals, totals[0])


def test_effective_number_lies_between_no_weights_and_inverse_frequency() -> None:
    np.testing.assert_allclose(class_weights("effective_number", COUNTS, beta=0), 1)
    np.testing.assert_allclose(
        class_weights("effective_number", COUNTS, beta=1 - 1e-9),
        class_weights("inverse_frequency", COUNTS),
        rtol=1e-5,
    )


def test_effective_number_counts_the_samples_of_the_paper() -> None:
    # E_n = 1 + beta + ... + beta^(n-1), the sum behind eq. 2
    effective = [sum(0.9**power for power in range(count)) for count in (5, 2)]
    weights = class_weights("effective_number", np.array([5, 2]), beta=0.9)
    assert weights[1] / weights[0] == pytest.approx(effective[0] / effective[1])


def test_null_a_list_and_a_name() -> None:
    assert resolve_class_weight(None, COUNTS, 0.9) is None
    assert resolve_class_weight([1, 2, 3, 4], COUNTS, 0.9).tolist() == [1, 2, 3, 4]
    want = torch.tensor(class_weights("effective_number", COUNTS, 0.9)).float()
    torch.testing.assert_close(resolve_class_weight("effective_number", COUNTS, 0.9), want)


@pytest.mark.parametrize("loss", [CrossEntropy, BCE])
@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            {"class_weight": [1, 2], "class_counts": COUNTS},
            r"loss\.class_weight: 2 weights given for 4 classes",
        ),
        ({"class_weight": [1, 0, 1, 1], "class_counts": COUNTS}, r"loss\.class_weight: .*above 0"),
        (
            {"class_weight": "balanced", "class_counts": COUNTS},
            r"loss\.class_weight: got 'balanced'.*inverse_freq",
        ),
        ({"class_weight": "inverse_frequency"}, r"loss\.class_weight: .*class_counts"),
        ({"class_weight": "effective_number", "beta": 1, "class_counts": COUNTS}, r"loss\.beta: got 1;"),
    ],
)
def test_bad_arguments(loss: type, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loss(**arguments)


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), -1, "much"])
def test_a_weight_is_a_number_above_zero(weight: object) -> None:
    with pytest.raises(ValueError, match=r"key: .*above 0"):
        given_weights("key", [1, weight], num_classes=2)

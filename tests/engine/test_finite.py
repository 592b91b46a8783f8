"""A loss that is no number stops the run by name; an fp16 step that only overflowed does not."""

import math

import numpy as np
import pytest
import torch

from compkit.engine.finite import SKIPS_TOLERATED, FiniteWatch

IDS = np.array(["a", "b", "c"])
ROWS = [torch.tensor([2]), torch.tensor([0])]
GOOD, INF = torch.tensor(1.5), torch.tensor(math.inf)


def test_good_steps_give_their_loss():
    watch = FiniteWatch(IDS, is_fp16=False)
    assert math.isnan(watch.check())
    watch.remember(GOOD, GOOD, ROWS, 1, 1)
    assert watch.check() == 1.5


@pytest.mark.parametrize("loss, norm", [(INF, GOOD), (GOOD, INF), (torch.tensor(math.nan), GOOD)])
def test_bad_step_names_epoch_step_and_pictures(loss, norm):
    watch = FiniteWatch(IDS, is_fp16=False)
    watch.remember(loss, norm, ROWS, 3, 7)
    with pytest.raises(ValueError, match=r"epoch 3, step 7.*c, a.*smaller lr"):
        watch.check()


def test_fp16_overflow_is_tolerated_some_times_in_a_row_but_not_in_the_loss():
    watch = FiniteWatch(IDS, is_fp16=True)
    for _ in range(3):
        for _ in range(SKIPS_TOLERATED):
            watch.remember(GOOD, INF, ROWS, 1, 1)
            watch.check()
        watch.remember(GOOD, GOOD, ROWS, 1, 1)
        watch.check()
    for _ in range(SKIPS_TOLERATED):
        watch.remember(GOOD, INF, ROWS, 1, 1)
        watch.check()
    watch.remember(GOOD, INF, ROWS, 1, 1)
    with pytest.raises(ValueError, match="not finite"):
        watch.check()
    watch.remember(INF, INF, ROWS, 1, 1)
    with pytest.raises(ValueError, match="not finite"):
        watch.check()

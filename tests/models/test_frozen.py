import torch
from timm.layers import BatchNormAct2d
from torch import nn

from compkit.models import BNNeck
from compkit.models.frozen import keep_frozen_norms_in_eval


def test_statistics_of_frozen_norms_stay_and_others_move():
    model = nn.Sequential(
        nn.BatchNorm2d(2).requires_grad_(False),
        BatchNormAct2d(2).requires_grad_(False),
        nn.SyncBatchNorm(2).requires_grad_(False),
        nn.BatchNorm2d(2),
        nn.BatchNorm2d(2, affine=False),
    )
    model.train()
    keep_frozen_norms_in_eval(model)
    assert [norm.training for norm in model] == [False, False, False, True, True]
    model(torch.randn(4, 2, 3, 3) + 5)
    assert [norm.num_batches_tracked.item() for norm in model] == [0, 0, 0, 1, 1]


def test_a_bnneck_learns_although_its_shift_is_frozen():
    neck = BNNeck(in_features=3).train()
    keep_frozen_norms_in_eval(neck)
    assert neck.norm.training


def test_dropout_of_frozen_parts_stays_as_it_is():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.BatchNorm1d(2)).requires_grad_(False).train()
    keep_frozen_norms_in_eval(model)
    assert model[1].training
    assert not model[2].training

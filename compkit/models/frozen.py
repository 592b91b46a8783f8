"""Normalisation layers of frozen parts: they must not go on learning through their statistics."""

from torch import nn
from torch.nn.modules.batchnorm import _NormBase


def keep_frozen_norms_in_eval(model: nn.Module) -> None:
    """Put every batch norm whose scale is frozen into eval mode; to be called at the end of `train()`.

    In train mode it would normalise with the batch's statistics and move its running ones, which the
    frozen weights around it were not trained with. The scale tells, not the shift: a BNNeck's shift is
    frozen by design while its statistics are needed.

    >>> model = nn.Sequential(nn.BatchNorm1d(1).requires_grad_(False), nn.BatchNorm1d(1)).train()
    >>> keep_frozen_norms_in_eval(model)
    >>> [norm.training for norm in model]
    [False, True]
    """
    for module in model.modules():
        if isinstance(module, _NormBase) and module.weight is not None and not module.weight.requires_grad:
            module.eval()

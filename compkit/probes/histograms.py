"""Coarse histograms of magnitudes, of many tensors at once."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

BINS, OCTAVES, LOWEST = 16, 3, -36  # each bin spans a factor of 8; the first begins at 2^-36 = 1.5e-11
EDGES = 2.0 ** (
    LOWEST + OCTAVES * np.arange(BINS + 1)
)  # zeros are in the first bin, what is larger in the last
EXPONENT_BIAS, NOT_FINITE = 127, 255  # of float32


def log_histograms(samples: Sequence[Tensor]) -> Tensor:
    """How the magnitudes of each sample spread over bins of a factor of 8.

    The exponent is read from the bits: logarithms of so many numbers would cost more than the rest of a probe.

    Args:
        samples: L tensors of any shape.

    Returns:
        share of each sample's finite values in each bin, float32 [L, 16]; NaN where there are none.

    >>> shares = log_histograms([torch.tensor([0.0, 1.0, -1.0, 7.9])])
    >>> EDGES[12], shares[0, 0].item(), shares[0, 12].item()
    (np.float64(1.0), 0.25, 0.75)
    """
    flat = torch.nn.utils.rnn.pad_sequence(
        [sample.detach().float().flatten() for sample in samples], batch_first=True, padding_value=torch.nan
    )
    exponents = (flat.view(torch.int32) >> 23) & 255
    bins = ((exponents - EXPONENT_BIAS - LOWEST) // OCTAVES).clamp(0, BINS - 1)
    bins = bins.masked_fill(exponents == NOT_FINITE, BINS)  # what is not finite, and the padding
    rows = torch.arange(len(samples), device=bins.device)[:, None] * (BINS + 1)
    counts = torch.bincount((bins + rows).flatten(), minlength=len(samples) * (BINS + 1))
    counts = counts.view(len(samples), BINS + 1)[:, :BINS].float()
    return counts / counts.sum(dim=1, keepdim=True)

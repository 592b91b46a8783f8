"""From a feature map [B, C, H, W] to one vector an image [B, D]."""

import math

import torch
from torch import Tensor, nn

from compkit.ranges import positive, whole


def generalized_mean(features: Tensor, p: Tensor | float, eps: float = 1e-6) -> Tensor:
    """Mean over positions that lets strong activations count more as p grows.

    (mean of max(x, eps)^p)^(1/p): p = 1 is the mean, p towards infinity the maximum. Computed as
    exp((logsumexp(p log x) - log N) / p), which neither overflows nor underflows for large p, and in
    fp32 whatever autocast says, because powers lose too much in half precision.

    Args:
        features: map [B, C, H, W]; values below eps count as eps.
        p: exponent > 0.
        eps: floor of the values > 0.

    Returns:
        Pooled features [B, C], of the dtype of `features`.

    Source: Radenovic, Tolias and Chum 2018, arXiv:1711.02512, eq. 3.

    >>> generalized_mean(torch.tensor([[[[1.0, 2.0]]]]), p=2.0)  # sqrt((1 + 4) / 2)
    tensor([[1.5811]])
    """
    with torch.autocast(features.device.type, enabled=False):
        wide = features.to(torch.promote_types(features.dtype, torch.float32)).flatten(2)
        log_sum = torch.logsumexp(p * wide.clamp(min=eps).log(), dim=2)
        pooled = torch.exp((log_sum - math.log(wide.shape[2])) / p)
    return pooled.to(features.dtype)


class Pooling(nn.Module):
    """Base of the poolings: knows the length of the vector it returns.

    Attributes:
        out_features: D, the length of a pooled vector.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features


class AvgPool(Pooling):
    """Mean over all positions, [B, C, H, W] -> [B, C].

    >>> AvgPool(in_features=1)(torch.tensor([[[[1.0, 3.0]]]]))
    tensor([[2.]])
    """

    def __init__(self, in_features: int) -> None:
        super().__init__(in_features, in_features)

    def forward(self, features: Tensor) -> Tensor:
        return features.mean(dim=(2, 3))


class MaxPool(Pooling):
    """Maximum over all positions, [B, C, H, W] -> [B, C].

    >>> MaxPool(in_features=1)(torch.tensor([[[[1.0, 3.0]]]]))
    tensor([[3.]])
    """

    def __init__(self, in_features: int) -> None:
        super().__init__(in_features, in_features)

    def forward(self, features: Tensor) -> Tensor:
        return features.amax(dim=(2, 3))


class DualPool(Pooling):
    """Mean and maximum side by side, [B, C, H, W] -> [B, 2C], or [B, reduction].

    Args:
        in_features: C.
        reduction: length the 2C features are brought down to by a linear layer, None keeps them.

    Raises:
        ValueError: reduction < 1.

    >>> DualPool(in_features=1)(torch.tensor([[[[1.0, 3.0]]]]))
    tensor([[2., 3.]])
    """

    def __init__(self, in_features: int, reduction: int | None = None) -> None:
        reduction = None if reduction is None else whole("model.pooling.reduction", reduction, 1, "512")
        super().__init__(in_features, reduction or 2 * in_features)
        self.reduce = nn.Linear(2 * in_features, reduction) if reduction else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        both = torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)
        return self.reduce(both)


class GeM(Pooling):
    """Generalised mean with a learned exponent, [B, C, H, W] -> [B, C].

    Args:
        in_features: C.
        p: exponent to start from, > 0, one for all channels; it is trained.
        eps: floor of the activations, > 0.

    Raises:
        ValueError: p <= 0 or eps <= 0.

    Source: Radenovic, Tolias and Chum 2018, arXiv:1711.02512, eq. 3.

    >>> GeM(in_features=1, p=1)(torch.tensor([[[[1.0, 3.0]]]])).detach()
    tensor([[2.]])
    """

    def __init__(self, in_features: int, p: float = 3.0, eps: float = 1e-6) -> None:
        super().__init__(in_features, in_features)
        self.p = nn.Parameter(torch.tensor(positive("model.pooling.p", p, "3")))
        self.eps = positive("model.pooling.eps", eps, "1e-6")

    def forward(self, features: Tensor) -> Tensor:
        return generalized_mean(features, self.p, self.eps)

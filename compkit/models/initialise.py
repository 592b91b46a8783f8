"""How layers without pretrained weights start."""

import math

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from compkit.ranges import one_of, positive

DISTRIBUTIONS = ("normal", "uniform", "truncated_normal")
MODES = ("fan_in", "fan_out", "fan_avg")
# the standard deviation of N(0, 1) cut at -2 and 2
CUT_STD = 0.87962566103423978


class Initialisation:
    """Base of the initialisations: draws the weights of convolutions and linear layers anew, biases become 0.

    Everything else stays: norms, embeddings and tokens, the class vectors of margin heads, and the biases
    of layers that say `keeps_bias` (the gates of highway layers). Random numbers are torch's global ones.
    """

    def __call__(self, module: nn.Module) -> None:
        """Draw all layers inside `module`, in place."""
        for layer in module.modules():
            if isinstance(layer, nn.Linear | _ConvNd):
                self.draw(layer)
                if layer.bias is not None and not getattr(layer, "keeps_bias", False):
                    nn.init.zeros_(layer.bias)

    def draw(self, layer: nn.Linear | _ConvNd) -> None:
        """Draw the weights of one layer, in place."""
        raise NotImplementedError


class OwnInitialisation(Initialisation):
    """What each network's authors chose: nothing is changed.

    >>> layer = nn.Linear(2, 2)
    >>> before = layer.weight.clone()
    >>> OwnInitialisation()(layer)
    >>> torch.equal(layer.weight, before)
    True
    """

    def __call__(self, module: nn.Module) -> None:
        """Leave `module` as it is."""


class UniformInitialisation(Initialisation):
    """Weights from -limit to limit, all equally likely, in every layer.

    Raises:
        ValueError: limit <= 0.

    >>> layer = nn.Linear(100, 100)
    >>> UniformInitialisation(limit=0.1)(layer)
    >>> bool(layer.weight.abs().max() <= 0.1)
    True
    """

    def __init__(self, limit: float = 0.05) -> None:
        self.limit = positive("model.initialise.limit", limit, "0.05")

    def draw(self, layer: nn.Linear | _ConvNd) -> None:
        nn.init.uniform_(layer.weight, -self.limit, self.limit)


class NormalInitialisation(Initialisation):
    """Weights from N(0, std^2) in every layer.

    Raises:
        ValueError: std <= 0.

    >>> layer = nn.Linear(100, 100)
    >>> NormalInitialisation(std=0.5)(layer)
    >>> bool(0.45 < layer.weight.std() < 0.55)
    True
    """

    def __init__(self, std: float = 0.01) -> None:
        self.std = positive("model.initialise.std", std, "0.01")

    def draw(self, layer: nn.Linear | _ConvNd) -> None:
        nn.init.normal_(layer.weight, std=self.std)


class VarianceScaling(Initialisation):
    """Weights with a variance of scale / fan, so that signals keep their size from layer to layer.

    Args:
        scale: variance of a layer's outputs over that of its inputs (fan_in), > 0; 2 makes up for ReLU.
        mode: the fan: inputs of an output (fan_in), outputs an input reaches (fan_out), or their mean (fan_avg).
        distribution: normal, uniform, or truncated_normal (nothing beyond 2.3 standard deviations).

    Raises:
        ValueError: scale <= 0, or an unknown mode or distribution.

    Source: Glorot and Bengio 2010 (fan_avg, scale 1); He et al. 2015, arXiv:1502.01852 (fan_in, scale 2).

    >>> layer = nn.Linear(400, 100)
    >>> VarianceScaling(scale=1.0)(layer)
    >>> bool(0.045 < layer.weight.std() < 0.055)
    True
    """

    def __init__(
        self, scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal"
    ) -> None:
        self.scale = positive("model.initialise.scale", scale, "1")
        self.mode = one_of("model.initialise.mode", mode, MODES)
        self.distribution = one_of("model.initialise.distribution", distribution, DISTRIBUTIONS)

    def draw(self, layer: nn.Linear | _ConvNd) -> None:
        fan_in, fan_out = fans(layer)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        std = math.sqrt(self.scale / fan)
        if self.distribution == "normal":
            nn.init.normal_(layer.weight, std=std)
        elif self.distribution == "uniform":
            nn.init.uniform_(layer.weight, -math.sqrt(3) * std, math.sqrt(3) * std)
        else:
            wide = std / CUT_STD
            nn.init.trunc_normal_(layer.weight, std=wide, a=-2 * wide, b=2 * wide)


class XavierInitialisation(VarianceScaling):
    """Variance 2 / (fan in + fan out), between what forward and backward signals need; for tanh and sigmoid.

    Args:
        distribution: normal, uniform or truncated_normal.

    Source: Glorot and Bengio 2010, AISTATS, eq. 12 and 16.

    >>> XavierInitialisation().mode
    'fan_avg'
    """

    def __init__(self, distribution: str = "uniform") -> None:
        super().__init__(1.0, "fan_avg", distribution)


class HeInitialisation(VarianceScaling):
    """Variance 2 / fan: as ReLU drops half of a signal; for networks of ReLU layers.

    Args:
        mode: fan_in keeps the size of forward signals, fan_out that of gradients.
        distribution: normal, uniform or truncated_normal.

    Source: He et al. 2015, arXiv:1502.01852, eq. 10 and 14.

    >>> HeInitialisation().scale
    2.0
    """

    def __init__(self, mode: str = "fan_in", distribution: str = "normal") -> None:
        super().__init__(2.0, mode, distribution)


class OrthogonalInitialisation(Initialisation):
    """Weights as a matrix whose rows, or columns if they are fewer, are orthogonal and of length `gain`.

    Args:
        gain: > 0; 1 keeps the length of a signal, sqrt(2) makes up for ReLU.

    Raises:
        ValueError: gain <= 0.

    Source: Saxe et al. 2014, arXiv:1312.6120.

    >>> layer = nn.Linear(3, 2)
    >>> OrthogonalInitialisation()(layer)
    >>> torch.allclose(layer.weight @ layer.weight.T, torch.eye(2), atol=1e-5)
    True
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = positive("model.initialise.gain", gain, "1")

    @torch.no_grad()
    def draw(self, layer: nn.Linear | _ConvNd) -> None:
        weight, groups = layer.weight, getattr(layer, "groups", 1)
        # groups have inputs of their own, so each is a matrix of its own
        matrices = random_orthogonal(groups, len(weight) // groups, weight[0].numel())
        weight.copy_(self.gain * matrices.reshape(weight.shape))


def random_orthogonal(count: int, rows: int, columns: int) -> Tensor:
    """Matrices with orthonormal rows, or columns if they are fewer, all equally likely, [count, rows, columns].

    U V^T of the singular value decomposition of a Gaussian matrix: turning that matrix turns U V^T by
    the same rotation, so none is preferred. U alone would depend on the signs the decomposition chooses.

    >>> random_orthogonal(1, 1, 1).abs()
    tensor([[[1.]]])
    """
    left, _, right = torch.linalg.svd(torch.randn(count, rows, columns), full_matrices=False)
    return left @ right


def fans(layer: nn.Linear | _ConvNd) -> tuple[int, int]:
    """How many inputs an output of the layer has, and how many outputs an input reaches (at stride 1).

    >>> fans(nn.Linear(5, 7)), fans(nn.Conv2d(8, 4, 3, groups=2))
    ((5, 7), (36, 18))
    """
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    window = math.prod(layer.kernel_size)
    return layer.in_channels // layer.groups * window, layer.out_channels // layer.groups * window

"""Between the pooled features and the head: what becomes the image's embedding."""

from torch import Tensor, nn

from compkit.ranges import below_one, whole


class Neck(nn.Module):
    """Base of the necks: tells its owner what it returns and which head suits it.

    Attributes:
        out_features: D, the length of the embedding.
        head_bias: whether the classifier behind it has a bias.
        unit_length: whether an embedding is divided by its length before it is compared.
    """

    head_bias = True
    unit_length = False

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features


class NoNeck(Neck):
    """The pooled features are the embedding, [B, D] -> [B, D].

    >>> import torch
    >>> NoNeck(in_features=2)(torch.tensor([[1.0, 2.0]]))
    tensor([[1., 2.]])
    """

    def __init__(self, in_features: int) -> None:
        super().__init__(in_features, in_features)

    def forward(self, features: Tensor) -> Tensor:
        return features


class BNNeck(Neck):
    """Batch normalisation between metric losses and the classifier, [B, D] -> [B, D].

    The features before it suit distances (triplet, center loss), those after it a hyperplane
    classifier through the origin: the shift stays 0, the classifier has no bias, and the embedding
    is the normalised feature at unit length. The scale starts at 1 and is trained.

    Source: Luo et al. 2019, arXiv:1903.07071, section 3.5.

    >>> import torch
    >>> BNNeck(in_features=1)(torch.tensor([[0.0], [2.0]])).detach().round()
    tensor([[-1.],
            [ 1.]])
    """

    head_bias = False
    unit_length = True

    def __init__(self, in_features: int) -> None:
        super().__init__(in_features, in_features)
        self.norm = nn.BatchNorm1d(in_features)
        self.norm.bias.requires_grad_(False)

    def forward(self, features: Tensor) -> Tensor:
        return self.norm(features)


class EmbeddingNeck(Neck):
    """Linear projection to an embedding of a chosen length, [B, D] -> [B, dim].

    Args:
        in_features: D.
        dim: length of the embedding, >= 1.
        batch_norm: whether the projection is batch-normalised (and then has no bias of its own).

    Raises:
        ValueError: dim < 1.

    >>> EmbeddingNeck(in_features=512, dim=128).out_features
    128
    """

    def __init__(self, in_features: int, dim: int = 512, batch_norm: bool = True) -> None:
        dim = whole("model.neck.dim", dim, 1, "512")
        super().__init__(in_features, dim)
        self.project = nn.Linear(in_features, dim, bias=not batch_norm)
        self.norm = nn.BatchNorm1d(dim) if batch_norm else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        return self.norm(self.project(features))


class DropoutNeck(Neck):
    """Switches off random features in training, [B, D] -> [B, D].

    Args:
        in_features: D.
        p: share of the features switched off, 0 <= p < 1.

    Raises:
        ValueError: p outside [0, 1).

    Source: Srivastava et al. 2014, JMLR 15:1929-1958.

    >>> DropoutNeck(in_features=512, p=0.2).drop
    Dropout(p=0.2, inplace=False)
    """

    def __init__(self, in_features: int, p: float = 0.2) -> None:
        super().__init__(in_features, in_features)
        self.drop = nn.Dropout(below_one("model.neck.p", p, "0.2"))

    def forward(self, features: Tensor) -> Tensor:
        return self.drop(features)

"""The linear head and how it starts."""

import torch
from torch.nn import functional as F

from compkit.models import LinearHead


def test_head_is_linear_and_starts_without_preference() -> None:
    head = LinearHead(8, 3)
    embeddings = torch.randn(4, 8)
    torch.testing.assert_close(head(embeddings), F.linear(embeddings, head.linear.weight))
    assert torch.equal(head.linear.bias, torch.zeros(3))


def test_head_without_bias_starts_near_zero() -> None:
    torch.manual_seed(0)
    head = LinearHead(500, 200, bias=False)
    assert head.linear.bias is None
    assert abs(head.linear.weight.std().item() / 0.001 - 1) < 0.02
    assert abs(head.linear.weight.mean().item()) < 1e-5

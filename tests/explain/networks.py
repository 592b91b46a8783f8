"""Small networks whose answer depends on a known region of the picture."""

import torch
from torch import nn


class Corner(nn.Module):
    """Two outputs: what the first channel holds in the upper left quarter, and what it holds in the lower right one.

    A mean over positions forgets places, so the places are written into the map by a fixed mask.
    """

    def __init__(self, cells=8, channels=2):
        super().__init__()
        self.squeeze = nn.AvgPool2d(4)
        self.look = nn.Sequential(nn.Conv2d(1, channels, 1, bias=False), nn.Identity())
        self.masked = Masked(cells)
        self.head = nn.Linear(channels, 2)
        with torch.no_grad():
            self.look[0].weight.fill_(1.0)
            self.head.weight.copy_(torch.eye(2))
            self.head.bias.zero_()

    def forward(self, images):
        return self.head(self.masked(self.look(self.squeeze(images))).mean(dim=(2, 3)))


class Masked(nn.Module):
    """Keeps the upper left quarter of the first channel and the lower right one of the second."""

    def __init__(self, cells):
        super().__init__()
        mask = torch.zeros(1, 2, cells, cells)
        mask[:, 0, : cells // 2, : cells // 2] = 1
        mask[:, 1, cells // 2 :, cells // 2 :] = 1
        self.register_buffer("mask", mask)

    def forward(self, maps):
        return maps * self.mask


class Flat(nn.Module):
    """No map at all: one linear layer on the pixels of channel 0 in the first row."""

    def __init__(self, side):
        super().__init__()
        self.linear = nn.Linear(side * side, 2, bias=False)
        with torch.no_grad():
            self.linear.weight.zero_()
            self.linear.weight[0, :side] = 1.0

    def forward(self, images):
        return self.linear(images.flatten(1))


class InPlace(nn.Module):
    """Works on its input in place, and has a convolution of its own."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 4, stride=4)
        self.linear = nn.Linear(4, 3)

    def forward(self, images):
        images -= 0.5
        return self.linear(self.conv(images).relu_().mean(dim=(2, 3)))


class Unfeeling(InPlace):
    """Says something without any gradient."""

    @torch.no_grad()
    def forward(self, images):
        return super().forward(images.clone())

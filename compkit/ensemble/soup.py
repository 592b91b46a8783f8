"""Soups: one network whose weights are the mean of several networks' weights."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor


def average_states(states: Sequence[Mapping[str, Tensor]], names: Sequence[str]) -> dict[str, Tensor]:
    """The mean of several networks' weights: floats averaged, in float64 on the way, integers from the first.

    Args:
        states: state dicts of M networks of one architecture.
        names: of the networks, M, for messages.

    Raises:
        ValueError: networks with other weights or shapes than the first.

    >>> average_states([{"w": torch.tensor([1.0])}, {"w": torch.tensor([2.0])}], ["a", "b"])
    {'w': tensor([1.5000])}
    """
    first = states[0]
    check_same_network([{key: [*one.shape] for key, one in state.items()} for state in states], names)
    return {
        key: torch.stack([state[key].double() for state in states]).mean(dim=0).to(tensor.dtype)
        if tensor.is_floating_point()
        else tensor.clone()
        for key, tensor in first.items()
    }


def check_same_network(shapes: Sequence[Mapping[str, Sequence[int]]], names: Sequence[str]) -> None:
    """Refuse networks whose weights cannot be averaged.

    Args:
        shapes: of the weights of M networks, by their names.
        names: of the networks, M, for messages.

    Raises:
        ValueError: a network with other weights or shapes than the first.
    """
    first = shapes[0]
    for one, name in zip(shapes[1:], names[1:], strict=True):
        differing = sorted(first.keys() ^ one.keys()) or [
            key for key, shape in first.items() if shape != one[key]
        ]
        if differing:
            raise ValueError(
                f"{name}: is another network than {names[0]}: {len(differing)} weights are missing or of other "
                f"shapes, such as {differing[0]!r}. Only weights of one architecture can be averaged; blend "
                "their predictions with scripts/ensemble.py."
            )


def greedy_soup(count: int, worth: Callable[[tuple[int, ...]], float]) -> tuple[int, ...]:
    """Ingredients from the best one down, each kept if the soup with it is worth no less.

    Args:
        count: of ingredients.
        worth: of a soup of these ingredients, in rising order; greater is better.

    Returns:
        the ingredients, in rising order.

    Source: Wortsman et al. 2022, arXiv:2203.05482, recipe 1.

    >>> greedy_soup(3, lambda soup: {(0,): 2, (1,): 3, (2,): 1, (0, 1): 3, (0, 1, 2): 2}[soup])
    (0, 1)
    """
    alone = [worth((one,)) for one in range(count)]
    order = sorted(range(count), key=lambda one: -alone[one])
    soup: tuple[int, ...] = (order[0],)
    best = alone[order[0]]
    for one in order[1:]:
        candidate = tuple(sorted((*soup, one)))
        found = worth(candidate)
        if found >= best:
            soup, best = candidate, found
    return soup

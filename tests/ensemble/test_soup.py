"""Averaged weights: exact means, refused where they make no sense, greedy as in the paper."""

import pytest
import torch
from torch import nn

from compkit.ensemble import average_states, greedy_soup


def test_floats_are_averaged_and_integers_are_the_first_s():
    states = []
    for seed in range(3):
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        network[1].num_batches_tracked += seed
        states.append(network.state_dict())
    soup = average_states(states, ["a", "b", "c"])
    assert soup.keys() == states[0].keys() and soup["1.num_batches_tracked"] == 0
    for key in ("0.weight", "0.bias", "1.running_var"):
        torch.testing.assert_close(soup[key], sum(state[key] for state in states) / 3)
        assert soup[key].dtype == torch.float32
    for key, tensor in average_states([states[1]] * 4, list("abcd")).items():
        assert torch.equal(tensor, states[1][key])


def test_a_mean_of_linear_networks_predicts_the_mean():
    first, second, soup = nn.Linear(4, 3), nn.Linear(4, 3), nn.Linear(4, 3)
    soup.load_state_dict(average_states([first.state_dict(), second.state_dict()], ["a", "b"]))
    x = torch.randn(5, 4)
    torch.testing.assert_close(soup(x), (first(x) + second(x)) / 2)


@pytest.mark.parametrize("other", [{"w": torch.zeros(3)}, {"v": torch.zeros(2)}, {}])
def test_other_networks_are_refused(other):
    with pytest.raises(ValueError, match=r"b: is another network than a: .* such as '[vw]'"):
        average_states([{"w": torch.zeros(2)}, other], ["a", "b"])


def test_greedy_keeps_what_does_not_hurt():
    """Worth: the mean of the ingredients' own, so each one below the mean so far hurts."""
    own = [0.7, 0.9, 0.9, 0.2]
    asked = []

    def worth(soup):
        asked.append(soup)
        return sum(own[one] for one in soup) / len(soup)

    assert greedy_soup(4, worth) == (1, 2)
    assert asked == [(0,), (1,), (2,), (3,), (1, 2), (0, 1, 2), (1, 2, 3)]
    assert greedy_soup(1, worth) == (0,)

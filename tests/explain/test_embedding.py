"""Features: the right ones are read, neighbours by brute force, drawings that keep groups together."""

import tracemalloc

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from torch import nn

from compkit.explain import ExplainSettings, nearest_neighbours, penultimate_features, reduce_features
from compkit.models import ArcFaceHead, AvgPool, BNNeck, Classifier, LinearHead, MLPHead, NoNeck

from .networks import Corner, InPlace


def groups(count, rows, dims=64, seed=0):
    """Features around `count` directions, and the direction of each row."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(count, dims))
    which = np.repeat(np.arange(count), rows)
    return (centres[which] + 0.15 * rng.normal(size=(count * rows, dims))).astype(np.float32), which


@pytest.mark.parametrize("neck, head", [(NoNeck, LinearHead), (BNNeck, ArcFaceHead), (NoNeck, MLPHead)])
def test_features_are_what_enters_the_head(neck, head):
    model = Classifier(
        "test_resnet", AvgPool, neck, head, num_outputs=4, pretrained=False, image_size=64
    ).eval()
    images = torch.randn(3, 3, 64, 64)
    answer = penultimate_features(model, images)
    with torch.no_grad():
        torch.testing.assert_close(answer.features, model.neck(model.features(images)))
        torch.testing.assert_close(answer.logits, model(images))


def test_a_network_without_head_gives_what_enters_its_last_linear_layer():
    model, images = InPlace().eval(), torch.rand(2, 3, 32, 32)
    want = model.conv(images - 0.5).relu().mean(dim=(2, 3))
    torch.testing.assert_close(penultimate_features(model, images.clone()).features, want.detach())
    assert penultimate_features(Corner().eval(), torch.rand(2, 1, 32, 32)).features.shape == (2, 2)
    flat = nn.Sequential(nn.Conv2d(3, 5, 32), nn.Flatten())
    assert penultimate_features(flat, images).features is None


def test_features_are_read_before_a_head_works_on_them_in_place():
    model = Corner()
    model.head = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(2, 2))
    model.look[0].weight.data.neg_()
    assert (penultimate_features(model, torch.ones(1, 1, 32, 32)).features < 0).all()


def test_neighbours_equal_brute_force():
    features = np.random.default_rng(0).normal(size=(40, 8))
    distance = cdist(features, features, "cosine")
    np.fill_diagonal(distance, np.inf)
    near = nearest_neighbours(features)
    assert np.array_equal(near.nearest, distance.argmin(axis=1))
    np.testing.assert_allclose(near.distance, np.sort(distance, axis=1)[:, :5].mean(axis=1))


def test_neighbours_in_blocks_are_those_of_all_pairs():
    """More pictures than two blocks hold, and never all their distances in memory."""
    features, _ = groups(500, 5, dims=16)
    distance = cdist(features, features, "cosine")
    np.fill_diagonal(distance, np.inf)
    tracemalloc.start()
    near = nearest_neighbours(features)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(near.nearest, distance.argmin(axis=1))
    np.testing.assert_allclose(near.distance, np.sort(distance, axis=1)[:, :5].mean(axis=1), atol=1e-12)
    assert peak < distance.nbytes


@pytest.mark.parametrize("points", [20_001, "50000"])
def test_more_points_than_can_be_drawn_are_refused(points):
    with pytest.raises(
        ValueError, match=r"explain\.points: got \d+; expected at most 20000.*Set explain\.points="
    ):
        ExplainSettings(points=points)
    assert ExplainSettings(points=20_000).points == 20_000


def test_few_pictures_and_zeros():
    assert nearest_neighbours(np.zeros((2, 3))).nearest.tolist() == [1, 0]
    assert reduce_features(np.array([[1.0], [2.0]]), seed=0).shape == (2, 2)
    assert np.isfinite(reduce_features(np.ones((80, 16)), seed=0)).all()


@pytest.mark.parametrize("rows", [5, 30])
def test_groups_stay_together(rows):
    """Five rows a group are drawn by PCA, thirty by t-SNE."""
    features, which = groups(3, rows)
    places = reduce_features(features, seed=0)
    distance = cdist(places, places)
    np.fill_diagonal(distance, np.inf)
    assert (which[distance.argmin(axis=1)] == which).all()
    assert np.array_equal(places, reduce_features(features, seed=0))


def test_the_length_of_features_does_not_matter():
    features, _ = groups(3, 4)
    scaled = features * np.linspace(1, 50, len(features))[:, None].astype(np.float32)
    np.testing.assert_allclose(reduce_features(scaled, 0), reduce_features(features, 0), atol=1e-5)


def test_drawing_draws_no_global_number():
    before = np.random.get_state()[1].copy()
    reduce_features(groups(3, 30)[0], seed=0)
    assert np.array_equal(np.random.get_state()[1], before)

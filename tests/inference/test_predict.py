"""Logits of every row once, or once for each view, without a trace in the model."""

import numpy as np
import pytest
import torch

from compkit.data import Preprocessing, evaluation_draws
from compkit.inference import InferenceSettings, activate, average_views, predict_logits, predict_views
from compkit.types import Task

from .toys import BOX, CLASSES, CPU, IMAGES, Loader, net

ROWS = np.arange(7)
CLASSIFYING = (Task.MULTICLASS, Task.MULTILABEL)


def test_same_logits_for_any_batch_size_and_the_model_is_left_as_it_was():
    model = net().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    cpu = torch.device("cpu")
    results = [
        predict_logits(model, Loader(), evaluation_draws(np.arange(7), size, 0, 1), BOX, cpu)
        for size in (1, 3, 7)
    ]
    for rows, logits in results:
        assert rows.tolist() == list(range(7))
        torch.testing.assert_close(logits, results[0][1])
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    model.eval()
    torch.testing.assert_close(results[0][1], model(BOX.normalise(IMAGES)).detach())
    predict_logits(model, Loader(), [], BOX, cpu)
    assert not model.training


def test_no_rows_give_no_logits():
    rows, logits = predict_logits(net(), Loader(), [], BOX, torch.device("cpu"))
    assert len(rows) == 0 and len(logits) == 0


def test_activation_by_task():
    logits = torch.tensor([[0.0, 2.0], [-3.0, 1.0]])
    np.testing.assert_allclose(activate(logits, Task.MULTICLASS), torch.softmax(logits, 1))
    np.testing.assert_allclose(
        activate(logits, Task.MULTILABEL), 1 / (1 + np.exp(-logits.numpy())), rtol=1e-6
    )
    np.testing.assert_array_equal(activate(logits, Task.REGRESSION), logits)


def said(settings, models=None, chunks=(ROWS,), loader=None, box=BOX):
    """Logits of the views, the chunks put together again, [K x V, N, C]."""
    found = predict_views(models or [net()], loader or Loader(), chunks, settings, CLASSES, box, CPU)
    return torch.cat(list(found), dim=1)


def predicted(settings, task=Task.MULTICLASS, **given):
    weights = [view.weight for _, view in settings.ordered_views] * len(given.get("models") or [0])
    return average_views(said(settings, **given), weights, task, settings.mean)


@pytest.mark.parametrize("task, mean", [
    *((task, mean) for task in CLASSIFYING for mean in ("probability", "logit", "geometric")),
    (Task.REGRESSION, "probability"),
])  # fmt: skip
@pytest.mark.parametrize("weights", [[1], [1, 1, 1], [0.1, 0.7, 3], list(range(1, 20))])
def test_identity_views_are_plain_inference_bit_for_bit(task, mean, weights):
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (500, 4, 4, 1), dtype=np.uint8))
    views = {f"view_{number}": {"weight": weight} for number, weight in enumerate(weights)}
    settings = InferenceSettings(views=views, mean=mean, batch_size=64)
    model, rows = net(), np.arange(500)
    with torch.no_grad():
        model[3].weight *= 40  # probabilities from 1e-30 to 1
    got = predicted(settings, task, models=[model], chunks=[rows], loader=Loader(images))
    _, logits = predict_logits(model, Loader(images), evaluation_draws(rows, 64, 0, 1), BOX, CPU)
    assert got.dtype == np.float32 and np.array_equal(got, activate(logits, task))
    several = predicted(settings, task, models=[model] * 3, chunks=[rows], loader=Loader(images))
    assert np.array_equal(got, several)


def test_d4_is_the_loop_of_turns_and_flips():
    views = {
        f"{number}_{mirrored}": {"quarter_turns": number, "hflip": mirrored}
        for number in range(4)
        for mirrored in (False, True)
    }
    model = net().eval()
    want = np.zeros((7, 3))
    with torch.no_grad():
        for mirrored in (False, True):
            for turns in range(4):
                images = BOX.normalise(IMAGES)
                images = torch.flip(images, [3]) if mirrored else images
                want += torch.softmax(model(torch.rot90(images, turns, [2, 3])).double(), 1).numpy() / 8
    np.testing.assert_allclose(predicted(InferenceSettings(views=views)), want, rtol=1e-5)


def test_flips_change_nothing_for_a_network_that_flips_do_not_change():
    class Symmetric(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = net(size=None)

        def forward(self, images):
            # sums of pairs and then of pairs of pairs: the same additions whichever way the picture is
            images = images + images.flip(3)
            return self.inner[4](self.inner[1]((images + images.flip(2)).flatten(1)))

    plain = predicted(InferenceSettings(), models=[Symmetric()])
    flips = {"identity": {}, "h": {"hflip": True}, "v": {"vflip": True}, "hv": {"hflip": True, "vflip": True}}
    assert np.array_equal(predicted(InferenceSettings(views=flips), models=[Symmetric()]), plain)


@pytest.mark.parametrize("mean", ["probability", "logit", "geometric"])
def test_the_order_of_views_changes_no_bit(mean):
    views = [
        ("identity", {"weight": 0.3}),
        ("h", {"hflip": True, "weight": 0.7}),
        ("turned", {"quarter_turns": 1}),
        ("v", {"vflip": True, "weight": 1.9}),
    ]
    for task in CLASSIFYING:
        first = predicted(InferenceSettings(views=dict(views), mean=mean), task)
        for order in ((3, 2, 1, 0), (1, 3, 0, 2)):
            shuffled = InferenceSettings(views={views[i][0]: views[i][1] for i in order}, mean=mean)
            assert np.array_equal(predicted(shuffled, task), first)


def test_weights_weigh():
    both = InferenceSettings(views={"a": {"weight": 3}, "b": {"hflip": True, "weight": 1}})
    a, b = (predicted(InferenceSettings(views={"only": view})) for view in ({}, {"hflip": True}))
    np.testing.assert_allclose(predicted(both), 0.75 * a + 0.25 * b, rtol=1e-6)


def test_crops_and_scales_are_loaded_at_their_size_and_seen_at_the_network_s():
    big = torch.arange(2 * 64, dtype=torch.uint8).reshape(2, 8, 8, 1)

    class Seen(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.pictures = []

        def forward(self, images):
            self.pictures.append(images)
            return images.flatten(1)[:, :3]

    model = Seen()
    box = Preprocessing(8, 8, 1, False, None, (0.5,), (0.5,))
    views = {
        "corner": {"crop": "bottom_right", "crop_fraction": 0.5},
        "middle": {"crop": "center", "crop_fraction": 0.5},
        "half": {"scale": 0.5},
    }
    loader = Loader(big)
    said(InferenceSettings(views=views), [model], [np.arange(2)], loader, box)
    assert loader.loaded == 4  # the two crops share a decoding
    corner, middle, half = model.pictures
    whole = box.normalise(big.repeat_interleave(2, 1).repeat_interleave(2, 2))
    assert torch.equal(corner, whole[:, :, 8:, 8:]) and torch.equal(middle, whole[:, :, 4:12, 4:12])
    assert half.shape == (2, 1, 4, 4)


def test_several_models_see_each_picture_once_and_are_left_as_they_were():
    models, loader = [net(0).train(), net(1).eval()], Loader()
    views = {"a": {}, "b": {"vflip": True}}
    logits = said(InferenceSettings(views=views), models, loader=loader)
    assert logits.shape == (4, 7, 3) and loader.loaded == 7
    assert models[0].training and not models[1].training
    for number, model in enumerate(models):
        for position, view in enumerate(views.values()):
            alone = said(InferenceSettings(views={"only": view}), [model])
            assert torch.equal(logits[2 * number + position], alone[0])


def test_chunks_are_the_same_rows_and_may_be_empty():
    settings = InferenceSettings(views={"a": {}, "b": {"hflip": True}}, batch_size=2)
    empty = np.arange(0)
    found = predict_views([net()], Loader(), [ROWS[:4], empty, ROWS[4:]], settings, CLASSES, BOX, CPU)
    assert [one.shape for one in found] == [(2, 4, 3), (2, 0, 3), (2, 3, 3)]
    torch.testing.assert_close(said(settings, chunks=[ROWS[:4], empty, ROWS[4:]]), said(settings))


def test_labels_of_a_mirrored_picture_are_put_back():
    class Columns(torch.nn.Module):
        """How bright left, right and top are."""

        def forward(self, images):
            sides = images[..., :2], images[..., 2:], images[..., :2, :]
            return torch.stack([side.mean((1, 2, 3)) for side in sides], 1)

    plain = said(InferenceSettings(), [Columns()])
    swaps = {"label_swaps": {"horizontal": [["a", "b"]]}}
    mirrored = said(InferenceSettings(views={"h": {"hflip": True}}, **swaps), [Columns()])
    torch.testing.assert_close(mirrored, plain)
    assert not torch.allclose(said(InferenceSettings(views={"h": {"hflip": True}}), [Columns()]), plain)

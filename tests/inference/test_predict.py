"""Logits of every row once, without a trace in the model."""

import numpy as np
import torch
from torch import nn

from compkit.data import Preprocessing, evaluation_draws
from compkit.inference import activate, predict_logits
from compkit.types import Batch, Task

BOX = Preprocessing(4, 4, 1, False, None, (0.5,), (0.5,))
IMAGES = torch.arange(7 * 16, dtype=torch.uint8).reshape(7, 4, 4, 1)


class Loader:
    def batches(self, draws):
        for draw in draws:
            rows = torch.from_numpy(draw.rows)
            yield Batch(IMAGES[rows], torch.zeros(len(rows)), rows)


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.BatchNorm1d(16), nn.Linear(16, 3))


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

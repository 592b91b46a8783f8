"""Loading: the same pictures for any number of workers, augmented anew each epoch."""

import albumentations as A
import cv2
import numpy as np
import pytest
import torch

from compkit.data import Draw, ImageDataset, Loader, Preprocessing, evaluation_draws, training_windows
from compkit.types import Table


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    files = []
    for number in range(12):
        path = folder / f"{number:03d}.png"
        cv2.imwrite(str(path), rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
        files.append([str(path).encode()])
    return Table(np.array([f"{n:03d}" for n in range(12)]), np.array(files), np.arange(12) % 3)


BOX = Preprocessing(8, 8, 3, False, None, (0.5,) * 3, (0.25,) * 3)


def augmented(table):
    return ImageDataset(table, BOX, [A.Affine(rotate=(-40, 40), p=1.0), A.RandomBrightnessContrast(p=1.0)])


def epoch_draws(epoch):
    order = np.random.default_rng([0, epoch]).permutation(12)
    windows = training_windows(order, 4, 1, 1, seed=0, epoch=epoch)
    return [draw for window in windows for rank in window for draw in rank]


def load(loader, draws):
    return torch.cat([batch.images for batch in loader.batches(draws)])


def test_workers_do_not_change_the_pictures_and_epochs_do(table):
    with_none, with_two = Loader(augmented(table), 0), Loader(augmented(table), 2)
    first = load(with_none, epoch_draws(0))
    torch.testing.assert_close(load(with_two, epoch_draws(0)), first, rtol=0, atol=0)
    torch.testing.assert_close(
        load(with_two, epoch_draws(0)), first, rtol=0, atol=0
    )  # living workers replay nothing
    assert (load(with_two, epoch_draws(1)) != first).any()


def test_pictures_of_one_batch_are_augmented_differently(table):
    same = Table(table.ids, table.files[np.zeros(12, int)], table.targets)
    images = augmented(same)[Draw(np.arange(4), 7)].images
    assert len({image.numpy().tobytes() for image in images}) == 4


def test_evaluation_is_plain_resizing(table):
    batch = augmented(table)[evaluation_draws(np.array([3]), 1, 0, 1)[0]]
    plain = BOX.resize(cv2.imread(table.files[3, 0].decode())[..., ::-1].copy())
    np.testing.assert_array_equal(batch.images[0].numpy(), plain)
    assert batch.targets.tolist() == [0] and batch.rows.tolist() == [3]


def test_a_draw_may_have_a_size_of_its_own(table):
    batch = augmented(table)[Draw(np.arange(3), 7, (12, 20))]
    assert batch.images.shape == (3, 12, 20, 3)
    plain = ImageDataset(table, BOX)[Draw(np.array([3]), 7, (4, 4))].images[0]
    whole = cv2.imread(table.files[3, 0].decode())[..., ::-1].reshape(4, 4, 4, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(plain.numpy(), whole, atol=0.51)  # areas of 4 x 4 pixels averaged


def test_loading_draws_nothing_from_the_run(table):
    torch.manual_seed(0)
    np.random.seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    load(Loader(augmented(table), 0), epoch_draws(0))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()


def test_rows_without_labels(table):
    batch = ImageDataset(Table(table.ids, table.files, None), BOX)[Draw(np.arange(2), None)]
    assert batch.targets.tolist() == [-1, -1]


def test_transforms_draw_independently_of_each_other(table):
    """Two flips of one half each give all four outcomes, not only both or none."""
    flips = ImageDataset(table, BOX, [A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)])
    plain = flips.sample(0).image
    outcomes = {image.tobytes() for image in (plain, plain[::-1], plain[:, ::-1], plain[::-1, ::-1])}
    seen = {flips[Draw(np.array([0]), seed)].images.numpy()[0].tobytes() for seed in range(40)}
    assert len(outcomes) == 4 and seen == outcomes

"""The proofs: each names its own fault, planted by an override or a class, and is silent where nothing is wrong."""

import dataclasses
import re

import albumentations as A
import numpy as np
import pytest
import torch
from torch import nn

from compkit.data import Sampler
from compkit.doctor.proofs import PROOFS, prove
from compkit.doctor.proofs.bench import Bench
from compkit.doctor.proofs.folds import equal_files
from compkit.doctor.proofs.insides import leaves_of, multiplied
from compkit.doctor.proofs.slopes import some_entries
from compkit.doctor.proofs.spread import spread_rows
from compkit.doctor.proofs.watch import Units, Watch
from compkit.engine import Console
from compkit.findings import Status
from compkit.losses import Loss
from compkit.models import Classifier
from compkit.optim import Adam, Schedule
from compkit.run.trial import open_trial
from compkit.types import Table, Task

from ..test_config import OPTIONS, fitting
from .downloads import competition_with, two_classes

WRONG = (Status.WARN, Status.FAIL)
LOSSES, MODELS, PARTS = (f"tests.doctor.planted_{part}" for part in ("losses", "models", "parts"))
OWN = "tests.doctor.healthy_parts"
HERE = "tests.doctor.test_proofs"


class Unsqueezed(Classifier):
    """Loses the batch where it has one picture."""

    def forward(self, images, targets=None):
        outputs = super().forward(images, targets)
        return outputs.squeeze(0) if isinstance(outputs, torch.Tensor) else outputs


class Narrow(Classifier):
    """One output too few."""

    def forward(self, images, targets=None):
        outputs = super().forward(images, targets)
        return outputs[:, 1:] if isinstance(outputs, torch.Tensor) else outputs


class Counting(Classifier):
    """Changes a buffer whenever it is called."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, images, targets=None):
        self.calls += 1
        return super().forward(images, targets)


class Thawing(Classifier):
    """Freezes a layer while it runs."""

    def forward(self, images, targets=None):
        self.head.requires_grad_(False)
        return super().forward(images, targets)


class StillNorms(Classifier):
    """Batch norms alone stay in evaluation mode."""

    def train(self, mode=True):
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


class OtherSign(torch.autograd.Function):
    """The identity, whose gradient has the wrong sign."""

    @staticmethod
    def forward(ctx, features):
        return features.clone()

    @staticmethod
    def backward(ctx, above):
        return -above


class WrongSign(Classifier):
    def features(self, images):
        return OtherSign.apply(super().features(images))


class FixedExtractor(Classifier):
    """The first stage is frozen and stays in evaluation mode, dropout and all."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.extractor = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.2), nn.Conv2d(4, 1, 1)
        ).requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.extractor.eval()
        return self

    def features(self, images):
        return super().features(images + 0.1 * self.extractor(images))


class OwnAverage(Classifier):
    """Keeps an average of its last layer's weights, and a buffer that the first pass fills."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.average = nn.Parameter(torch.zeros(1), requires_grad=False)
        self.register_buffer("grid", torch.full((1,), torch.nan))

    def forward(self, images, targets=None):
        self.grid.fill_(float(images.shape[-1]))
        if self.training:
            with torch.no_grad():
                self.average.mul_(0.9).add_(0.1 * next(self.head.parameters()).mean())
        return super().forward(images, targets)


class SpareParts(Classifier):
    """Has a temperature and a second head for another task, neither used."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.temperature = nn.Parameter(torch.ones(()))
        self.other = nn.Linear(256, 2048)


class Breaking(Classifier):
    """Ends in an error when it learns of six pictures; the run's first look at it shows two."""

    def forward(self, images, targets=None):
        if len(images) > 4:
            raise RuntimeError("too many pictures")
        return super().forward(images, targets)


class LearntTemperature(Loss):
    """Has a weight that it gives no optimizer."""

    def __init__(self, reduce=None, class_counts=None):
        super().__init__(reduce, class_counts)
        self.scale = nn.Parameter(torch.ones(1))

    def per_sample(self, inputs, labels):
        return nn.functional.cross_entropy(self.scale * inputs, labels, reduction="none")


class OneNumber(Loss):
    def per_sample(self, inputs, labels):
        return nn.functional.cross_entropy(inputs, labels)


class Logarithm(Loss):
    """Wants probabilities."""

    def per_sample(self, inputs, labels):
        return -inputs.gather(1, labels[:, None])[:, 0].log()


class Twice(Adam):
    """A layer in two groups, behind torch's back."""

    def from_groups(self, groups):
        optimizer = torch.optim.SGD(groups, lr=self.lr)
        optimizer.param_groups[-1]["params"].append(groups[0]["params"][0])
        return optimizer


class Copies(Adam):
    """Moves copies of the weights."""

    def from_groups(self, groups):
        for group in groups:
            group["params"] = [one.detach().clone().requires_grad_() for one in group["params"]]
        return torch.optim.SGD(groups, lr=self.lr)


class Never(Schedule):
    """Nothing for the whole run."""

    def decay(self, epoch, epochs):
        return 0.0


class Late(Schedule):
    """Nothing for most of the run."""

    def decay(self, epoch, epochs):
        return float(epoch > 0.8 * epochs)


class Outside(Sampler):
    name = "outside"

    def order(self, labels, batch_size, rng):
        return rng.permutation(len(labels)) + 1 if len(labels) != batch_size else rng.permutation(1)


class Nothing(Sampler):
    name = "nothing"

    def order(self, labels, batch_size, rng):
        return np.empty(0, np.int64)


class Global(Sampler):
    """Draws from NumPy's own generator."""

    name = "global"

    def order(self, labels, batch_size, rng):
        return np.random.permutation(len(labels))


class Smaller(A.ImageOnlyTransform):
    """Another size, at random."""

    def apply(self, img, **params):
        start = int(self.random_generator.integers(4))
        return img[start : start + 16, :16]


class Floats(A.ImageOnlyTransform):
    """Another type, at random."""

    def apply(self, img, **params):
        return (img / 255 * self.random_generator.uniform(0.9, 1)).astype(np.float32)


class Black(A.ImageOnlyTransform):
    """One random colour."""

    def apply(self, img, **params):
        return np.full_like(img, self.random_generator.integers(256))


class Brighter(A.ImageOnlyTransform):
    """Always brighter, more or less."""

    def apply(self, img, **params):
        return np.clip(img.astype(int) + self.random_generator.integers(180, 220), 0, 255).astype(img.dtype)


class NotFinite(A.ImageOnlyTransform):
    def apply(self, img, **params):
        return np.full(img.shape, np.nan, np.float32)


def own(key, place, name, *more):
    return (f"{key}._target_={place}.{name}", *more)


def loss(place, name, *more):
    return ("loss=custom", *own("loss", place, name), *more)


def augment(name, place=HERE):
    return (f"+augment.own={{_target_:{place}.{name},p:1}}",)


PLANTED = [
    (own("optimizer", PARTS, "WithoutHead"), "optimizer", Status.FAIL, "not in the optimizer: head"),
    (own("optimizer", HERE, "Twice"), "optimizer", Status.FAIL, "more than once"),
    (own("optimizer", HERE, "Copies"), "optimizer", Status.FAIL, "not the model's"),
    (own("model.head", MODELS, "ListedHead"), "optimizer", Status.FAIL, "no parameters of the model"),
    (own("model", MODELS, "NewEachTime"), "optimizer", Status.FAIL, "no parameters of the model"),
    (own("model", MODELS, "MadeInForward"), "optimizer", Status.FAIL, "late.weight"),
    (loss(HERE, "LearntTemperature"), "optimizer", Status.FAIL, "weights of the loss"),
    (own("optimizer", PARTS, "NoRate"), "rates", Status.FAIL, "is 0 or not a number"),
    (own("optimizer", PARTS, "Shrinking"), "rates", Status.WARN, "shrinks its weights"),
    (("trainer.clip_at=1e-7",), "rates", Status.WARN, "trainer.clip_at=1e-07 leaves"),
    (own("optimizer", PARTS, "SetsItsRate"), "rates", Status.WARN, "sets a learning rate of 0.001 to 0.01"),
    (own("optimizer", PARTS, "NoZeroGrad"), "zero_grad", Status.FAIL, "not cleared"),
    (own("optimizer", PARTS, "NoStep"), "steps", Status.FAIL, "Step 1 left"),
    (own("optimizer", PARTS, "OneStep"), "steps", Status.FAIL, "Step 2 left"),
    (own("optimizer", PARTS, "Ascent"), "steps", Status.FAIL, "up the slope"),
    (own("model", MODELS, "FrozenBackbone"), "frozen", Status.WARN, "frozen by the model itself"),
    (own("model", HERE, "Thawing"), "frozen", Status.FAIL, "froze or unfroze"),
    (("finetune=partial", "finetune.freeze_stages=all"), "frozen", Status.WARN, "they are random"),
    (own("model", MODELS, "AlwaysEvaluating"), "modes", Status.FAIL, "while the network learns"),
    (own("model", HERE, "StillNorms"), "modes", Status.WARN, "norms or dropouts"),
    (own("model", MODELS, "AlwaysTraining"), "modes", Status.FAIL, "in training mode in evaluation"),
    (own("model", MODELS, "StillStatistics"), "modes", Status.FAIL, "do not move"),
    (own("model", MODELS, "HastyStatistics"), "modes", Status.WARN, "momentum is 0.99"),
    (own("model", MODELS, "ConstantWeights"), "symmetry", Status.FAIL, "15 of 16 layers all units have the same weights"),
    (own("model", HERE, "Narrow"), "outputs", Status.FAIL, r"gives \(8, 9\)"),
    (own("model", MODELS, "NaNForDarkRows"), "outputs", Status.FAIL, "not finite"),
    (own("model", MODELS, "Blind"), "outputs", Status.FAIL, "does not look at them"),
    (own("model.head", MODELS, "OneClassHead"), "outputs", Status.FAIL, "All classes get the same"),
    (own("model", MODELS, "Softmaxed"), "probabilities", Status.FAIL, "each row sums to 1"),
    (own("model", MODELS, "Sigmoided"), "probabilities", Status.FAIL, "between 0 and 1"),
    (own("model", MODELS, "Rectified"), "probabilities", Status.WARN, "never go below 0"),
    (own("model", MODELS, "Bounded", "competition=tilt"), "probabilities", Status.WARN, r"cannot leave \[0, 1\]"),
    (own("model", MODELS, "Noisy"), "evaluation", Status.FAIL, "the second time"),
    (own("model", MODELS, "RowMixer"), "evaluation", Status.FAIL, "others of its batch"),
    (own("model", MODELS, "Reversed"), "evaluation", Status.FAIL, "others of its batch"),
    (own("model", MODELS, "BatchStatistics"), "evaluation", Status.FAIL, "others of its batch"),
    (own("model", HERE, "Unsqueezed"), "evaluation", Status.FAIL, "A batch of one"),
    (own("model", HERE, "Counting"), "evaluation", Status.FAIL, "calls"),
    (own("model", MODELS, "DetachedFeatures"), "gradient", Status.FAIL, "no gradient reaches"),
    (own("model", MODELS, "UnusedLayer"), "gradient", Status.WARN, "attention"),
    (own("model", HERE, "SpareParts"), "gradient", Status.WARN, "no gradient reaches temperature, other.weight"),
    (own("model", HERE, "OwnAverage"), "frozen", Status.WARN, "1 frozen tensors changed in a step: average"),
    (own("model", MODELS, "Vanishing"), "vanishing", Status.WARN, "vanished"),
    (own("model", MODELS, "DyingUnits"), "units", Status.WARN, "silent for all"),
    (("model/neck=dropout", "model.neck.p=0.99"), "units", Status.WARN, "A dropout takes 99%"),
    (own("model", HERE, "WrongSign"), "descent", Status.FAIL, "raises the loss"),
    (own("model", MODELS, "RawPixels"), "pictures", Status.WARN, "from 0 to 255"),
    (own("model", MODELS, "Dimmed"), "pictures", Status.WARN, "next to nothing"),
    (own("model", MODELS, "ConstantInput"), "pictures", Status.FAIL, "same values for all"),
    (own("model", MODELS, "MirroredInTraining"), "augmentation", Status.FAIL, "changes its pictures in training"),
    (("+augment.own={_target_:albumentations.InvertImg,p:1}",), "augmentation", Status.FAIL, "always in the same way"),
    (augment("OtherPicture", PARTS), "augmentation", Status.FAIL, "the same picture of all"),
    (augment("Smaller"), "augmentation", Status.WARN, "are of"),
    (augment("Floats"), "augmentation", Status.FAIL, "float32"),
    (augment("Black"), "augmentation", Status.FAIL, "of one colour"),
    (augment("Brighter"), "augmentation", Status.WARN, "brighter or darker"),
    (augment("NotFinite"), "augmentation", Status.FAIL, "not finite"),
    (loss(LOSSES, "Uphill"), "loss", Status.FAIL, "for right answers and"),
    (loss(LOSSES, "NextClass"), "loss", Status.FAIL, "for right answers and"),
    (loss(LOSSES, "Cut"), "loss", Status.FAIL, "no gradient"),
    (loss(LOSSES, "Detached"), "loss", Status.FAIL, "0 everywhere"),
    (loss(LOSSES, "Deaf"), "loss", Status.FAIL, "does not listen"),
    (loss(LOSSES, "Summed"), "loss", Status.WARN, "a sum where the mean"),
    (loss(LOSSES, "WrongAxis"), "loss", Status.WARN, "of others in the batch"),
    (loss(LOSSES, "WithoutFirstClass"), "loss", Status.WARN, "of 1 of 10 classes, 0 first, .*nothing of them is learnt"),
    (loss(LOSSES, "NegativeWeight"), "loss", Status.FAIL, "of 1 of 10 classes, 3 first, .*wrong ones are rewarded"),
    (loss(LOSSES, "IgnoredLabel", "competition=mosaic"), "loss", Status.WARN, "nothing of them is learnt"),
    (loss(HERE, "OneNumber"), "loss", Status.FAIL, r"gives shape \(\)"),
    (loss(HERE, "Logarithm"), "loss", Status.FAIL, "is (nan|inf) for"),
    (own("metric", PARTS, "LowestAccuracy"), "metrics", Status.FAIL, "smaller is better"),
    (own("metric", PARTS, "RandomAccuracy"), "metrics", Status.FAIL, "for the same predictions"),
    (own("metric", PARTS, "FirstRowsAccuracy"), "metrics", Status.WARN, "the same rows in another order"),
    (own("metric", PARTS, "NoNumber"), "metrics", Status.WARN, "is nan for right and nan for wrong"),
    (own("metric", PARTS, "DeafAccuracy"), "metrics", Status.FAIL, "alike"),
    (own("schedule", HERE, "Never", "~schedule.min_factor", "schedule.warmup_epochs=0"), "schedule", Status.FAIL, "0 for the whole run"),
    (own("schedule", PARTS, "AllWarmUp", "~schedule.min_factor", "schedule.warmup_epochs=0"), "schedule", Status.WARN, "all warm-up"),
    (own("schedule", PARTS, "Dropping", "~schedule.min_factor"), "schedule", Status.WARN, "of the run the rate is less"),
    (own("schedule", PARTS, "Low", "~schedule.min_factor"), "schedule", Status.WARN, "never exceeds 0.01 times lr"),
    (own("schedule", PARTS, "Negative", "~schedule.min_factor"), "schedule", Status.FAIL, "multiplies the rate with -"),
    (own("schedule", PARTS, "Rising", "~schedule.min_factor"), "schedule", Status.WARN, "times lr"),
    (own("schedule", HERE, "Late", "~schedule.min_factor"), "schedule", Status.WARN, "of the run"),
    (own("sampler", PARTS, "Sorted"), "sampling", Status.WARN, "same order"),
    (own("sampler", PARTS, "OneClass"), "sampling", Status.WARN, "one class alone"),
    (own("sampler", PARTS, "SameFew"), "sampling", Status.WARN, "same 16 of"),
    (own("sampler", HERE, "Global"), "sampling", Status.WARN, "cannot be repeated"),
    (("averaging=ema", "averaging.decay=0.9999", "averaging.warmup=false"), "averaging", Status.WARN, "first weights"),
]  # fmt: skip


@pytest.fixture
def proved(plan):
    """Findings of all proofs of a quick run: proved("loss=focal")."""

    def call(*overrides, skip=()):
        built = plan("model.pretrained=false", "epochs=6", "limit=100", *overrides)
        with open_trial(built, Console(quiet=True)) as trial:
            return prove(trial, skip)

    return call


@pytest.mark.parametrize("overrides, name, status, words", PLANTED)
def test_a_planted_fault_is_named(proved, overrides, name, status, words):
    found = [one for one in proved(*overrides) if one.check == f"proofs.{name}"]
    assert any(one.status == status and re.search(words, one.message) for one in found), found
    assert all(one.remedy for one in found if one.status in WRONG)


# one or two of every group; all of them below
HEALTHY = [
    (*own("model", OWN, "NormFirst"), "limit=60"),
    own("model", OWN, "Checkpointed"),
    (
        "+augment={a:{_target_:albumentations.PadIfNeeded,min_height:40,min_width:40},b:{_target_:albumentations.RandomCrop,height:32,width:32}}",
    ),
    ("+augment.mirror={_target_:albumentations.HorizontalFlip,p:0.95}",),
    ("loss=hinge", "batch_size=2"),
    ("schedule=constant", "schedule.warmup_epochs=2", "limit=200", "batch_size=8"),
    ("model/head=arcface", "mixing=mixup_cutmix", "averaging=ema"),
    ("model/neck=bnneck", "loss=bag_of_tricks", "optimizer=lamb"),
    ("competition=mosaic", "augment=heavy", "sampler=balanced"),
    ("competition=tilt", "optimizer=momentum", "schedule=one_cycle"),
    ("model.backbone=test_vit", "image_size=160", "finetune=layer_decay", "limit=40"),
    ("full_data=true", "scaling=measured", "scale=multi"),
]


@pytest.mark.parametrize("overrides", HEALTHY, ids=lambda overrides: overrides[0])
def test_nothing_is_wrong_with_a_healthy_run(proved, overrides):
    found = proved(*overrides)
    assert not [one for one in found if one.status in WRONG]
    assert {one.check for one in found} == {f"proofs.{proof.name}" for proof in PROOFS}


PARTS_OF_A_RUN = [
    one
    for one in OPTIONS
    # the first belong to other commands; rmsle wants targets above 0, and says so
    if one[0] not in ("model", "competition", "stacker", "inference", "postprocess", "logger")
    and one[1] != "rmsle"
]


@pytest.mark.slow
@pytest.mark.parametrize("group, option", PARTS_OF_A_RUN)
def test_nothing_is_wrong_with_any_option(plan, group, option):
    chosen = [] if group == "task" else [f"{group}={option}"]
    with open_trial(plan(*fitting(group, option), *chosen), Console(quiet=True)) as trial:
        assert not [one for one in prove(trial) if one.status in WRONG]


def test_a_frozen_part_may_stay_in_evaluation_mode(proved):
    """What it is frozen by is told, not how it runs."""
    found = proved(*own("model", HERE, "FixedExtractor"))
    assert {one.check for one in found if one.status in WRONG} == {"proofs.frozen"}


def test_a_hinge_of_two_classes_has_a_gradient(proved, tmp_path):
    """Right and sure answers have none: the loss is tried on others."""
    path = competition_with(two_classes, "digits", 120, tmp_path / "two", seed=0)
    found = proved("loss=hinge", f"competition.path={path}", "limit=null")
    assert not [one for one in found if one.status in WRONG]


def test_what_is_skipped_is_not_looked_at(proved):
    found = proved(*own("model", MODELS, "Softmaxed"), skip=["proofs.probabilities"])
    [one] = [one for one in found if one.check == "proofs.probabilities"]
    assert one.status == Status.SKIP and "doctor.skip=[proofs.probabilities]" in one.message


def test_an_error_that_stops_several_proofs_is_told_once(proved, monkeypatch):
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    found = proved(*own("model", HERE, "Breaking"))
    failed = [one for one in found if one.status == Status.FAIL]
    assert len(failed) == 1 and "RuntimeError in test_proofs.py" in failed[0].message
    assert any("The error that proofs." in one.message for one in found if one.status == Status.SKIP)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(RuntimeError, match="too many pictures"):
        proved(*own("model", HERE, "Breaking"))


def test_too_little_memory_is_no_fault_of_the_run(proved, monkeypatch):
    def full(self):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Bench, "_evaluate", full)
    found = proved()
    assert not [one for one in found if one.status in WRONG]
    assert any("too little memory" in one.message for one in found if one.status == Status.SKIP)


@pytest.fixture
def bench(plan):
    with open_trial(plan("model.pretrained=false"), Console(quiet=True)) as trial:
        yield Bench(trial)


def proof_of(name):
    return next(proof.run for proof in PROOFS if proof.name == name)


def with_labels(bench, labels):
    table = dataclasses.replace(bench.fold_data.table, targets=labels)
    bench.fold_data = dataclasses.replace(bench.fold_data, table=table)
    bench.data = dataclasses.replace(bench.data, table=table)


def test_labels_out_of_range_or_all_equal_are_told(bench):
    labels = bench.labels.copy()
    with_labels(bench, np.full_like(labels, 3))
    [one] = proof_of("labels")(bench)
    assert one.status == Status.WARN and "nothing to learn" in one.message
    labels[bench.fold_data.train_rows[0]] = 10
    with_labels(bench, labels)
    [one] = proof_of("labels")(bench)
    assert one.status == Status.FAIL and "out of range" in one.message


def test_a_class_that_a_fold_cannot_learn_is_told(bench):
    labels = bench.labels.copy()
    labels[labels == 7] = 3
    labels[bench.data.folds.valid_rows(1)[0]] = 7
    with_labels(bench, labels)
    [one] = proof_of("classes")(bench)
    assert one.status == Status.WARN and "Fold 1" in one.message and "7 (1 rows)" in one.message


def test_targets_of_other_rows_are_told(bench):
    _ = bench.clean
    with_labels(bench, np.roll(bench.labels, 1))
    assert any(
        one.status == Status.FAIL and "not those of its rows" in one.message
        for one in proof_of("rows")(bench)
    )


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda images: torch.zeros_like(images), "one colour"),
        (lambda images: images[:1].expand_as(images).clone(), "the same picture"),
        (lambda images: images.float(), "between 0 and 1"),
        (lambda images: images.float() / 0 - images.float() / 0, "not finite"),
    ],
)
def test_pictures_that_cannot_teach_are_told(bench, change, words):
    clean = bench.clean
    bench.__dict__["clean"] = clean._replace(images=change(clean.images))
    [one] = proof_of("pictures")(bench)
    assert one.status == Status.FAIL and words in one.message


def test_one_row_that_makes_the_variance_is_told(plan):
    with open_trial(
        plan("competition=tilt", "model.pretrained=false", "limit=100"), Console(quiet=True)
    ) as trial:
        bench = Bench(trial)
        labels = bench.labels.copy()
        labels[bench.fold_data.train_rows[5]] = 1e6
        with_labels(bench, labels)
        [one] = proof_of("labels")(bench)
    assert one.status == Status.WARN and "of the variance" in one.message


def test_equal_files_are_found_by_their_bytes_and_by_their_names(tmp_path):
    names = ["a", "b", "c", "d"]
    for name, text in zip(names, ["same", "same", "more", "longer"], strict=True):
        (tmp_path / name).write_text(text)
    files = np.array([[str(tmp_path / name).encode()] for name in [*names, "d"]])
    assert equal_files(Table(np.array(list("12345")), files, None)) == [[0, 1], [3, 4]]


def test_rows_are_spread_over_numbers_and_classes():
    numbers = np.array([[5.0], [1.0], [9.0], [3.0]], np.float32)
    assert spread_rows(numbers, np.arange(4), Task.REGRESSION, 2).tolist() == [1, 2]
    classes = np.repeat([0, 1, 2], 4)
    first = spread_rows(classes, np.arange(12), Task.MULTICLASS, 6, each=2)
    second = spread_rows(classes, np.arange(12), Task.MULTICLASS, 6, start=1, each=2)
    assert classes[first].tolist() == [0, 0, 1, 1, 2, 2] and not set(first) & set(second)


def test_the_leaves_of_a_loss_are_what_it_is_differentiated_by():
    layer, stray = nn.Linear(2, 1), torch.ones(1, requires_grad=True)
    found = leaves_of((layer(torch.ones(1, 2)) * stray).sum())
    assert {id(one) for one in found} == {id(layer.weight), id(layer.bias), id(stray)}
    assert leaves_of(torch.ones(1)) == []


def test_multiplied_weights_come_back_to_the_bit():
    layer = nn.Linear(3, 2)
    before = layer.weight.detach().clone()
    with multiplied(layer, 50.0):
        assert torch.allclose(layer.weight, 50 * before)
    assert torch.equal(layer.weight, before)


@pytest.mark.parametrize("shape", [(5,), (9000,), (70, 3), (512, 256, 3, 3), ()])
def test_some_entries_are_a_view_of_bounded_size(shape):
    tensor = torch.arange(float(np.prod(shape, dtype=int))).reshape(shape)
    some = some_entries(tensor)
    assert 0 < some.numel() <= 5 * 4096 and set(some.flatten().tolist()) <= set(tensor.flatten().tolist())


def test_units_of_maps_and_of_tokens_are_counted_by_channel():
    maps = torch.full((2, 3, 4, 4), -1.0)
    maps[:, 0] = 1
    with Units() as units:
        nn.ReLU()(maps)
        nn.functional.gelu(torch.full((2, 5, 4), -40.0))
        torch.sigmoid(torch.tensor([[9.0, 0.0]]))
    assert units.layers == [(3, 2), (4, 4)] and (units.gated, units.saturated) == (2, 1)


def test_a_watch_leaves_no_hook_behind():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    with Watch(model) as watch:
        model(torch.ones(1, 2))
    assert watch.first_layer is model[0] and watch.last is model[2]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())

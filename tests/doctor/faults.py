"""Faults, planted as somebody outside would: by an override, through a competition's folder, through a class of his own."""

from tests.doctor import downloads as d
from tests.doctor.variants import BOTH, DOCTOR, INSPECTION, TRAINING, Variant

ONE = ("resnet",)


def own(key: str, name: str, *overrides: str) -> tuple[str, ...]:
    """A part of the config by a class of planted_*.py: own("loss", "losses.Uphill")."""
    return (f"{key}._target_=tests.doctor.planted_{name}", *overrides)


def loss(name: str, *expected: str, nets: tuple[str, ...] = BOTH) -> Variant:
    return Variant(("loss=custom", *own("loss", f"losses.{name}")), expected, nets=nets)


def model(name: str, *expected: str, nets: tuple[str, ...] = BOTH) -> Variant:
    return Variant(own("model", f"models.{name}"), expected, nets=nets)


def optimizer(name: str, *expected: str) -> Variant:
    return Variant(own("optimizer", f"parts.{name}"), expected)


def train_only(name: str, *expected: str) -> Variant:
    """An augmentation that is no augmentation: always the same change, of training pictures alone."""
    return Variant((f"+augment.own={{_target_:{name}}}",), expected)


# by an override
CONFIGURED = {
    "lr_times_100": Variant(("lr=0.2",), ("diagnosis/first_epoch", "diagnosis/explosion", "diagnosis/not_learning", "diagnosis/divergence"), (TRAINING,)),
    "lr_over_1000": Variant(("lr=1e-6",), ("diagnosis/not_learning", "diagnosis/slow"), (TRAINING,)),
    "frozen_random_backbone": Variant(("finetune=partial", "finetune.freeze_stages=all"), ("start/proofs.frozen", "doctor/overfit*"), (DOCTOR,)),
    "huge_decay": Variant(("optimizer=adamw", "optimizer.weight_decay=200"), ("start/proofs.rates",)),
    "clipped_away": Variant(("optimizer=sgd", "trainer.clip_at=1e-7"), ("start/proofs.*", "doctor/overfit*", "diagnosis/not_learning", "diagnosis/slow"), (DOCTOR, TRAINING)),
    "lazy_average": Variant(("averaging=ema", "averaging.decay=0.99999", "averaging.warmup=false"), ("start/proofs.averaging",)),
    "inverted_in_training": Variant(("+augment.invert={_target_:albumentations.InvertImg,p:1}",), ("start/proofs.augmentation",), (DOCTOR, TRAINING)),
    "upside_down_in_training": Variant(("+augment.turn={_target_:albumentations.VerticalFlip,p:1}",), ("start/proofs.augmentation",)),
    "blurred_in_training": Variant(("+augment.blur={_target_:albumentations.Blur,blur_limit:[15,15],p:1}",), ("start/proofs.augmentation",)),
    "swapped_colours_in_training": Variant(("+augment.swap={_target_:tests.doctor.planted_parts.Swapped,p:1}", "competition.channels=3"), ("start/proofs.augmentation",), planter=d.coloured_by_class),
}  # fmt: skip

# through a user's own class
LOSSES = {
    "loss_uphill": loss("Uphill", "start/proofs.loss"),
    "loss_detached": loss("Detached", "start/proofs.loss"),
    "loss_cut": loss("Cut", "start/proofs.loss"),
    "loss_of_probabilities": loss("OfProbabilities", "doctor/initial_loss*", "doctor/overfit*"),
    "loss_summed": loss("Summed", "start/proofs.loss"),
    "loss_wrong_axis": loss("WrongAxis", "start/proofs.loss"),
    "loss_deaf": loss("Deaf", "start/proofs.loss"),
    "loss_next_class": loss("NextClass", "start/proofs.loss"),
    "loss_first_row_only": loss("FirstRowOnly", "start/proofs.loss"),
    "loss_nan_for_one_class": loss("NaNForOneClass", "start/proofs.loss"),
    "loss_tiny": loss("Tiny", "doctor/initial_loss*", "start/proofs.*"),
    "loss_without_a_class": loss("WithoutFirstClass", "start/proofs.loss"),
    "loss_rewards_a_class": loss("NegativeWeight", "start/proofs.loss"),
    "loss_without_logarithm": loss("WithoutLogarithm", "doctor/initial_loss*"),
    "loss_without_a_label": loss("IgnoredLabel", "start/proofs.loss")._replace(competition="mosaic"),
    "loss_wrong_backward": loss("HandMade", "doctor/gradients*"),
    "loss_drowned": loss("WithPenalty", "doctor/initial_loss*", "doctor/gradients*"),
    "loss_sigmoid_twice": loss("SigmoidTwice", "doctor/initial_loss*", "doctor/overfit*")._replace(
        competition="mosaic"
    ),
    "loss_summed_labels": loss("SummedLabels", "doctor/initial_loss*", "start/proofs.loss")._replace(
        competition="mosaic"
    ),
    "loss_broadcast": loss("Broadcast", "start/proofs.loss")._replace(competition="tilt"),
    "loss_rounded": loss("Rounded", "start/proofs.loss")._replace(competition="tilt"),
}
MODELS = {
    "softmaxed_output": model("Softmaxed", "start/proofs.probabilities"),
    "sigmoid_output": model("Sigmoided", "start/proofs.probabilities")._replace(competition="mosaic"),
    "bounded_numbers": model("Bounded", "start/proofs.probabilities", "start/proofs.units")._replace(competition="tilt"),
    "relu_on_logits": model("Rectified", "start/proofs.probabilities"),
    "rows_mixed": model("RowMixer", "start/proofs.evaluation"),
    "rows_reversed": model("Reversed", "start/proofs.evaluation"),
    "dropout_in_evaluation": model("Noisy", "start/proofs.evaluation"),
    "nan_for_some_rows": model("NaNForDarkRows", "start/proofs.outputs"),
    "constant_input": model("ConstantInput", "start/proofs.pictures", "start/proofs.outputs"),
    "blind": model("Blind", "start/proofs.outputs"),
    "backbone_without_gradient": model("NoGradient", "start/proofs.gradient"),
    "features_detached": model("DetachedFeatures", "start/proofs.gradient"),
    "stem_frozen_by_its_class": model("FrozenStem", "start/proofs.frozen"),
    "backbone_frozen_by_mistake": model("FrozenBackbone", "start/proofs.frozen"),
    "eval_mode_in_training": model("AlwaysEvaluating", "start/proofs.modes"),
    "eval_called_in_forward": model("EvaluatingInForward", "start/proofs.modes"),
    "train_mode_in_evaluation": model("AlwaysTraining", "start/proofs.modes", "start/proofs.evaluation", nets=ONE),
    "batch_statistics_in_evaluation": model("BatchStatistics", "start/proofs.modes", "start/proofs.evaluation", nets=ONE),
    "statistics_stand_still": model("StillStatistics", "start/proofs.modes", nets=ONE),
    "raw_input": model("RawPixels", "start/proofs.pictures"),
    "dimmed_input": model("Dimmed", "start/proofs.pictures"),
    "other_pictures_in_training": model("MirroredInTraining", "start/proofs.augmentation"),
    "dying_relu": model("DyingUnits", "start/proofs.units", "start/proofs.outputs"),
    "vanishing_gradient": model("Vanishing", "start/proofs.vanishing"),
    "loud_head": model("LoudHead", "doctor/initial_loss*"),
    "constant_weights": model("ConstantWeights", "start/proofs.symmetry"),
    "hasty_statistics": model("HastyStatistics", "start/proofs.modes", nets=ONE),
    "unused_layer": model("UnusedLayer", "start/proofs.gradient"),
    "layer_made_in_forward": model("MadeInForward", "start/proofs.optimizer"),
    "layer_new_each_time": model("NewEachTime", "start/proofs.optimizer", "start/proofs.evaluation"),
    "head_in_a_list": Variant(own("model.head", "models.ListedHead"), ("start/proofs.optimizer",)),
    "equal_logits": Variant(own("model.head", "models.OneClassHead"), ("start/proofs.outputs",)),
    "pooling_wrong_backward": Variant(own("model.pooling", "models.WrongPool"), ("doctor/gradients*",)),
    "layer_wrong_backward": model("WrongLayer", "doctor/gradients*"),
}  # fmt: skip
PARTS = {
    "no_zero_grad": optimizer("NoZeroGrad", "start/proofs.zero_grad"),
    "no_step": optimizer("NoStep", "start/proofs.steps"),
    "one_step_only": optimizer("OneStep", "start/proofs.steps"),
    "steps_uphill": optimizer("Ascent", "start/proofs.steps"),
    "head_not_in_the_optimizer": optimizer("WithoutHead", "start/proofs.optimizer"),
    "rate_of_weights_is_0": optimizer("NoRate", "start/proofs.rates"),
    "optimizer_sets_its_rate": optimizer("SetsItsRate", "start/proofs.rates"),
    "weights_shrink": optimizer("Shrinking", "start/proofs.rates"),
    "schedule_of_0": Variant(own("schedule", "parts.NoFactor", "~schedule.min_factor"), ("start/proofs.schedule",)),
    "schedule_rises": Variant(own("schedule", "parts.Rising", "~schedule.min_factor"), ("start/proofs.schedule",)),
    "schedule_all_warm_up": Variant(own("schedule", "parts.AllWarmUp", "~schedule.min_factor", "schedule.warmup_epochs=0"), ("start/proofs.schedule",)),
    "schedule_drops": Variant(own("schedule", "parts.Dropping", "~schedule.min_factor"), ("start/proofs.schedule",)),
    "schedule_low": Variant(own("schedule", "parts.Low", "~schedule.min_factor"), ("start/proofs.schedule",)),
    "schedule_below_0": Variant(own("schedule", "parts.Negative", "~schedule.min_factor"), ("start/proofs.schedule",)),
    "sampler_sorted": Variant(own("sampler", "parts.Sorted"), ("start/proofs.sampling",)),
    "sampler_same_few": Variant(own("sampler", "parts.SameFew"), ("start/proofs.sampling",)),
    "sampler_one_class": Variant(own("sampler", "parts.OneClass"), ("start/proofs.sampling",)),
    "metric_upside_down": Variant(own("metric", "parts.LowestAccuracy"), ("start/proofs.metrics",), nets=ONE),
    "metric_error_rate": Variant(own("metric", "parts.ErrorRate"), ("start/proofs.metrics",), nets=ONE),
    "metric_random": Variant(own("metric", "parts.RandomAccuracy"), ("start/proofs.metrics",), nets=ONE),
    "metric_of_the_first_rows": Variant(own("metric", "parts.FirstRowsAccuracy"), ("start/proofs.metrics",), nets=ONE),
    "metric_no_number": Variant(own("metric", "parts.NoNumber"), ("start/proofs.metrics",), nets=ONE),
    "metric_deaf": Variant(own("metric", "parts.DeafAccuracy"), ("start/proofs.metrics",), nets=ONE),
    "augmentation_blanks": train_only("tests.doctor.planted_parts.Blank,p:1", "start/proofs.augmentation"),
    "augmentation_darkens": train_only("tests.doctor.planted_parts.Darker,p:1", "start/proofs.augmentation"),
    "augmentation_normalises": train_only("tests.doctor.planted_parts.NormalisedTwice,p:1", "start/proofs.augmentation"),
    "augmentation_caches": train_only("tests.doctor.planted_parts.OtherPicture,p:1", "start/proofs.augmentation"),
}  # fmt: skip

NPY = ("competition.train_images='train/{id}.npy'", "competition.test_images='test/{id}.npy'")
BY_PART = ("competition.fold_column=part", "folds=2")


def data(
    planter: d.Planter, *expected: str, more: tuple[str, ...] = (), looks: tuple[str, ...] = (INSPECTION,)
) -> Variant:
    return Variant(more, expected, looks, planter, nets=BOTH if TRAINING in looks or DOCTOR in looks else ONE)


# through a competition's folder
FOLDERS = {
    "shuffled_labels": data(d.shuffled, "diagnosis/not_learning", "diagnosis/chance", looks=(TRAINING,)),
    "shifted_labels": data(d.shifted, "diagnosis/not_learning", "diagnosis/chance", looks=(TRAINING,)),
    "ids_of_other_pictures": data(d.other_pictures, "diagnosis/not_learning", "diagnosis/chance", looks=(TRAINING,)),
    "another_column": data(d.other_column, "diagnosis/not_learning", "diagnosis/chance", looks=(TRAINING,)),
    "noisy_labels": data(d.wrong, "diagnosis/label_noise", "diagnosis/overfit", "diagnosis/gap", looks=(TRAINING,))._replace(rows=1400),
    "few_rows": data(d.few, "diagnosis/gap", "diagnosis/overfit", more=(*BY_PART, "batch_size=8", "epochs=30"), looks=(TRAINING,))._replace(rows=440),
    "other_validation": data(d.other_validation, "diagnosis/chance", "diagnosis/gap", more=BY_PART, looks=(TRAINING,)),
    "swapped_header": data(d.swapped_header, "refused/*ids occur more than once*"),
    "classes_with_blanks": data(d.blanks, "start/proofs.labels", "inspection/class names", looks=(DOCTOR, INSPECTION)),
    "classes_in_other_case": data(d.cases, "start/proofs.labels", "inspection/class names", looks=(DOCTOR, INSPECTION)),
    "two_kinds_of_number": data(d.two_kinds_of_number, "inspection/class names"),
    "conflicting_rows": data(d.conflicting_rows, "refused/*ids occur more than once*"),
    "missing_labels": data(d.missing_labels, "refused/*label*"),
    "class_of_one_row": data(d.rare_class, "start/proofs.classes", "inspection/folds", looks=(DOCTOR, INSPECTION)),
    "class_missing_in_a_fold": data(d.class_in_one_fold, "start/proofs.classes", "inspection/folds", more=("competition.fold_column=part",), looks=(DOCTOR, INSPECTION)),
    "truncated_file": data(d.truncated, "inspection/readable pictures*", "refused/*cannot be*", looks=(DOCTOR, INSPECTION)),
    "empty_file": data(d.empty_file, "inspection/readable pictures*", "refused/*cannot be*", looks=(DOCTOR, INSPECTION)),
    "black_pictures": data(d.all_black, "start/proofs.pictures", "inspection/empty pictures*", looks=(DOCTOR, INSPECTION)),
    "one_picture": data(d.one_picture, "start/proofs.pictures", "inspection/duplicates*", looks=(DOCTOR, INSPECTION)),
    "twelve_bits_in_sixteen": data(d.twelve_bits, "start/proofs.pictures", looks=(DOCTOR,)),
    "eight_bits_in_sixteen": data(d.eight_bits_in_sixteen, "start/proofs.pictures", looks=(DOCTOR,)),
    "raw_floats": data(d.raw_floats, "refused/*expected 0 to 1*", more=NPY, looks=(DOCTOR,)),
    "nan_pixels": data(d.nan_pixels, "refused/*expected 0 to 1*", "inspection/readable pictures*", more=NPY, looks=(DOCTOR, INSPECTION)),
    "label_in_one_pixel": data(d.one_pixel, "inspection/shortcut: single pixels"),
    "one_class_brighter": data(d.grey_class, "inspection/shortcut: *"),
    "label_by_tint": data(d.coloured_by_class, "inspection/shortcut: *", more=("competition.channels=3",)),
    "one_class_turned": data(d.one_class_turned, "inspection/shortcut: picture size"),
    "stamp_on_one_class": data(d.stamp_on_one_class, "inspection/shortcut: single pixels"),
    "label_by_file_size": data(d.size_tells, "inspection/shortcut: file size"),
    "label_by_name": data(d.name_tells, "inspection/shortcut: file name"),
    "label_by_row_order": data(d.order_tells, "inspection/shortcut: row order"),
    "copies_across_folds": data(d.copies, "start/proofs.apart", "inspection/duplicates across folds", looks=(DOCTOR, INSPECTION)),
    "class_copied_as_another": data(d.contradictions, "inspection/duplicates with different labels"),
    "placeholders": data(d.placeholders, "inspection/duplicates with different labels"),
    "test_of_another_kind": data(d.other_test, "inspection/train against test", more=("predict_test=true",)),
}  # fmt: skip
NUMBERS = {
    "absurd_outlier": data(d.outlier, "start/proofs.labels", looks=(DOCTOR,))._replace(competition="tilt"),
    "constant_target": data(d.constant, "start/proofs.labels", "inspection/labels that never change", looks=(DOCTOR, INSPECTION))._replace(competition="tilt"),
    "almost_constant_target": data(d.almost_constant, "start/proofs.labels", looks=(DOCTOR,))._replace(competition="tilt"),
    "sentinel_targets": data(d.sentinel, "start/proofs.labels", looks=(DOCTOR,))._replace(competition="tilt"),
    "shuffled_numbers": data(d.shuffled_angles, "diagnosis/not_learning", "diagnosis/chance", looks=(TRAINING,))._replace(competition="tilt"),
    "constant_label": data(d.label_always_there, "inspection/labels that never change")._replace(competition="mosaic"),
    "label_twice": data(d.label_twice, "inspection/labels that are equal")._replace(competition="mosaic"),
    "shuffled_label_sets": data(d.shuffled_sets, "diagnosis/not_learning", "diagnosis/chance", looks=(TRAINING,))._replace(competition="mosaic"),
}  # fmt: skip

FAULTS: dict[str, Variant] = CONFIGURED | LOSSES | MODELS | PARTS | FOLDERS | NUMBERS

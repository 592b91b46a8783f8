"""Runs with nothing wrong, of many kinds: no check may WARN or FAIL."""

from tests.doctor import downloads as d
from tests.doctor.variants import BOTH, DOCTOR, INSPECTION, TRAINING, Variant

ONE = ("resnet",)
LOOKS = (DOCTOR, TRAINING)
NPY = ("competition.train_images='train/{id}.npy'", "competition.test_images='test/{id}.npy'")


def fine(*overrides: str, nets: tuple[str, ...] = ONE) -> Variant:
    return Variant(overrides, looks=LOOKS, nets=nets)


def on(planter: d.Planter, *overrides: str, nets: tuple[str, ...] = ONE) -> Variant:
    """A competition of one's own, at which the inspection looks too."""
    return Variant(overrides, looks=(DOCTOR, INSPECTION, TRAINING), planter=planter, nets=nets)


def own(key: str, name: str, *overrides: str, nets: tuple[str, ...] = BOTH) -> Variant:
    """A class of one's own: own("loss", "Poly")."""
    return fine(*overrides, f"{key}._target_=tests.doctor.healthy_parts.{name}", nets=nets)


OPTIMIZED = {
    "plain": fine(nets=BOTH),
    "adamw": fine("optimizer=adamw", nets=BOTH),
    "momentum": fine("optimizer=momentum", "lr=0.03"),
    "sgd": fine("optimizer=sgd", "lr=0.1"),
    "lion": fine("optimizer=lion", "lr=3e-4"),
    "rmsprop": fine("optimizer=rmsprop", "lr=1e-3"),
    "lamb": fine("optimizer=lamb", "lr=1e-2"),
    "adan": fine("optimizer=adan", "lr=2e-3"),
    "muon": fine("optimizer=muon", "lr=2e-2"),
    "constant": fine("schedule=constant", nets=BOTH),
    "one_cycle": fine("schedule=one_cycle", "lr=4e-3"),
    "cosine_cycles": fine("schedule=cosine_cycles"),
    "plateau": fine("schedule=plateau", "schedule.patience=2"),
    "step": fine("schedule=step"),
    "exponential": fine("schedule=exponential"),
    "warm_up": fine("schedule.warmup_epochs=3"),
    "clipped": fine("trainer.clip_at=1", "trainer.accumulate=2"),
    "decayed": fine("optimizer=adamw", "optimizer.weight_decay=0.1", "trainer.l1=1e-6"),
    "half_precision": fine("trainer.precision=bf16", nets=BOTH),
    "ema": fine("averaging=ema"),
    "swa": fine("averaging=swa"),
    "few_epochs": fine("epochs=2", nets=BOTH),
    "one_epoch": fine("epochs=1"),
    "stopped_early": fine("epochs=30", "trainer.early_stopping_epochs=4", "schedule=constant"),
    "large_batches": fine("batch_size=64"),
}
PICTURED = {
    "mixup": fine("mixing=mixup", nets=BOTH),
    "cutmix_until_late": fine("mixing=cutmix", "mixing.off_epochs=2"),
    "mixup_cutmix": fine("mixing=mixup_cutmix"),
    "augmented": fine("augment=light", nets=BOTH),
    "heavily_augmented": fine("augment=heavy", "~augment.flip"),
    "policy": fine("augment=trivialaugment"),
    "flips": fine("augment=flips"),
    "sizes": fine("scale=progressive"),
    "many_sizes": fine("scale=multi"),
    "measured_scaling": fine("scaling=measured"),
    "percentiles": fine("scaling=percentile"),
    "five_channels": on(d.five_channels, *NPY, "competition.channels=5"),
    "sixteen_bits": on(d.sixteen_bits),
    "floats_with_their_maximum": on(d.dark_floats, *NPY, "competition.max_value=4000"),
    "colours": on(d.coloured, "competition.channels=3"),
}
TAUGHT = {
    "label_smoothing": fine("loss=label_smoothing", nets=BOTH),
    "focal": fine("loss=focal"),
    "hard_samples": fine("loss=ohem"),
    "hinge": fine("loss=hinge"),
    "sum_of_losses": fine("loss=ce_lovasz"),
    "dice": fine("loss=sum", "+loss.terms.dice={_target_:compkit.losses.Dice,_partial_:true}"),
    "arcface": fine("model/head=arcface", "model.head.scale=16"),
    "sub_centers": fine("model/head=sub_center_arcface", "model.head.scale=16"),
    "adacos": fine("model/head=adacos"),
    "cosine_head": fine("model/head=cosine"),
    "hidden_layer": fine("model/head=mlp"),
    "several_dropouts": fine("model/head=multi_sample_dropout", nets=BOTH),
    "retrieval": fine("loss=bag_of_tricks", "model/neck=bnneck", "sampler=pk"),
    "gem": fine("model/pooling=gem"),
    "two_poolings": fine("model/pooling=dual", nets=BOTH),
    "embedding": fine("model/neck=embedding"),
    "drop_path": fine("model.drop_path_rate=0.2", "model/neck=dropout", nets=("vit",)),
    "he_start": fine("model/initialise=he"),
    "no_prior": fine("model.prior_bias=false"),
    "frozen_first": fine("finetune=freeze", "finetune.freeze_backbone_epochs=2", nets=BOTH),
    "discriminative": fine("finetune=discriminative", nets=BOTH),
    "layer_decay": fine("finetune=layer_decay", nets=("vit",)),
    "pretrained": fine("model.weights={weights}", nets=BOTH),
    "pretrained_and_frozen": fine("model.weights={weights}", "finetune=partial", "finetune.freeze_stages=2"),
    "pretrained_head_only": fine("model.weights={weights}", "finetune=partial", "finetune.freeze_stages=all", "lr=0.01"),
}  # fmt: skip
ROWS = {
    "imbalanced": on(d.imbalanced, nets=BOTH)._replace(rows=1400),
    "imbalanced_and_balanced": on(d.imbalanced, "sampler=balanced")._replace(rows=1400),
    "imbalanced_and_weighted": on(d.imbalanced, "loss.class_weight=inverse_frequency")._replace(rows=1400),
    "two_classes": on(d.two_classes),
    "somebodys_folds": on(d.somebodys_folds, "competition.fold_column=part"),
    "by_time": on(d.years, "competition.time_column=year"),
    "holdout": fine("competition.fold_scheme=holdout"),
    "two_folds": fine("folds=2"),
    "tiny_validation": fine("folds=30"),
    "beside_it": on(d.further_column, "+auxiliary.is_round={column:is_round,task:multiclass,weight:0.3}"),
    "angles": fine("epochs=12")._replace(competition="tilt", nets=BOTH),
    "angles_mae": fine("loss=mae", "epochs=12")._replace(competition="tilt"),
    "angles_huber": fine("loss=huber", "loss.delta=10", "epochs=12")._replace(competition="tilt"),
    "several_labels": fine("image_size=32", "limit=null", "augment=light", "epochs=15")._replace(competition="mosaic"),
    "several_labels_fbeta": fine("loss=bce_fbeta", "image_size=32", "limit=null", "augment=light", "epochs=15")._replace(competition="mosaic"),
}  # fmt: skip
OWN = {
    "own_loss": own("loss", "Poly", "loss=custom"),
    "own_loss_one_against_rest": own("loss", "OneAgainstRest", "loss=custom"),
    "own_loss_of_numbers": own("loss", "LogCosh", "loss=custom", nets=ONE)._replace(competition="tilt"),
    "own_backward": own("loss", "HandMade", "loss=custom"),
    "own_net": own("model", "PlainNet", nets=ONE),
    "own_net_without_norms": own("model", "PlainNet", "+model.norm=false", nets=ONE),
    "own_gate": own("model", "GatedNet"),
    "own_norm_first": own("model", "NormFirst", nets=ONE),
    "own_checkpointing": own("model", "Checkpointed"),
    "own_head": own("model.head", "TwoLayerHead"),
    "own_pooling": own("model.pooling", "HandMadePool"),
    "own_optimizer": own("optimizer", "Signed", "lr=1e-3", "~optimizer.betas", "~optimizer.eps", nets=ONE),
    "own_schedule": own("schedule", "InverseRoot", "~schedule.min_factor", nets=ONE),
    "own_sampler": own("sampler", "Halves", nets=ONE),
    "own_metric": own("metric", "ErrorRate", nets=ONE),
    "own_augmentation": fine("+augment.own={_target_:tests.doctor.healthy_parts.Smoothed,p:1}"),
}

HEALTHY: dict[str, Variant] = OPTIMIZED | PICTURED | TAUGHT | ROWS | OWN

"""What a planted fault and a healthy variant are: a run of train.py on an embedded competition, with some overrides."""

from typing import NamedTuple

from tests.doctor.downloads import Planter

NETS = {
    "resnet": ("model.backbone=test_resnet", "image_size=32", "lr=2e-3"),
    "vit": ("model.backbone=test_vit", "image_size=64", "lr=1e-3", "schedule.warmup_epochs=1"),
}
BOTH = tuple(NETS)
COMMON = (
    "model=timm",
    "model.pretrained=false",
    "limit=600",
    "folds=3",
    "train_folds=[0]",
    "epochs=10",
    "batch_size=16",
    "num_workers=0",
    "trainer.threads=1",
    "predict_test=false",
    "doctor.at_start=false",  # a fault that stops a training at its start would leave no curves
)
# ways to look at a run, in the order of their cost
DOCTOR, INSPECTION, TRAINING = "doctor", "inspection", "training"
START = "start"  # where the doctor's proofs are told: train.py begins with them


class Variant(NamedTuple):
    """One run, and what should be said of it.

    Attributes:
        overrides: of train.py, behind COMMON and those of the network.
        expected: patterns of place/check, of which one at least must speak up: `start/proofs.frozen`, `doctor/overfit`,
            `inspection/folds`, `diagnosis/gap`, and `refused/<words of the message>` where the run must not begin; none:
            nothing may.
        looks: what looks at it: DOCTOR, INSPECTION, TRAINING (then the curves are diagnosed).
        planter: what is done to the competition's tables and files.
        competition: which of the embedded ones.
        rows: training rows of a changed competition; None keeps all.
        nets: names of NETS.
    """

    overrides: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    looks: tuple[str, ...] = (DOCTOR,)
    planter: Planter | None = None
    competition: str = "digits"
    rows: int | None = 600
    nets: tuple[str, ...] = BOTH

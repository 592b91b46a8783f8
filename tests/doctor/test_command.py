"""The doctor as a command, and its proofs at the start of train.py: what is refused, told and written, and to the bit."""

import json
import re

import pytest

from compkit.doctor import start
from compkit.doctor.command import doctor
from compkit.doctor.start import prove_at_start
from compkit.findings import Finding, Status

from ..commands import call_here
from ..conftest import QUICK

MODELS, PARTS = (f"tests.doctor.planted_{part}" for part in ("models", "parts"))
RUN = ("train_folds=[0]", "epochs=1", "model/neck=dropout", "mixing=mixup", "augment=light", "averaging=ema")
SOFTMAXED = f"model._target_={MODELS}.Softmaxed"


def bits(folder):
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in (".parquet", ".safetensors")]
    assert files
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_with_and_without_proofs_and_doctor_has_the_same_bits(train, plan, workers):
    own = (*RUN, f"num_workers={workers}")
    assert doctor(plan(*own, name="proven"), ["proofs"], 5)
    proven = train(*own, name="proven")
    alone = train(*own, "doctor.at_start=false", name="alone")
    assert bits(proven) == bits(alone)
    assert (proven / "doctor.json").is_file() and not (alone / "doctor.json").exists()


def test_what_train_proved_lies_beside_the_run(train, capsys):
    folder = train(*RUN, "predict_test=false", "model.pretrained=false", "averaging.warmup=false")
    record = json.loads((folder / "doctor.json").read_text())
    assert {one["check"] for one in record["findings"]} >= {"proofs.optimizer", "proofs.loss"}
    assert "fail" not in {one["status"] for one in record["findings"]}
    said = capsys.readouterr().out
    # an average of 2 steps that forgets nothing is likely a mistake, and no proof
    assert "warning: WARN proofs.averaging" in said and "averaging.warmup=true" in said
    assert re.search(r"doctor: \d+ proofs hold, in \d+\.\d s", said)


def test_a_failure_is_refused_before_anything_is_written(train, tmp_path):
    with pytest.raises(ValueError) as caught:
        train(SOFTMAXED)
    message = str(caught.value)
    assert "FAIL proofs.probabilities: The outputs are probabilities already" in message
    assert "Return logits" in message and "doctor.skip=[proofs.probabilities]" in message
    assert not list(tmp_path.glob("outputs/*/run"))


def test_what_is_meant_is_trained(train):
    skip = "doctor.skip=[proofs.probabilities]"
    folder = train(SOFTMAXED, skip, "train_folds=[0]", "epochs=1", "predict_test=false")
    found = {one["check"]: one for one in json.loads((folder / "doctor.json").read_text())["findings"]}
    assert found["proofs.probabilities"]["status"] == "skip"


def test_all_proofs_can_be_left_out_and_a_wrong_name_is_answered(train, tmp_path):
    folder = train(SOFTMAXED, "doctor.skip=[proofs]", "train_folds=[0]", "epochs=1", "predict_test=false")
    assert not (folder / "doctor.json").exists()
    with pytest.raises(
        ValueError, match=r"doctor.skip=\['profs'\].*There are\n  proofs: (.|\n)*proofs\.optimizer"
    ):
        train("doctor.skip=[profs]", name="other")
    assert not (tmp_path / "outputs" / "digits" / "other").exists()


def test_a_run_that_goes_on_is_not_proven_again(train, monkeypatch):
    own = ("train_folds=[0]", "predict_test=false")
    folder = train(*own, "epochs=1")
    before = (folder / "doctor.json").read_bytes()

    def refuse(*args):
        raise AssertionError("proven again")

    monkeypatch.setattr(start, "examine", refuse)
    train(*own, "epochs=2", "resume=true", "doctor.skip=[proofs.frozen]")  # which may change on the way
    assert (folder / "doctor.json").read_bytes() == before


def test_full_data_is_proven_too(train):
    folder = train("full_data=true", "epochs=1", "predict_test=false")
    found = {
        one["check"]: one["status"] for one in json.loads((folder / "doctor.json").read_text())["findings"]
    }
    assert found["proofs.apart"] == "skip" and found["proofs.gradient"] == "pass"


def test_failures_are_refused_together():
    found = [Finding(f"proofs.{name}", Status.FAIL, f"{name}.", remedy="Look.") for name in "aba"]
    with pytest.raises(ValueError, match=r"a\.(.|\n)*b\.(.|\n)*doctor\.skip=\[proofs\.a,proofs\.b\]"):
        start.refuse(found)
    start.refuse([])
    assert prove_at_start is start.prove_at_start


@pytest.fixture
def arguments(data_dir, tmp_path):
    paths = (f"data_dir={data_dir}", f"output_dir={tmp_path / 'outputs'}", "name=run")
    return ("scripts/doctor.py", *QUICK, *paths, "model.pretrained=false", "doctor.only=[proofs]")


def test_the_command_writes_its_page_beside_earlier_ones(capsys, arguments, tmp_path):
    status, out, err = call_here(capsys, *arguments)
    folder = tmp_path / "outputs" / "digits" / "doctor"
    assert status == 0 and not err, err
    assert f"page: {folder / 'run' / 'doctor.html'}" in out
    before = (folder / "run" / "doctor.html").read_bytes()
    status, out, err = call_here(capsys, *arguments, f"model.head._target_={MODELS}.OneClassHead")
    assert status == 1 and not err, err
    assert "FAIL proofs.outputs: All classes get the same number" in out.replace("\n", " ")
    assert (folder / "run" / "doctor.html").read_bytes() == before
    record = json.loads((folder / "run_2" / "doctor.json").read_text())
    assert record["status"] == "fail" and "OneClass" not in (folder / "run_2" / "doctor.html").read_text()
    assert not (tmp_path / "outputs" / "digits" / "run").exists()


@pytest.mark.parametrize(
    "given, words",
    [
        (["doctor.only=[gradient]"], "no check is called 'gradient'"),
        (["doctor.minutes=0"], "doctor.minutes: got 0"),
        (["doctor.minutes=-1"], "doctor.minutes: got -1"),
        (["doctor.skip=[proofs]"], "leave no check"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_written(capsys, arguments, tmp_path, given, words):
    status, _, err = call_here(capsys, *arguments, *given)
    assert status == 2 and words in err and "Traceback" not in err
    assert not (tmp_path / "outputs" / "digits" / "doctor").exists()


def test_at_start_is_true_or_false(train):
    with pytest.raises(ValueError, match=r"doctor.at_start=maybe: expected true or false"):
        train("doctor.at_start=maybe")

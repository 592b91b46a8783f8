"""Which planted faults are named, by what, and whether healthy runs are left alone: the confusion table of the README.

    OMP_NUM_THREADS=1 python -m tests.doctor.harness --root /tmp/doctor --seeds 0 1 2 --markdown table.md
    OMP_NUM_THREADS=1 python -m tests.doctor.harness --root /tmp/doctor --seeds 0 --only plain shuffled_labels
    OMP_NUM_THREADS=1 python -m tests.doctor.harness --root /tmp/doctor --seeds 0 --looks doctor inspection
    OMP_NUM_THREADS=1 python -m tests.doctor.harness --root /tmp/doctor --seeds 0 1 2 --healthy-seeds 0

Trainings that lie in the root already are not made again, and what doctor and inspection said is asked again only when
their code has changed. The whole takes hours; `--processes` shares it among cores, and `--looks` leaves trainings out.
"""

import argparse
import hashlib
import io
import json
import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from compkit.build import build_plan
from compkit.demo import ensure_competition
from compkit.diagnosis import diagnose_run
from compkit.doctor.examine import examine
from compkit.doctor.proofs import PROOFS_CHECK
from compkit.doctor.registry import CHECKS
from compkit.engine import Console
from compkit.files import write_text
from compkit.findings import Finding, Status
from compkit.inspection import inspect
from compkit.pipeline import run
from compkit.run.plan import Plan
from compkit.run.trial import open_trial
from tests.conftest import compose_train
from tests.doctor import downloads
from tests.doctor.confusion import Result, markdown, matching, show_results
from tests.doctor.faults import FAULTS
from tests.doctor.healthy import HEALTHY
from tests.doctor.variants import COMMON, DOCTOR, INSPECTION, NETS, START, TRAINING, Variant
from tests.inspection import planted

LOUD = (Status.WARN, Status.FAIL)
SOURCE = Path(__file__).parents[2] / "compkit"
# packages whose code decides what a look finds
CODE = {
    DOCTOR: ("competition", "data", "doctor", "engine", "losses", "models", "optim", "run"),
    INSPECTION: ("competition", "data", "inspection", "pictures"),
}
PHOTOS = {f"photos: {fault.plant.__name__}": fault for fault in planted.FAULTS}
HEALTHY_PHOTOS = "photos"
LOOKS = (DOCTOR, INSPECTION, TRAINING)
# which look finds what is told at a place; a run may be refused in any
FINDS = {START: DOCTOR, DOCTOR: DOCTOR, INSPECTION: INSPECTION, "diagnosis": TRAINING}


class Task(NamedTuple):
    """One variant to look at."""

    root: Path
    name: str
    net: str
    seed: int
    looks: tuple[str, ...] = LOOKS  # those that are wanted


def tasks(
    root: Path,
    seeds: Sequence[int],
    only: Sequence[str],
    nets: Sequence[str],
    looks: Sequence[str] = LOOKS,
    healthy_seeds: Sequence[int] | None = None,
) -> list[Task]:
    """All variants unless some are named, on some networks; faults that the wanted looks could name.

    Healthy variants take seeds of their own where they are given.
    """
    seeds_of_healthy = seeds if healthy_seeds is None else healthy_seeds
    variants = {
        name: variant.nets for name, variant in (FAULTS | HEALTHY).items() if can_be_told(variant, looks)
    }
    if INSPECTION in looks:
        variants |= dict.fromkeys([*PHOTOS, HEALTHY_PHOTOS], ("-",))
    return [
        Task(root, name, net, seed, tuple(looks))
        for name, known in variants.items()
        if not only or name in only
        for net in known
        if net in (*nets, "-")
        for seed in (seeds_of_healthy if name in HEALTHY or name == HEALTHY_PHOTOS else seeds)
    ]


def can_be_told(variant: Variant, looks: Sequence[str]) -> bool:
    """Whether these looks decide anything about a variant.

    >>> can_be_told(Variant(expected=("diagnosis/gap",), looks=(DOCTOR, TRAINING)), [DOCTOR])
    False
    """
    own = [look for look in variant.looks if look in looks]
    places = [pattern.partition("/")[0] for pattern in variant.expected]
    return bool(own) and (not places or any(FINDS.get(place, own[0]) in own for place in places))


def look_at(task: Task) -> Result:
    """Everything that is said of a variant."""
    if task.name in (*PHOTOS, HEALTHY_PHOTOS):
        return look_at_photos(task)
    variant = (FAULTS | HEALTHY)[task.name]
    found: dict[str, str] = {}
    for look in variant.looks:
        if look in task.looks:
            found |= said(look, task, variant)
    return Result(task.name, task.net, task.seed, variant.expected, found)


def look_at_photos(task: Task) -> Result:
    """What the inspection says of its own planted faults."""
    fault = PHOTOS.get(task.name)
    place = kept(task.root, INSPECTION, [task.name, str(task.seed)])
    if not place.is_file():
        folder = task.root / "data" / f"{task.name.replace(': ', '_')}_{task.seed}"
        found = planted.plant(fault, folder, task.seed).findings
        write_text(place, json.dumps(loud(INSPECTION, found)))
    expected = () if fault is None else (f"{INSPECTION}/{fault.check}",)
    return Result(task.name, task.net, task.seed, expected, json.loads(place.read_text()))


def said(look: str, task: Task, variant: Variant) -> dict[str, str]:
    """WARN and FAIL of one look, as place/check with their messages."""
    overrides = all_overrides(task, variant)
    place = kept(task.root, look, overrides)
    if look != TRAINING and place.is_file():
        return json.loads(place.read_text())
    plan = make_plan(task, overrides)
    try:
        if look == TRAINING:
            return loud("diagnosis", train(plan))
        if look == DOCTOR:
            found = ask_doctor(plan, variant.expected)
        else:
            found = loud(INSPECTION, inspect(replace(plan, folder=place), None, threads=1).findings)
    except Exception as error:  # one variant that breaks must not end all; it is counted as wrong
        kind = "refused" if isinstance(error, ValueError | FileNotFoundError) else "crashed"
        return {f"{kind}/{error}": f"{type(error).__name__}: {error}"}
    write_text(place, json.dumps(found))
    return found


def loud(place: str, findings: Sequence[Finding]) -> dict[str, str]:
    """WARN and FAIL by place/check."""
    return {f"{place}/{one.check}": f"{one.status}: {one.message}" for one in findings if one.status in LOUD}


def ask_doctor(plan: Plan, expected: Sequence[str]) -> dict[str, str]:
    """WARN and FAIL of the checks, up to the first that says what is expected; of healthy runs of all.

    Those that train.py begins with too are found at its start.
    """
    found: dict[str, str] = {}
    with Console(quiet=True) as console, open_trial(plan, console) as trial:
        for each in examine(trial, CHECKS, float("inf")):
            found |= loud(START if each.check is PROOFS_CHECK else DOCTOR, each.findings)
            if matching(found, expected):
                break
    return found


def train(plan: Plan) -> Sequence[Finding]:
    """What the curves say, after training unless that is done."""
    if not (plan.folder / "metrics.json").is_file():
        with redirect_stdout(io.StringIO()):  # train.log has it
            run(plan)
    return diagnose_run(plan.folder)


def all_overrides(task: Task, variant: Variant) -> list[str]:
    """Of the whole run but for its folders."""
    overrides = [*COMMON, f"competition={variant.competition}", *NETS[task.net], *variant.overrides]
    if variant.planter is not None:
        code = digest([Path(downloads.__file__).read_text(encoding="utf-8")])
        name = f"{variant.competition}_{variant.planter.__name__}_{variant.rows}_{task.seed}_{code}"
        data = task.root / "data" / name
        downloads.competition_with(variant.planter, variant.competition, variant.rows, data, task.seed)
        overrides += [f"competition.path={data}", "limit=null"]
    if any("{weights}" in one for one in overrides):
        weights = pretrained(task)
        overrides = [one.replace("{weights}", str(weights)) for one in overrides]
    return [*overrides, f"seed={task.seed}"]


def pretrained(task: Task) -> Path:
    """Weights of the network that have seen digits, of another seed."""
    first = Task(task.root, "plain", task.net, task.seed + 100)
    plan = make_plan(first, all_overrides(first, HEALTHY["plain"]))
    train(plan)
    return plan.folder / "fold_0" / "best.safetensors"


def make_plan(task: Task, overrides: Sequence[str]) -> Plan:
    """The plan of a variant, in a folder of its own for these overrides."""
    for name in ("digits", "mosaic", "tilt"):
        ensure_competition(name, task.root / "data")
    name = f"{task.name}_{task.net}_{task.seed}_{digest(overrides)}"
    paths = (f"data_dir={task.root / 'data'}", f"output_dir={task.root / 'runs'}", f"name={name}")
    return build_plan(compose_train(*overrides, *paths, "resume=true"))


def kept(root: Path, look: str, overrides: Sequence[str]) -> Path:
    """Where the findings of a look are kept, by overrides and code."""
    files = [path for part in CODE.get(look, ()) for path in sorted((SOURCE / part).rglob("*.py"))]
    files += [
        *sorted(Path(__file__).parent.glob("planted_*.py")),
        Path(__file__).with_name("healthy_parts.py"),
    ]
    code = digest([path.read_text(encoding="utf-8") for path in files])
    return root / "said" / look / code / f"{digest(overrides)}.json"


def digest(texts: Sequence[str]) -> str:
    """A short name for some texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:10]


def results(todo: Sequence[Task], processes: int) -> Iterator[Result]:
    """Look at all variants, in their order."""
    if processes == 1:
        yield from map(look_at, todo)
        return
    with multiprocessing.get_context("spawn").Pool(processes, maxtasksperchild=20) as pool:
        yield from pool.imap(look_at, todo)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, required=True, help="where trainings and findings are kept")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--healthy-seeds", type=int, nargs="*", help="those of healthy variants, if others")
    parser.add_argument("--only", nargs="*", default=[], help="names of variants")
    parser.add_argument("--nets", nargs="*", default=list(NETS), choices=list(NETS))
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--markdown", type=Path, help="write the README's table there")
    parser.add_argument("--looks", nargs="*", default=list(LOOKS), choices=LOOKS)
    given = parser.parse_args()
    todo = tasks(given.root, given.seeds, given.only, given.nets, given.looks, given.healthy_seeds)
    done: list[Result] = []
    with Console() as console:
        for one in results(todo, given.processes):
            done.append(one)
            verdict = "right" if one.is_right else "WRONG"
            console.say(f"{len(done)} of {len(todo)}: {one.name}, {one.net}, seed {one.seed}: {verdict}")
        show_results(done, console)
    if given.markdown is not None:
        write_text(given.markdown, markdown(done))


if __name__ == "__main__":
    main()

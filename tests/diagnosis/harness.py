"""Which planted faults the diagnosis of curves names, and whether it leaves healthy trainings alone.

    OMP_NUM_THREADS=1 python -m tests.diagnosis.harness --root /tmp/doctor --seeds 0 1 2
    OMP_NUM_THREADS=1 python -m tests.diagnosis.harness --root /tmp/doctor --seeds 0 --only plain shuffled_labels

Trainings that lie in the root already are not made again; one takes ten seconds or so of one core.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from compkit.build import build_plan
from compkit.demo import ensure_competition
from compkit.diagnosis import diagnose_run
from compkit.engine import Console
from compkit.findings import Status
from compkit.pipeline import run
from tests.conftest import compose_train
from tests.diagnosis.variants import COMMON, FAULTS, HEALTHY, NETS, Variant, competition_with


class Result(NamedTuple):
    """What the diagnosis said of one training."""

    name: str
    net: str
    seed: int
    expected: frozenset[str]  # none: healthy
    found: frozenset[str]  # WARN and FAIL

    @property
    def is_right(self) -> bool:
        return bool(self.expected & self.found) if self.expected else not self.found


def train(root: Path, name: str, variant: Variant, net: str, seed: int) -> Path:
    """Train a variant, unless that is done; returns the run's folder."""
    data = root / "data"
    ensure_competition("digits", data)
    overrides = [*COMMON, *NETS[net], *variant.overrides, f"seed={seed}"]
    if variant.labels:
        folder = data / f"{variant.labels}_{seed}"
        overrides.append(
            f"competition.path={competition_with(variant.labels, data / 'digits', folder, seed)}"
        )
    paths = (f"data_dir={data}", f"output_dir={root / net / str(seed)}", f"name={name}", "resume=true")
    plan = build_plan(compose_train(*overrides, *paths))
    if not (plan.folder / "metrics.json").is_file():
        run(plan)
    return plan.folder


def results(
    root: Path, seeds: Sequence[int], only: Sequence[str] = (), nets: Sequence[str] = tuple(NETS)
) -> Iterator[Result]:
    """Train and diagnose; all variants unless some are named."""
    for name, variant in (FAULTS | HEALTHY).items():
        for net in [net for net in variant.nets if net in nets and (not only or name in only)]:
            for seed in seeds:
                findings = diagnose_run(train(root, name, variant, net, seed))
                found = {one.check for one in findings if one.status in (Status.WARN, Status.FAIL)}
                yield Result(name, net, seed, variant.expected, frozenset(found))


def show_results(done: Sequence[Result], console: Console) -> None:
    """The table of faults against findings, and how many were right."""
    rows = [
        [
            one.name,
            one.net,
            one.seed,
            " or ".join(sorted(one.expected)) or "nothing",
            ", ".join(sorted(one.found)) or "nothing",
            "right" if one.is_right else "WRONG",
        ]
        for one in done
    ]
    console.table("diagnosis of curves", ["training", "net", "seed", "expected", "found", ""], rows)
    ill, healthy = [one for one in done if one.expected], [one for one in done if not one.expected]
    console.say(
        f"faults named: {sum(one.is_right for one in ill)} of {len(ill)}; "
        f"false alarms: {sum(not one.is_right for one in healthy)} of {len(healthy)} healthy trainings"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="*", default=[])
    given = parser.parse_args()
    with Console() as out:
        show_results(list(results(given.root, given.seeds, given.only)), out)

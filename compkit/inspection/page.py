"""An inspection as one HTML page and as JSON."""

from typing import Any

import numpy as np

from compkit.competition import Competition, Folds
from compkit.findings import Finding, Status, worst
from compkit.inspection.inspect import Inspection
from compkit.inspection.sheets import Shelf, class_sheet, duplicate_sheet, extreme_sheet, issue_sheet
from compkit.inspection.summary import label_counts, mean_std, size_counts, suggested_size
from compkit.pictures.measure import Measured
from compkit.report.page import render
from compkit.report.plots import histogram
from compkit.report.section import Card, Figure, Number, Section, Table
from compkit.types import Task

MOST_SIZES = 12
MOST_CLASSES = 400
MOST_DAMAGED = 500  # files
ORDER = (Status.FAIL, Status.WARN, Status.INFO, Status.PASS, Status.SKIP)


def inspection_page(found: Inspection, competition: Competition) -> str:
    """The page as HTML that needs nothing but itself."""
    shelf = Shelf(found, competition)
    sections = [
        findings_section(found.findings),
        labels_section(found, competition),
        pictures_section(found),
        *damaged_section(found),
        *issue_sheet(found, shelf),
        *duplicate_sheet(found, shelf),
        class_sheet(found, shelf),
        extreme_sheet(found, shelf),
    ]
    return render(f"{competition.name} / data", cards(found), sections, [])


def cards(found: Inspection) -> list[Card]:
    """The numbers at the top."""
    status = [finding.status for finding in found.findings]
    faults = status.count(Status.FAIL) + status.count(Status.WARN)
    mean, std = mean_std(found.train_seen)
    repeated = len(found.ids) - len(np.unique(found.duplicates.groups))
    measured = found.train_seen if found.test_seen is None else found.train_seen.joined(found.test_seen)
    return [
        Card("Findings", f"{faults} to look at", f"of {len(status)} checks; worst: {worst(found.findings)}"),
        Card("Training pictures", f"{len(found.table):,}", f"{len(found.train_seen.bad)} cannot be read"),
        Card("Test pictures", f"{0 if found.test is None else len(found.test):,}", "rows to predict"),
        Card("Duplicates", f"{repeated:,}", "pictures beyond the first of their group, train and test"),
        Card("Mean and deviation", _listed(mean), f"± {_listed(std)}, of training pixels from 0 to 1"),
        Card(
            "To start with",
            f"image_size={suggested_size(found.train_seen)}",
            "the usual shorter side, at most 384",
        ),
        Card(
            "Speed",
            f"{measured.rate:,.0f} img/s a core",
            f"{measured.rate / measured.decode_rate:.2f} of decoding alone, {measured.decode_rate:,.0f} in that pass",
        ),
    ]


def findings_section(findings: list[Finding]) -> Section:
    """All findings, the worst first."""
    rows = [
        [
            str(one.status).upper(),
            one.check,
            one.message + f"\nexpected: {one.expected}" * bool(one.expected and one.remedy),
            one.remedy,
        ]
        for one in sorted(findings, key=lambda one: ORDER.index(one.status))
    ]
    told = [row for row in rows if row[0] in ("FAIL", "WARN", "INFO")]
    rest = [row[:3] for row in rows if row[0] in ("PASS", "SKIP")]
    columns = ["status", "check", "what was seen", "what to do"]
    sentences = ["FAIL is proven, WARN is likely: look at it. Nothing is changed or deleted."]
    tables = [Table("To look at, and worth knowing", columns, told)] if told else []
    return Section("findings", "Findings", sentences, tables=[*tables, Table("In order", columns[:3], rest)])


def labels_section(found: Inspection, competition: Competition) -> Section:
    """How many pictures of each class there are, in all and in each fold; of numbers their spread."""
    table, folds = found.table, found.folds
    if competition.task == Task.REGRESSION:
        charts = [
            histogram(name, table.labels[:, place].astype(np.float64), name)
            for place, name in enumerate(competition.classes[:6])
        ]
        return Section("labels", "Labels", figures=[Figure("How often each value occurs.", charts)])
    count = len(competition.classes)
    total = label_counts(table, competition.task, count)
    columns, parts = ["class", "pictures", "share"], []
    if isinstance(folds, Folds):
        kept = table.take(np.flatnonzero(found.train_seen.readable))
        numbers = sorted(set(folds.fold.tolist()))
        columns += ["never validated" if fold < 0 else f"fold {fold}" for fold in numbers]
        parts = [
            label_counts(kept.take(np.flatnonzero(folds.fold == fold)), competition.task, count)
            for fold in numbers
        ]
    # of very many classes the rarest, which lack folds, and the most frequent
    order = np.argsort(total, kind="stable")
    shown = np.sort(np.concatenate([order[: MOST_CLASSES // 2], order[-MOST_CLASSES // 2 :]]))
    shown = np.arange(count) if count <= MOST_CLASSES else shown
    rows: list[list[object]] = [
        [
            competition.classes[place],
            int(total[place]),
            f"{total[place] / len(table):.1%}",
            *(int(part[place]) for part in parts),
        ]
        for place in shown.tolist()
    ]
    scheme = [folds if isinstance(folds, str) else f"Folds as train.py would make them: {folds.scheme}."]
    if count > MOST_CLASSES:
        scheme.append(
            f"The {MOST_CLASSES} rarest and most frequent of {count} classes; inspection.json has all."
        )
    return Section(
        "labels", "Labels", scheme, tables=[Table("Pictures of each class, by fold", columns, rows)]
    )


def pictures_section(found: Inspection) -> Section:
    """Sizes, formats and statistics of both parts, as far as they can be read."""
    parts: list[tuple[str, Measured]] = [("train", found.train_seen)]
    parts += [] if found.test_seen is None else [("test", found.test_seen)]
    parts = [(part, seen) for part, seen in parts if seen.readable.any()]
    formats = [
        [part, str(name), int((seen.formats[seen.readable] == name).sum())]
        for part, seen in parts
        for name in np.unique(seen.formats[seen.readable])
    ]
    sizes = [[part, size, count] for part, seen in parts for size, count in size_counts(seen, MOST_SIZES)]
    columns = ["statistic", *(f"{part}, {what}" for part, _ in parts for what in ("5 %", "median", "95 %"))]
    rows: list[list[object]] = []
    for name in (
        "height",
        "width",
        "aspect",
        "file size, kB",
        "bits",
        "stored channels",
        "brightness",
        "contrast",
        "sharpness",
    ):
        cells = [np.quantile(_values(seen, name), [0.05, 0.5, 0.95]) for _, seen in parts]
        rows.append([name, *(Number(value) for three in cells for value in three)])
    return Section(
        "pictures",
        "Pictures",
        [
            "Brightness and contrast are mean and deviation of the grey picture, from 0 to 1; 0 bits: not told."
        ],
        tables=[
            Table("Statistics", columns, rows),
            Table(
                f"Most frequent sizes, height x width (at most {MOST_SIZES})",
                ["part", "size", "pictures"],
                sizes,
            ),
            Table("File formats", ["part", "format", "pictures"], formats),
        ],
    )


def damaged_section(found: Inspection) -> list[Section]:
    """Pictures that cannot be read, all of them; nothing without any."""
    rows = [["train", *one] for one in found.train_seen.bad]
    rows += [] if found.test_seen is None else [["test", *one] for one in found.test_seen.bad]
    title = "Pictures that cannot be read" + f", the first of {len(rows)}" * (len(rows) > MOST_DAMAGED)
    table = Table(title, ["part", "id", "file", "reason"], rows[:MOST_DAMAGED])
    return [Section("damaged", "Damaged files", tables=[table])] if rows else []


def inspection_record(found: Inspection, competition: Competition) -> dict[str, Any]:
    """What inspection.json holds."""
    mean, std = mean_std(found.train_seen)
    measured = found.train_seen if found.test_seen is None else found.train_seen.joined(found.test_seen)
    record: dict[str, Any] = {
        "competition": competition.name,
        "status": str(worst(found.findings)),
        "train_pictures": len(found.table),
        "test_pictures": 0 if found.test is None else len(found.test),
        "findings": [finding.to_dict() for finding in found.findings],
        "mean": mean.tolist(),
        "std": std.tolist(),
        "image_size": suggested_size(found.train_seen),
        "sizes": dict(size_counts(found.train_seen, MOST_SIZES)),
        "duplicate_radius_bits": found.duplicates.radius,
        "images_per_second_per_core": measured.rate,
        "decoding_images_per_second_per_core": measured.decode_rate,
    }
    if competition.task != Task.REGRESSION:
        counts = label_counts(found.table, competition.task, len(competition.classes)).tolist()
        record["classes"] = dict(zip(competition.classes, counts, strict=True))
    if found.issues is not None and found.oof is not None:
        oof = found.oof
        record["noise_share"] = found.issues.noise
        record["label_issues"] = [
            {
                "id": str(oof.ids[issue.row]),
                "output": oof.classes[issue.output] if competition.task != Task.MULTICLASS else None,
                "given": oof.classes[int(issue.given)]
                if competition.task == Task.MULTICLASS
                else issue.given,
                "predicted": oof.classes[int(issue.found)]
                if competition.task == Task.MULTICLASS
                else issue.found,
                "margin": issue.margin,
            }
            for issue in found.issues.issues
        ]
    return record


def _values(seen: Measured, name: str) -> np.ndarray:
    columns = {
        "aspect": seen.width / np.maximum(seen.height, 1),
        "file size, kB": seen.file_bytes / 1000,
        "stored channels": seen.stored_channels,
    }
    return np.asarray(columns[name] if name in columns else getattr(seen, name))[seen.readable]


def _listed(values: np.ndarray) -> str:
    return ", ".join(f"{value:.3f}" for value in values[:4]) + ", …" * (len(values) > 4)

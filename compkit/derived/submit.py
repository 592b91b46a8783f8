"""A run's submission, checked, shown, and uploaded."""

from collections.abc import Callable

from compkit.engine import Console
from compkit.kaggle import Candidate, LedgerRow, Service, Wishes, connect, submit
from compkit.privacy import without_home
from compkit.run.plan import Plan
from compkit.run.submission_file import SubmissionCheck, check_submission


def submit_run(
    plan: Plan,
    slug: str | None,
    message: str | None,
    dry_run: bool,
    wishes: Wishes,
    console: Console,
    reach: Callable[[str], Service] = connect,
) -> LedgerRow | None:
    """Check a run's submission.csv, show it, and unless it is a dry run upload it and wait for its score.

    Args:
        plan: of a run on disk.
        slug: the competition's name in Kaggle's addresses; None is its name here, with hyphens for underscores.
        message: sent along; None names the run and its score.
        dry_run: stop after the check; nothing is asked of the network.
        wishes: how to upload and wait.
        console: where it is shown.
        reach: makes the service.

    Returns:
        the ledger's row; None of a dry run.

    Raises:
        ValueError, FileNotFoundError: the submission is not what the competition asks for; then nothing is uploaded.
        KaggleError: the service or its client refused or failed.
    """
    check = check_submission(plan)
    show_check(check, plan.folder.resolve().name, console)
    if dry_run:
        console.say("dry run: the submission is valid, and nothing was uploaded")
        return None
    candidate = candidate_of(check, plan.folder.resolve().name, message)
    slug = slug or check.competition.replace("_", "-")
    ledger = plan.folder.resolve().parent / "ledger.csv"
    return submit(candidate, ledger, lambda: reach(slug), wishes, console)


def candidate_of(check: SubmissionCheck, run: str, message: str | None) -> Candidate:
    """What is uploaded, with the scores that the ledger keeps of it."""
    cv = check.cv or {}
    metric, pooled, nested = cv.get("metric", ""), cv.get("pooled"), cv.get("nested")
    honest = pooled if nested is None else nested
    score = "" if honest is None else f", cv {metric} {honest:.5f}"
    return Candidate(check.path, run, metric, pooled, nested, message or f"{run}{score}")


def show_check(check: SubmissionCheck, run: str, console: Console) -> None:
    """Print what is submitted: facts, then the first rows."""
    cv = check.cv or {}
    facts: list[list[object]] = [
        ["file", without_home(str(check.path))],
        ["rows", check.rows],
        ["columns", len(check.columns)],
        ["holds", check.format],
        ["sha256", check.sha256[:12]],
    ]
    if cv:
        better = "higher" if cv["greater_is_better"] else "lower"
        scores = [
            ("cv pooled", "pooled"),
            ("mean of folds", "mean"),
            ("± of folds", "std"),
            ("nested", "nested"),
        ]
        facts += [[name, f"{cv[key]:.5f}"] for name, key in scores if cv.get(key) is not None]
        facts.append(["metric", f"{cv['metric']}, {better} is better"])
    console.table(f"{run}: submission to {check.competition}", ["", ""], facts)
    console.table("its first rows", list(check.columns[:8]), [row[:8] for row in check.first])

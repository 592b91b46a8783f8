"""What was found out, said to a person: keys with their evidence, what is left aside, and questions last."""

from pathlib import Path

from compkit.engine import Console
from compkit.layout.findings import BLOCKED, Findings
from compkit.layout.write import yaml_value

HIDDEN = ("name", "path")


def show(found: Findings, path: Path, flag: str, console: Console) -> None:
    """Print the findings.

    Args:
        found: what was found out.
        path: of the page that was written.
        flag: what train.py needs to find it, "" for nothing.
        console: prints.
    """
    asked = {question.key for question in found.questions}
    rows = [
        (
            _key(name),
            _short(yaml_value(value)),
            "a question, see below" if name in asked else found.evidence.get(name, ""),
        )
        for name, value in found.keys.items()
        if name not in HIDDEN
    ]
    console.say(f"{found.keys['path']}")
    for name, text, why in rows:
        console.say(f"  {name} = {text}" + (f"    ({why})" if why else ""))
    for note in found.notes:
        console.say(f"- {note}")
    for number, question in enumerate(found.questions, start=1):
        console.warn(f"question {number} of {len(found.questions)}: {question.text}")
        for value, evidence in question.choices:
            console.say(
                f"    {_key(question.key)}={yaml_value(value)}" + (f"    {evidence}" if evidence else "")
            )
        console.say(f"    written for now: {yaml_value(question.written)}")
    if not found.questions:
        console.say("Nothing is in doubt.")
    blocked = ", ".join(_key(name) for name, value in found.keys.items() if value == BLOCKED)
    first = f"Fill in {blocked} in {path}, then: " if blocked else "Next: "
    console.say(f"{first}python train.py {flag}competition={found.keys['name']}")


def _key(name: str) -> str:
    """A key as the command line wants it."""
    return name if name in ("task", "metric") else f"competition.{name}"


def _short(text: str, most: int = 100) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"

"""What was found out about a download: keys of its config, the evidence for each, and what could not be known."""

from dataclasses import dataclass, field

BLOCKED = "???"  # the value of a key without which nothing can be trained: Hydra asks for it


@dataclass(frozen=True)
class Question:
    """A doubt for a person to settle.

    Attributes:
        key: the key to change, such as `group_column`, `task` or `metric`.
        text: what cannot be known, and why.
        choices: values with the evidence for each.
        written: the value that stands in the config meanwhile.
    """

    key: str
    text: str
    choices: tuple[tuple[object, str], ...] = ()
    written: object = None


@dataclass
class Findings:
    """A competition's keys as far as they could be found out.

    Attributes:
        keys: arguments of `Competition`, and `metric`, by name; only those that matter.
        evidence: for each key why it is so.
        questions: what could not be known.
        notes: what a person should know though no key hangs on it.
        leaks: columns of the training table that the test rows lack, which nothing may learn from.
        image_size: a side in pixels that suits the pictures.
        metric_k: how many classes a cell of the sample submission ranks; None for other samples.

    >>> found = Findings()
    >>> found.set("id_column", "uid", "different in every row")
    >>> found.ask("metric", "The files do not say how submissions are scored.", [("auc", "")], "auc")
    >>> found.keys, [question.key for question in found.questions]
    ({'id_column': 'uid', 'metric': 'auc'}, ['metric'])
    """

    keys: dict[str, object] = field(default_factory=dict)
    evidence: dict[str, str] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    image_size: int = 224
    metric_k: int | None = None

    def set(self, key: str, value: object, why: str) -> None:
        """Write a key that the files settle."""
        self.keys[key] = value
        self.evidence[key] = why

    def ask(self, key: str, text: str, choices: list[tuple[object, str]], written: object) -> None:
        """Write a key for now, and ask."""
        self.keys[key] = written
        self.evidence.setdefault(key, text)
        self.questions.append(Question(key, text, tuple(choices), written))

    def note(self, text: str) -> None:
        """Say something, once."""
        if text not in self.notes:
            self.notes.append(text)

    @property
    def is_blocked(self) -> bool:
        """Some key has no value yet."""
        return BLOCKED in map(str, self.keys.values())

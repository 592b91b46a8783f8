"""In which order folds are predicted, so that what is left out for want of time matters least."""

import numpy as np

from compkit.bundle.recipe import Node, Stack, Trained, Unit, trained_runs


def order_units(node: Node) -> list[Unit]:
    """All units, those first without which most would be lost: in turn a fold of each run, heavy and good runs first.

    A blend of one fold of each run is nearer to the whole than all folds of one.

    >>> from compkit.bundle.recipe import Blend
    >>> strong, weak = Trained("a", "a", (0, 1), score=0.9), Trained("b", "b", (0,), score=0.8)
    >>> blend = Blend((weak, strong), "mean", np.array([0.5, 0.5]), exclusive=True)
    >>> [f"{unit.run}{unit.fold}" for unit in order_units(blend)]
    ['a0', 'b0', 'a1']
    """
    shares = _shares(node, 1.0)
    runs = {run.name: run for run in trained_runs(node)}
    worth = {name: (-round(shares[name], 9), -(run.score or 0.0)) for name, run in runs.items()}
    queues = [runs[name].units for name in sorted(runs, key=lambda name: worth[name])]
    rounds = range(max(len(queue) for queue in queues))
    return [queue[turn] for turn in rounds for queue in queues if turn < len(queue)]


def _shares(node: Node, share: float) -> dict[str, float]:
    """How much of the result each run makes, by its name; level-2 models count their members alike."""
    if isinstance(node, Trained):
        return {node.name: share}
    found: dict[str, float] = {}
    for place, member in enumerate(node.members):
        part = 1 / len(node.members) if isinstance(node, Stack) else float(np.mean(node.weights[place]))
        for name, value in _shares(member, share * part).items():
            found[name] = found.get(name, 0.0) + value
    return found

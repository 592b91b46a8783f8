"""Proofs of what is frozen, and of training and evaluation mode."""

import math

from torch import nn

from compkit.doctor.proofs.bench import Bench
from compkit.doctor.proofs.proof import KEPT, doubted, failed, listed
from compkit.findings import Finding
from compkit.models import Classifier
from compkit.optim.groups import TOKENS
from compkit.optim.places import FROZEN

MOSTLY = 0.9  # share of weights
FORGETFUL = 0.8  # share of the newest batch in running statistics
DROPS = ("Dropout", "DropPath", "DropBlock", "StochasticDepth")


def frozen(bench: Bench) -> list[Finding]:
    """What is frozen is what finetune froze, stays so, and does not move."""
    lesson, found = bench.lesson, never_trained(bench)
    before, after = lesson.trainable
    meant: frozenset[str] = getattr(bench.model, FROZEN, frozenset())
    silent = [
        name
        for name, one in bench.model.named_parameters()
        if name not in before
        and name not in meant
        and one.ndim >= 2
        and name.rpartition(".")[2] not in TOKENS
    ]
    if silent:
        numbers = sum(one.numel() for name, one in bench.model.named_parameters() if name in silent)
        share = numbers / sum(one.numel() for one in bench.model.parameters())
        found.append(
            doubted(
                "frozen",
                f"{len(silent)} weight tensors, {share:.0%} of all weights, were frozen by the model itself, not by "
                f"finetune: {listed(silent)}.",
                "Remove requires_grad=False from the class (model._target_) and freeze with finetune.freeze_stages; "
                "if it is meant, set doctor.skip=[proofs.frozen].",
                share,
                "0",
                frozen=silent[:KEPT],
            )
        )
    changed = sorted(before ^ after)
    changed = [name for name in changed if name in before or name in meant]
    if changed:
        found.append(
            failed(
                "frozen",
                f"The forward pass froze or unfroze {len(changed)} tensors: {listed(changed)}.",
                "Set requires_grad nowhere but in the constructor (model._target_); finetune does the rest.",
                len(changed),
                "0",
            )
        )
    if lesson.frozen_moves:
        held = {id(one) for group in bench.learner.optimizer.param_groups for one in group["params"]}
        named = dict(bench.model.named_parameters())
        # a network may keep averages of its own in frozen tensors
        is_moved = any(id(named[name]) in held or name in meant for name in lesson.frozen_moves)
        found.append(
            (failed if is_moved else doubted)(
                "frozen",
                f"{len(lesson.frozen_moves)} frozen tensors changed in a step: {listed(lesson.frozen_moves)}.",
                "The optimizer (optimizer._target_) moves weights without a gradient, or the model writes into them; "
                "if it keeps averages there, doctor.skip=[proofs.frozen].",
                len(lesson.frozen_moves),
                "0",
            )
        )
    return found


def never_trained(bench: Bench) -> list[Finding]:
    """Random weights that stay as they are."""
    options = bench.plan.config["model"]
    if type(bench.model) is not Classifier:  # a class of one's own may have loaded weights by itself
        return []
    if options.get("pretrained") or options.get("weights") is not None:
        return []
    parts = bench.learner.finetune.parts(bench.model)
    sizes = {part.name: sum(one.numel() for one in part.params) for part in parts}
    share = sum(sizes[part.name] for part in parts if part.frozen_epochs == math.inf) / sum(sizes.values())
    if share < MOSTLY:
        return []
    return [
        doubted(
            "frozen",
            f"{share:.0%} of the weights are frozen for the whole run, and they are random.",
            "Set model.pretrained=true or model.weights, or train them: finetune=full.",
            share,
            f"below {MOSTLY:.0%}",
        )
    ]


def modes(bench: Bench) -> list[Finding]:
    """Layers run in training mode while the network learns, and in evaluation mode while it is judged."""
    found = []
    lesson = bench.lesson
    modules = dict(bench.model.named_modules())
    idle = [
        name
        for watch in lesson.watches
        for name, trains in watch.flags.items()
        if not trains and not is_frozen_norm(modules.get(name))
    ]
    asleep = [name for name, module in modules.items() if is_frozen(module)]
    idle = [
        name
        for name in dict.fromkeys(idle)
        if not any(name == above or name.startswith(f"{above}.") for above in asleep)
    ]
    if idle and len(idle) > len(lesson.watches[0].flags) / 2:
        found.append(
            failed(
                "modes",
                f"{len(idle)} of {len(lesson.watches[0].flags)} modules run in evaluation mode while the network "
                "learns: no dropout, and batch norm keeps its first statistics.",
                "Remove eval() from forward and let train() call super().train(mode) (model._target_).",
                len(idle),
                "0",
                modules=idle[:KEPT],
            )
        )
    elif sensitive := [name for name in idle if is_sensitive(modules.get(name))]:
        found.append(
            doubted(
                "modes",
                f"{len(sensitive)} norms or dropouts run in evaluation mode while the network learns: "
                f"{listed(sensitive)}.",
                "Remove eval() from the class (model._target_). To freeze batch norms with their layers set "
                "finetune.freeze_stages; if it is meant, doctor.skip=[proofs.modes].",
                len(sensitive),
                "0",
            )
        )
    awake = [name for name, trains in bench.evaluated.watch.flags.items() if trains]
    if awake:
        found.append(
            failed(
                "modes",
                f"{len(awake)} modules run in training mode in evaluation: "
                f"{listed([one or 'the model' for one in awake])}.",
                "Let train(mode) pass its mode on with super().train(mode), and call train() nowhere in forward "
                "(model._target_).",
                len(awake),
                "0",
                modules=awake[:KEPT],
            )
        )
    still = [name for name, has_moved in lesson.statistics.items() if not has_moved]
    if still:
        found.append(
            failed(
                "modes",
                f"The running statistics of {len(still)} batch norms do not move in training: {listed(still)}.",
                "Evaluation would use those from before training. Set their momentum above 0, e.g. 0.1 "
                "(model._target_).",
                len(still),
                "0",
            )
        )
    hasty = [
        name for name in lesson.statistics if (getattr(modules[name], "momentum", None) or 0.0) > FORGETFUL
    ]
    if hasty:
        found.append(
            doubted(
                "modes",
                f"{len(hasty)} batch norms forget all but the last batch: their momentum is "
                f"{modules[hasty[0]].momentum:g}, {listed(hasty)}.",
                "Evaluation would depend on that batch alone. momentum is the share of the newest one: 0.1, not 0.9 "
                "(model._target_).",
                float(modules[hasty[0]].momentum),
                f"at most {FORGETFUL:g}",
            )
        )
    return found


def is_frozen(module: nn.Module) -> bool:
    """Whether a module has weights, none of which is trained: it may well stay in evaluation mode."""
    weights = list(module.parameters())
    return bool(weights) and not any(one.requires_grad for one in weights)


def is_frozen_norm(module: nn.Module | None) -> bool:
    """A batch norm whose scale is frozen, or what has nothing of its own to learn in it."""
    if module is None:
        return True
    weight = getattr(module, "weight", None)
    is_norm = isinstance(module, nn.modules.batchnorm._NormBase)
    inner = list(module.children())
    # an activation inside timm's batch norm follows its mode
    return (is_norm and weight is not None and not weight.requires_grad) or (
        not inner and not list(module.parameters()) and not is_sensitive(module)
    )


def is_sensitive(module: nn.Module | None) -> bool:
    """Whether a module does something else in training."""
    return isinstance(module, nn.modules.batchnorm._NormBase) or type(module).__name__.startswith(DROPS)

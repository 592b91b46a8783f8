"""The gradient check: what autograd says of the loss and of the network is held against differences of their values."""

import torch
from torch import Tensor, nn

from compkit.doctor.check import Check
from compkit.doctor.gradients.decay import check_regulariser
from compkit.doctor.gradients.loss import check_loss
from compkit.doctor.gradients.modes import in_64_bit
from compkit.doctor.gradients.network import SteadyNetwork, make_steady, move_constants, to_64_bit
from compkit.doctor.gradients.sample import take_sample
from compkit.doctor.gradients.slopes import gradients_of
from compkit.doctor.gradients.weights import check_network
from compkit.engine import Stepper
from compkit.findings import Finding, Status
from compkit.losses import Loss, as_outputs
from compkit.randomness import restore_rng, rng_state
from compkit.run.trial import Trial
from compkit.types import Targets

PICTURES = 3
SMALL_PX = 64  # side of the pictures where the network takes it: a slope costs two passes


def gradients(trial: Trial) -> list[Finding]:
    """Gradients of the loss, of the network, and of weight decay."""
    before = rng_state()
    try:
        stepper = trial.stepper(trial.plan.epochs - 1)  # everything that is ever trained
        model, loss = stepper.learner.model, stepper.learner.loss
        images, targets = _sample(trial, stepper)
        with in_64_bit():
            try:
                model.cpu().double()
                loss.cpu().double()
                images, targets = images.cpu().double().contiguous(), to_64_bit(targets)
                norm = _data_norm(model, loss, images, targets)
            except Exception as error:  # kernels of one's own say so in ways of their own
                reason = (
                    f"the network does not compute in 64 bit ({type(error).__name__}: {str(error)[:200]})"
                )
                return [Finding("gradients", Status.SKIP, reason)]
            found = check_regulariser(trial, stepper.learner.optimizer.param_groups, norm)
            make_steady(model)
            move_constants(model)
            network = SteadyNetwork(model, images, targets)
            found += check_loss(loss, network)
            found += check_network(loss, network)
    finally:
        restore_rng(before)
    parts = ("gradients.loss", "gradients.network")
    if all(one.status == Status.SKIP and one.check not in parts for one in found):
        found.insert(0, Finding("gradients", Status.PASS, "gradients agree with the slopes of the values."))
    return found


def _data_norm(model: nn.Module, loss: Loss, images: Tensor, targets: Targets) -> float:
    """Norm of the data's gradient in training mode; an answer of NaN is left to other checks."""
    model.train()
    value = loss.train()(as_outputs(model(images, targets)), targets)
    trained = {name: one for name, one in model.named_parameters() if one.requires_grad}
    return float(torch.stack([one.norm() for one in gradients_of(value, trained).values()]).norm())


def _sample(trial: Trial, stepper: Stepper) -> tuple[Tensor, Targets]:
    """Pictures as small as the network takes them."""
    sides = trial.plan.image_size
    if min(sides) > 1.5 * SMALL_PX:
        small = tuple(round(side * SMALL_PX / min(sides) / 32) * 32 for side in sides)
        images, targets = take_sample(trial, stepper, PICTURES, (small[0], small[1]))
        try:
            with torch.no_grad():
                stepper.learner.model.train()(images, targets)
            return images, targets
        except Exception:  # made for one size: each network says so in its own way
            pass
    return take_sample(trial, stepper, PICTURES)


GRADIENTS = Check("gradients", "gradients of loss and network against differences of their values", gradients)

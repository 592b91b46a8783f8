"""Pretrained weights: found on the hub or in a file, read without running code, loaded whole."""

import argparse
import sys
from pathlib import Path

import safetensors.torch
import timm
import torch
from huggingface_hub import (
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    try_to_load_from_cache,
)
from timm.models import PretrainedCfg, load_pretrained
from torch import Tensor, nn

from compkit.models.ibn import fit_state

HUB_FILE = "model.safetensors"
# what training programs wrap a state dict in, averaged weights first, and put before its keys
WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model", "model_state")
PREFIXES = ("_orig_mod.", "module.", "model.", "backbone.")


def pretrained_config(backbone: str) -> PretrainedCfg:
    """What timm knows of a backbone's weights: where they lie, the scaling and size they were made with.

    >>> pretrained_config("resnet18").mean
    (0.485, 0.456, 0.406)
    """
    return timm.get_pretrained_cfg(backbone) or PretrainedCfg()


def hub_weights(backbone: str) -> Path:
    """The file of a backbone's pretrained weights: from the hub's cache, else downloaded there.

    Args:
        backbone: timm name, with or without a tag (`resnet18`, `resnet18.a1_in1k`).

    Raises:
        ValueError: timm has no weights of that name, or they cannot be downloaded.
    """
    config = pretrained_config(backbone)
    if not config.has_weights:
        raise ValueError(
            f"model.backbone={backbone}: timm has no pretrained weights for it. Set model.weights=FILE "
            "to use a file of your own, or model.pretrained=false to train from random weights."
        )
    if not config.hf_hub_id:
        raise ValueError(_unavailable(backbone, str(config.url), "they do not lie on the hub"))
    repo, _, revision = config.hf_hub_id.partition("@")
    cached = try_to_load_from_cache(repo, HUB_FILE, revision=revision or None)
    if isinstance(cached, str):
        return Path(cached)
    url = hf_hub_url(repo, HUB_FILE, revision=revision or None)
    try:
        get_hf_file_metadata(url)  # without network this fails at once; the download retries for 23 s
        return Path(hf_hub_download(repo, HUB_FILE, revision=revision or None))
    except Exception as error:  # of httpx, of the hub, of the disk: the remedy is the same
        raise ValueError(_unavailable(backbone, url, f"{type(error).__name__}: {error}")) from error


def _unavailable(backbone: str, url: str, reason: str) -> str:
    return (
        f"model.backbone={backbone}: its pretrained weights could not be downloaded ({reason}). "
        f"Download {url} where there is a network and set model.weights=FILE to it, "
        "or set model.pretrained=false to train from random weights."
    )


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a weight file by name, freed of wrappers and prefixes.

    A safetensors file, or what `torch.save` wrote: a state dict, or a checkpoint that holds one as
    `state_dict`, `model` or `model_state` (or `…_ema`, which then wins). Names lose `module.`,
    `_orig_mod.`, `model.` and `backbone.`; where only some begin so (a classifier around a backbone),
    the others are left out.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it cannot be read, would have to run code to be read, or holds no tensors.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "last.pt"
    >>> torch.save({"epoch": 3, "model": {"module.fc.bias": torch.zeros(2)}}, path)
    >>> read_weights(path)
    {'fc.bias': tensor([0., 0.])}
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"model.weights={path}: no such file (looked in {Path.cwd()}).")
    try:
        content = _read(path)
    except Exception as error:  # each format and each way to be broken has an exception of its own
        raise ValueError(
            f"model.weights={path}: cannot be read as plain weights ({type(error).__name__}: "
            f"{str(error)[:200]}). A file that would run code when opened (a pickled model) is refused; "
            "save the model's state_dict() with safetensors or torch.save instead."
        ) from error
    while wrapper := next((key for key in WRAPPERS if isinstance(content.get(key), dict)), None):
        content = content[wrapper]
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise ValueError(
            f"model.weights={path}: holds no weights, only {sorted(map(str, content))[:5]}. Expected a state "
            f"dict, or a checkpoint with one under {', '.join(WRAPPERS)}."
        )
    return _without_prefixes(tensors)


def _read(path: Path) -> dict:
    if path.suffix == ".safetensors":
        return safetensors.torch.load_file(path)
    with torch.serialization.safe_globals(
        [argparse.Namespace]
    ):  # timm keeps its arguments beside the weights
        content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict):
        raise TypeError(f"it holds a {type(content).__name__}, not a state dict")
    return content


def _without_prefixes(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in PREFIXES:
        inside = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        if inside:
            return _without_prefixes(inside)
    return tensors


def load_weights(
    model: nn.Module, name: str, file: Path, in_chans: int, exact: bool, ibn: str | None = None
) -> None:
    """Load a file into a timm model made with `num_classes=0`, in place; nothing stays random.

    timm's own rules convert foreign layouts, resample position embeddings to another image size and
    adapt the first convolution to `in_chans` (1: the sum over RGB; more: RGB repeated, times 3 / in_chans).
    The classifier of the file is left out.

    Args:
        model: what timm made of `name`, still with its own pooling.
        name: timm name of the backbone.
        file: safetensors or torch file.
        in_chans: channels of the images.
        exact: whether weights in the file that the model does not have are an error too.
        ibn: which IBN network the model is, `a`, `b` or None; see `ibn.fit_state`.

    Raises:
        FileNotFoundError, ValueError: see `read_weights` and `ibn.fit_state`.
        ValueError: the file does not fit the model.
    """
    state = fit_state(read_weights(file), model, ibn, file)
    convert = getattr(sys.modules[timm.model_entrypoint(name).__module__], "checkpoint_filter_fn", None)
    missing: list[str] = []
    unexpected: list[str] = []

    def record(_: nn.Module, keys: torch.nn.modules.module._IncompatibleKeys) -> None:
        missing.extend(keys.missing_keys)
        unexpected.extend(keys.unexpected_keys)

    hook = model.register_load_state_dict_post_hook(record)
    # a number of classes that no model has makes timm drop the file's classifier
    config = {**pretrained_config(name).to_dict(), "source": "", "state_dict": state, "num_classes": -1}
    try:
        load_pretrained(model, config, num_classes=0, in_chans=in_chans, filter_fn=convert)
    except Exception as error:  # a converter may stumble over a foreign file in any way
        raise ValueError(_mismatch(name, file, " ".join(str(error).split())[:500])) from error
    finally:
        hook.remove()
    surplus = [key for key in unexpected if not key.startswith(_head_prefixes(name))]
    if missing or (exact and surplus):
        told = f"{_count('missing', missing)}; {_count('unexpected', surplus)}"
        raise ValueError(_mismatch(name, file, told))


def _head_prefixes(name: str) -> tuple[str, ...]:
    """What the keys of the classifier begin with; some are more than the one layer timm drops."""
    classifiers = pretrained_config(name).classifier or ()
    names = (classifiers,) if isinstance(classifiers, str) else tuple(classifiers)
    return tuple(classifier.partition(".")[0] + "." for classifier in names)


def _mismatch(name: str, file: Path, told: str) -> str:
    return (
        f"{file}: these weights do not fit model.backbone={name}. {told}. "
        "Set model.backbone to the network they were trained with, or model.weights to another file."
    )


def _count(kind: str, names: list[str]) -> str:
    return f"{len(names)} {kind}" + (f" ({', '.join(names[:3])}{', …' * (len(names) > 3)})" if names else "")

"""Pictures on their way to the network: decoding, checking, resizing, scaling, sampling, batching, mixing."""

from compkit.data.dataset import ImageDataset, Loader, stack
from compkit.data.decode import decode_image, is_deep
from compkit.data.mixing import Mix, Mixing, NoMixing
from compkit.data.order import Draw, Size, evaluation_draws, training_windows
from compkit.data.pk import PKSampler
from compkit.data.preprocessing import Preprocessing, resized
from compkit.data.samplers import EffectiveNumberSampler, FrequencySampler, Sampler, Shuffle, WeightedSampler
from compkit.data.scale import FixedScale, MultiScale, ProgressiveScale, VaryingScale, batch_size_at
from compkit.data.scaling import (
    MeasuredScaling,
    PercentileScaling,
    PretrainedScaling,
    Scaling,
    TanhScaling,
    measure,
    percentiles,
)
from compkit.data.verify import BadImage, find_bad_images

__all__ = [
    "BadImage",
    "Draw",
    "EffectiveNumberSampler",
    "FixedScale",
    "FrequencySampler",
    "ImageDataset",
    "Loader",
    "MeasuredScaling",
    "Mix",
    "Mixing",
    "MultiScale",
    "NoMixing",
    "PKSampler",
    "PercentileScaling",
    "Preprocessing",
    "PretrainedScaling",
    "ProgressiveScale",
    "Sampler",
    "Scaling",
    "Shuffle",
    "Size",
    "TanhScaling",
    "VaryingScale",
    "WeightedSampler",
    "batch_size_at",
    "decode_image",
    "evaluation_draws",
    "find_bad_images",
    "is_deep",
    "measure",
    "percentiles",
    "resized",
    "stack",
    "training_windows",
]

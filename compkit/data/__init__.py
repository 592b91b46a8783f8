"""Pictures on their way to the network: decoding, checking, resizing, augmenting, batching."""

from compkit.data.dataset import ImageDataset, Loader, stack
from compkit.data.decode import decode_image, is_deep
from compkit.data.order import Draw, evaluation_draws, training_windows
from compkit.data.preprocessing import Preprocessing
from compkit.data.verify import BadImage, find_bad_images

__all__ = [
    "BadImage",
    "Draw",
    "ImageDataset",
    "Loader",
    "Preprocessing",
    "decode_image",
    "evaluation_draws",
    "find_bad_images",
    "is_deep",
    "stack",
    "training_windows",
]

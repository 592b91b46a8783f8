"""Whether two pictures that look alike from afar are the same: their edges compared, in place or after alignment."""

import os

import cv2
import numpy as np

from compkit.data import decode_image
from compkit.pictures.appearance import reduced, to_grey

SAME_DETAIL = (
    0.65  # correlation of edges; photographs re-saved at a quarter of the size have 0.91, noisy 64 px 0.68
)
DETAIL_PX, DETAIL_SIGMA = 48, 1.5
ALIGNED_PX, ALIGNED_SIGMA, MARGIN_PX = (
    64,
    2.0,
    8,
)  # of the copies that are aligned; the margin is not compared
SAME_ALIGNED = 0.97  # correlation after alignment; pictures cut by 1 to 5 % at each side have 0.97 to 1
SCALE, TURN = (
    0.25,
    0.03,
)  # how far an alignment may stretch, and shear or turn: a turned picture is another one
STEPS = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 1e-4)
BLUR_PX = 5


class Details:
    """Small copies of the pictures that were ever compared: 2 to 6 kB each, decoded once.

    Args:
        files: of each picture, as in Table, bytes [N, F].
        channels, max_value: as `decode_image`.
    """

    def __init__(self, files: np.ndarray, channels: int, max_value: float | None) -> None:
        self.files, self.channels, self.max_value = files, channels, max_value
        self.edges: dict[int, np.ndarray] = {}
        self.copies: dict[int, np.ndarray] = {}

    def agree(self, one: int, other: int, mirrored: bool = False) -> bool:
        """Whether two pictures have the same edges in the same places, the other seen in a mirror if asked for."""
        first, second = (self._edges_of(row).astype(np.float32) for row in (one, other))
        return correlation(first, second[:, ::-1] if mirrored else second) >= SAME_DETAIL

    def are_cuts(self, one: int, other: int) -> bool:
        """Whether one picture is a part of the other, with a little cut off at its sides."""
        for row in (one, other):
            if row not in self.copies:
                self.copies[row] = _small(self._decoded(row), ALIGNED_PX)
        return same_when_aligned(self.copies[one], self.copies[other])

    def _edges_of(self, row: int) -> np.ndarray:
        if row not in self.edges:
            self.edges[row] = picture_detail(self._decoded(row))
        return self.edges[row]

    def _decoded(self, row: int) -> np.ndarray:
        names = [os.fsdecode(name) for name in self.files[row]]
        return decode_image(names, self.channels, max_value=self.max_value)


def picture_detail(image: np.ndarray) -> np.ndarray:
    """What is left of a small grey copy without its soft shapes, int8 [48, 48], scaled to its largest value.

    Args:
        image: uint8 [H, W, C].
    """
    edges = _without_shapes(_small(image, DETAIL_PX), DETAIL_SIGMA)
    return np.rint(edges * (127 / max(float(np.abs(edges).max()), 1e-6))).astype(np.int8)


def same_when_aligned(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two small copies are the same once one is shifted and stretched a little onto the other.

    Source: Evangelidis and Psarakis 2008, Parametric Image Alignment Using Enhanced Correlation Coefficient
    Maximization, doi:10.1109/TPAMI.2008.113; OpenCV's findTransformECC.

    Args:
        one, other: grey, uint8 [64, 64].

    >>> grey = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (70, 70), dtype=np.uint8), (0, 0), 2)
    >>> cut = cv2.resize(grey[3:-3, 3:-3], (64, 64), interpolation=cv2.INTER_AREA)
    >>> same_when_aligned(cv2.resize(grey, (64, 64)), cut), same_when_aligned(cut, cut[::-1])
    (True, False)
    """
    still, whole = np.eye(2, 3, dtype=np.float32), np.ones(one.shape, np.uint8)
    try:
        _, warp = cv2.findTransformECC(one, other, still, cv2.MOTION_AFFINE, STEPS, whole, BLUR_PX)
    except cv2.error:  # it does not converge where the pictures have nothing in common
        return False
    stretched = max(abs(warp[0, 0] - 1), abs(warp[1, 1] - 1))
    if stretched > SCALE or max(abs(warp[0, 1]), abs(warp[1, 0])) > TURN:
        return False
    moved = cv2.warpAffine(
        other.astype(np.float32), warp, other.shape[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    still_one = one.astype(np.float32)
    inner = (slice(MARGIN_PX, -MARGIN_PX),) * 2
    edges = [_without_shapes(copy, ALIGNED_SIGMA)[inner] for copy in (still_one, moved)]
    return correlation(still_one[inner], moved[inner]) >= SAME_ALIGNED and correlation(*edges) >= SAME_DETAIL


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two arrays of one shape; 0 where one of them is constant.

    >>> round(correlation(np.array([1.0, 2, 3]), np.array([2.0, 4, 6])), 6)
    1.0
    """
    first, second = one - one.mean(), other - other.mean()
    return float((first * second).sum() / max(float(np.linalg.norm(first) * np.linalg.norm(second)), 1e-6))


def _small(image: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(
        reduced(to_grey(image)[..., np.newaxis])[..., 0], (side, side), interpolation=cv2.INTER_AREA
    )


def _without_shapes(grey: np.ndarray, sigma: float) -> np.ndarray:
    edges = grey.astype(np.float32)
    return edges - cv2.GaussianBlur(edges, (0, 0), sigma)

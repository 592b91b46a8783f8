"""Learning from what has no label, and from what other networks say."""

from compkit.semi.pseudo_labels import PseudoLabels, with_pseudo_labels

__all__ = ["PseudoLabels", "with_pseudo_labels"]

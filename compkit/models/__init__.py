"""From images to embeddings and logits: backbones, poolings, necks, heads."""

from compkit.models.backbone import Backbone
from compkit.models.classifier import Classifier
from compkit.models.head import LinearHead
from compkit.models.neck import BNNeck, DropoutNeck, EmbeddingNeck, Neck, NoNeck
from compkit.models.pooling import AvgPool, DualPool, GeM, MaxPool, Pooling, generalized_mean
from compkit.models.weights import hub_weights, read_weights

__all__ = [
    "AvgPool",
    "BNNeck",
    "Backbone",
    "Classifier",
    "DropoutNeck",
    "DualPool",
    "EmbeddingNeck",
    "GeM",
    "LinearHead",
    "MaxPool",
    "Neck",
    "NoNeck",
    "Pooling",
    "generalized_mean",
    "hub_weights",
    "read_weights",
]

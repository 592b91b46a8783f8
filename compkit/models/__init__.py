"""From images to embeddings and logits: backbones, poolings, necks, heads."""

from compkit.models.adacos import AdaCosHead
from compkit.models.angular import AngularHead, CosineHead, MarginHead
from compkit.models.backbone import Backbone
from compkit.models.classifier import Classifier
from compkit.models.head import Head, LinearHead
from compkit.models.ibn import HalfInstanceNorm
from compkit.models.initialise import (
    HeInitialisation,
    Initialisation,
    NormalInitialisation,
    OrthogonalInitialisation,
    OwnInitialisation,
    UniformInitialisation,
    VarianceScaling,
    XavierInitialisation,
)
from compkit.models.margin import arc_margin, cos_margin, dynamic_margins, sphere_margin
from compkit.models.margin_heads import (
    ArcFaceHead,
    CosFaceHead,
    DynamicMarginHead,
    SphereFaceHead,
    SubCenterArcFaceHead,
)
from compkit.models.mlp import HighwayLayer, MLPHead, MultiSampleDropoutHead
from compkit.models.neck import BNNeck, DropoutNeck, EmbeddingNeck, Neck, NoNeck
from compkit.models.pooling import AvgPool, DualPool, GeM, MaxPool, Pooling, generalized_mean
from compkit.models.summary import SUMMARY_HEADINGS, LayerRow, ModelSummary, summarise_model
from compkit.models.weights import hub_weights, read_weights

__all__ = [
    "SUMMARY_HEADINGS",
    "AdaCosHead",
    "AngularHead",
    "ArcFaceHead",
    "AvgPool",
    "BNNeck",
    "Backbone",
    "Classifier",
    "CosFaceHead",
    "CosineHead",
    "DropoutNeck",
    "DualPool",
    "DynamicMarginHead",
    "EmbeddingNeck",
    "GeM",
    "HalfInstanceNorm",
    "HeInitialisation",
    "Head",
    "HighwayLayer",
    "Initialisation",
    "LayerRow",
    "LinearHead",
    "MLPHead",
    "MarginHead",
    "MaxPool",
    "ModelSummary",
    "MultiSampleDropoutHead",
    "Neck",
    "NoNeck",
    "NormalInitialisation",
    "OrthogonalInitialisation",
    "OwnInitialisation",
    "Pooling",
    "SphereFaceHead",
    "SubCenterArcFaceHead",
    "UniformInitialisation",
    "VarianceScaling",
    "XavierInitialisation",
    "arc_margin",
    "cos_margin",
    "dynamic_margins",
    "generalized_mean",
    "hub_weights",
    "read_weights",
    "sphere_margin",
    "summarise_model",
]

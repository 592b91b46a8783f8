"""Why a network says what it says: maps over pictures, features as points."""

from compkit.explain.class_maps import ClassMaps, class_maps
from compkit.explain.embedding import Neighbours, nearest_neighbours, reduce_features, unit_length
from compkit.explain.feature_maps import as_map, recorded_outputs
from compkit.explain.features import Answer, penultimate_features
from compkit.explain.mistakes import Question, output_losses, outputs_in_question, questions, worst_rows
from compkit.explain.overlay import Place, place_of, strip
from compkit.explain.settings import ExplainSettings

__all__ = [
    "Answer",
    "ClassMaps",
    "ExplainSettings",
    "Neighbours",
    "Place",
    "Question",
    "as_map",
    "class_maps",
    "nearest_neighbours",
    "output_losses",
    "outputs_in_question",
    "penultimate_features",
    "place_of",
    "questions",
    "recorded_outputs",
    "reduce_features",
    "strip",
    "unit_length",
    "worst_rows",
]

"""What happens inside a network while it learns: layers, gradients, steps, and the pictures that enter it."""

from compkit.probes.fold_probes import FoldProbes, NoProbes, start_probes
from compkit.probes.histograms import EDGES, log_histograms
from compkit.probes.layers import Kind, Layer, choose_layers
from compkit.probes.records import ProbeRecord, read_probes
from compkit.probes.watch import STATISTICS, LayerWatch

__all__ = [
    "EDGES",
    "STATISTICS",
    "FoldProbes",
    "Kind",
    "Layer",
    "LayerWatch",
    "NoProbes",
    "ProbeRecord",
    "choose_layers",
    "log_histograms",
    "read_probes",
    "start_probes",
]

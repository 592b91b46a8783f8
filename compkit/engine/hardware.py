"""What this machine has, and the device, precision, threads and workers chosen from it."""

import math
import os
import platform
from pathlib import Path

import torch

try:
    import resource
except ImportError:  # Windows has none
    resource = None  # type: ignore[assignment]

MAX_WORKERS = 8  # beyond it the disk, not the decoding, is the limit


def cpu_cores() -> int:
    """Cores this process may use: the smaller of its CPU affinity and its container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota_file = Path("/sys/fs/cgroup/cpu.max")
    if quota_file.is_file():
        quota, period = quota_file.read_text().split()
        if quota != "max":
            cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)


def peak_memory(device: torch.device) -> float | None:
    """The most memory in use so far, GiB: of the GPU since its statistics were reset, else of this process.

    None where the system does not tell.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    if resource is None:
        return None
    units = 2**30 if platform.system() == "Darwin" else 2**20  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / units


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """`auto` is this rank's GPU when there is one, else the CPU.

    Raises:
        ValueError: a device that this machine or this torch does not have.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        if device.type == "cuda" and device.index is None:
            device = torch.device("cuda", local_rank)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"trainer.device={name} cannot be used here: {reason}. Set trainer.device=auto, cpu or cuda."
        ) from error
    return device


def choose_precision(name: str, device: torch.device) -> torch.dtype | None:
    """The autocast dtype, None for plain float32. `auto`: bf16 on GPUs that have it, else fp16; fp32 on CPU.

    >>> choose_precision("auto", torch.device("cpu")) is None, choose_precision("bf16", torch.device("cpu"))
    (True, torch.bfloat16)
    """
    if name == "auto" and device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return {"auto": None, "fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[name]


def choose_threads(threads: int | str, local_world: int) -> int:
    """torch threads of each rank: the cores shared out. Independent of num_workers, which must not change results.

    >>> choose_threads(3, local_world=2)
    3
    """
    if threads == "auto":
        return max(1, cpu_cores() // local_world)
    if int(threads) < 1:
        raise ValueError(f"trainer.threads={threads}: expected auto or at least 1. Set trainer.threads=auto.")
    return int(threads)


def choose_workers(num_workers: int | str, local_world: int, device: torch.device) -> int:
    """Loading processes of each rank. On a CPU the network wants the cores too: half of them.

    >>> choose_workers(0, local_world=1, device=torch.device("cpu"))
    0
    """
    if num_workers == "auto":
        cores = cpu_cores() // local_world
        return max(1, min(MAX_WORKERS, cores if device.type == "cuda" else cores // 2))
    if not str(num_workers).isdigit():
        raise ValueError(
            f"num_workers={num_workers}: expected auto or a whole number >= 0. Set num_workers=auto."
        )
    return int(num_workers)


def describe_hardware(device: torch.device) -> dict[str, str | int | float]:
    """What environment.json tells of the machine; no names of people or hosts."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    facts: dict[str, str | int | float] = {
        "cpu": platform.processor() or platform.machine(),
        "cores": cpu_cores(),
        "memory_gib": round(memory / 2**30, 1),
        "device": str(device),
    }
    if device.type == "cuda":
        facts["gpu"] = torch.cuda.get_device_name(device)
        facts["gpus"] = torch.cuda.device_count()
    return facts

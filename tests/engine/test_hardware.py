"""Choices from the machine, and refusals."""

import pytest
import torch

from compkit.engine import (
    choose_device,
    choose_threads,
    choose_workers,
    cpu_cores,
    describe_hardware,
    peak_memory,
)

CPU = torch.device("cpu")


def test_auto_leaves_no_core_oversubscribed():
    assert choose_threads("auto", 1) == cpu_cores()
    assert choose_threads("auto", 10_000) == 1
    assert 1 <= choose_workers("auto", 1, CPU) <= max(1, cpu_cores() // 2)
    assert choose_workers(3, 1, CPU) == 3


def test_threads_do_not_depend_on_workers():
    """Results depend on the thread count, so the number of workers must not."""
    assert "workers" not in choose_threads.__code__.co_varnames


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: choose_device("cuda:99"), "trainer.device"),
        (lambda: choose_device("abacus"), "trainer.device"),
        (lambda: choose_threads(0, 1), "trainer.threads"),
        (lambda: choose_workers("many", 1, CPU), "num_workers"),
        (lambda: choose_workers(-1, 1, CPU), "num_workers"),
    ],
)
def test_refuses_by_key(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_description_names_no_person_and_no_host():
    import getpass
    import socket

    text = str(describe_hardware(CPU))
    assert "cores" in text
    assert socket.gethostname() not in text
    assert f"/{getpass.getuser()}/" not in text


def test_peak_memory_grows_with_what_is_held():
    before = peak_memory(CPU)
    held = torch.ones(int(before * 2**28) + 2**26)  # float32: as much as the peak, and a quarter GiB
    assert peak_memory(CPU) > before + 0.1
    assert held.sum() > 0

"""Commands as a user runs them, each in a process of its own, or in this one where ten seconds of imports matter."""

import os
import runpy
import subprocess
import sys
from pathlib import Path
from unittest import mock

from hydra.core.hydra_config import HydraConfig

ROOT = Path(__file__).parent.parent


def start(*command, **environment):
    """Start `python <command>` in the project's root, one thread, output kept."""
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "HYDRA_FULL_ERROR": "0"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def call(*command, **environment):
    """Run to the end: (exit status, stdout, stderr)."""
    process = start(*command, **environment)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def call_here(capsys, script, *arguments):
    """Run a script in this process: (exit status, stdout, stderr)."""
    capsys.readouterr()
    status = 0
    try:
        with mock.patch.object(sys, "argv", [script, *arguments]):
            runpy.run_path(str(ROOT / script), run_name="__main__")
    except SystemExit as stop:
        status = stop.code or 0
    finally:
        HydraConfig.instance().cfg = None  # else plans built later would take these overrides for theirs
    return status, *capsys.readouterr()

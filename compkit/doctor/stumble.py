"""An error inside a check as a finding: what, where, and how to see all of it."""

import traceback
from pathlib import Path

from compkit.findings import Finding, Status

PACKAGE = Path(__file__).parents[1]
NO_MEMORY = "The device has too little memory left for it."


def stumbled(name: str, error: Exception) -> Finding:
    """A check that could not be run to its end, as a FAIL that names the place.

    The place is the last line outside of compkit and of installed packages, a class of the user's; without one, the
    last line of compkit.
    """
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)]
    theirs = [
        frame
        for frame in frames
        if frame not in ours and "site-packages" not in frame.filename and "/lib/python" not in frame.filename
    ]
    frame = (theirs or ours or list(frames))[-1]
    place = f"{Path(frame.filename).name}, line {frame.lineno}, in {frame.name}"
    text = " ".join(str(error).split())[:300]
    return Finding(
        name,
        Status.FAIL,
        f"{type(error).__name__} in {place}: {text}",
        remedy="Correct what stands there. HYDRA_FULL_ERROR=1 shows the whole traceback; "
        f"doctor.skip=[{name}] leaves it out.",
        evidence={"file": frame.filename, "line": frame.lineno, "error": type(error).__name__},
    )

"""What to tell of gradients that are not slopes."""

import numpy as np

from compkit.doctor.gradients.slopes import DOUBTFUL, WRONG, Fit
from compkit.findings import Finding, Status

ON_PURPOSE = (
    "Where a gradient differs from the value's slope on purpose (straight-through, gradient reversal, a detach()), "
    "set doctor.skip=[gradients]."
)


def misfit(check: str, status: Status, message: str, fit: Fit, remedy: str) -> Finding:
    """The finding of gradients that do not fit, with the error of each tensor looked at."""
    medians = {name: float(np.median(one)) for name, one in fit.errors.items() if len(one)}
    return Finding(
        check,
        status,
        f"{message} (relative error: median {fit.median:.1e}, above {WRONG:g} in {fit.share:.0%} of {len(fit.all)} "
        "entries).",
        value=fit.median,
        expected=f"median below {DOUBTFUL:g}, and at most 5 % above {WRONG:g}",
        remedy=remedy,
        evidence={"median_error": medians},
    )

"""Is the run sound? Every check of it before it is trained, the cheap ones first; exit status 1 when one fails.

python scripts/doctor.py competition=digits model=resnet18
"""

import sys

from compkit.cli import entry


@entry("doctor")
def main(cfg):
    from compkit.build import build_plan
    from compkit.doctor.command import doctor

    if not doctor(build_plan(cfg), list(cfg.doctor.only), cfg.doctor.minutes):
        sys.exit(1)


if __name__ == "__main__":
    main()

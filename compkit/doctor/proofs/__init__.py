"""What is cheap to prove of a run: the doctor's first check, and the start of every training."""

from compkit.doctor.proofs.prove import PROOFS, PROOFS_CHECK, prove

__all__ = ["PROOFS", "PROOFS_CHECK", "prove"]

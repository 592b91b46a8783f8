"""One run from its plan to its submission: what is settled before the first epoch, and what is made of predictions."""

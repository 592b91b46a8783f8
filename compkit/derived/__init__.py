"""Runs made of runs that lie on disk: other predictions, blends, stacks, soups, rounds of pseudo-labels, refits."""

"""The plain way: a network learns from its labels alone."""


class LabelsAlone:
    """No teachers and no unlabelled pictures."""

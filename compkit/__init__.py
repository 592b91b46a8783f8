"""compkit: from a Kaggle image competition's folder to an honest score and a valid submission."""

__version__ = "0.1.0"

"""Small competitions made on first use from data that ships with scikit-learn, and their grader."""

from compkit.demo.folder import EMBEDDED, ensure_competition, make_competition
from compkit.demo.grade import grade, hidden_solution

__all__ = ["EMBEDDED", "ensure_competition", "grade", "hidden_solution", "make_competition"]

"""Columns that training has and test has not: nothing may be learnt from them."""

from compkit.layout.findings import Findings
from compkit.layout.roles import Roles
from compkit.layout.views import View


def tell_leaks(train: View, roles: Roles, targets: list[str], found: Findings) -> None:
    """List the training table's columns that no test row has, and say that they are not used."""
    later: set[str] = set()
    if found.keys.get("test_table") == train.source.path:
        later = set(train.source.names)
    elif roles.test is not None:
        later = set(roles.test.names)
    used = {*targets, str(found.keys.get("id_column")), *train.keys}
    used |= {
        str(found.keys.get(key))
        for key in ("class_column", "fold_column", "group_column", "subject_column", "time_column")
    }
    leaks = [name for name in train.table.names if name not in later and name not in used]
    found.leaks = leaks
    if leaks:
        where = "the test rows lack" if later else "nothing says of the test pictures"
        found.note(f"columns that {where}, and that are not used: {', '.join(leaks)}")

"""Made-up downloads of every layout that scripts/init.py has to recognise or ask about."""

from .layouts_clutter import CLUTTER
from .layouts_folders import FOLDERS
from .layouts_forms import FORMS
from .layouts_labels import LABELS
from .layouts_odd_answers import ODD_ANSWERS
from .layouts_odd_files import ODD_FILES
from .layouts_refused import REFUSED
from .layouts_rows import ROWS
from .layouts_splits import SPLITS
from .layouts_tables import TABLES
from .layouts_traps import TRAPS

LAYOUTS = {
    make.__name__: make
    for make in (
        *TABLES,
        *LABELS,
        *FOLDERS,
        *CLUTTER,
        *ROWS,
        *SPLITS,
        *TRAPS,
        *ODD_FILES,
        *ODD_ANSWERS,
        *FORMS,
        *REFUSED,
    )
}

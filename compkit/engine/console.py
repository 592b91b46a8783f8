"""What a run says while it works: on the screen, and as plain text in train.log."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Self, TextIO

import rich.box
import rich.console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from compkit.privacy import private

LOG_WIDTH = 120  # characters; tables in train.log and in a pipe are this wide at most


class Console:
    """Prints for people and keeps a copy in <folder>/train.log, a timestamp before each line.

    On a terminal a moving line shows the epoch under way; elsewhere (a pipe, a batch job) there is
    one line an epoch and nothing that moves.

    Args:
        folder: the run's folder, whose train.log is appended to; None writes no log before `log_to`.
        quiet: say nothing and write nothing: every process but the first of a distributed run.

    >>> with Console() as console:
    ...     console.say("fold 1/5")
    fold 1/5
    """

    def __init__(self, folder: Path | None = None, quiet: bool = False) -> None:
        self.quiet = quiet
        self._screen = rich.console.Console(quiet=quiet, highlight=False, markup=False, emoji=False)
        if not self._screen.is_terminal:
            self._screen.width = LOG_WIDTH  # a pipe has no width of its own, and rich would take 80
        self._log: TextIO | None = None
        self._unlogged: list[str] = []
        if folder is not None:
            self.log_to(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None

    def log_to(self, folder: Path) -> None:
        """From now on keep a copy in <folder>/train.log, with what has been said already."""
        if self.quiet:
            return
        folder.mkdir(parents=True, exist_ok=True)
        self._log = (folder / "train.log").open("a", encoding="utf-8")
        self._log.writelines(self._unlogged)
        self._unlogged.clear()

    def say(self, text: str) -> None:
        """Print a line, or several."""
        self._print(Text(text))

    def warn(self, text: str) -> None:
        """Print a line that should be noticed."""
        self._print(Text(f"warning: {text}", style="yellow"))

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print rows under a title; columns after the first are aligned to the right.

        Args:
            title: line above the table.
            columns: C headings.
            rows: C cells each, printed by str().
        """
        self._print(Text(title, style="bold"))
        table = Table(box=rich.box.SIMPLE_HEAD, show_edge=False)
        for position, column in enumerate(columns):
            table.add_column(Text(column), justify="right" if position else "left")
        for row in rows:
            table.add_row(*(Text(str(cell)) for cell in row))
        self._print(table)

    def epoch_line(self, row: Mapping[str, float], best: bool) -> None:
        """Print the row of history.csv of an epoch that has ended, marked when it is the best so far."""
        self._print(Text(epoch_text(row, best), style="green" if best else ""))

    @contextmanager
    def epoch(self, total_images: int, title: str) -> Iterator["EpochProgress"]:
        """Show a bar while the block runs; it vanishes afterwards, as `epoch_line` takes its place.

        Args:
            total_images: images the block will report through `advance`.
            title: for example `fold 1/5  epoch 3/10`.
        """
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            _Speed(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[values]}", markup=False),
        )
        moving = self._screen.is_terminal and not self.quiet
        bar = Progress(
            *columns, console=self._screen, transient=True, disable=not moving, refresh_per_second=4
        )
        with bar:
            yield EpochProgress(bar, total_images, title)

    def _print(self, content: Text | Table) -> None:
        self._screen.print(content, soft_wrap=isinstance(content, Text))
        now = f"{datetime.now():%Y-%m-%d %H:%M:%S}"
        lines = [f"{now}  {line}".rstrip() + "\n" for line in private(_plain(content)).splitlines()]
        if self._log is None:
            self._unlogged += lines
        else:
            self._log.writelines(lines)
            self._log.flush()


class EpochProgress:
    """The bar of one epoch."""

    def __init__(self, bar: Progress, total_images: int, title: str) -> None:
        self._bar = bar
        self._task = bar.add_task(title, total=total_images, values="")

    def advance(self, images: int, **values: float) -> None:
        """Move on by some images and show values, such as the loss.

        Give values only now and then: reading one from a GPU makes the program wait for it.
        """
        self._bar.advance(self._task, images)
        if values:
            text = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
            self._bar.update(self._task, values=text)


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.0f} img/s")


def epoch_text(row: Mapping[str, float], best: bool) -> str:
    """One epoch as one line whose numbers stand below those of the epoch before.

    Args:
        row: of history.csv; only the keys it has are written, and not `step`.
        best: add the mark of the best epoch so far.

    >>> epoch_text({"epoch": 3, "train_loss": 0.5, "lr": 1e-3, "images_per_second": 1200.0}, best=True)
    'epoch   3  train_loss 0.5000  lr 1.00e-03     1200 img/s  * best'
    """
    parts = []
    for name, value in row.items():
        match name:
            case "epoch":
                parts.append(f"epoch {int(value):3d}")
            case "step":
                continue
            case "lr":
                parts.append(f"lr {value:.2e}")
            case "images_per_second":
                parts.append(f"{value:7.0f} img/s")
            case "seconds":
                parts.append(f"{value:6.1f} s")
            case _:
                parts.append(f"{name} {value:6.4f}" if abs(value) < 1000 else f"{name} {value:6.4g}")
    return "  ".join(parts) + ("  * best" if best else "")


def _plain(content: Text | Table) -> str:
    """The content as text without colours."""
    if isinstance(content, Text):
        return content.plain
    page = rich.console.Console(file=io.StringIO(), width=LOG_WIDTH, color_system=None)
    page.print(content)
    assert isinstance(page.file, io.StringIO)
    return page.file.getvalue()

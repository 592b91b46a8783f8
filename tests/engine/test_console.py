import io
import re

import pytest
import rich.console

from compkit.engine.console import Console, epoch_text

ROW = {
    "epoch": 3,
    "train_loss": 0.5,
    "val_loss": 0.25,
    "val_accuracy": 0.9375,
    "lr": 3e-4,
    "images_per_second": 1234.5,
    "seconds": 12.34,
}


def terminal(console: Console) -> io.StringIO:
    """Make the console believe that it prints on a terminal; what it prints is returned."""
    screen = io.StringIO()
    console._screen = rich.console.Console(file=screen, force_terminal=True, width=100, markup=False)
    return screen


def test_says_on_screen_and_in_log(tmp_path, capsys):
    with Console(tmp_path) as console:
        console.say("fold 1/5\nsecond [bold]line[/bold]")
        console.warn("careful")
    assert capsys.readouterr().out == "fold 1/5\nsecond [bold]line[/bold]\nwarning: careful\n"
    lines = (tmp_path / "train.log").read_text().splitlines()
    assert [line[21:] for line in lines] == ["fold 1/5", "second [bold]line[/bold]", "warning: careful"]
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", line) for line in lines)


def test_log_is_appended_to(tmp_path):
    for text in ("one", "two"):
        with Console(tmp_path / "run") as console:
            console.say(text)
    assert [line[21:] for line in (tmp_path / "run" / "train.log").read_text().splitlines()] == ["one", "two"]


def test_quiet_prints_and_writes_nothing(tmp_path, capsys):
    with Console(tmp_path / "run", quiet=True) as console:
        console.say("text")
        console.warn("text")
        console.epoch_line(ROW, best=True)
        console.table("scores", ["fold"], [[1]])
        with console.epoch(10, "epoch") as progress:
            progress.advance(10, loss=1.0)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
    assert not (tmp_path / "run").exists()


def test_pipe_gets_one_unwrapped_line_an_epoch(capsys):
    with Console() as console:
        with console.epoch(100, "fold 1/5  epoch 1/2") as progress:
            for _ in range(10):
                progress.advance(10, loss=0.5)
        console.epoch_line(
            {**ROW, "val_a_metric_with_a_long_name": 0.5, "val_another_long_one": 0.25}, best=False
        )
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "val_another_long_one 0.2500" in out


def test_terminal_shows_bar_with_title_speed_and_values():
    with Console() as console:
        screen = terminal(console)
        with console.epoch(100, "fold 1/5  epoch 3/10") as progress:
            progress.advance(40, loss=0.5)
            progress.advance(40)
            progress._bar.refresh()
            console.say("said while the bar moves")
    shown = screen.getvalue()
    for part in ("fold 1/5  epoch 3/10", "img/s", "loss 0.5", "said while the bar moves"):
        assert part in shown


def test_bar_vanishes_when_the_block_raises():
    with Console() as console:
        terminal(console)
        with pytest.raises(RuntimeError, match="inside"), console.epoch(100, "epoch"):
            raise RuntimeError("inside")
        with console.epoch(100, "epoch") as progress:  # rich allows one live display at a time
            progress.advance(1)


def test_epoch_text_names_every_value_and_marks_the_best():
    text = epoch_text(ROW, best=True)
    assert text == (
        "epoch   3  train_loss 0.5000  val_loss 0.2500  val_accuracy 0.9375  lr 3.00e-04"
        "     1234 img/s    12.3 s  * best"
    )
    assert "best" not in epoch_text(ROW, best=False)


def test_epoch_text_leaves_out_the_step():
    assert (
        epoch_text({"epoch": 1, "step": 18, "grad_norm": 8.8773}, best=False) == "epoch   1  grad_norm 8.8773"
    )


def test_epoch_text_keeps_large_and_missing_values():
    assert "train_loss 1.235e+06" in epoch_text({"epoch": 0, "train_loss": 1234567.0}, best=False)
    assert "val_loss    nan" in epoch_text({"epoch": 0, "val_loss": float("nan")}, best=False)


def test_table_is_aligned_and_taken_literally(tmp_path, capsys):
    with Console(tmp_path) as console:
        console.table("Scores [best]", ["fold", "accuracy"], [[0, "0.9"], ["[mean]", "0.95"]])
    out = capsys.readouterr().out
    logged = (tmp_path / "train.log").read_text()
    for text in (out, logged):
        assert "Scores [best]" in text and "[mean]" in text
    ends = {len(line.rstrip()) for line in out.splitlines() if "0.9" in line}
    assert len(ends) == 1  # right-aligned numbers end in the same column


def test_log_opened_later_has_what_was_said_before(tmp_path):
    with Console() as console:
        console.say("first")
        console.log_to(tmp_path)
        console.warn("second")
    lines = (tmp_path / "train.log").read_text().splitlines()
    assert [line.split("  ", 1)[1] for line in lines] == ["first", "warning: second"]
    with Console(quiet=True) as console:
        console.log_to(tmp_path / "quiet")
    assert not (tmp_path / "quiet").exists()

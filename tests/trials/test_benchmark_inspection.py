"""The benchmark of the decoding pass, on a few pictures."""

import numpy as np

from compkit.trials.benchmark_inspection import benchmark_inspection, table_of, write_pictures

from ..commands import call_here


def test_rates_and_memory_are_told(capsys):
    [few, more] = benchmark_inspection([6, 12])
    assert 0 < few.ratio < 1.5 and more.pictures == 12 and more.peak_mb > 50
    out = capsys.readouterr().out
    assert "12 pictures, 1 thread(s): inspection" in out and "KiB a picture" in out


def test_pictures_are_named_again_where_there_are_fewer(tmp_path):
    write_pictures(tmp_path, 3)
    table = table_of(tmp_path, 5)
    assert len(np.unique(table.files)) == 3 and table.files[0] == table.files[3]


def test_command(capsys):
    status, out, err = call_here(
        capsys, "scripts/benchmark.py", "what=inspection", "pictures=[4]", "threads=2"
    )
    assert status == 0 and "4 pictures, 2 thread(s)" in out, err
    status, _, err = call_here(capsys, "scripts/benchmark.py", "what=inspection", "pictures=[4]", "threads=0")
    assert status == 2 and "threads=0" in err

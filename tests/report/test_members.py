"""What a page says of the runs that a run is made of."""

import json

from compkit.report import read_run
from compkit.report.members import members


def test_runs_weights_and_gain_are_those_of_metrics_json(make_run):
    folder = make_run()
    path = folder / "metrics.json"
    metrics = json.loads(path.read_text())
    assert members(read_run(folder)) == []
    name = metrics["metric"]
    metrics |= {
        "members": {"a": {name: 0.25}, "b": {name: None}},
        "weights": {"a": 0.75, "b": {"x": 0.5, "y": 0.0}},
        "in_sample": {name: 0.5},
        "gain": {"over": "a", "value": 0.0125, "low": -0.5, "high": 0.75, "resamples": 100},
    }
    path.write_text(json.dumps(metrics))
    section = members(read_run(folder))[0]
    rows = [[str(cell) for cell in row] for row in section.tables[0].rows]
    assert rows[:2] == [["a", "0.2500", "0.7500"], ["b", "n/a", "0.2500"]]
    assert rows[2][0] == folder.name and rows[3][1] == "0.5000" and section.tables[0].summary_rows == 2
    assert "Gain over a: 0.0125; 95 % of 100 resamples lie from -0.5000 to 0.7500" in section.sentences[1]

from hydra import compose, initialize_config_dir

from compkit.cli import config_dir


def test_config_needs_only_the_run():
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("report", overrides=["run=outputs/digits/demo"])
    assert dict(cfg) == {"run": "outputs/digits/demo"}

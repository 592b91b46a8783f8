"""Find out the layout of a downloaded competition and write its config, with a question wherever files leave a doubt.

python scripts/init.py path=~/data/leaf metric=f1_macro
"""

from compkit.cli import config_dir, entry


@entry("init")
def main(cfg):
    from hydra.core.hydra_config import HydraConfig

    from compkit.engine import Console
    from compkit.layout import init

    # task and metric are groups of pages, of which only the name that was typed counts here
    typed = dict(one.split("=", 1) for one in HydraConfig.get().overrides.task)
    with Console() as console:
        page = init(
            path=cfg.path,
            name=cfg.name,
            task=typed.get("task"),
            metric=typed.get("metric"),
            unpack=cfg.unpack,
            output=cfg.output,
            overwrite=cfg.overwrite,
            pages=config_dir(),
            console=console,
        )
    print(page)


if __name__ == "__main__":
    main()

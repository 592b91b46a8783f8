"""Make a folder ready to upload: weights, wheels and a notebook that predicts offline and in time.

python scripts/bundle.py runs=[outputs/digits/resnet18] output=bundles/digits check=true
"""

from compkit.cli import entry


@entry("bundle")
def main(cfg):
    from pathlib import Path

    from compkit.bundle import Target, Upload, check_bundle, make_bundle, slug
    from compkit.engine import Console

    output = Path(cfg.output).expanduser()
    packages = None if cfg.packages is None else Path(cfg.packages).expanduser()
    upload = Upload(cfg.name or slug(output.name), cfg.slug, cfg.max_minutes)
    target = Target(packages, str(cfg.python), cfg.platform, cfg.wheels, cfg.wheel_source)
    with Console() as console:
        make_bundle(list(cfg.runs), output, upload, target, console)
        if cfg.check:
            check_bundle(output, list(cfg.runs), None if cfg.data is None else Path(cfg.data), console)
    print(output)


if __name__ == "__main__":
    main()

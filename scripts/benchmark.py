"""Time a warm epoch of the training loop against the same step in memory, or each trick against the plain step.

python scripts/benchmark.py image_size=64 batch_size=64 num_workers=1
python scripts/benchmark.py what=tricks
"""

from compkit.cli import entry


@entry("benchmark")
def main(cfg):
    from hydra import compose
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException

    from compkit.benchmark import benchmark, benchmark_tricks
    from compkit.build import build_plan, whole

    rounds = whole("rounds", cfg.rounds, at_least=1)
    if cfg.what not in ("loop", "tricks"):
        raise ValueError(f"what={cfg.what}: expected loop or tricks. Set what=tricks.")
    if cfg.what == "loop":
        benchmark(build_plan(cfg), rounds)
        return
    plans, given = {}, list(HydraConfig.get().overrides.task)
    for name, trick in cfg.tricks.items():
        if trick is not None:
            try:
                plans[name] = build_plan(compose("benchmark", overrides=[*given, *trick.split()]))
            except HydraException as error:
                why = str(error).splitlines()[0]  # Hydra goes on with all options and its search path
                raise ValueError(f"tricks.{name}={trick}: {why}") from error
    benchmark_tricks(build_plan(cfg), plans, rounds)


if __name__ == "__main__":
    main()

"""Time a warm epoch of the training loop against the same step in memory, or each trick against the plain step.

python scripts/benchmark.py image_size=64 batch_size=64 num_workers=1
python scripts/benchmark.py what=tricks
"""

from compkit.cli import entry


@entry("benchmark")
def main(cfg):
    from hydra import compose
    from hydra.core.hydra_config import HydraConfig

    from compkit.benchmark import benchmark, benchmark_tricks
    from compkit.build import build_plan, whole

    rounds = whole("rounds", cfg.rounds, at_least=1)
    if cfg.what == "loop":
        benchmark(build_plan(cfg), rounds)
    elif cfg.what == "tricks":
        given = list(HydraConfig.get().overrides.task)
        plans = {
            str(name): build_plan(compose("benchmark", overrides=[*given, *str(trick).split()]))
            for name, trick in cfg.tricks.items()
        }
        benchmark_tricks(build_plan(cfg), plans, rounds)
    else:
        raise ValueError(f"what={cfg.what}: expected loop or tricks. Set what=tricks.")


if __name__ == "__main__":
    main()

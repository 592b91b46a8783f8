"""Time a warm epoch of the training loop, or each trick, against the step alone; memory of prediction; blending.

python scripts/benchmark.py image_size=64 batch_size=64 num_workers=1
python scripts/benchmark.py what=tricks
python scripts/benchmark.py what=hill_climb
python scripts/benchmark.py what=memory model=timm model.backbone=test_resnet image_size=32
"""

from compkit.cli import entry


@entry("benchmark")
def main(cfg):
    from compkit.build import build_plan, build_variants, whole
    from compkit.trials.benchmark import benchmark, benchmark_memory, benchmark_tricks
    from compkit.trials.benchmark_blend import benchmark_hill_climb

    rounds = whole("rounds", cfg.rounds, at_least=1)
    match cfg.what:
        case "loop":
            benchmark(build_plan(cfg), rounds)
        case "tricks":
            benchmark_tricks(build_plan(cfg), build_variants("benchmark", cfg.tricks), rounds)
        case "memory":
            benchmark_memory(build_plan(cfg), [whole("pictures", one, at_least=1) for one in cfg.pictures])
        case "hill_climb":
            benchmark_hill_climb(rounds)
        case _:
            raise ValueError(
                f"what={cfg.what}: expected loop, tricks, memory or hill_climb. Set what=tricks."
            )


if __name__ == "__main__":
    main()

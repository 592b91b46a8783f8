"""Time a warm epoch of the training loop, or each trick, against the step alone; memory of prediction; blending.

python scripts/benchmark.py what=tricks; what=hill_climb; what=inspection; what=memory
python scripts/benchmark.py what=probes model=timm model.backbone=test_resnet image_size=32
"""

from compkit.cli import entry


@entry("benchmark")
def main(cfg):
    from compkit.build import build_plan, build_variants, whole
    from compkit.trials.benchmark import benchmark, benchmark_memory, benchmark_tricks
    from compkit.trials.benchmark_blend import benchmark_hill_climb
    from compkit.trials.benchmark_inspection import benchmark_inspection
    from compkit.trials.benchmark_probes import benchmark_probes

    rounds = whole("rounds", cfg.rounds, at_least=1)
    match cfg.what:
        case "loop":
            benchmark(build_plan(cfg), rounds)
        case "tricks":
            benchmark_tricks(build_plan(cfg), build_variants("benchmark", cfg.tricks), rounds)
        case "probes":
            benchmark_probes(build_plan(cfg), rounds)
        case "memory":
            benchmark_memory(build_plan(cfg), [whole("pictures", one, at_least=1) for one in cfg.pictures])
        case "inspection":
            pictures = [whole("pictures", one, at_least=1) for one in cfg.pictures]
            benchmark_inspection(pictures, whole("threads", cfg.threads, at_least=1))
        case "hill_climb":
            benchmark_hill_climb(rounds)
        case _:
            choices = "loop, tricks, probes, memory, inspection or hill_climb"
            raise ValueError(f"what={cfg.what}: expected {choices}. Set what=tricks.")


if __name__ == "__main__":
    main()

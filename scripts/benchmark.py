"""Time a warm epoch of the training loop against the same step on tensors already in memory.

python scripts/benchmark.py image_size=64 batch_size=64 num_workers=1
"""

from compkit.cli import entry


@entry("benchmark")
def main(cfg):
    from compkit.benchmark import benchmark
    from compkit.build import build_plan, whole

    benchmark(build_plan(cfg), whole("rounds", cfg.rounds, at_least=1))


if __name__ == "__main__":
    main()

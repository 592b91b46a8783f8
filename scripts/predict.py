"""Predict with a run's checkpoints: as a run of its own by other views, or the pictures of any folder.

python scripts/predict.py run=outputs/digits/resnet18 inference=tta_flip
python scripts/predict.py run=outputs/digits/resnet18 images=new_pictures
"""

from compkit.cli import entry


@entry("predict")
def main(cfg):
    from hydra.core.hydra_config import HydraConfig

    from compkit.build import load_plan, with_inference
    from compkit.derived.predict import predict_run

    changes = {
        "train_folds": cfg.folds,
        "trainer.device": cfg.device,
        "num_workers": cfg.num_workers,
        "inference.batch_size": cfg.batch_size,
    }
    option = HydraConfig.get().runtime.choices.get("inference")
    if cfg.weights is not None and option is None:
        changes["inference.weights"] = cfg.weights
    plan = load_plan(cfg.run, cfg.trust, changes)
    if option is not None:
        cfg.inference.weights = cfg.weights or cfg.inference.weights
        plan = with_inference(plan, cfg.inference)
    name = cfg.name or f"{plan.folder.name}_{option or 'predicted'}"
    print(predict_run(plan, cfg.what, cfg.images, cfg.output, name))


if __name__ == "__main__":
    main()

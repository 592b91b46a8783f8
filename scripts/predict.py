"""Predict the test set, the validation rows or any folder of pictures with a run's checkpoints.

python scripts/predict.py run=outputs/digits/resnet18 images=new_pictures
"""

from compkit.cli import entry


@entry("predict")
def main(cfg):
    from compkit.build import load_plan
    from compkit.predict_run import predict_run

    changes = {
        "train_folds": cfg.folds,
        "trainer.device": cfg.device,
        "num_workers": cfg.num_workers,
        "inference.batch_size": cfg.batch_size,
    }
    print(predict_run(load_plan(cfg.run, cfg.trust, changes), cfg.what, cfg.images, cfg.output))


if __name__ == "__main__":
    main()

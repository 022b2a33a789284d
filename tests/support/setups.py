"""Set-ups that are right: those of the notebooks and the demo, as (model, callbacks, lint's)."""

import keras
import numpy as np

from keras_lr import callbacks, demo, discriminative, schedules

FIT = {"epochs": 30, "steps_per_epoch": 10, "validation": True}


def network(learning_rate, optimizer=keras.optimizers.SGD, metrics=(), **options):
    """Returns a compiled model, unbuilt where it has no input."""
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
    model.compile(optimizer(learning_rate, **options), "mse", metrics=list(metrics))
    return model


def _layerwise():
    model = network(0.1)
    own = keras.optimizers.AdamW(schedules.LinearDecay(1e-3, 300))
    model.compile(discriminative(own, model, {"dense*": 0.1}), "mse")
    return model


def _keras(name, *arguments, **options):
    return getattr(keras.optimizers.schedules, name)(*arguments, **options)


def _shown():
    return callbacks.LearningRateRecorder()


def _demo():
    data = {"x": np.zeros((1200, 64)), "batch_size": demo.BATCH_SIZE, "epochs": demo.EPOCHS}
    return demo.build_model(), [callbacks.AutoLearningRate(verbose=0), _shown()], data


CYCLE = schedules.OneCycle(1.0, 300)
CLEAN = {
    "nothing": lambda: (network(0.1), [], {}),
    "demo": _demo,
    "demo, constant": lambda: (
        demo.build_model(),
        [callbacks.FitSchedule(schedules.Constant(0.1)), _shown()],
        FIT,
    ),
    "01, random rates": lambda: (
        network(0.005),
        [callbacks.RandomLearningRate(0.001, 0.01, seed=1), _shown()],
        {"x": np.zeros((25, 1)), "batch_size": 1, "epochs": 8},
    ),
    "01, staircase": lambda: (
        network(0.001),
        [callbacks.FitSchedule(schedules.ExponentialDecay(0.001, "1 epoch", 0.96, staircase=True))],
        FIT,
    ),
    "01, threshold": lambda: (
        network(0.04),
        [callbacks.ValidationThreshold(0.4, [0.004, 0.04]), callbacks.RandomJitter(0.1), _shown()],
        FIT,
    ),
    "03, in the optimizer": lambda: (
        network(schedules.LinearToZero(0.1, 300), metrics=["mae"]),
        [],
        FIT,
    ),
    "03, Keras' cosine": lambda: (
        network(_keras("CosineDecay", 0.0, 290, warmup_target=0.1, warmup_steps=10)),
        [],
        FIT,
    ),
    "04, chosen": lambda: (
        network(0.01),
        [callbacks.FitSchedule(schedules.LinearToZero(0.1, "100%"))],
        FIT,
    ),
    "05, plateau on a decay": lambda: (
        network(schedules.LinearDecay(0.1, 300)),
        [callbacks.ReduceLROnPlateau(factor=0.5, patience=5, verbose=0), _shown()],
        FIT,
    ),
    "05, all together": lambda: (
        network(schedules.CosineDecay(0.1, 300)),
        [
            callbacks.Warmup("2 epochs"),
            callbacks.RandomJitter(0.2, seed=1),
            callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, cooldown=2, min_delta=0.4),
            _shown(),
            keras.callbacks.LambdaCallback(on_train_begin=print),
        ],
        FIT,
    ),
    "05, loss-driven": lambda: (
        network(0.03),
        [callbacks.GreedyLR("val_loss"), callbacks.RecoverFromDivergence(verbose=0)],
        FIT,
    ),
    "05, backup": lambda: (
        network(0.1),
        [
            callbacks.Warmup("10%"),
            callbacks.TrainingBackup("backup", verbose=0),
            callbacks.ReduceLROnPlateau(factor=0.5, patience=3, min_delta=0.05),
        ],
        FIT,
    ),
    "05, Keras' backup": lambda: (
        network(0.1),
        [
            callbacks.ReduceLROnPlateau(factor=0.5, patience=3, state_path="plateau.json"),
            keras.callbacks.BackupAndRestore("saved"),
        ],
        FIT,
    ),
    "06, one-cycle": lambda: (
        network(0.1, momentum=0.9),
        [callbacks.FitSchedule(CYCLE), callbacks.MomentumSchedule(CYCLE.momentum())],
        FIT,
    ),
    "06, restarts": lambda: (
        network(0.1),
        [callbacks.FitSchedule(schedules.WarmRestarts(0.1, [100, 200]))],
        FIT,
    ),
    "06, triangles": lambda: (
        network(schedules.CyclicalLearningRate(0.01, 0.1, 50)),
        [],
        FIT,
    ),
    "06, warmup, stable, decay": lambda: (
        network(0.1),
        [callbacks.FitSchedule(schedules.WarmupStableDecay(0.1, 300)), callbacks.Warmup(5)],
        FIT,
    ),
    "07, resumed": lambda: (
        network(0.1),
        [callbacks.RandomLearningRate(0.0, 0.2, every=4), callbacks.RandomJitter(0.1), _shown()],
        {"epochs": 10, "initial_epoch": 5, "x": np.zeros((10, 1)), "batch_size": 1},
    ),
    "08, ScheduleFree": lambda: (
        network(schedules.Constant(0.1).with_warmup(20), keras.optimizers.Adam),
        [],
        FIT,
    ),
    "rates by layer": lambda: (_layerwise(), [callbacks.Warmup("5%"), _shown()], FIT),
    "accumulation": lambda: (
        network(schedules.LinearDecay(0.1, 75).stretch(4).hold(4), gradient_accumulation_steps=4),
        [],
        FIT,
    ),
    "accumulation, FitSchedule": lambda: (
        network(0.1, gradient_accumulation_steps=4),
        [callbacks.FitSchedule(schedules.LinearDecay(0.1, "100%"))],
        FIT,
    ),
    "stages": lambda: (
        network(0.1),
        [
            callbacks.Stages(
                [
                    callbacks.Stage(1e-3, 5, train="dense*"),
                    callbacks.Stage(schedules.LinearToZero(1e-4, "100%"), 25, train="*"),
                ]
            )
        ],
        FIT,
    ),
    "across fits": lambda: (
        network(0.1),
        [callbacks.FitSchedule(schedules.LinearDecay(0.1, "100%"), across_fits=True, epochs=90)],
        FIT,
    ),
    "Keras' own": lambda: (
        network(0.1, metrics=["mae"]),
        [
            keras.callbacks.ReduceLROnPlateau("val_mae", patience=3, min_lr=1e-5),
            keras.callbacks.EarlyStopping("val_mae", patience=10, restore_best_weights=True),
            keras.callbacks.ModelCheckpoint("best.keras", save_best_only=True),
        ],
        FIT,
    ),
}

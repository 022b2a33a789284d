"""What `compare` costs: 4 schedules × 8 rates × 5 seeds beside the same updates made by `fit`.

Run `KERAS_BACKEND=… python tests/benchmarks/comparison_cost.py`. The updates to compare with are
made by as many calls of `fit` on one model that is compiled already; and, for the gain, by some on
models that are built and compiled anew for each run. Times of the first run, which compiles, are
in ours and in these. They are times of the processor: others may use the machine meanwhile.
"""

import argparse
import time

import keras
import numpy as np

from keras_lr import schedules
from keras_lr.comparison.bench import Bench, Plan
from keras_lr.comparison.protocol import CHOOSE, Task

BATCH_SIZE, CLASSES = 32, 10
NAMED = {
    "linear": schedules.LinearToZero,
    "cosine": schedules.CosineDecay,
    "stable": lambda peak: schedules.WarmupStableDecay(peak, "100%"),
}


def build_model(seed):
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(64, activation="relu") for _ in range(2)]
    model = keras.Sequential([keras.Input((64,)), *layers, keras.layers.Dense(CLASSES)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss, metrics=["accuracy"])
    return model


def part(rows, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 64)).astype("float32")
    return x, np.argmax(x @ np.random.default_rng(0).normal(size=(64, CLASSES)), axis=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rows", type=int, default=1600)
    options = parser.parse_args()
    data = [part(options.rows, 1), part(320, 2), part(320, 3)]
    rates = [0.001 * 2.0**k for k in range(8)]
    fit = {"epochs": options.epochs, "batch_size": BATCH_SIZE, "verbose": 0}

    begin = time.process_time()
    bench = Bench(Plan(build_model, data, NAMED, options.epochs, BATCH_SIZE))
    names = [*bench.contenders]
    tasks = [Task(n, r, s, CHOOSE) for s in range(options.seeds) for n in names for r in rates]
    for task in tasks:
        bench.make(task)
    ours = time.process_time() - begin
    model = build_model(0)
    model.fit(*data[0], **{**fit, "epochs": 1})
    begin = time.process_time()
    for _ in tasks:
        model.fit(*data[0], **fit)
    plain = time.process_time() - begin
    begin, few = time.process_time(), 5
    for seed in range(few):
        model = build_model(seed)
        model.optimizer.learning_rate = schedules.LinearToZero(rates[seed], bench.run.total_steps)
        model.fit(*data[0], **fit)
        model.evaluate(*data[1], batch_size=BATCH_SIZE, verbose=0)
    anew = (time.process_time() - begin) / few * len(tasks)
    print(f"{keras.config.backend()}: {len(tasks)} runs of {bench.run.total_steps:.0f} updates")
    print(f"compare {ours:.1f} s, fit {plain:.1f} s: ratio {ours / plain:.2f}")
    print(f"built and compiled anew {anew:.1f} s (from {few} runs): {anew / ours:.1f} times ours")


if __name__ == "__main__":
    main()

"""What a composition of depth 6 costs: in a small model's training step, and for 10⁶ updates.

Run `python tests/benchmarks/composition_cost.py`, with KERAS_BACKEND set for each back end. Epochs
with a constant rate and with the composition are taken in turns, and the least of each compared.
"""

import keras
import numpy as np
from schedule_calls import interleaved

from keras_lr import schedules as s

BATCHES, BATCH = 200, 64
COMPOSITION = (
    s.LinearDecay(0.1, 500)  # 1
    .with_warmup(20, shape="cosine")  # 2
    .then(s.CosineDecay(0.05, 300), at=400)  # 3
    .repeat(900, amplitude_multiplier=0.9)  # 4
    .jitter(0.1, every=10)  # 5
    .clip(1e-4, 0.09)  # 6
)


def epoch(rate):
    """Returns a call that trains a small classifier for one epoch, compiled beforehand."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(BATCHES * BATCH, 64)).astype("float32")
    y = np.random.default_rng(1).integers(10, size=len(x))
    layers = [keras.Input((64,)), *(keras.layers.Dense(128, "relu") for _ in range(2))]
    model = keras.Sequential([*layers, keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss)

    def train():
        model.fit(x, y, batch_size=BATCH, verbose=0, shuffle=False)

    train()
    return train


if __name__ == "__main__":
    print(f"keras {keras.__version__} on {keras.config.backend()}, numpy {np.__version__}\n")
    calls = {"constant": epoch(0.01), "constant again": epoch(0.01)}
    calls["composition"] = epoch(0.1 * COMPOSITION)
    best = interleaved(calls, repeats=12)
    for name, seconds in best.items():
        ratio = seconds / best["constant"]
        print(f"{name}: {seconds / BATCHES * 1e6:.0f} µs a step, ratio {ratio:.3f}")
    million = interleaved({"rates": lambda: COMPOSITION.rates(10**6)}, repeats=5)["rates"]
    print(f"rates(10**6): {million:.2f} s")

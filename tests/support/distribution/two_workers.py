"""One worker of two: trains in a loop of its own; writes down what was done to its weights.

To be run by test_distribution.py, in two processes whose `TF_CONFIG` tells them of each other.
"""

import json
import linecache
import pathlib
import sys

import keras
from support import unit_gradient
from support.distribution import copies
from support.pages import blocks

from keras_lr import callbacks, schedules, set_rate

BASE, PER_EPOCH = 0.4, 2
# What each worker sees of the loss: one gets better, the other worse, and so does the mean.
LOSSES = [[1.0, 0.9, 0.8, 0.7], [1.0, 1.3, 1.6, 0.1]]


class Worker:
    """The strategy of this process, and the training step that every case goes through."""

    def __init__(self, strategy):
        import tensorflow as tf

        self.tf, self.strategy = tf, strategy
        self.index = self.strategy.cluster_resolver.task_id

    def build(self, make_optimizer, learning_rate):
        with self.strategy.scope():
            return unit_gradient.build(make_optimizer(learning_rate))

    def step_of(self, model):
        """Returns the compiled step: every worker's gradient is half of 1, and their sum 1."""
        tf, strategy = self.tf, self.strategy
        x, _ = unit_gradient.batches(1)

        def on_replica():
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(model(x, training=True)) / strategy.num_replicas_in_sync
            gradients = tape.gradient(loss, model.trainable_weights)
            model.optimizer.apply_gradients(zip(gradients, model.trainable_weights))

        return tf.function(lambda: strategy.run(on_replica))

    def mean(self, value):
        """Returns the mean of what the workers have."""
        each = self.strategy.run(lambda: self.tf.constant(value))
        return float(self.strategy.reduce("MEAN", each, axis=None))

    def follow(self, schedule, updates):
        """Trains with a schedule in the optimizer."""
        model = self.build(keras.optimizers.SGD, schedule)
        step = self.step_of(model)
        for _ in range(updates):
            step()
        return {"applied": copies.applied(model)}

    def decide(self):
        """Trains with a plateau rule that is asked for its decision by hand, once per epoch."""
        model = self.build(keras.optimizers.SGD, BASE)
        step = self.step_of(model)
        rule = callbacks.ReduceLROnPlateau(factor=0.5, patience=1, mode="min")
        together = alone = rule.start()
        for loss in LOSSES[self.index]:
            for _ in range(PER_EPOCH):
                step()
            together = rule.update(together, self.mean(loss), BASE * together.factor)
            alone = rule.update(alone, loss, BASE * alone.factor)
            set_rate(model.optimizer, BASE * together.factor)
        return {"applied": copies.applied(model), "alone": alone.factor}

    def fit(self):
        """Has Keras train, without anything of ours; returns its error, if it raises one."""
        model = self.build(keras.optimizers.SGD, BASE)
        try:
            unit_gradient.fit(model, PER_EPOCH)
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}
        return {"error": "none"}


def paste_the_page():
    """Runs what the docs say of several workers; returns its names."""
    # Not fenced as "python": this one cannot run on every back end.
    (block,) = blocks("docs/resuming.md", "py")
    names = {}
    # TensorFlow looks for the source of what it compiles.
    linecache.cache["docs"] = (len(block), None, block.splitlines(keepends=True), "docs")
    exec(compile(block, "docs", "exec"), names)
    return names


def main(path):
    pasted = paste_the_page()
    worker = Worker(pasted["strategy"])
    outcome = {
        "readme": [w.tolist() for kernel in pasted["model"].weights for w in copies.of(kernel)],
        "schedule": worker.follow(schedules.LinearDecay(0.4, 20).with_warmup(4), 8),
        "random": worker.follow(schedules.RandomUniform(0.1, 0.3, every=2, seed=42), 8),
        "decisions": worker.decide(),
        "fit": worker.fit(),
    }
    pathlib.Path(path).write_text(json.dumps(outcome))


if __name__ == "__main__":
    main(sys.argv[1])

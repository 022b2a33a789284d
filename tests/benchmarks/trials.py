"""What a range test costs: `range_test(verify=4)` beside as many updates made by `fit`.

Run `KERAS_BACKEND=… python tests/benchmarks/trials.py`. Both train the same model on the same data,
in turn, and are compared by their time per update. All batches have one size, so that a step is
compiled once. What is done once is taken out of the times and said apart: the loss is built, and
the first call of the step traces and compiles it; `fit` has done both before. On a busy machine
`--cpu` compares the time of all threads instead.
"""

import argparse
import time
from unittest import mock

import keras
import numpy as np

from keras_lr import range_test
from keras_lr.trials import Trials

NUM_STEPS, VERIFY = 100, 4
CLOCK = time.perf_counter


def network(width):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(width, activation="relu") for _ in range(2)]
    model = keras.Sequential([keras.Input((64,)), *layers, keras.layers.Dense(10)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def data(samples):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(samples, 64)).astype("float32")
    return x, np.argmax(x @ rng.normal(size=(64, 10)), axis=1)


class Counted:
    """Counts the updates of trials; times the first call of each step, and building the loss."""

    def __init__(self, model):
        self.updates, self.first_calls, self.building, self._model = 0, [], 0.0, model

    def __enter__(self):
        run, model = Trials.run, self._model
        make, build = type(model).make_train_function, type(model)._symbolic_build

        def counting(trials, *args, **options):
            found = run(trials, *args, **options)
            self.updates += len(found[0])
            return found

        def timing(model, force=False):
            before = model.train_function
            make(model, force=force)
            if model.train_function is not before:
                model.train_function = self._timed_once(model.train_function)

        def building(model, *args, **options):
            begin = CLOCK()
            build(model, *args, **options)
            self.building += CLOCK() - begin

        self._patches = [
            mock.patch.object(type(model), "_symbolic_build", building),
            mock.patch.object(Trials, "run", counting),
            mock.patch.object(type(model), "make_train_function", timing),
        ]
        for patch in self._patches:
            patch.start()
        return self

    def __exit__(self, *exception):
        for patch in self._patches:
            patch.stop()

    def _timed_once(self, function):
        def first(*args):
            begin = CLOCK()
            found = function(*args)
            self.first_calls.append(CLOCK() - begin)
            self._model.train_function = function
            return found

        return first


def tested(model, x, y, batch_size, **options):
    """Returns the seconds per update of a range test and of what is done once, with the counts."""
    options = {"verify": VERIFY, "num_steps": NUM_STEPS, "verbose": 0, **options}
    with Counted(model) as counted:
        begin = CLOCK()
        range_test(model, x, y, batch_size=batch_size, start=1e-5, **options)
        seconds = CLOCK() - begin
    once = sum(counted.first_calls) + counted.building
    steps = len(counted.first_calls)
    return (seconds - once) / counted.updates, once, steps, counted.updates


def fitted(model, x, y, batch_size, updates, calls=1):
    """Returns the seconds per update of about so many updates, in so many calls of `fit`."""
    each = -(-len(x) // batch_size)
    epochs = max(round(updates / calls / each), 1)
    begin = CLOCK()
    for _ in range(calls):
        model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0)
    return (CLOCK() - begin) / (calls * epochs * each)


def spread(values):
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def main(arguments):
    model, (x, y) = network(arguments.width), data(arguments.samples)
    size = arguments.batch_size
    *_, updates = tested(model, x, y, size)
    weights = model.get_weights()
    fitted(model, x, y, size, updates)
    rows = []
    for _ in range(arguments.rounds):
        seconds, once, steps, updates = tested(model, x, y, size)
        validated, *_ = tested(model, x, y, size, validation_data=(x[:size], y[:size]))
        plain = [fitted(model, x, y, size, updates, calls) for calls in (1, VERIFY + 1)]
        model.set_weights(weights)
        rows.append((seconds, *plain, once, validated))
    ours, plain, several, compiled, validated = np.array(rows).T
    print(f"keras {keras.__version__} on {keras.config.backend()}: {arguments}")
    print(f"{updates} updates; one call of fit takes {1e6 * np.median(plain):.0f} µs per update")
    print(f"range_test(verify={VERIFY}) beside one call of fit: {spread(ours / plain)}")
    print(f"beside {VERIFY + 1} calls, one for each run: {spread(ours / several)}")
    print(f"steps compiled: {steps}, in {np.median(compiled):.2f} s")
    print(f"each loss on a validation batch: {1e6 * np.median(validated - ours):.0f} µs more")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--samples", type=int, default=1600)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--cpu", action="store_true")
    arguments = parser.parse_args()
    CLOCK = time.process_time if arguments.cpu else time.perf_counter
    main(arguments)

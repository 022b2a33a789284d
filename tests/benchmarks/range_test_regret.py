"""How far the rates of `range_test` and `AutoLearningRate` end from the best, as users feel it.

Run `KERAS_BACKEND=jax python tests/benchmarks/range_test_regret.py FOLDER`, with `--group` tuning,
aside or all, `--minutes M` and `--tasks PATTERN` if need be. What is not yet in FOLDER is measured,
so that it can be stopped and goes on; then tables are printed and a picture is written there. After
a change of our rules delete `*.ours.json`: grids and Keras' rows stay. On a core of its own a group
takes about 20 minutes from the first seed, half of them for convolutions, and a few more from the
five other seeds that noisy kinds of tasks have; without the grids, 5.

Each task (regret_tasks.py) is trained for 300, 1,000 and 5,000 updates, in whole epochs, and where
its data can be made in any number also for one epoch of 500 updates. All losses are those on test
rows, which neither training, nor choice, nor reaction has seen. Regret is
(loss − best)/(initial − best), at most 1; a run that diverged, no suggestion and an exception count
1. `initial` is the better of the untrained network and the best constant answer. `best` is the
lowest loss of a grid of peak rates, linear to zero, half a decade apart from 1e-5 to 10, and around
the best an eighth, from the weights and with the batches of the run that is judged. A run may be
better, and its regret negative.

Of strategies that only name a rate for a linear decay to zero, the regret is interpolated on the
grid; the others are runs that were made: `LinearToZero` (with its warmup) at the rate that the
package's own search has chosen, in compiled runs that stand in for those of `fit`, with the
decisions of the package's own plateau callbacks after every epoch. "Best kept" is the regret of the
epoch with the lowest validation loss. Halving begins with the 13 rates of the grid and costs as
many updates as the search of `AutoLearningRate`, a tenth of the run's and at least 50. Standard
errors are from 1,000 resamplings of the tasks.

`--check N` has the real `AutoLearningRate` in a real `fit` on N tasks, beside what stands in for
it: other orders of the data, so that they agree only as far as these matter.
"""

import argparse
import math
from fnmatch import fnmatch
from pathlib import Path

import keras
import numpy as np
from regret_measuring import LENGTHS, found, measure
from regret_runs import Runs
from regret_strategies import AUTOMATIC, Strategies
from regret_tables import picture, tables
from regret_tasks import ASIDE, TASKS, TUNING

from keras_lr.callbacks import AutoLearningRate

_GROUPS = {"tuning": (TUNING,), "aside": (ASIDE,), "all": (TUNING, ASIDE)}
_SEEDS_OF_CHECK = 2


def check(tasks):
    """Prints what the callback chooses and reaches in `fit`, beside what stands in for it."""
    for task in tasks:
        runs = Runs(task)
        (x, y, weights), validation, (x_test, y_test, test_weights) = task.parts()
        epochs = max(LENGTHS["1,000"] // runs.updates_per_epoch, 1)
        print(f"\n{task.name}, {epochs} epochs")
        for seed in range(_SEEDS_OF_CHECK):
            entry = Strategies(runs, seed).ours(epochs)[AUTOMATIC]()
            _say("stands in", entry["rate"], entry["final"], entry["evidence"])
        for seed in range(_SEEDS_OF_CHECK):
            model, auto = task.model(seed), AutoLearningRate(verbose=0, seed=seed)
            data = {"batch_size": task.batch_size, "validation_data": validation}
            told = {"sample_weight": weights, "callbacks": [auto], "verbose": 0}
            keras.utils.set_random_seed(seed)
            model.fit(x, y, epochs=epochs, **data, **told)
            test = {"sample_weight": test_weights, "batch_size": len(x_test), "verbose": 0}
            loss = model.evaluate(x_test, y_test, return_dict=True, **test)["loss"]
            _say("callback", auto.peak, loss, auto.found.evidence)
        keras.backend.clear_session()


def _say(who, peak, loss, evidence):
    runs = ", ".join(f"{rate:.2g}: {score:.4g}" for rate, score in evidence)
    print(f"  {who:10s} peak {peak:.3g}, final loss {loss:.4f}; runs {runs}")


def main(arguments):
    tasks = [task for task in TASKS if task.group in _GROUPS[arguments.group]]
    tasks = [task for task in tasks if fnmatch(task.name, arguments.tasks)]
    if arguments.check:
        chosen = np.linspace(0, len(tasks) - 1, arguments.check).round().astype(int)
        check([tasks[i] for i in chosen])
        return
    measure(tasks, arguments.folder, 60 * arguments.minutes)
    everything = found(tasks, arguments.folder)
    tables(everything)
    picture(everything, arguments.folder / "regret.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--group", choices=_GROUPS, default="tuning")
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--tasks", default="*", help="a pattern of names, as in a shell")
    parser.add_argument("--check", type=int, default=0, help="measure nothing, compare N tasks")
    if keras.config.backend() != "jax":
        raise SystemExit("Set KERAS_BACKEND=jax: the runs are compiled as one loop.")
    main(parser.parse_args())

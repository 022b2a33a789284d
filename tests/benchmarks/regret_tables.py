"""Tables and a picture of the regrets that were measured."""

import numpy as np
from regret_measuring import FRESH, LENGTHS, best, regret
from regret_strategies import (
    ALONE,
    AUTOMATIC,
    BLIND,
    BY_HAND,
    DEFAULT,
    DEFAULT_LINEAR,
    FIXED,
    HALVING,
    KERAS,
    OURS,
    TOLD,
    VERIFIED,
    WITHIN,
)

ALL = (*FIXED, *OURS)
_RIVALS = (*FIXED, ALONE, VERIFIED, BY_HAND, HALVING)
_BY_KIND = DEFAULT, KERAS, VERIFIED, TOLD, WITHIN, BY_HAND, AUTOMATIC, BLIND
_SHOWN = (
    DEFAULT, KERAS, DEFAULT_LINEAR, ALONE, VERIFIED, WITHIN, HALVING, BY_HAND, BLIND, AUTOMATIC,
)  # fmt: skip
# A task on which we are worse by more than this is named.
_MUCH = 0.1


class Regrets:
    """Regrets by task, of one length: `final[name]` and `kept[name]`, arrays of one per task.

    Of a task measured from several seeds it is their mean.
    """

    def __init__(self, found, length, group=None):
        chosen = {
            task: [seed[length] for seed in seeds if length in seed]
            for task, seeds in found.items()
            if group in (None, task.group)
        }
        self.entries = {task: seeds for task, seeds in chosen.items() if seeds}
        self.tasks = list(self.entries)
        pairs = {
            name: [
                np.mean([regret(seed["strategies"][name], seed) for seed in seeds], axis=0)
                for seeds in self.entries.values()
            ]
            for name in ALL
        }
        self.final, self.kept = (
            {name: np.array(values).reshape(-1, 2)[:, i] for name, values in pairs.items()}
            for i in (0, 1)
        )


def tables(found):
    """Prints everything; returns nothing."""
    for group in sorted({task.group for task in found}, reverse=True):
        for length in (*LENGTHS, FRESH):
            regrets = Regrets(found, length, group)
            if regrets.tasks:
                print(f"\n## {group}, {length} updates: {len(regrets.tasks)} tasks")
                _strategies(regrets)
                _differences(regrets)
                _kinds(regrets)
                _remarks(regrets)


def _strategies(regrets):
    print(f"\n{'':24s}{'final: median':17s}{'q90':17s}{'mean':17s}{'best kept: q90':17s}mean")
    for name in ALL:
        median, high, mean = _with_errors(regrets.final[name])
        _, kept_high, kept_mean = _with_errors(regrets.kept[name])
        row = (median, high, mean, kept_high, kept_mean)
        print(f"{name:24s}" + "".join(f"{text:17s}" for text in row).rstrip())


def _with_errors(values):
    """Returns median, 90th percentile and mean with standard errors; tasks are resampled."""
    if np.isnan(values).any():
        return "–", "–", "–"
    rng = np.random.default_rng(0)
    drawn = values[rng.integers(len(values), size=(1000, len(values)))]
    figures = [
        (of(values), np.std(of(drawn, axis=1)))
        for of in (np.median, lambda a, axis=None: np.quantile(a, 0.9, axis=axis), np.mean)
    ]
    return [f"{figure:6.3f} ± {error:.3f}" for figure, error in figures]


def _differences(regrets):
    print(f"\n{'paired differences':50s}{'final':17s}best kept")
    pairs = [(AUTOMATIC, rival) for rival in (*_RIVALS, BLIND)]
    pairs += [(BLIND, rival) for rival in (DEFAULT, DEFAULT_LINEAR, ALONE)]
    for ours, theirs in pairs:
        texts = [
            _with_errors(column[ours] - column[theirs])[2]
            for column in (regrets.final, regrets.kept)
        ]
        print(f"{ours + ' − ' + theirs:50s}{texts[0]:17s}{texts[1]}")


def _kinds(regrets):
    print(f"\n{'mean by kind':30s}" + "".join(f"{name:>22s}" for name in _BY_KIND))
    kinds = np.array([task.kind for task in regrets.tasks])
    for kind in dict.fromkeys(kinds):
        means = [regrets.final[name][kinds == kind].mean() for name in _BY_KIND]
        print(f"{kind:30s}" + "".join(f"{mean:22.3f}" for mean in means))


def _remarks(regrets):
    """Prints which tasks went wrong, and where the best rate was not inside the grid."""
    for rival in (DEFAULT, KERAS):
        worse = regrets.final[AUTOMATIC] - regrets.final[rival]
        for i in np.argsort(-worse):
            if worse[i] > _MUCH:
                task = regrets.tasks[i]
                entry = regrets.entries[task][0]
                peak = entry["strategies"][AUTOMATIC]["rate"]
                rates = f"peak {peak:.2g}, best {best(entry)[0]:.2g}" if peak else "no peak"
                print(f"worse than {rival} by {worse[i]:.2f}: {task.name} ({rates})")
    for task, seeds in regrets.entries.items():
        rate, loss = best(seeds[0])
        if rate in (seeds[0]["grid"][0][0], seeds[0]["grid"][-1][0]):
            print(f"best at the edge of the grid: {task.name}, {rate:.2g}")
        if seeds[0]["initial"] <= loss:
            print(f"nothing is better than a constant answer: {task.name}")
        for name, strategy in seeds[0]["strategies"].items():
            if "error" in strategy:
                print(f"{name}: {task.name}: {strategy['error']}")


def picture(found, path):
    """Draws the final regret of each task by strategy and length, with medians and q10–q90."""
    from matplotlib.figure import Figure

    lengths = [name for name in LENGTHS if Regrets(found, name).tasks]
    if not lengths:
        return
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    axes = figure.subplots(1, len(lengths), sharey=True, squeeze=False)[0]
    rng = np.random.default_rng(0)
    for ax, length in zip(axes, lengths):
        regrets = Regrets(found, length)
        for row, name in enumerate(reversed(_SHOWN)):
            values = regrets.final[name]
            color = "tab:orange" if name in (AUTOMATIC, BLIND) else "tab:blue"
            heights = row + rng.uniform(-0.25, 0.25, len(values))
            ax.plot(values, heights, ".", color=color, alpha=0.35, markersize=5, markeredgewidth=0)
            low, median, high = np.quantile(values, [0.1, 0.5, 0.9])
            ax.plot([low, high], [row, row], color=color, linewidth=2.5)
            ax.plot(median, row, "|", color="black", markersize=13, markeredgewidth=2.5)
        ax.axvline(0.0, color="gray", linewidth=0.8)
        ax.set_xscale("symlog", linthresh=0.01, linscale=0.6)
        ax.set(title=f"{length} updates", xlim=(-0.2, 1.2))
        ax.set_xticks([-0.1, 0, 0.01, 0.1, 1], ["−0.1", "0", "0.01", "0.1", "1"], fontsize=11)
        ax.set_yticks(range(len(_SHOWN)), _SHOWN[::-1], fontsize=12)
        ax.grid(True, axis="x", alpha=0.3)
    figure.supxlabel("regret of the final loss on unseen rows (0: the best rate, 1: no training)")
    figure.savefig(path, dpi=110)

"""How far the rates that `range_test` suggests end from the best."""

import argparse
from pathlib import Path

import keras
import numpy as np
from regret_cells import cells
from regret_measurements import measure


def measured(folder, seconds):
    """Measures what is not in `folder` yet, until the time is up; returns cells and arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    import time

    begin = time.monotonic()
    todo = cells()
    bar = keras.utils.Progbar(len(todo))
    found = []
    for i, cell in enumerate(todo):
        path = folder / f"{cell.name}.npz"
        if not path.exists():
            if time.monotonic() - begin > seconds:
                continue
            arrays = measure(cell, with_shapes=i % 6 < 2)
            part = path.with_suffix(".part.npz")
            np.savez(part, **arrays)
            part.rename(path)
        found.append((cell, dict(np.load(path))))
        bar.update(i + 1)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=1e9)
    args = parser.parse_args()
    measured(args.folder, 60 * args.minutes)

"""A sum of small decision trees, from JSON."""

import numpy as np


class Trees:
    """The sums of the leaves that a row of features falls into, one sum for each class.

    `rounds` has a list of trees, one for each class. A leaf is a number; a branch is
    `[feature, threshold, missing, below, above]`: rows whose feature is at most the threshold go
    `below`, and those without it too if `missing` is 1.

    >>> Trees([[[0, 1.5, 0, -1.0, 1.0]], [[1, 0.0, 1, 0.5, 0.0]]])([1.0, float("nan")]).tolist()
    [-0.5]
    """

    def __init__(self, rounds):
        self._nodes = []
        self._roots = np.array([[self._add(tree) for tree in trees] for trees in rounds])
        columns = zip(*self._nodes, strict=True)
        kinds = int, float, bool, int, int, float
        self._feature, self._threshold, self._missing, self._below, self._above, self._value = (
            np.array(column, kind) for column, kind in zip(columns, kinds, strict=True)
        )

    def _add(self, tree):
        at = len(self._nodes)
        # A leaf leads to itself, so that all paths may be followed equally far.
        self._nodes.append((0, 0.0, False, at, at, 0.0))
        if isinstance(tree, list):
            feature, threshold, missing, *sides = tree
            below, above = map(self._add, sides)
            self._nodes[at] = feature, threshold, bool(missing), below, above, 0.0
        else:
            self._nodes[at] = 0, 0.0, False, at, at, float(tree)
        return at

    def __call__(self, row):
        row, at = np.asarray(row, "float64"), self._roots
        while True:
            seen, threshold = row[self._feature[at]], self._threshold[at]
            below = np.where(np.isnan(seen), self._missing[at], seen <= threshold)
            after = np.where(below, self._below[at], self._above[at])
            if np.array_equal(after, at):
                return self._value[at].sum(0)
            at = after

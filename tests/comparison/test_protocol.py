"""Which runs are made: grids that grow, one set of seeds to choose, another to report."""

import math

import numpy as np
import pytest

from keras_lr.comparison import protocol
from keras_lr.comparison.protocol import CHOOSE, REPORT, Outcome
from keras_lr.comparison.result import comparison


class Measured:
    """Results by a formula of name, rate and seed; notes every task."""

    def __init__(self, loss):
        self.loss, self.tasks = loss, []

    def __call__(self, tasks):
        self.tasks += tasks
        return {task: self._outcome(task) for task in tasks}

    def _outcome(self, task):
        value = self.loss(task)
        if value == "killed":
            return Outcome(None, {}, killed=True)
        value = value if math.isfinite(value) else None
        return Outcome(value, {"loss": value})


def parabola(best, noise=0.0):
    def loss(task):
        chance = np.random.default_rng(task.seed).normal()
        return 1.0 + np.log2(task.rate / best) ** 2 + noise * chance

    return loss


@pytest.mark.parametrize("best", [1 / 64, 0.5, 1.0, 2.0, 32.0])
def test_a_grid_grows_until_its_optimum_is_inside(best):
    measure = Measured(parabola(best))
    choice = protocol.choose({"a": [0.5, 1.0, 2.0]}, [0, 1], measure)["a"]
    assert (choice.rate, choice.is_interior) == (best, True)
    assert min(choice.grid) < best < max(choice.grid)
    assert len(measure.tasks) == len(set(measure.tasks)) == 2 * len(choice.grid)


def test_a_grid_grows_by_so_many_rates_at_most():
    choice = protocol.choose({"a": [1.0, 2.0]}, [0, 1], Measured(lambda task: -task.rate))["a"]
    assert choice.rate == 2.0 ** (1 + protocol.MOST_ADDED) and not choice.is_interior


def test_one_run_that_breaks_rules_a_rate_out():
    def loss(task):
        return math.nan if task.rate > 1.0 and task.seed == 1 else 1.0 / task.rate

    choice = protocol.choose({"a": [0.5, 1.0, 2.0, 4.0]}, [0, 1], Measured(loss))["a"]
    assert (choice.rate, choice.is_interior) == (1.0, True)


def test_where_all_runs_break_the_grid_goes_down():
    def loss(task):
        return math.inf if task.rate > 0.3 else abs(task.rate - 0.125)

    choice = protocol.choose({"a": [1.0, 2.0]}, [0, 1], Measured(loss))["a"]
    assert (choice.rate, choice.is_interior) == (0.125, True)


def test_of_rates_that_do_the_same_the_one_in_the_middle_is_taken():
    choice = protocol.choose({"a": [1.0, 2.0, 4.0]}, [0, 1], Measured(lambda task: 0.5))["a"]
    assert (choice.rate, choice.is_interior, len(choice.grid)) == (2.0, True, 3)


def test_higher_may_be_better():
    def accuracy(task):
        return -parabola(2.0)(task)

    choice = protocol.choose({"a": [1.0, 2.0, 4.0]}, [0, 1], Measured(accuracy), True)["a"]
    assert choice.rate == 2.0


def test_seeds_that_choose_do_not_report_and_all_contenders_have_the_same():
    measure = Measured(parabola(1.0, noise=0.1))
    choices = protocol.choose({"a": [0.5, 1.0, 2.0], "own": None}, [0, 1], measure)
    reports = protocol.report(choices, [2, 3], Measured(lambda task: task.seed))
    assert {task.seed for task in measure.tasks} == {0, 1}
    assert {task.purpose for task in measure.tasks} == {CHOOSE}
    assert [o.value for o in reports["a"]] == [o.value for o in reports["own"]] == [2, 3]
    assert choices["own"].rate is None


class Plan:
    metric = "loss"


def compared(loss, names, seeds=5, higher_is_better=False):
    measure = Measured(loss)
    grids = {name: [0.5, 1.0, 2.0] for name in names}
    choices = protocol.choose(grids, range(seeds), measure, higher_is_better)
    reports = protocol.report(choices, range(seeds, 2 * seeds), measure)
    return comparison(Plan, 10, choices, reports, higher_is_better, [])


def test_a_difference_far_above_its_error_is_claimed():
    def loss(task):
        own = np.random.default_rng([task.seed, len(task.name)]).normal()
        return (task.name == "worse") + 0.01 * own + abs(task.rate - 1.0) + 10.0 * task.seed

    found = compared(loss, ["worse", "best"])
    assert found.best == "best"
    (difference,) = found.differences
    assert difference.is_claimed and difference.difference == pytest.approx(-1.0, abs=0.05)
    assert "best is better than worse by 1.01 ± 0.0062" in found.report()


def test_a_difference_within_its_error_is_not_claimed():
    def loss(task):
        return np.random.default_rng([task.seed, len(task.name)]).normal()

    found = compared(loss, ["a", "bb"])
    assert not found.differences[0].is_claimed
    assert "No difference is shown between" in found.report()


def test_runs_without_a_number_count_as_worst_and_are_said():
    def loss(task):
        broken = task.name == "breaks" and task.purpose == REPORT and task.seed == 5
        return math.nan if broken else abs(task.rate - 1.0) - (task.name == "breaks")

    found = compared(loss, ["breaks", "holds"])
    last = found.contestants[-1]
    assert (last.name, last.mean, last.diverged) == ("breaks", math.inf, 1)
    assert not found.differences[0].is_claimed
    assert "breaks diverged in 1 of 5 runs" in found.report()
    assert found.to_dict()["contestants"][-1]["mean"] is None


def test_of_an_accuracy_what_breaks_is_the_worst_too():
    def accuracy(task):
        return math.nan if task.name == "breaks" else 0.9 - abs(task.rate - 1.0)

    found = compared(accuracy, ["breaks", "holds"], higher_is_better=True)
    assert [row.mean for row in found.contestants] == [pytest.approx(0.9), -math.inf]


def test_runs_that_kill_are_left_out_and_said():
    def loss(task):
        if task.name == "kills" and task.purpose == REPORT and task.seed == 6:
            return "killed"
        return abs(task.rate - 1.0) + 0.001 * task.seed

    found = compared(loss, ["kills", "holds"])
    row = next(row for row in found.contestants if row.name == "kills")
    assert row.killed == 1 and row.mean == pytest.approx(0.001 * np.mean([5, 7, 8, 9]))
    assert found.differences[0].difference == 0.0
    assert "1 of 5 runs of kills killed the process" in found.report()


def test_an_optimum_at_the_edge_is_said():
    found = compared(lambda task: -task.rate, ["a"])
    assert "The best rate of a is at the edge" in found.report()

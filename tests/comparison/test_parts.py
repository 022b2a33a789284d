"""The data of an experiment: arrays or functions, and rows that are in two parts."""

import itertools

import keras
import numpy as np
import pytest

from keras_lr.comparison.fingerprint import of_data
from keras_lr.comparison.parts import PARTS, Parts


def arrays(rows=8, start=0):
    x = np.arange(start, start + rows, dtype="float32")[:, None]
    return x, 2 * x


THREE = [arrays(8), arrays(4, 100), arrays(4, 200)]


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return arrays(5)


def test_a_tuple_is_the_mapping_in_order():
    as_tuple, as_mapping = Parts(tuple(THREE)), Parts(dict(zip(reversed(PARTS), reversed(THREE))))
    assert as_tuple.arguments("test", 0)["x"] is as_mapping.arguments("test", 0)["x"]
    assert of_data(as_tuple) == of_data(as_mapping)


@pytest.mark.parametrize(
    ("made", "batches"),
    [(arrays(10), 3), (Batches, 3), (lambda: arrays(10), 3), (lambda: iter([arrays()]), None)],
    ids=["arrays", "PyDataset", "function of arrays", "generator"],
)
def test_batches_of_an_epoch_are_counted(made, batches):
    parts = Parts([made, *THREE[1:]], batch_size=4)
    if batches is None:
        with pytest.raises(ValueError, match="`steps_per_epoch` must be a number of batches"):
            parts.batches_per_epoch()
    else:
        assert parts.batches_per_epoch() == batches
    assert Parts([made, *THREE[1:]], 4, steps_per_epoch=7).batches_per_epoch() == 7


def test_a_generator_is_made_anew_when_it_ends():
    parts = Parts([lambda: iter([1, 2]), *THREE[1:]], steps_per_epoch=5)
    x = parts.arguments("train", 0)["x"]
    assert [next(x) for _ in range(5)] == [1, 2, 1, 2, 1]


def test_a_function_of_one_argument_is_given_the_seed():
    parts = Parts([lambda seed: arrays(3, start=seed), *THREE[1:]])
    assert parts.arguments("train", 7)["x"][0, 0] == 7
    # One with a default is not asked for anything.
    parts = Parts([lambda rows=3: arrays(rows), *THREE[1:]])
    assert len(parts.arguments("train", 7)["x"]) == 3


@pytest.mark.parametrize(
    "data",
    [
        THREE[:2],
        {"train": THREE[0]},
        {"train": THREE[0], "val": THREE[1], "test": THREE[2]},
        np.zeros((3, 4)),
        None,
    ],
    ids=["two", "one", "another name", "an array", "None"],
)
def test_there_are_three_parts(data):
    with pytest.raises(ValueError, match="`data` must be the three parts"):
        Parts(data)


@pytest.mark.parametrize(
    "part",
    [np.zeros(3), (np.zeros(3),), (np.zeros(3), None), iter([]), Batches(), (1.0, 2.0)],
    ids=["an array", "x alone", "y is None", "an iterator", "a data set", "numbers"],
)
def test_a_part_is_arrays_or_a_function(part):
    with pytest.raises(ValueError, match=r"`data\['validation'\]` must be \(x, y\)"):
        Parts([THREE[0], part, THREE[2]])


def test_arrays_of_a_part_have_one_length():
    with pytest.raises(ValueError, match="one row per sample. Received"):
        Parts([(np.zeros((3, 1)), np.zeros(4)), *THREE[1:]])


def test_rows_in_two_parts_are_counted():
    both = [arrays(100), arrays(50, 90), arrays(50, 1000)]
    shared = {(first, second): n for first, second, n in Parts(both).shared()}
    assert shared == {
        ("train", "validation"): 10,
        ("train", "test"): 0,
        ("validation", "test"): 0,
    }
    (sentence,) = Parts(both).shared_in_words()
    assert sentence.startswith("10 of 50 rows of the validation data are in the train data too")
    assert Parts([arrays(8), lambda: arrays(8), arrays(4, 50)]).shared_in_words() == []


def test_a_changed_number_changes_the_fingerprint():
    other = [(THREE[0][0] + (np.arange(8) == 3)[:, None], THREE[0][1]), *THREE[1:]]
    assert of_data(Parts(other)) != of_data(Parts(THREE))
    first = of_data(Parts([lambda: arrays(8), *THREE[1:]]))
    assert first == of_data(Parts([lambda: arrays(8), *THREE[1:]]))
    assert first != of_data(Parts([lambda: arrays(8, start=1), *THREE[1:]]))


@pytest.mark.parametrize("at", range(3))
def test_another_function_of_any_part_is_other_data(at):
    made = [lambda start=start: arrays(8, start=start) for start in range(3)]
    other = [*made[:at], lambda: arrays(8, start=9), *made[at + 1 :]]
    assert of_data(Parts(made)) == of_data(Parts(list(made))) != of_data(Parts(other))


def generated(count, last):
    """Returns a function of a generator, of `count` batches, whose last has its own value."""
    return lambda: (2 * (np.full((4, 1), last if i == count - 1 else i),) for i in range(count))


def test_a_change_in_the_last_batch_is_one():
    found = [of_data(Parts([*THREE[:2], generated(9, last)])) for last in (8, 8, 7)]
    assert found[0] == found[1] != found[2]
    # What training never reads is not looked at, nor is more of it than 64 MiB.
    read = [of_data(Parts([generated(9, last), *THREE[1:]], steps_per_epoch=3)) for last in (8, 7)]
    assert read[0] == read[1]

    def endless():
        return (2 * (np.zeros((2**18, 4)),) for _ in itertools.count())

    assert of_data(Parts([*THREE[:2], endless])) != found[0]

"""The learning-rate range test: which rate, before training anything."""

from keras_lr.finder.result import RangeTest
from keras_lr.finder.sweep import range_test

__all__ = ["RangeTest", "range_test"]

"""The learning-rate range test: which rate, before training anything."""

from keras_lr.finder.entry import range_test
from keras_lr.finder.result import RangeTest

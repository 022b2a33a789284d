"""The learning-rate toolkit for Keras 3: choose a rate, drive it, explain what happened."""

from keras_lr import schedules
from keras_lr._version import __version__

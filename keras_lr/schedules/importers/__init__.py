"""Schedules by the names and arguments of other frameworks, made of the classes of this one."""

from keras_lr.schedules.importers.optax import from_optax
from keras_lr.schedules.importers.torch import from_torch
from keras_lr.schedules.importers.transformers import from_transformers

__all__ = ["from_optax", "from_torch", "from_transformers"]

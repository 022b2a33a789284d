"""Rates by layer, for fine-tuning."""

from keras_lr.layerwise.assign import discriminative

__all__ = ["discriminative"]

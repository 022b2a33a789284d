"""Callbacks that drive the learning rate together: one base, any number of factors."""

from keras_lr.callbacks.backup import TrainingBackup
from keras_lr.callbacks.base import (
    Controller,
    ControllerState,
    ProgressController,
    RateCallback,
    StepCallback,
)
from keras_lr.callbacks.events import Event
from keras_lr.callbacks.hyperparameters import MomentumSchedule, WeightDecaySchedule
from keras_lr.callbacks.loss_driven import BoldDriver, GreedyLR
from keras_lr.callbacks.plateau import ReduceLROnPlateau
from keras_lr.callbacks.recorder import LearningRateRecorder
from keras_lr.callbacks.recovery import RecoverFromDivergence
from keras_lr.callbacks.replays import Replay, replay
from keras_lr.callbacks.scheduler import LearningRateScheduler
from keras_lr.callbacks.steps import FitSchedule, RandomJitter, RandomLearningRate, Warmup
from keras_lr.callbacks.threshold import LossThreshold, ValidationThreshold
from keras_lr.callbacks.validation import ValidationDecay

"""Callbacks that drive the learning rate together: one base, any number of factors."""

from keras_lr.callbacks.automatic import AutoLearningRate
from keras_lr.callbacks.backup import TrainingBackup
from keras_lr.callbacks.base import RateCallback
from keras_lr.callbacks.controller import Controller, ControllerState
from keras_lr.callbacks.diagnosing import DiagnoseLearningRate
from keras_lr.callbacks.hyperparameters import MomentumSchedule, WeightDecaySchedule
from keras_lr.callbacks.loss_driven import BoldDriver, GreedyLR
from keras_lr.callbacks.plateau import ReduceLROnPlateau
from keras_lr.callbacks.progress import ProgressController
from keras_lr.callbacks.recorder import LearningRateRecorder
from keras_lr.callbacks.recovery import RecoverFromDivergence
from keras_lr.callbacks.replaying import Replay, plot_what_if, replay
from keras_lr.callbacks.scheduled import FitSchedule, RandomJitter, RandomLearningRate, Warmup
from keras_lr.callbacks.scheduler import LearningRateScheduler
from keras_lr.callbacks.stages import Stage, Stages
from keras_lr.callbacks.step_callback import StepCallback
from keras_lr.callbacks.threshold import LossThreshold, ValidationThreshold
from keras_lr.callbacks.validation_decay import ValidationDecay
from keras_lr.driving.events import Event

__all__ = [
    "AutoLearningRate",
    "BoldDriver",
    "Controller",
    "ControllerState",
    "DiagnoseLearningRate",
    "Event",
    "FitSchedule",
    "GreedyLR",
    "LearningRateRecorder",
    "LearningRateScheduler",
    "LossThreshold",
    "MomentumSchedule",
    "ProgressController",
    "RandomJitter",
    "RandomLearningRate",
    "RateCallback",
    "RecoverFromDivergence",
    "ReduceLROnPlateau",
    "Replay",
    "Stage",
    "Stages",
    "StepCallback",
    "TrainingBackup",
    "ValidationDecay",
    "ValidationThreshold",
    "Warmup",
    "WeightDecaySchedule",
    "plot_what_if",
    "replay",
]

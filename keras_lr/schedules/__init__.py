"""Learning rates as functions of time: immutable, composable, serialisable."""

import typing

from keras_lr import checks
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.keras_schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from keras_lr.schedules.decay import (
    Constant,
    InverseSquareRootDecay,
    MultiStepDecay,
    NaturalExponentialDecay,
    NoamDecay,
    PowerDecay,
    StepDecay,
)
from keras_lr.schedules.annealing import (
    Annealing,
    KDecay,
    LinearDecay,
    RexDecay,
    SqrtDecay,
    TanhDecay,
)
from keras_lr.schedules.function import LambdaDecay, Tabulated
from keras_lr.schedules.interpolation import PiecewiseCosine, PiecewiseLinear
from keras_lr.schedules.algebra import Maximum, Minimum, Product, Sum, maximum, minimum
from keras_lr.schedules.compose import Clip, Hold, Sequential, Shift, Stretch, Warmup
from keras_lr.schedules.recipes import (
    FlatCosine,
    LinearToZero,
    Recipe,
    WarmRestarts,
    WarmupCosine,
    WarmupStableDecay,
)
from keras_lr.schedules.cyclic import (
    CyclicalLearningRate,
    OneCycle,
    Repeat,
    SlantedTriangular,
)
from keras_lr.schedules.noise import Jitter, RandomLogUniform, RandomUniform
from keras_lr.schedules.durations import Duration, epochs, fraction, steps
from keras_lr.schedules.importers import from_optax, from_torch, from_transformers

# Imported after the last class, whose names it collects.
from keras_lr.schedules.registry import deserialize, get, names, serialize
from keras_lr.schedules import former_names

__all__ = [
    "Annealing", "Clip", "Constant", "CosineDecay", "CosineDecayRestarts",
    "CyclicalLearningRate", "Duration", "ExponentialDecay", "FlatCosine", "Hold",
    "InverseSquareRootDecay", "InverseTimeDecay", "Jitter", "KDecay", "LambdaDecay",
    "LinearDecay", "LinearToZero", "Maximum", "Minimum", "MultiStepDecay",
    "NaturalExponentialDecay", "NoamDecay", "OneCycle", "PiecewiseConstantDecay",
    "PiecewiseCosine", "PiecewiseLinear", "PolynomialDecay", "PowerDecay", "Product",
    "RandomLogUniform", "RandomUniform", "Recipe", "Repeat", "RexDecay", "Schedule",
    "Sequential", "Shift", "SlantedTriangular", "SqrtDecay", "StepDecay", "Stretch", "Sum",
    "Tabulated", "TanhDecay", "WarmRestarts", "Warmup", "WarmupCosine", "WarmupStableDecay",
    "deserialize", "epochs", "fraction", "from_optax", "from_torch", "from_transformers", "get",
    "maximum", "minimum", "names", "serialize", "steps",
]  # fmt: skip

if not typing.TYPE_CHECKING:
    __getattr__ = checks.gone(
        __name__,
        {
            "parse_schedule": "Only the command line reads schedules from text; in Python, write "
            "the schedule itself, or `schedules.get(name, **arguments)`."
        },
    )

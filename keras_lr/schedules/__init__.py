"""Learning rates as functions of time: immutable, composable, serialisable."""

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
from keras_lr.commands.schedule_text import parse_schedule
from keras_lr.schedules.registry import deserialize, get, names, serialize
from keras_lr.schedules.importers import from_optax, from_torch, from_transformers
from keras_lr.schedules import former_names

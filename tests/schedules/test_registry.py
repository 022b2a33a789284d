"""Names, configs and objects: what `get` accepts, and what it says of what it does not."""

import inspect
import json

import keras
import pytest
from support.examples import SCHEDULES

from keras_lr import schedules
from keras_lr.schedules import (
    Clip,
    Constant,
    CosineDecay,
    CosineDecayRestarts,
    CyclicalLearningRate,
    InverseSquareRootDecay,
    LambdaDecay,
    LinearDecay,
    MultiStepDecay,
    NoamDecay,
    OneCycle,
    PolynomialDecay,
    RexDecay,
    StepDecay,
    WarmupStableDecay,
    deserialize,
    get,
    names,
    registry,
    serialize,
)
from keras_lr.schedules.importers import optax, torch, transformers

for_every_example = pytest.mark.parametrize("example", SCHEDULES, ids=lambda e: e.title)

# As users of Keras, PyTorch, Optax, Transformers and papers type them.
TYPED = {
    Constant: ["Constant", "constant"],
    LinearDecay: ["LinearDecay", "linear_decay", "linear"],
    CosineDecay: ["CosineDecay", "cosine_decay", "cosine"],
    CosineDecayRestarts: ["sgdr", "cosine_decay_restarts", "cosine_with_restarts"],
    schedules.ExponentialDecay: ["exponential_decay", "exponential"],
    PolynomialDecay: ["polynomial_decay", "polynomial"],
    schedules.PiecewiseConstantDecay: ["piecewise_constant"],
    StepDecay: ["step", "StepLR"],
    MultiStepDecay: ["multi_step", "MultiStepLR"],
    LambdaDecay: ["lambda", "LambdaLR"],
    InverseSquareRootDecay: ["inverse_sqrt", "inverse_square_root"],
    NoamDecay: ["noam"],
    OneCycle: ["OneCycle", "one_cycle"],
    CyclicalLearningRate: ["CyclicLR", "cyclical_learning_rate"],
    WarmupStableDecay: ["wsd", "warmup_stable", "warmup_stable_decay"],
    RexDecay: ["rex"],
    schedules.KDecay: ["KDecay", "k_decay"],
    schedules.WarmupCosine: ["warmup_cosine"],
    schedules.RandomLogUniform: ["random_log_uniform"],
}


@pytest.mark.parametrize("schedule_class", TYPED, ids=lambda c: c.__name__)
def test_names_that_people_type(schedule_class):
    for name in TYPED[schedule_class]:
        assert names()[name] == schedule_class.__name__


def test_names_are_sorted_and_all_of_them_are_accepted():
    assert list(names()) == sorted(names())
    for name, class_name in names().items():
        required = [
            parameter.name
            for parameter in inspect.signature(getattr(schedules, class_name)).parameters.values()
            if parameter.default is parameter.empty
        ]
        with pytest.raises(ValueError, match=rf"`get\('{name}', …\)` must be \({required[0]}"):
            get(name)


def test_every_class_has_a_name_and_no_base_has():
    assert set(names().values()) == {type(example.schedule).__name__ for example in SCHEDULES}
    assert not {"Schedule", "Annealing", "Recipe"} & set(names())


@for_every_example
def test_by_name(example):
    fields = {name: getattr(example.schedule, name) for name in example.schedule.get_config()}
    assert get(type(example.schedule).__name__, **fields) == example.schedule


@for_every_example
def test_by_config(example):
    config = json.loads(json.dumps(serialize(example.schedule)))
    assert config == keras.saving.serialize_keras_object(example.schedule)
    assert deserialize(config) == get(config) == example.schedule
    del config["module"], config["registered_name"]
    assert get(config) == example.schedule


def test_objects():
    schedule = LinearDecay(0.1, 90)
    assert get(schedule) is schedule
    assert get(keras.optimizers.schedules.CosineDecay(0.1, 90)) == CosineDecay(0.1, 90)
    assert get(0.1) == Constant(0.1)
    assert get(abs) == LambdaDecay(1.0, abs)


def test_configs_of_keras():
    theirs = keras.optimizers.schedules.PolynomialDecay(0.1, 90, power=2.0)
    ours = PolynomialDecay(0.1, 90, power=2.0)
    config = keras.optimizers.schedules.serialize(theirs)
    assert deserialize(config) == deserialize(serialize(theirs)) == ours
    # The form of older versions, and of files written by hand.
    older = {"class_name": "PolynomialDecay", "config": theirs.get_config()}
    assert deserialize(older) == ours


def test_configs_with_names_inside():
    line = {"class_name": "linear", "config": {"initial_learning_rate": 0.1, "decay_steps": 90}}
    config = {"class_name": "clip", "config": {"schedule": line, "minimum": 0.01}}
    assert get(config) == Clip(LinearDecay(0.1, 90), 0.01)
    terms = {"class_name": "Sum", "config": {"terms": [line, 0.01]}}
    assert get(terms) == LinearDecay(0.1, 90) + 0.01


def test_custom_objects():
    class Halving(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.5**step

        def get_config(self):
            return {}

    config = {"class_name": "Halving", "config": {}, "registered_name": "Halving"}
    revived = deserialize(config, custom_objects={"Halving": Halving})
    assert revived.rates(3).tolist() == [1.0, 0.5, 0.25]


def test_unknown_names():
    with pytest.raises(ValueError, match=r"names\(\)` \(did you mean 'cosine'.*='cosin'"):
        get("cosin", initial_learning_rate=0.1)
    with pytest.raises(ValueError, match=r"must be one of `keras_lr.schedules.names\(\)`. Rec"):
        get("zzz")
    with pytest.raises(ValueError, match="did you mean 'LinearDecay'.*='lineardecay'"):
        deserialize({"class_name": "lineardecay", "config": {}})


def test_former_names():
    assert not set(registry._FORMER) & set(names())
    for name, now in registry._FORMER.items():
        with pytest.raises(ValueError, match=rf"\(did you mean '{now}'\?\)"):
            get(name)
        assert now in names()


def test_a_class_of_a_user_is_no_name():
    class Mine(LinearDecay):
        pass

    assert get(Mine(0.1, 90)) == Mine(0.1, 90)
    assert "LinearDecay" in names() and "Mine" not in names()


@pytest.mark.parametrize("name", ["CosineAnnealingLR", "OneCycleLR", "ReduceLROnPlateau"])
def test_names_of_pytorch_with_another_meaning(name):
    with pytest.raises(ValueError, match=rf"see `from_torch\('{name}', …\)`"):
        get(name)


def test_every_foreign_name_is_ours_or_points_to_its_translation():
    translations = {"from_torch": torch, "from_optax": optax, "from_transformers": transformers}
    for translation, framework in translations.items():
        for name in framework.TRANSLATIONS:
            with pytest.raises(ValueError, match=rf"see `{translation}\('{name}', …\)` for that"):
                get(name, unknown=1)


def test_bad_arguments():
    arguments = r"\(initial_learning_rate, step_size, decay_rate, \*, name='StepDecay'\)"
    with pytest.raises(ValueError, match=rf"must be {arguments}: got .*'gamma'.*\nsee `from_torch"):
        get("StepLR", initial_learning_rate=0.1, step_size=3, decay_rate=0.5, gamma=0.1)
    with pytest.raises(ValueError, match="`decay_steps` must be a number of updates"):
        get("cosine", initial_learning_rate=0.1, decay_steps=0)
    with pytest.raises(ValueError, match="a name if arguments are given. Received: identifier=0.1"):
        get(0.1, decay_steps=3)


@pytest.mark.parametrize("config", [{}, {"class_name": "linear"}, {"class_name": 3, "config": {}}])
def test_configs_that_are_none(config):
    with pytest.raises(ValueError, match="`config` must be .* config="):
        get(config)


def test_what_is_no_schedule():
    for identifier in (None, [], LinearDecay):
        with pytest.raises(ValueError, match="`identifier` must be a schedule, a function"):
            get(identifier)
    with pytest.raises(ValueError, match="`schedule` must be a schedule"):
        serialize("linear")
    with pytest.raises(ValueError, match="`config` must be a dictionary with class_name"):
        deserialize("linear")
    with pytest.raises(ValueError, match="`config` must be a schedule, a function"):
        deserialize(keras.saving.serialize_keras_object(keras.optimizers.SGD()))
    with pytest.raises(ValueError, match="fits its class, but .* argument 'rate'. Rec"):
        deserialize({"class_name": "linear", "config": {"rate": 0.1}})

"""Configs come from files: what is damaged or was made to harm is refused, and nothing is built."""

import copy
import json
import random
import time
import warnings

import keras
import pytest

from keras_lr import schedules as s

SCHEDULES = [
    s.LinearDecay(0.1, 10),
    s.LinearToZero(0.1, "100%"),
    s.Sequential([s.Constant(0.1), s.Constant(0.2)], [3]),
    s.Constant(0.1) * 0.5 + 0.1,
    s.Warmup(s.CosineDecay(0.1, 10), 3),
    s.Tabulated([0.1, 0.2]),
    s.PiecewiseLinear([0, 2], [0, 1]),
    s.Repeat(s.LinearDecay(0.1, 3), 3, 2.0),
    s.LambdaDecay(0.1, keras.ops.cos),
]
with warnings.catch_warnings():
    # Of the function that is not registered.
    warnings.simplefilter("ignore")
    CONFIGS = [s.serialize(schedule) for schedule in SCHEDULES]
MODULES = ["os", "builtins", "keras", "keras.layers", "keras.utils", "keras_lr.files", None, 5, []]
CLASSES = [
    *("system", "eval", "Lambda", "Sequential", "TFSMLayer", "TorchModuleWrapper", "get_file"),
    *("__lambda__", "__tensor__", "__numpy__", "__slice__", "__typespec__", "__keras_tensor__"),
    *("function", "Constant", "LinearDecay", "Schedule", "linear", "Variable", "SGD", None, 1, ""),
]
INNER = [
    *({}, None, [], "x", 5, {"value": [1], "dtype": "float32"}, {"value": "print(1)"}),
    {"fname": "x", "origin": "http://127.0.0.1:1/"},
    *({"value": 1, "dtype": "V1000000000"}, {"shape": [10**5, 10**5]}, {"layers": []}),
    *({"initial_learning_rate": 0.1, "decay_steps": 10}, {"nonsense": 1}, {1: 2}, {"self": 1}),
]
ENTRIES = [*(None, 1, -1, "x", [], {}, float("nan"), 10**400, True, [1, 2], "100%", 0.5)]
KEYS = ["module", "class_name", "config", "registered_name", "build_config", "compile_config", "z"]


def hostile(chance):
    """Returns a config of ours with a few changes, or one that is all invented."""

    def invented():
        pairs = (("class_name", CLASSES), ("module", MODULES), ("config", INNER))
        made = {key: copy.deepcopy(chance.choice(values)) for key, values in pairs}
        return {**made, "registered_name": chance.choice([None, *CLASSES])}

    if chance.random() < 0.3:
        return invented()
    config = json.loads(json.dumps(chance.choice(CONFIGS)))
    for _ in range(chance.choice([1, 1, 2, 3])):
        part = chance.choice(list(parts(config)))
        if isinstance(part, list):
            if part:
                part[chance.randrange(len(part))] = chance.choice([*ENTRIES, invented()])
            continue
        key = chance.choice([*part, *KEYS])
        values = {"module": MODULES, "class_name": CLASSES, "registered_name": CLASSES}
        part[key] = copy.deepcopy(chance.choice(values.get(key, [*ENTRIES, *INNER, invented()])))
        if chance.random() < 0.15:
            part.pop(key)
    return config


def parts(value):
    if isinstance(value, (dict, list)):
        yield value
        for entry in value.values() if isinstance(value, dict) else value:
            yield from parts(entry)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("read", [s.deserialize, s.get])
def test_a_config_is_a_schedule_or_a_value_error(read, seed):
    chance, built = random.Random(seed), 0
    for _ in range(250):
        config = hostile(chance)
        try:
            schedule = read(config)
        except ValueError:
            continue
        built += 1
        assert isinstance(schedule, s.Schedule), config
    assert 0 < built < 200


@pytest.mark.parametrize("class_name", ["Lambda", "Dense", "TorchModuleWrapper"])
@pytest.mark.parametrize("place", ["whole", "argument", "entry"])
def test_nothing_but_schedules_and_functions_is_built(class_name, place, monkeypatch):
    built = []
    layer = getattr(keras.layers, class_name)
    monkeypatch.setattr(layer, "from_config", classmethod(lambda cls, config: built.append(cls)))
    part = {"module": "keras.layers", "class_name": class_name, "config": {"units": 1}}
    part["registered_name"] = None
    config = {
        "whole": part,
        "argument": {"class_name": "Constant", "config": {"learning_rate": part}},
        "entry": {"class_name": "Sum", "config": {"terms": [0.1, part]}},
    }[place]
    with pytest.raises(ValueError, match=f"registered by .*Received: '{class_name}' of module"):
        s.deserialize(config)
    with pytest.raises(ValueError, match="`config` must be"):
        s.Sum.from_config({"terms": [0.1, part]})
    assert not built


CONSTANT = {"class_name": "Constant", "config": {"learning_rate": 0.1}}


def nested(depth):
    config = CONSTANT
    for _ in range(depth):
        config = {"class_name": "Clip", "config": {"schedule": config, "minimum": 0.0}}
    return config


@pytest.mark.parametrize("read", [s.deserialize, s.get])
def test_depth_is_bounded(read):
    assert read(nested(90)).rates([0]).tolist() == [0.1]
    for depth in (110, 400, 5000):
        with pytest.raises(ValueError, match="`config` must be nested at most 200 levels deep"):
            read(nested(depth))


def test_what_doubles_at_each_level_is_refused_in_no_time():
    bomb = CONSTANT
    for _ in range(60):
        bomb = {"class_name": "Sum", "config": {"terms": [bomb, bomb]}}
    begin = time.process_time()
    with pytest.raises(ValueError, match="`config` must be made of at most 100000 dict"):
        s.deserialize(bomb)
    assert time.process_time() - begin < 10


def test_what_contains_itself_is_refused():
    loop = {"class_name": "Clip", "config": {"minimum": 0.0}}
    loop["config"]["schedule"] = loop
    with pytest.raises(ValueError, match="`config` must be nested at most 200 levels deep"):
        s.deserialize(loop)


@pytest.mark.parametrize(
    "change, says",
    [
        ({"build_config": {"a": 1}}, "that of a schedule: of module, class_name, config"),
        ({"compile_config": {"a": 1}}, "that of a schedule: of module, class_name, config"),
        ({"module": 5}, "one in which names are strings"),
        ({"registered_name": []}, "one in which names are strings"),
        ({"config": 5}, "one that fits its class, but Expected 'config' to be a dict"),
        ({"config": {"learning_rate": {"class_name": "__numpy__", "config": {"value": 1}}}}, "arr"),
    ],
)
def test_what_is_wrong_is_said(change, says):
    with pytest.raises(ValueError, match=f"`config` must be .*{says}.*Received: "):
        s.deserialize({**s.serialize(s.Constant(0.1)), **change})


@pytest.mark.parametrize("schedule_class", [s.LinearDecay, s.Tabulated, s.Warmup, s.Sum])
@pytest.mark.parametrize("config", [None, 5, "x", [], {1: 2}])
def test_arguments_that_are_no_dictionary(schedule_class, config):
    name = schedule_class.__name__
    with pytest.raises(ValueError, match=f"`config` must be a dictionary of the .* of {name}. Rec"):
        schedule_class.from_config(config)


def test_arguments_that_a_class_does_not_have():
    says = "`config` must be one that fits its class, but LinearDecay.*'slope'. Received: config="
    with pytest.raises(ValueError, match=says):
        s.LinearDecay.from_config({"slope": 1})


def test_custom_objects_are_a_dictionary():
    with pytest.raises(ValueError, match="`custom_objects` must be a dict.*Received: custom_obj"):
        s.deserialize(CONSTANT, custom_objects=[s.Constant])

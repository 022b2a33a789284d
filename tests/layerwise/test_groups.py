"""Which weights belong together: patterns, levels, and what is refused."""

import keras
import pytest
from keras import Sequential
from keras.layers import Add, BatchNormalization, Dense, Input, LayerNormalization, ReLU
from keras.optimizers import SGD
from support import unit_gradient

from keras_lr import discriminative, get_rate

pytestmark = unit_gradient.needs_multi_optimizer


def stack(*names, **options):
    layers = [Dense(2, name=name) for name in names]
    return Sequential([Input((2,)), *layers], **options)


def groups(model, multipliers=None, **options):
    """Returns the names of the weights by the name of their group; "frozen" for those in none."""
    optimizer = discriminative(SGD(1.0), model, multipliers, **options)
    found = {}
    for weight, group in zip(model.trainable_variables, optimizer.groups):
        name = "frozen" if group is None else optimizer.optimizers[group].name
        layer = weight.path.split("/")[-2]
        short = {"kernel": layer, "bias": layer + "+"}.get(weight.name, f"{layer}/{weight.name}")
        found.setdefault(name, []).append(short)
    return found


def rates(model, **options):
    return get_rate(discriminative(SGD(1.0), model, **options))


@pytest.mark.parametrize(
    ("multipliers", "expected"),
    [
        ({"a": 0.1}, {"rest": ["b1", "b1+", "b2", "b2+"], "a": ["a", "a+"]}),
        ({"b*": 0.1}, {"rest": ["a", "a+"], "b": ["b1", "b1+", "b2", "b2+"]}),
        ({"b?": 0, "a": 1}, {"frozen": ["b1", "b1+", "b2", "b2+"], "a": ["a", "a+"]}),
        ({"*/bias": 2.0}, {"rest": ["a", "b1", "b2"], "bias": ["a+", "b1+", "b2+"]}),
        ({"b1/kernel": 0, "*": 0.5}, {"frozen": ["b1"], "all": ["a", "a+", "b1+", "b2", "b2+"]}),
        # The first match counts.
        ({"b1": 0.1, "b*": 0.2}, {"rest": ["a", "a+"], "b1": ["b1", "b1+"], "b": ["b2", "b2+"]}),
        ({"b[1]": 0.1}, {"rest": ["a", "a+", "b2", "b2+"], "b_1": ["b1", "b1+"]}),
        (
            {"*/bias": 0.1, "b?": 0.2, "b": 0.3, "rest": 0.4},
            {
                "rest": ["a"],
                "bias": ["a+", "b1+", "b2+", "b+", "rest+"],
                "b": ["b1", "b2"],
                "b_2": ["b"],
                "rest_2": ["rest"],
            },
        ),
    ],
)
def test_patterns(multipliers, expected):
    names = ["a", "b1", "b2"] + (["b", "rest"] if "rest" in multipliers else [])
    assert groups(stack(*names), multipliers) == expected


def test_patterns_reach_into_models_and_layers():
    inputs = Input((2, 2))
    attention = keras.layers.MultiHeadAttention(1, 2, name="attention")
    hidden = attention(inputs, inputs)
    # Keras gives the weights of the two the same paths: "same/kernel", "same/bias".
    for name in ("left", "right"):
        hidden = stack("same", name=name)(hidden)
    model = keras.Model(inputs, hidden)
    optimizer = discriminative(SGD(1.0), model, {"query": 0, "right": 0.1, "left/same/bias": 0.2})
    names = [None if g is None else optimizer.optimizers[g].name for g in optimizer.groups]
    attention_weights = [None, None] + ["rest"] * 6
    assert names == [*attention_weights, "rest", "left_same_bias", "right", "right"]
    assert [o.name for o in discriminative(SGD(1.0), model, {"same": 0.1}).optimizers][1] == "same"


def test_shared_layers_answer_to_all_their_names():
    shared = stack("inner", name="first")
    model = Sequential([Input((2,)), shared, Sequential([shared], name="again")])
    assert groups(model, {"again/first": 0.1}) == {"again_first": ["inner", "inner+"]}


def test_decay_goes_from_the_output_back():
    model = stack("a", "b", "c")
    assert rates(model, decay=0.5) == {"c": 1.0, "b": 0.5, "a": 0.25}
    model.get_layer("b").trainable = False
    assert rates(model, decay=0.5) == {"c": 1.0, "a": 0.25}
    assert rates(model, decay=1.0) == {"c": 1.0, "a": 1.0}


def test_layers_without_a_matrix_do_not_count():
    parts = [LayerNormalization(name="n0"), Dense(2, name="a"), BatchNormalization(name="n1")]
    more = [ReLU(), Dense(2, name="b"), keras.layers.PReLU(name="p")]
    model = Sequential([Input((2,)), *parts, *more])
    expected = {"b": ["b", "b+", "p/alpha"], "a": ["n0/gamma", "n0/beta", "a", "a+"]}
    expected["a"] += ["n1/gamma", "n1/beta"]
    assert groups(model, decay=0.5) == expected


def test_decay_follows_the_longest_way_through_branches_and_nested_models():
    inputs = Input((2,))
    left = Dense(2, name="l2")(Dense(2, name="l1")(inputs))
    right = ReLU()(Dense(2, name="r1")(inputs))
    joined = Add()([left, right])
    nested = stack("i1", "i2", name="nested")(joined)
    skip = Dense(2, name="skip")(joined)
    model = keras.Model(inputs, Dense(1, name="head")(Add()([nested, skip])))
    found = groups(model, decay=0.5).values()
    levels = [sorted({weight.rstrip("+") for weight in weights}) for weights in found]
    assert sorted(levels) == [["head"], ["i1"], ["i2", "skip"], ["l1"], ["l2", "r1"]]
    assert list(rates(model, decay=0.5).values()) == [1.0, 0.5, 0.25, 0.125, 0.0625]


def test_a_layer_that_comes_again_counts_once():
    inputs = Input((2,))
    hidden = Dense(2, name="in")(inputs)
    block = Dense(2, name="block")
    for _ in range(3):
        hidden = block(hidden)
    model = keras.Model(inputs, Dense(2, name="out")(hidden))
    assert rates(model, decay=0.5) == {"out": 1.0, "block": 0.5, "in": 0.25}


def test_a_layer_called_twice_is_as_far_as_its_furthest_call():
    inputs, shared = Input((2,)), Dense(2, name="shared")
    # Further in layers is the call that is nearer in operations.
    far = Dense(2, name="between")(shared(inputs))
    near = ReLU()(ReLU()(ReLU()(shared(ReLU()(inputs)))))
    model = keras.Model(inputs, Dense(2, name="out")(Add()([near, far])))
    assert rates(model, decay=0.5) == {"out": 1.0, "between": 0.5, "shared": 0.25}


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.token = self.add_weight(shape=(2,), name="token")
        self.first, self.second = Dense(2, name="first"), Dense(2, name="second")

    def call(self, x):
        return self.second(self.first(x + self.token))


def test_decay_of_a_subclassed_model():
    model = Subclassed()
    model(keras.ops.ones((1, 2)))
    found = groups(model, decay=0.5)
    assert {name: len(weights) for name, weights in found.items()} == {"first": 3, "second": 2}
    assert rates(model, decay=0.5) == {"second": 1.0, "first": 0.5}


MODEL = stack("a", "b")
HALF_FROZEN = stack("a", "b")
HALF_FROZEN.layers[0].trainable = False


@pytest.mark.parametrize(
    ("multipliers", "decay", "says"),
    [
        (None, None, "Exactly one of `multipliers` and `decay` must be given. Received: multip"),
        ({"a": 0.1}, 0.5, "Exactly one of `multipliers` and `decay` must be given"),
        ({}, None, r"`multipliers` must be a dictionary of multipliers by the names.*\{\}"),
        ([0.1, 1.0], None, "`multipliers` must be a dictionary of multipliers by the names"),
        ({1: 0.1}, None, "`multipliers` must be a dictionary whose keys are strings. Received"),
        ({"a": -1}, None, r"`multipliers\['a'\]` must be a finite number >= 0. Received.*-1"),
        ({"a": "0.1"}, None, r"`multipliers\['a'\]` must be a finite number >= 0"),
        ({"a": float("nan")}, None, r"`multipliers\['a'\]` must be a finite number >= 0"),
        ({"c": 0.1}, None, "Received: 'c', which matches none of a, b$"),
        ({"A": 0.1}, None, "Received: 'A', which matches none of a, b$"),
        ({"*ias*": 0.1}, None, "b. A pattern .* names layers; for weights, write '[*]/[*]ias[*]'$"),
        ({"*bias*": 0.1}, None, "for weights, write '[*]/bias[*]'$"),
        ({"kernel": 0.1}, None, "for weights, write '[*]/kernel'$"),
        ({"*": 0.1, "a": 1}, None, "Received: 'a', whose weights all match earlier patterns: put"),
        ({"*": 0}, None, "`multipliers` must be above 0 for at least one group of weights"),
        (None, 0, "`decay` must be a finite number > 0 and <= 1. Received: decay=0"),
        (None, 2.6, "`decay` must be a finite number > 0 and <= 1. Received: decay=2.6"),
    ],
)
def test_bad_multipliers(multipliers, decay, says):
    with pytest.raises(ValueError, match=says):
        discriminative(SGD(0.1), MODEL, multipliers, decay=decay)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("a model", "`model` must be a Keras model. Received: model='a model'"),
        (Sequential([Dense(1)]), "`model` must be built, .*keras.Input.*Received: Sequential"),
        (Subclassed(), "`model` must be built, .* call the model on a batch first. Received: Subc"),
        (HALF_FROZEN, "Received: 'a', whose weights are all frozen by `trainable = False`: drop"),
        (Sequential([Input((1,)), ReLU()]), "`model` must be one with trainable weights. Received"),
    ],
)
def test_bad_models(model, says):
    with pytest.raises(ValueError, match=says):
        discriminative(SGD(0.1), model, {"a": 0.1})


def test_decay_needs_layers():
    with pytest.raises(
        ValueError, match="`decay` must be given for a model of two.*Received: 1 in"
    ):
        discriminative(SGD(0.1), stack("a"), decay=0.5)


def test_long_lists_of_names_are_cut():
    model = stack(*(f"layer_{i}" for i in range(45)))
    with pytest.raises(ValueError, match="none of layer_0, layer_1, .*layer_39, and 5 more$"):
        discriminative(SGD(0.1), model, {"head": 0.1})


def a_used_one():
    model = stack("a")
    model.compile(SGD(0.1), "mse")
    model.train_on_batch(*[keras.ops.ones((1, 2))] * 2)
    return model.optimizer


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: "sgd", "`optimizer` must be an optimizer, such as keras.optimizers.Adam"),
        (lambda: SGD(lambda: 0.1), "`optimizer` must be built with a float or a schedule as its"),
        (
            lambda: keras.optimizers.LossScaleOptimizer(SGD(0.1)),
            r"wrap the result: LossScaleOptimizer\(discriminative\(…\)\). Received: LossScaleOpt",
        ),
        (
            lambda: discriminative(SGD(0.1), MODEL, {"a": 0.1}),
            "`optimizer` must not contain other optimizers. .*Received: LayerwiseOptimizer",
        ),
        (
            lambda: SGD(0.1, global_clipnorm=1.0),
            "global_clipnorm.* Use clipnorm, .*Received: global_clipnorm=1.0",
        ),
        (a_used_one, "`optimizer` must be new.*SGD.from_config.*that has made 1 steps"),
    ],
)
def test_bad_optimizers(make, says):
    with pytest.raises(ValueError, match=says):
        discriminative(make(), MODEL, {"a": 0.1})

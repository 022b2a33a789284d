"""The ways in which each back end compiles a training step."""

import keras


def tensorflow_graph(function):
    import tensorflow as tf

    return tf.function(function)


def tensorflow_xla(function):
    import tensorflow as tf

    return tf.function(function, jit_compile=True)


def jax_jit(function):
    import jax

    return jax.jit(function)


def torch_dynamo(function):
    # Traced and functionalised as for any compiler, without the minutes that C++ takes.
    import torch

    return torch.compile(function, backend="aot_eager", dynamic=False)


compiled = {
    "tensorflow": {"graph": tensorflow_graph, "xla": tensorflow_xla},
    "jax": {"jit": jax_jit},
    "torch": {"dynamo": torch_dynamo},
}[keras.config.backend()]

"""Writes into `peer_values.json` what Optax and Transformers themselves give for its calls.

The first row of the table are the versions and the updates, every other a call and its rates. To
add a case, add a row without rates, and run this with both frameworks, JAX and PyTorch installed:
`PYTHONPATH=tests python -m support.peer_tables`. Neither framework is needed by the tests.
"""

import functools
import json
import pathlib

TABLE = pathlib.Path(__file__).with_name("peer_values.json")


def optax_rates(call, steps):
    import jax
    import optax

    jax.config.update("jax_enable_x64", True)
    schedule = eval(call, vars(optax))
    return [float(schedule(step)) for step in steps]


def transformers_rates(call, steps):
    import torch
    import transformers

    def scheduler(name, num_warmup_steps=None, num_training_steps=None, **rest):
        sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=0.1)
        return transformers.get_scheduler(name, sgd, num_warmup_steps, num_training_steps, rest)

    name = call.partition("(")[0]
    built = eval(call, {name: functools.partial(scheduler, name)})
    return [built.base_lrs[0] * built.lr_lambdas[0](step) for step in steps]


def main():
    import optax
    import transformers

    (_, _, steps), *rows = json.loads(TABLE.read_text())
    versions = f"optax {optax.__version__}, transformers {transformers.__version__}"
    rates = {"optax": optax_rates, "transformers": transformers_rates}
    table = [[peer, call, rates[peer](call, steps)] for peer, call, _ in rows]
    lines = map(json.dumps, [["updates", versions, steps], *table])
    TABLE.write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()

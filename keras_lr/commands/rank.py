"""`keras-lr rank`: schedules in the order of what theory says of them."""

from keras_lr import checks
from keras_lr.commands import options as kinds
from keras_lr.commands.output import complain, say
from keras_lr.commands.schedule_text import parse_schedule
from keras_lr.schedules.predictions import rank


def add(commands):
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "rank",
        help="rank schedules before training, by the bound of the last iterate",
        epilog="example: keras-lr rank 'linear(0.1, 1000)' 'wsd(0.1, 1000)' 0.1 --steps 1000",
    )
    parser.add_argument(
        "schedules", nargs="+", metavar="SCHEDULE", help="a schedule as written in Python"
    )
    count = checks.Number(minimum=1, integer=True)
    parser.add_argument(
        "--steps", type=kinds.number(count), required=True, help="updates of the run"
    )
    parser.add_argument("--epochs", type=kinds.number(checks.POSITIVE), help="epochs of the run")
    parser.set_defaults(run=run)


def run(options):
    """Prints the table; returns 2 if that cannot be done."""
    try:
        for line in _ranked(options).splitlines():
            say(line)
    except (ValueError, ArithmeticError) as error:
        complain("rank", error)
        return 2
    return 0


def _ranked(options):
    named = {" ".join(text.split()): parse_schedule(text) for text in options.schedules}
    kinds.require_run(named.values(), options)
    length = {"epochs": options.epochs, "total_steps": options.steps}
    named = {name: schedule.resolve(**length) for name, schedule in named.items()}
    return str(rank(named, options.steps))

"""A command of `keras-lr`, run in this process."""

from keras_lr import __main__ as command_line


def runner(name, capsys):
    """Returns a function that runs a command; it returns the status and what was printed."""

    def run(*arguments):
        try:
            status = command_line.main([name, *map(str, arguments)])
        except SystemExit as refusal:
            status = refusal.code
        return status, *capsys.readouterr()

    return run

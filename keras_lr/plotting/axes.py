"""What all pictures share: new axes, their labels and grid."""


def new_axes():
    """Returns the axes of a new pyplot figure; an error names the extra to install."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Drawing needs matplotlib, which is not installed: pip install 'keras_lr[plot]'"
        ) from error
    return plt.subplots(layout="constrained")[1]


def dress(ax, log=False):
    """Labels the axes of rates over updates, and adds a grid, and the rate 0 unless `log`."""
    from matplotlib.ticker import MaxNLocator

    if isinstance(ax.xaxis.get_major_locator(), MaxNLocator):
        ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set(xlabel="update", ylabel="learning rate")
    ax.margins(x=0.01)
    ax.grid(True, alpha=0.3)
    if log:
        ax.set_yscale("log")
    else:
        # An axis that does not start at 0 makes any decay look deep.
        ax.update_datalim([(0.0, 0.0)])
        ax.autoscale_view()


def add_epochs(ax, steps_per_epoch):
    """Adds an axis in epochs above the one in updates."""
    top = ax.secondary_xaxis(
        "top", functions=(lambda t: t / steps_per_epoch, lambda e: e * steps_per_epoch)
    )
    top.set_xlabel("epoch")
    top.xaxis.get_major_locator().set_params(integer=True)

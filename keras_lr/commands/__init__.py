"""The commands, one module each: `add` declares its options, `run` returns the exit status."""

__all__ = ["demo", "diagnose", "find", "plot", "rank"]

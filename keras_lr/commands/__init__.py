"""The commands, a module each: `add` says what it takes, `run` does it and returns the status."""

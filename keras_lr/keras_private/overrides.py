"""Attributes put on an object in the place of its own, and taken off from the note made then."""

_MISSING = object()


class Overrides:
    """A note of every attribute that was put on an object, so that none can be left behind.

    Values are put past the object's own `__setattr__`: Keras' models and optimizers track, and on
    TensorFlow wrap, what they are given.

    >>> class Model:
    ...     history = None
    >>> model, overrides = Model(), Overrides()
    >>> overrides.put(model, "history", [1.0])
    >>> model.history
    [1.0]
    >>> overrides.take_off()
    >>> model.history is None, vars(model)
    (True, {})
    """

    def __init__(self):
        self._notes = []

    def put(self, owner, name, value):
        """Puts `value` on `owner` in the place of the attribute `name`."""
        self.note(owner, name)
        vars(owner)[name] = value

    def note(self, owner, name):
        """Notes an attribute that somebody else is about to change."""
        self._notes.append((owner, name, vars(owner).get(name, _MISSING)))

    def take_off(self, owner=None):
        """Puts back what was there: on `owner`, or on every object."""
        kept = []
        while self._notes:
            noted, name, value = self._notes.pop()
            if owner is not None and noted is not owner:
                kept.append((noted, name, value))
            elif value is _MISSING:
                vars(noted).pop(name, None)
            else:
                vars(noted)[name] = value
        self._notes = kept[::-1]

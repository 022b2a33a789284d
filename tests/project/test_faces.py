"""Every package face: what it exports, and that each name, class and property says what it is."""

import importlib
import inspect
import pkgutil

import pytest

import keras_lr

PACKAGES = ["keras_lr"] + [
    found.name for found in pkgutil.walk_packages(keras_lr.__path__, "keras_lr.") if found.ispkg
]
FACES = {
    name: importlib.import_module(name)
    for name in PACKAGES
    if hasattr(importlib.import_module(name), "__all__")
}
EXPORTED = {
    f"{face}.{name}": getattr(module, name)
    for face, module in FACES.items()
    for name in module.__all__
    if callable(getattr(module, name, None))
}
PROPERTIES = {
    f"{exported.__name__}.{name}": value
    for exported in EXPORTED.values()
    if inspect.isclass(exported)
    for owner in inspect.getmro(exported)
    if owner.__module__.startswith("keras_lr") and not owner.__name__.startswith("_")
    for name, value in vars(owner).items()
    if isinstance(value, property) and not name.startswith("_")
}


@pytest.mark.parametrize("face", FACES)
def test_all_is_what_the_face_imports(face):
    module = FACES[face]
    listed = module.__all__
    assert len(set(listed)) == len(listed)
    imported = {
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", "").startswith(f"{face}.") and not name.startswith("_")
    }
    assert imported <= set(listed)


@pytest.mark.parametrize("name", EXPORTED)
def test_every_name_has_a_docstring_and_a_signature(name):
    exported = EXPORTED[name]
    doc = vars(exported).get("__doc__") if inspect.isclass(exported) else exported.__doc__
    # `@dataclass` and `NamedTuple` write one of their own, which is the signature.
    assert doc and not doc.startswith(f"{exported.__name__}(")
    # What `help` shows first: names, and no object's address or module.
    assert "<" not in str(inspect.signature(exported))


@pytest.mark.parametrize("name", PROPERTIES)
def test_every_property_has_a_docstring(name):
    # An override may leave it to the property that it overrides.
    assert inspect.getdoc(PROPERTIES[name])

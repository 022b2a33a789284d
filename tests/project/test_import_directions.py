"""Imports point down the floor plan, late ones included, and there is no circle of modules."""

import ast
import pathlib
import sys

import pytest

PACKAGE = pathlib.Path(__file__).parents[2] / "keras_lr"

# From the top down; between the rooms of one floor there are no imports. Only those above the
# face, `keras_lr/__init__.py`, may import it.
FLOORS = [
    {"__main__", "commands"},
    {"demo"},
    {"__init__"},
    {"comparison"},
    {"linting"},
    {"callbacks"},
    {"explanation"},
    {"finder"},
    {"trials"},
    {"layerwise", "rates"},
    {"driving"},
    {"keras_private"},
    {"schedules"},
    {"diagnosis"},
    {"prediction"},
    {"plotting"},
    {"traces", "scaling"},
    {"checks", "files", "_startup", "_version"},
]
# The command line is one room; `__main__` alone starts it.
ROOMS = {"__main__": "commands"}


def modules_in(folder):
    """Returns the path of every module of a package, by its dotted name."""
    modules = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        modules[".".join(parts).removesuffix(".__init__")] = path
    return modules


def imports_in(tree, module, modules):
    """Returns the modules of the package that a module imports, anywhere in its tree.

    `from a import b` is an import of `a.b` where that is a module, and of `a` where it is a name.
    """
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively, line {node.lineno}"
            inside = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            found |= {path if path in modules else node.module for path in inside.values()}
    return found & set(modules) - {module}


def graph_of(folder):
    """Returns what each module imports of its own package."""
    modules = modules_in(folder)
    trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in modules.items()}
    return {name: imports_in(tree, name, modules) for name, tree in trees.items()}


def circles(graph):
    """Returns the sets of modules that reach one another, the largest first."""
    reached = {name: set(targets) for name, targets in graph.items()}
    for middle in graph:
        for targets in reached.values():
            if middle in targets:
                targets |= reached[middle]
    knots = {frozenset(m for m in reached[n] if n in reached[m]) for n in graph if n in reached[n]}
    return sorted(map(sorted, knots), key=len, reverse=True)


def room_of(module):
    """Returns the room of a module: the first part of its name below the package."""
    room = (module.split(".") + ["__init__"])[1]
    return ROOMS.get(room, room)


def wrong_ways(graph, floors):
    """Returns the imports between rooms that do not point down."""
    floor = {ROOMS.get(room, room): i for i, rooms in enumerate(floors) for room in rooms}
    return [
        f"{module} -> {target}"
        for module, targets in sorted(graph.items())
        for target in sorted(targets)
        if room_of(module) != room_of(target) and floor[room_of(module)] >= floor[room_of(target)]
    ]


@pytest.fixture(scope="module")
def graph():
    return graph_of(PACKAGE)


def test_every_module_has_a_room(graph):
    assert {room_of(module) for module in graph} <= {
        ROOMS.get(room, room) for rooms in FLOORS for room in rooms
    }


def test_imports_point_down(graph):
    assert wrong_ways(graph, FLOORS) == []


def test_no_circle_of_modules(graph):
    assert circles(graph) == []


def test_the_tests_see_late_imports_and_circles(tmp_path):
    package = tmp_path / "house"
    (package / "cellar").mkdir(parents=True)
    texts = {
        "__init__.py": "from house import roof",
        "roof.py": "from house.cellar import wine",
        "cellar/__init__.py": "from house.cellar.shelf import wine",
        "cellar/shelf.py": "def wine():\n    import house.roof\n    from house import roof",
    }
    for name, text in texts.items():
        (package / name).write_text(text)
    seen = graph_of(package)
    assert seen["house.cellar.shelf"] == {"house.roof"}
    assert circles(seen) == [["house.cellar", "house.cellar.shelf", "house.roof"]]
    floors = [{"__init__"}, {"roof"}, {"cellar"}]
    assert wrong_ways(seen, floors) == ["house.cellar.shelf -> house.roof"]
    beside = wrong_ways(seen, [{"__init__"}, {"roof", "cellar"}])
    assert beside == ["house.cellar.shelf -> house.roof", "house.roof -> house.cellar"]


def test_findings_need_nothing_but_numpy():
    found = set()
    for path in (PACKAGE / "diagnosis").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module.partition(".")[0])
    assert found - set(sys.stdlib_module_names) == {"numpy", "keras_lr"}

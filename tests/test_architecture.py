"""The package is built as docs/architecture.md says: no room imports from a room above its own."""

import ast
import re
from collections.abc import Callable
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

from conftest import ROOT

PACKAGE = ROOT / "workflow/fgclep"
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
GROUND = "the ground floor"
TOP = "cli"  # starts the commands
PUBLIC = "__init__"  # gives the model its short name
PUBLIC_NAMES = {"FGCLEP", "FGCLEPConfig", "FGCLEPProcessor", "__version__"}
# rooms without tests of their own: stages are tested where their work is done, schemas by the tables
TESTED_ELSEWHERE = {"schemas", "stages"}
TESTS_OF_NO_ROOM = {"support", "workflow", "cluster"}


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


@cache
def imports() -> dict[str, set[str]]:
    """For every module of the package the modules of the package that it imports, within functions as well."""
    modules = {module_of(path): path for path in PACKAGE.rglob("*.py")}
    found: dict[str, set[str]] = {}
    for module, path in modules.items():
        found[module] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{path}: a relative import"
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            for name in names:
                top, _, below = name.partition(".")
                if top == "fgclep":
                    longest = below if below in modules else below.rpartition(".")[0]
                    assert longest in modules or below in PUBLIC_NAMES, f"{path}: {name}"
                    found[module].add(longest or PUBLIC)
    return found


def rooms() -> list[str]:
    """The rooms of the page's table, in its order."""
    return [cell.strip("/`") for cell in re.findall(r"^\| (`\w+/`|the ground floor) \|", PAGE, flags=re.MULTILINE)]


def room_of(module: str) -> str:
    room, dot, _ = module.partition(".")
    if module == "__main__":  # is the command
        return TOP
    return room if dot or (PACKAGE / room).is_dir() or room in {TOP, PUBLIC} else GROUND


def test_the_page_names_every_room_and_no_other():
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert set(rooms()) == packages | {GROUND} and len(rooms()) == len(set(rooms()))
    [ground] = re.findall(rf"^\| {GROUND} \| (.*) \|$", PAGE, flags=re.MULTILINE)
    files = {path.stem for path in PACKAGE.glob("*.py")} - {TOP, PUBLIC, "__main__"}
    assert set(re.findall(r"`(\w+)`", ground)) == files
    assert len(files) + 2 <= 16
    for outer in ("simulation", "report"):
        [row] = re.findall(rf"^\| `{outer}/` \| (.*) \|$", PAGE, flags=re.MULTILINE)
        assert set(re.findall(r"`(\w+)/`", row)) == {
            path.parent.name for path in PACKAGE.glob(f"{outer}/*/__init__.py")
        }


def test_every_module_on_the_roads_exists():
    named = re.findall(r"`(\w+/\w+)(\*?)`", PAGE.split("## The road of one record")[1])
    assert len(named) > 25
    for name, every in named:
        assert list(PACKAGE.glob(f"{name}*.py" if every else f"{name}.py")), name


def test_no_room_imports_from_above():
    floor = {room: number for number, room in enumerate([*rooms(), TOP])}
    upward = [
        f"{module} imports {other}"
        for module, others in imports().items()
        if room_of(module) != PUBLIC
        for other in others
        if room_of(other) != PUBLIC and floor[room_of(other)] > floor[room_of(module)]
    ]
    assert upward == []


def cycle_free(room: Callable[[str], str]) -> None:
    """Raise ``graphlib.CycleError``, which names the circle, if rooms import each other in one."""
    arrows: dict[str, set[str]] = {}
    for module, others in imports().items():
        arrows.setdefault(room(module), set()).update({room(other) for other in others} - {room(module)})
    TopologicalSorter(arrows).prepare()


def test_no_circle_of_modules_or_of_folders():
    cycle_free(lambda module: module)
    cycle_free(lambda module: module if room_of(module) == GROUND else module.rpartition(".")[0] or module)


def test_the_tests_have_the_same_rooms():
    folders = {path.parent.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").glob("*/*.py")}
    assert folders - TESTS_OF_NO_ROOM == set(rooms()) - {GROUND} - TESTED_ELSEWHERE

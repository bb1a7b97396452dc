import os

import pytest

from fgclep.digest import PACKAGE, source_digest

FILES = {
    "__init__.py": "def __getattr__(name):\n    from pack.model import Model\n\n    return Model\n",
    "model.py": "class Model:\n    size = 1\n",
    "stages/__init__.py": "",
    "stages/plain.py": '"""A stage."""\nfrom pack.table import read\n\ndef main():\n    """Go."""\n    return read()\n',
    "stages/lazy.py": "def main():\n    from ..model import Model\n\n    return Model\n",
    "stages/short.py": "from pack import Model\n",
    "stages/module.py": "from pack import table\n",
    "table.py": "import os\n\nimport pack.units\n\n\ndef read():\n    return pack.units.MV\n",
    "units.py": "MV = 1\n",
    "unused.py": "X = 1\n",
}


@pytest.fixture
def pack(tmp_path):
    package = tmp_path / "pack"
    for name, text in FILES.items():
        write(package, name, text)
    return package


def write(package, name, text):
    path = package / name
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before + 1_000_000_000, before + 1_000_000_000))


def changes(package, module, name, text):
    before = source_digest(module, package)
    write(package, name, text)
    return source_digest(module, package) != before


@pytest.mark.parametrize(
    "text",
    [
        '"""Another text."""\n\nfrom pack.table import read\n\n\ndef main():\n    return read()\n',
        "# a remark\nfrom pack.table import read\n\ndef main():\n\n    return (\n        read()\n    )\n",
    ],
)
def test_comments_docstrings_and_layout_do_not_count(pack, text):
    assert not changes(pack, "pack.stages.plain", "stages/plain.py", text)


def test_code_counts(pack):
    text = FILES["stages/plain.py"].replace("return read()", "return 2 * read()")
    assert changes(pack, "pack.stages.plain", "stages/plain.py", text)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("pack.stages.plain", "table.py"),  # from pack.table import read
        ("pack.stages.plain", "units.py"),  # import pack.units, one step further
        ("pack.stages.module", "units.py"),  # from pack import table
        ("pack.stages.lazy", "model.py"),  # a relative import within a function
        ("pack.stages.short", "model.py"),  # from pack import Model, which __init__ loads on demand
    ],
)
def test_imported_modules_count(pack, module, name):
    assert changes(pack, module, name, FILES[name] + "\nEXTRA = 1\n")


@pytest.mark.parametrize("name", ["unused.py", "model.py", "__init__.py", "stages/__init__.py"])
def test_modules_that_are_not_imported_do_not_count(pack, name):
    assert not changes(pack, "pack.stages.plain", name, FILES[name] + "\nEXTRA = 1\n")


def test_a_missing_module_is_an_error(pack):
    with pytest.raises(ModuleNotFoundError, match=r"no module pack\.stages\.absent"):
        source_digest("pack.stages.absent", pack)
    write(pack, "table.py", "from pack.gone import x\n")
    with pytest.raises(ModuleNotFoundError, match=r"no module pack\.gone"):
        source_digest("pack.stages.plain", pack)


@pytest.mark.parametrize("stage", sorted(path.stem for path in (PACKAGE / "stages").glob("[a-z]*.py")))
def test_every_stage_has_a_digest(stage):
    assert len(source_digest(f"fgclep.stages.{stage}")) == 12

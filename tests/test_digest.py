import os

import pytest

from fgclep.digest import COUNTED, PACKAGE, UNCOUNTED, source_digest, source_files

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


TOLD = """from pack.errors import UserError
from pack.progress import progress


def main(rows, parser):
    parser.add_argument("--rows", type=int, help="how many")
    for row in progress(rows, len(rows), "rows"):
        if row < 0:
            LOG.warning("row %d", row)
            raise UserError(f"{row} is negative")
    return row
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"how many"', '"how many there are"'),
        ('len(rows), "rows"', 'len(rows), "reading", unit="row"'),
        ('LOG.warning("row %d", row)', 'LOG.info("negative")\n            LOG.info("%d", row)'),
        ('            LOG.warning("row %d", row)\n', ""),
        ('f"{row} is negative"', '"a row is negative; write a positive one"'),
    ],
)
def test_words_for_the_user_do_not_count(pack, old, new):
    write(pack, "stages/told.py", TOLD)
    assert TOLD.count(old) == 1
    assert not changes(pack, "pack.stages.told", "stages/told.py", TOLD.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("type=int", "type=float"),
        ("progress(rows,", "progress(rows[1:],"),
        ("raise UserError(", "raise ValueError("),
        ("row < 0", "row < 1"),
    ],
)
def test_code_among_words_counts(pack, old, new):
    write(pack, "stages/told.py", TOLD)
    assert TOLD.count(old) == 1
    assert changes(pack, "pack.stages.told", "stages/told.py", TOLD.replace(old, new))


def test_modules_that_only_talk_to_the_user_do_not_count(pack):
    """Nor do the classes of the config, nor what these modules import."""
    talk = ("errors", "progress", "fetch.progress", "config.section")
    imports = "".join(f"import pack.{name}\n" for name in talk)
    write(pack, "stages/told.py", imports)
    for name in talk:
        write(pack, f"{name.replace('.', '/')}.py", "import pack.units\n")
        assert not changes(pack, "pack.stages.told", f"{name.replace('.', '/')}.py", "import pack.table\n")
    assert [file.stem for file in source_files("pack.stages.told", pack)] == ["told"]


def test_the_modules_that_do_not_count_are_there():
    for name in (*UNCOUNTED, *COUNTED):
        place = PACKAGE / name.replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").is_file(), name


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


def test_every_log_has_the_name_by_which_its_lines_are_known():
    for path in PACKAGE.rglob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert "getLogger(__name__)" not in line or line == "LOG = logging.getLogger(__name__)", path

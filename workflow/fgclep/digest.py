"""A digest of a stage's own source, by which Snakemake sees that the code behind a rule has changed."""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
# Modules, and packages with all that is below them, that no output depends on, so that their changes rerun nothing.
UNCOUNTED = (
    "errors",  # words for the user
    "progress",  # bars and the log
    "fetch.progress",  # the same of a transfer
    "config",  # its values are among the params of each rule, by which Snakemake sees them change
)
COUNTED = ("config.yaml_text",)  # nevertheless: the report prints its settings by it


def source_digest(module: str, package: Path = PACKAGE) -> str:
    """Hash the code of a module and of every module of its package that it imports, directly or not.

    Comments, docstrings and layout do not count. Nor do words for the user, which are lines of the log, the text of a
    ``UserError`` or of a progress bar, and the help of an option; nor the modules of ``UNCOUNTED``.

    An ``__init__`` counts where something is imported from the package by name (``from fgclep import FGCLEP``), and not
    merely because a module below it is imported: keep it free of code that others rely on. Imports within functions
    count; names built at run time are not seen.

    Parameters
    ----------
    module
        Dotted name, such as ``fgclep.stages.pretrain``.
    package
        Folder of the top-level package.

    Returns
    -------
    str
        12 hexadecimal digits.

    Raises
    ------
    ModuleNotFoundError
        If ``module``, or a module of the package that it imports, does not exist.

    Examples
    --------
    >>> len(source_digest("fgclep.digest"))
    12
    """
    code = {name: _parsed(name, file, package)[0] for name, file in _modules(module, package).items()}
    return hashlib.sha256(repr(sorted(code.items())).encode()).hexdigest()[:12]


def file_digest(path: Path) -> str:
    """Hash the content of a file; 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def source_files(module: str, package: Path = PACKAGE) -> list[Path]:
    """Files of the modules that ``source_digest`` hashes, by name; raises as it does."""
    return sorted(_modules(module, package).values())


def _modules(module: str, package: Path) -> dict[str, Path]:
    """Return a module and all of its package that it imports, directly or not, with their files."""
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found or not _counts(name.partition(".")[2]):
            continue
        file = _file(name, package)
        if file is None:
            raise ModuleNotFoundError(f"there is no module {name} in {package}", name=name)
        found[name] = file
        waiting += _parsed(name, file, package)[1]
    return found


def _counts(name: str) -> bool:
    """Whether a module, named within the package, counts where it is imported."""
    above = (f"{name}.".startswith(f"{talk}.") for talk in UNCOUNTED)
    return name in COUNTED or not any(above)


def _parsed(name: str, file: Path, package: Path) -> tuple[str, tuple[str, ...]]:
    stat = file.stat()
    return _parse(file, name, package, stat.st_mtime_ns, stat.st_size)


def _file(module: str, package: Path) -> Path | None:
    top, *below = module.split(".")
    if top != package.name:
        return None
    path = package.joinpath(*below)
    candidates = (path / "__init__.py", path.with_suffix(".py")) if below else (path / "__init__.py",)
    return next((candidate for candidate in candidates if candidate.is_file()), None)


@cache
def _parse(file: Path, module: str, package: Path, changed: int, size: int) -> tuple[str, tuple[str, ...]]:
    """Return the bare code of a module and what it imports; ``changed`` and ``size`` tell the cache of an edit."""
    tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    imported = tuple(sorted(set(_imports(tree, module, file.name == "__init__.py", package))))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:]
    # unparsed rather than dumped: the text is the same in every version of Python
    return ast.unparse(_Silenced().visit(tree)), imported


class _Silenced(ast.NodeTransformer):
    """Takes out of a module what it says to the user."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_line_of_the_log = isinstance(node.value, ast.Call) and ast.unparse(node.value.func).startswith("LOG.")
        return None if is_line_of_the_log else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        if called == "UserError":
            node.args = []
        elif called == "progress":
            node.args, node.keywords = node.args[:1], []
        node.keywords = [keyword for keyword in node.keywords if keyword.arg != "help"]
        return self.generic_visit(node)


def _imports(tree: ast.Module, module: str, is_package: bool, package: Path) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == package.name)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                base = ".".join(parts[: len(parts) - node.level + is_package] + ([base] if base else []))
            if base.split(".")[0] != package.name:
                continue
            modules = [f"{base}.{alias.name}" for alias in node.names if _file(f"{base}.{alias.name}", package)]
            yield from modules
            if len(modules) < len(node.names):
                yield base

"""Evaluation tasks: which codes make a class positive, and which prompts ask for it.

The tasks stand in ``resources/tasks/*.yaml``; ``ptbxl_super.yaml`` explains the keys.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fgclep.documents import read_yaml
from fgclep.errors import UserError

RESERVED_NAMES = ("macro", "macro_supported", "all")
SPLITS = ("train", "val", "test")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class TaskClass:
    """One class of a task.

    Parameters
    ----------
    name
        As in metrics.csv.
    title
        The class in plain words.
    codes
        SCP or SNOMED-CT codes, any of which makes a record positive.
    prompts
        Statements in the wording of machine reports; the class is scored by the probability that any of them fits.
    """

    name: str
    title: str
    codes: tuple[str, ...]
    prompts: tuple[str, ...]


@dataclass(frozen=True)
class SplitFile:
    """One file of a published split.

    Parameters
    ----------
    split
        ``train``, ``val`` or ``test``: where the records that it lists belong.
    path
        Of the CSV file, below ``evaluation.splits_base``.
    sha256
        Its checksum.
    """

    split: str
    path: str
    sha256: str


@dataclass(frozen=True)
class PublishedSplit:
    """The split of a benchmark, which a task takes in place of its source's.

    Parameters
    ----------
    column
        Of the CSV files: the records' paths, with or without extension.
    files
        Each lists the records of one split.
    """

    column: str
    files: tuple[SplitFile, ...]


@dataclass(frozen=True)
class Task:
    """A multi-label task on one source.

    Parameters
    ----------
    name, source, label_set
        As in metrics.csv and in the tables' ``source`` column.
    classes
        In the order of the results.
    overlapping
        Groups of class names that may share prompts.
    split
        The published split; ``None``: that of the source.
    """

    name: str
    source: str
    label_set: str
    classes: tuple[TaskClass, ...]
    overlapping: tuple[frozenset[str], ...] = ()
    split: PublishedSplit | None = None

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, in order."""
        return [item.name for item in self.classes]

    def labels(self, codes: Sequence[Iterable[str]]) -> np.ndarray:
        """Labels (records, classes), bool, of records with the given codes.

        A code counts if it equals one of the class; records without any class of the task get an all-false row and do
        not belong to the task (PTB-XL's benchmark: Strodthoff et al. 2021, doi:10.1109/JBHI.2020.3022989).
        """
        columns = {code: place for place, item in enumerate(self.classes) for code in item.codes}
        labels = np.zeros((len(codes), len(self.classes)), dtype=bool)
        for row, some in enumerate(codes):
            labels[row, [columns[code] for code in some if code in columns]] = True
        return labels

    def may_share(self, one: str, other: str) -> bool:
        """Whether two classes are declared as overlapping."""
        return any({one, other} <= group for group in self.overlapping)


def load_task(path: str | Path) -> Task:
    """Load a task file.

    Raises
    ------
    UserError
        Naming the file and the class: a key is missing, unknown or of the wrong type, a name or code is given twice,
        a prompt belongs to two classes that are not declared as overlapping, or the split is not of the form above.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path} does not exist; evaluation.tasks in the config names files of resources/tasks")
    document = read_yaml(path)
    keys = ("name", "source", "label_set", "overlapping", "classes")
    has_split = isinstance(document, Mapping) and "split" in document
    _check_keys(document, (*keys, "split") if has_split else keys, f"{path}")
    for key in ("name", "source", "label_set"):
        _check_text(document[key], f"{path}: {key}")
    if document["name"] != path.stem:
        raise UserError(f"{path}: the name is {document['name']!r}; it must be that of the file, {path.stem!r}")
    if not isinstance(document["overlapping"], list):
        raise UserError(f"{path}: overlapping must be a list of groups of class names, which may be empty: []")
    if not isinstance(document["classes"], list) or not document["classes"]:
        raise UserError(f"{path}: classes must be a list of classes")
    task = Task(
        document["name"],
        document["source"],
        document["label_set"],
        tuple(_class(row, f"{path}: class {number}") for number, row in enumerate(document["classes"], start=1)),
        tuple(frozenset(_texts(group, f"{path}: overlapping")) for group in document["overlapping"]),
        _split(document["split"], f"{path}: split") if has_split else None,
    )
    _check_task(task, path)
    return task


def _check_keys(mapping: Any, keys: Sequence[str], where: str) -> None:
    if not isinstance(mapping, Mapping) or set(mapping) != set(keys):
        found = sorted(mapping, key=str) if isinstance(mapping, Mapping) else mapping
        raise UserError(f"{where} must have exactly the keys {', '.join(keys)}; found {found}")


def _check_text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{where}: {value!r} is no text; put numbers such as SNOMED-CT codes in quotes")
    return value


def _texts(values: Any, where: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not values:
        raise UserError(f"{where}: {values!r} must be a list with at least one entry")
    return tuple(_check_text(value, where) for value in values)


def _class(row: Any, where: str) -> TaskClass:
    _check_keys(row, ("name", "title", "codes", "prompts"), where)
    name = _check_text(row["name"], f"{where}: name")
    title = _check_text(row["title"], f"{where} ({name}): title")
    codes, prompts = (_texts(row[key], f"{where} ({name}): {key}") for key in ("codes", "prompts"))
    return TaskClass(name, title, codes, prompts)


def _split(row: Any, where: str) -> PublishedSplit:
    _check_keys(row, ("column", "files"), where)
    column = _check_text(row["column"], f"{where}: column")
    if not isinstance(row["files"], Mapping) or not set(row["files"]) <= set(SPLITS) or "test" not in row["files"]:
        raise UserError(f"{where}: files must hold test, and may hold train and val")
    files = []
    for split, file in row["files"].items():
        _check_keys(file, ("path", "sha256"), f"{where}: {split}")
        path, sha256 = (_check_text(file[key], f"{where}: {split}: {key}") for key in ("path", "sha256"))
        if not _SHA256.fullmatch(sha256):
            raise UserError(f"{where}: {split}: sha256 is {sha256!r}; write the 64 hexadecimal digits of sha256sum")
        files.append(SplitFile(split, path, sha256))
    return PublishedSplit(column, tuple(files))


def _check_task(task: Task, path: Path) -> None:
    names = task.class_names
    if reserved := sorted(set(names) & set(RESERVED_NAMES)):
        raise UserError(f"{path}: {reserved[0]!r} stands for an average and cannot name a class")
    if unknown := sorted(set().union(*task.overlapping) - set(names)):
        raise UserError(f"{path}: overlapping names {unknown[0]!r}, which is no class of the task")
    codes: dict[str, str] = {}
    prompts: dict[str, list[str]] = {}
    for number, item in enumerate(task.classes):
        if item.name in names[:number]:
            raise UserError(f"{path}: the class {item.name!r} is given twice")
        for code in item.codes:
            if code in codes:
                raise UserError(f"{path}: the code {code!r} is given twice: {codes[code]} and {item.name}")
            codes[code] = item.name
        for prompt in item.prompts:
            for other in prompts.setdefault(prompt, []):
                if not task.may_share(other, item.name):
                    raise UserError(
                        f"{path}: the prompt {prompt!r} belongs to {other} and {item.name}; give one of them another "
                        f"prompt, or declare\n\n    overlapping:\n      - [{other}, {item.name}]"
                    )
            prompts[prompt].append(item.name)

"""The closed, versioned vocabulary: waveform features, diagnoses, and what each implies or excludes.

The knowledge stands in ``resources/vocabulary/*.yaml``, one source per criterion; this module loads it, refuses
unknown references. What a feature's rule on measured values may say, and what it says of a record, is in
``fgclep.measurement.rules``.
"""

import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from fgclep.documents import read_yaml
from fgclep.errors import UserError
from fgclep.language.territories import as_leads
from fgclep.measurement.rules import check_rule

ALL_ABNORMAL = "all_abnormal"
WAVES = ("rhythm", "p", "pr", "qrs", "q", "r", "s", "st", "t", "u", "qt", "pacing")


@dataclass(frozen=True)
class Feature:
    """A waveform feature: one thing that can be seen on the tracing.

    ``synonyms`` are wordings of machine statements, ``names`` those of code lists and other reports, ``german`` German
    and Swedish ones; all are read, and the simulator writes the first only.
    """

    id: str
    text: str
    source: str
    synonyms: tuple[str, ...] = ()
    rule: dict[str, Any] | None = None
    state: str | None = None  # what the feature means where no rule on the measures can say it
    normal: bool = False  # seen on a normal ECG
    wave: str = ""  # of WAVES
    territory: str | None = None  # of the family of ``general``
    leads: tuple[str, ...] = ()  # where it is seen; empty: in no particular lead
    general: str | None = None  # the same finding without its place
    names: tuple[str, ...] = ()
    german: tuple[str, ...] = ()
    scp: tuple[str, ...] = ()
    snomed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """A conclusion from features; the relation is not bijective, so features are typical, alternative or excluded.

    Wordings as in ``Feature``.
    """

    id: str
    text: str
    group: str
    source: str
    kind_of: str | None = None  # the wider diagnosis that this one always is as well
    synonyms: tuple[str, ...] = ()
    scp: tuple[str, ...] = ()
    snomed: tuple[str, ...] = ()
    typical: tuple[str, ...] = ()
    alternative: tuple[str, ...] = ()
    incompatible: tuple[str, ...] = ()
    required: tuple[str, ...] = ()  # those of the typical features without which the diagnosis is not made
    seldom: tuple[str, ...] = ()  # seen now and then; not proposed by the knowledge backend
    excludes: tuple[str, ...] = ()  # diagnoses that cannot be made beside it, either way round
    territory: str | None = None
    leads: tuple[str, ...] = ()
    general: str | None = None
    names: tuple[str, ...] = ()
    german: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vocabulary:
    """Features and diagnoses by id, in file order, and patterns of administrative statements."""

    version: int
    features: dict[str, Feature]
    diagnoses: dict[str, Diagnosis]
    administrative: tuple[str, ...]
    phrases: dict[str, str] = field(default_factory=dict)  # every text and other wording, lower case -> id
    shared_codes: frozenset[str] = frozenset()  # codes that several diagnoses may have

    @property
    def entries(self) -> list[Feature | Diagnosis]:
        """All features and diagnoses."""
        return [*self.features.values(), *self.diagnoses.values()]


def _document(path: Path, key: str) -> dict:
    """Return a YAML file that has a list under ``key``."""
    if not path.exists():
        raise UserError(f"{path} does not exist; it belongs to the repository: git checkout -- {path}")
    document = read_yaml(path)
    if not isinstance(document, dict) or not isinstance(document.get(key), list):
        raise UserError(f"{path} must hold a list under the key {key}")
    return document


def _entries(path: Path, key: str, kind: type) -> tuple[dict, dict]:
    document = _document(path, key)
    if not isinstance(document.get("version"), int):
        raise UserError(f"{path}: the version is {document.get('version')!r}; give a whole number")
    entries = {}
    for row in document[key]:
        if not isinstance(row, dict) or not all(isinstance(name, str) for name in row):
            raise UserError(f"{path}: the entry {row!r:.100} is no mapping with an id")
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
        try:
            values["leads"] = as_leads(values.get("leads", values.get("territory")))
        except (KeyError, TypeError) as error:
            raise UserError(f"{path}: entry {row.get('id', row)!r:.100}: unknown territory {error}") from None
        try:
            entry = kind(**values)
            _check_types(entry)
        except TypeError as error:
            raise UserError(f"{path}: entry {row.get('id', row)!r:.100}: {error}") from None
        if entry.id in entries:
            raise UserError(f"{path}: the id {entry.id!r} is given twice")
        entries[entry.id] = entry
    return entries, document


def _check_types(entry: Feature | Diagnosis) -> None:
    """Raise ``TypeError`` for a value of another type than its field's, which YAML takes as it comes."""
    for field_ in fields(entry):
        value, wanted = getattr(entry, field_.name), field_.type
        if wanted == tuple[str, ...]:
            fits = isinstance(value, tuple) and all(isinstance(item, str) for item in value)
        elif wanted == dict[str, Any] | None:
            fits = value is None or isinstance(value, dict)
        else:
            fits = isinstance(value, wanted)  # type: ignore[arg-type]
        if not fits:
            shown = "a list of texts" if wanted == tuple[str, ...] else getattr(wanted, "__name__", wanted)
            raise TypeError(f"{field_.name} is {value!r:.100}, not {shown}")


def load_vocabulary(folder: str | Path) -> Vocabulary:
    """Load and validate ``features.yaml``, ``diagnoses.yaml`` and ``administrative.yaml`` from ``folder``.

    Raises ``UserError`` naming the file and the entry for an unknown reference, an id or phrase used twice, a feature
    both implied and excluded by the same diagnosis, or a rule that names no known measure or lead.
    """
    folder = Path(folder)
    features, document = _entries(folder / "features.yaml", "features", Feature)
    diagnoses, concluded = _entries(folder / "diagnoses.yaml", "diagnoses", Diagnosis)
    administrative = _document(folder / "administrative.yaml", "patterns")["patterns"]
    for pattern in administrative:
        try:
            re.compile(pattern)
        except (re.error, TypeError, RecursionError, OverflowError) as error:
            raise UserError(f"{folder / 'administrative.yaml'}: {pattern!r:.100} is no pattern: {error}") from None

    path = folder / "features.yaml"
    for feature in features.values():
        if (feature.rule is None) == (feature.state is None):
            raise UserError(f"{path}: {feature.id}: give either a rule or a state")
        if feature.rule is not None:
            try:
                check_rule(feature.rule)
            except ValueError as error:
                raise UserError(f"{path}: {feature.id}: {error}") from None

    path = folder / "diagnoses.yaml"
    abnormal = tuple(f.id for f in features.values() if not f.normal)
    for name, diagnosis in list(diagnoses.items()):
        if diagnosis.incompatible == (ALL_ABNORMAL,):
            diagnosis = Diagnosis(**{**diagnosis.__dict__, "incompatible": abnormal})
            diagnoses[name] = diagnosis
        implied = diagnosis.required + diagnosis.typical + diagnosis.alternative + diagnosis.seldom
        for reference in implied + diagnosis.incompatible:
            if reference not in features:
                raise UserError(f"{path}: {name} names the unknown feature {reference!r}")
        if diagnosis.kind_of is not None and diagnosis.kind_of not in diagnoses:
            raise UserError(f"{path}: {name} is a kind of the unknown diagnosis {diagnosis.kind_of!r}")
        for other in diagnosis.excludes:
            if other not in diagnoses:
                raise UserError(f"{path}: {name} excludes the unknown diagnosis {other!r}")
        if clash := set(implied) & set(diagnosis.incompatible):
            raise UserError(f"{path}: {name} both implies and excludes {sorted(clash)}")

    for entry in (*diagnoses.values(), *features.values()):
        if entry.general is not None and entry.general not in {**diagnoses, **features}:
            raise UserError(f"{folder}: {entry.id}: the general finding {entry.general!r} is unknown")
    phrases: dict[str, str] = {}
    for entry in (*diagnoses.values(), *features.values()):
        for phrase in (entry.text, *entry.synonyms, *entry.names, *entry.german):
            if phrases.setdefault(phrase.lower(), entry.id) != entry.id:
                raise UserError(f"{folder}: {phrase!r} is given to both {phrases[phrase.lower()]!r} and {entry.id!r}")
    shared = concluded.get("shared_codes", [])
    if not isinstance(shared, list) or not all(isinstance(code, str) for code in shared):
        raise UserError(f"{path}: shared_codes must be a list of texts")
    return Vocabulary(document["version"], features, diagnoses, tuple(administrative), phrases, frozenset(shared))

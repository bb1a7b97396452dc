"""Check the vocabulary beyond what loading it refuses: ``python -m fgclep.language.check``.

Loading (``vocabulary.load_vocabulary``) refuses unknown references, ids and wordings given twice, and features both
implied and excluded. Here follow contradictions between entries, codes, and whether every entry can be reached.
"""

import sys
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from fgclep.errors import UserError
from fgclep.language.certainty import cuts_in_two
from fgclep.language.parser import StatementParser
from fgclep.language.statements import clean_statement
from fgclep.language.vocabulary import WAVES, Diagnosis, Vocabulary, load_vocabulary
from fgclep.language.words import words_of

VERDICTS = "summary"  # the group of diagnoses that say nothing about the waveform


def problems(vocabulary: Vocabulary) -> list[str]:
    """Return what is wrong with a loaded vocabulary, one sentence each; empty if nothing is."""
    return [
        *_entries(vocabulary),
        *_codes(vocabulary),
        *_contradictions(vocabulary),
        *_unreachable(vocabulary),
    ]


def _entries(vocabulary: Vocabulary) -> Iterator[str]:
    for feature in vocabulary.features.values():
        if feature.wave not in WAVES:
            yield f"{feature.id}: wave is {feature.wave!r}; known are {', '.join(WAVES)}"
    for entry in vocabulary.entries:
        if not entry.source:
            yield f"{entry.id}: no source of its criterion"
        if not entry.synonyms and not entry.names:
            yield f"{entry.id}: no English wording beside its text"
        if entry.id in vocabulary.features and entry.id in vocabulary.diagnoses:
            yield f"{entry.id}: is the id of a feature and of a diagnosis"
    for diagnosis in vocabulary.diagnoses.values():
        if not (diagnosis.typical or diagnosis.alternative or diagnosis.group == VERDICTS):
            yield f"{diagnosis.id}: has no feature, typical or alternative"


def _codes(vocabulary: Vocabulary) -> Iterator[str]:
    owners: dict[str, str] = {}
    for diagnosis in vocabulary.diagnoses.values():
        for code in (*diagnosis.scp, *diagnosis.snomed):
            owner = owners.setdefault(code, diagnosis.id)
            if owner != diagnosis.id and code not in vocabulary.shared_codes:
                yield f"{code}: is given to {owner} and {diagnosis.id}, and is not among the shared_codes"


def _contradictions(vocabulary: Vocabulary) -> Iterator[str]:
    for diagnosis in vocabulary.diagnoses.values():
        if missing := set(diagnosis.required) - set(diagnosis.typical):
            yield f"{diagnosis.id}: requires {sorted(missing)}, which are not typical of it"
        wider = None if diagnosis.kind_of is None else vocabulary.diagnoses[diagnosis.kind_of]
        required = {*diagnosis.required, *(wider.required if wider else ())}
        for one, other in combinations(sorted(required), 2):
            if _apart(vocabulary.features[one].rule, vocabulary.features[other].rule):
                yield f"{diagnosis.id}: requires {one} and {other}, which no ECG can show together"
        if diagnosis.id in diagnosis.excludes:
            yield f"{diagnosis.id}: excludes itself"
        if wider is not None:
            yield from _against_wider(diagnosis, wider)


def _against_wider(diagnosis: Diagnosis, wider: Diagnosis) -> Iterator[str]:
    if clash := set(diagnosis.required) & set(wider.incompatible):
        yield f"{diagnosis.id}: requires {sorted(clash)}, and {wider.id}, of which it is a kind, excludes them"
    if clash := set(wider.required) & set(diagnosis.incompatible):
        yield f"{diagnosis.id}: excludes {sorted(clash)}, and {wider.id}, of which it is a kind, requires them"
    if wider.id in diagnosis.excludes or diagnosis.id in wider.excludes:
        yield f"{diagnosis.id}: is a kind of {wider.id}, and one excludes the other"


def _apart(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether two rules can never hold together, as far as their ranges of the same measures show."""
    if not one or not other:
        return False
    if "all" in one:
        return any(_apart(part, other) for part in one["all"])
    if "any" in one:
        return all(_apart(part, other) for part in one["any"])
    if {"all", "any"} & set(other):
        return _apart(other, one)
    if one["measure"] != other["measure"] or not _share_a_value(one, other):
        return False
    low = max(one.get("above", float("-inf")), other.get("above", float("-inf")))
    return bool(low >= min(one.get("below", float("inf")), other.get("below", float("inf"))))


def _share_a_value(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether rules on the same measure look at the same value: of the record, or of a lead that both must count."""
    if "leads" not in one:
        return True
    mine, theirs = set(one["leads"]), set(other["leads"])
    return one.get("count", len(mine)) + other.get("count", len(theirs)) > len(mine | theirs)


def _unreachable(vocabulary: Vocabulary) -> Iterator[str]:
    """Every wording has to be read as its own finding, and every feature to belong to a diagnosis or a general one."""
    parser = StatementParser(vocabulary)
    for phrase, finding in vocabulary.phrases.items():
        found = [f.id for f in parser.findings(clean_statement(phrase))]
        if finding not in found and not cuts_in_two(words_of(phrase)):
            yield f"{finding}: its wording {phrase!r} is read as {found or 'nothing'}"
    named = {
        name
        for d in vocabulary.diagnoses.values()
        for name in (*d.typical, *d.alternative, *d.seldom)
        if d.group != "normal"
    } | {e.general for e in vocabulary.entries}
    for feature in vocabulary.features.values():
        if feature.id not in named and feature.general is None and not feature.normal:
            yield f"{feature.id}: no diagnosis has it among its features"


def main(folder: str = "resources/vocabulary") -> int:
    """Print the size of the vocabulary and its problems; return 1 if there are any."""
    try:
        vocabulary = load_vocabulary(folder)
        found = problems(vocabulary)
    except UserError as error:
        print(error)
        return 1
    ruled = sum(feature.rule is not None for feature in vocabulary.features.values())
    print(
        f"{len(vocabulary.features)} features ({ruled} with a measurement rule), "
        f"{len(vocabulary.diagnoses)} diagnoses, {len(vocabulary.phrases)} wordings, {len(found)} problems"
    )
    print("".join(f"  {line}\n" for line in found), end="")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

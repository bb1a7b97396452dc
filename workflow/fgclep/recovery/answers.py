"""From a backend's words to the closed vocabulary of features."""

from fgclep.language.parser import StatementParser
from fgclep.language.statements import clean_statement


def map_answer(answer: str, parser: StatementParser) -> tuple[str | None, str]:
    """Return the feature that an answer names, or ``None`` and the reason why it names none.

    The answer may be worded like any text or synonym of a feature, within other words. An answer that names several
    features, denies one, or names a diagnosis is none: a diagnosis is not seen, it is concluded.

    >>> from fgclep.language.vocabulary import load_vocabulary
    >>> parser = StatementParser(load_vocabulary("resources/vocabulary"))
    >>> map_answer("Wide QRS complexes", parser)
    ('wide_qrs', '')
    >>> map_answer("atrial fibrillation", parser)
    (None, 'a diagnosis, not a waveform feature')
    """
    found = parser.parse(clean_statement(answer))
    if len(found.features) == 1 and not found.diagnoses and not found.negated:
        return found.features[0], ""
    if found.negated:
        return None, "denies a finding"
    if len(found.features) > 1:
        return None, "names several features"
    if found.features:
        return None, "mixes a diagnosis with a feature"
    if found.diagnoses:
        return None, "a diagnosis, not a waveform feature"
    return None, "not in the vocabulary"

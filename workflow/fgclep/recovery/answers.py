"""From a backend's words to the closed vocabulary of features."""

from fgclep.language.parser import StatementParser
from fgclep.language.statements import clean_statement
from fgclep.recovery.rejections import Rejection


def map_answer(answer: str, parser: StatementParser) -> tuple[str | None, Rejection | None]:
    """Return the feature that an answer names, or why it names none.

    The answer may be worded like any text or synonym of a feature, within other words. An answer that names several
    features, denies one, or names a diagnosis is none: a diagnosis is not seen, it is concluded.

    >>> from fgclep.language.vocabulary import load_vocabulary
    >>> parser = StatementParser(load_vocabulary("resources/vocabulary"))
    >>> map_answer("Wide QRS complexes", parser)
    ('wide_qrs', None)
    >>> map_answer("atrial fibrillation", parser)
    (None, <Rejection.DIAGNOSIS: 'diagnosis'>)
    """
    found = parser.parse(clean_statement(answer))
    if len(found.features) == 1 and not found.diagnoses and not found.negated:
        return found.features[0], None
    if found.negated:
        return None, Rejection.DENIAL
    if len(found.features) > 1:
        return None, Rejection.SEVERAL_FEATURES
    if found.features:
        return None, Rejection.WITH_DIAGNOSIS
    if found.diagnoses:
        return None, Rejection.DIAGNOSIS
    return None, Rejection.NOT_IN_VOCABULARY

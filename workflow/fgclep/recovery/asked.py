"""Which statements a backend is asked about."""

from fgclep.recovery.checks import REFUTED, administrative
from fgclep.statements import Statement
from fgclep.vocabulary import Vocabulary


def is_asked(statement: Statement, vocabulary: Vocabulary) -> bool:
    """Whether features are to be recovered from a statement.

    Administrative statements never are, nor verdicts such as "abnormal ecg", which say nothing about the waveform, nor
    statements that name features only: they leave nothing out.
    """
    if administrative(statement) == REFUTED:
        return False
    return statement.kind == "unknown" or any(
        vocabulary.diagnoses[name].group != "summary" for name in statement.diagnoses
    )

"""Why an answer of a backend is no candidate: codes as the table of candidates has them, with their sentences."""

from enum import StrEnum


class Rejection(StrEnum):
    """What is wrong with an answer, in the order of the funnel of the report.

    Parameters
    ----------
    code
        As in the column ``reason`` of the candidates.
    passed
        What the answers are that do not have this fault.
    sentence
        For people.
    """

    passed: str
    sentence: str

    def __new__(cls, code: str, passed: str, sentence: str) -> "Rejection":  # noqa: D102
        member = str.__new__(cls, code)
        member._value_ = code
        member.passed, member.sentence = passed, sentence
        return member

    NOT_IN_VOCABULARY = "not_in_vocabulary", "in the vocabulary", "not in the vocabulary"
    DIAGNOSIS = "diagnosis", "not a bare diagnosis", "a diagnosis, not a waveform feature"
    DENIAL = "denial", "not a denial", "denies a finding"
    SEVERAL_FEATURES = "several_features", "one feature, not several", "names several features"
    WITH_DIAGNOSIS = "with_diagnosis", "not a feature within a diagnosis", "mixes a diagnosis with a feature"
    NO_FEATURE = "no_feature", "not “none”", "the model names no feature"
    UNKNOWN = "unknown", "not “unknown”", "the model does not know the statement"
    UNKNOWN_BESIDE = "unknown_beside", "not “unknown” beside features", "unknown, beside features"
    NO_USABLE_ANSWER = "no_usable_answer", "usable", "the model gave no usable answer"

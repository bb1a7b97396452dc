"""Why a candidate is accepted or dropped: codes as the audit has them, with their sentences for people."""

from enum import StrEnum

from fgclep.errors import UserError


class Reason(StrEnum):
    """The check that decided, in the order in which they are made: the first that applies is given.

    Parameters
    ----------
    code
        As in the audit's column ``reason``.
    dropped_by
        The check that drops the candidate; ``uncalibrated``: the reader cannot judge. ``None``: it is accepted.
    sentence
        For people.
    """

    dropped_by: str | None
    sentence: str

    def __new__(cls, code: str, dropped_by: str | None, sentence: str) -> "Reason":  # noqa: D102
        member = str.__new__(cls, code)
        member._value_ = code
        member.dropped_by, member.sentence = dropped_by, sentence
        return member

    TOO_FEW_VOTES = "too_few_votes", "votes", "named in fewer answers than verification.min_votes"
    REFUTED = "refuted", "measurement", "the measurement refutes it"
    UNLIKELY = (
        "unlikely", "measurement", "the measured value lies beyond the limit, though by less than its error",
    )  # fmt: skip
    EXCLUDED = "excluded", "contradiction", "the report excludes it"
    SUPPORTED = "supported", None, "the measurement supports it"
    LIKELY = "likely", None, "the measured value lies within the limit, though by less than its error"
    UNCHECKED = "unchecked", None, "no check that is switched on speaks against it"
    NO_SCORE = "no_score", "uncalibrated", "the reader has no score for this record"
    NOT_CALIBRATED = "not_calibrated", "uncalibrated", "the reader cannot be calibrated for this feature"
    SEEN = "seen", None, "the reader sees it in this ECG"
    NOT_SEEN = "not_seen", "reader", "the reader does not see it in this ECG"

    @property
    def accepted(self) -> bool:
        """Whether the candidate is accepted."""
        return self.dropped_by is None


_OF_CODE = {reason.value: reason for reason in Reason}


def reason_of(code: str) -> Reason:
    """Return the reason that the audit has the code of; raises ``UserError`` for a code that is none.

    >>> reason_of("excluded").sentence
    'the report excludes it'
    """
    if code not in _OF_CODE:
        raise UserError(
            f"results/recovery/audit.parquet: the reason {code!r} is unknown, so the audit is from another version; "
            "delete it and run snakemake again"
        )
    return _OF_CODE[code]

"""Whether a language model knows ECGs at all: questions whose answers the vocabulary knows, asked before the others.

An answer by schema is always valid, whatever the model. So a model is first asked which of two dozen features go with
each of 12 diagnoses, and about 20 statements as recorders write them. Both sets are fixed: they belong to no record.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from fgclep.config.recovery import RecoverySection
from fgclep.errors import UserError
from fgclep.language.parser import parse_statements
from fgclep.language.statements import Statement
from fgclep.language.vocabulary import Diagnosis, Vocabulary
from fgclep.recovery.language_model import LanguageModel
from fgclep.recovery.prompt import UNKNOWN
from fgclep.recovery.questions import Failure, LikelihoodQuestions, Question, distinct

LOG = logging.getLogger(__name__)

DIAGNOSES = (
    "atrial_fibrillation",
    "sinus_tachycardia",
    "ventricular_tachycardia",
    "ventricular_bigeminy",
    "ventricular_pacing",
    "mobitz_1",
    "lbbb",
    "rbbb",
    "lafb",
    "lvh",
    "rvh",
    "inferior_mi",
)
PER_DIAGNOSIS = 2  # features of each, those that the fewest diagnoses have
CONSTANT = 3  # features that the control names whatever is asked
STATEMENTS = (
    "sinus rhythm with pac(s)",
    "sinus bradycardia with 1st degree a-v block",
    "atrial fibrillation with rapid ventricular response",
    "atrial flutter with 2:1 conduction",
    "ventricular tachycardia",
    "ectopic atrial rhythm",
    "junctional rhythm",
    "accelerated idioventricular rhythm",
    "2nd degree a-v block, mobitz i",
    "complete heart block",
    "left bundle branch block",
    "rbbb with left anterior fascicular block",
    "wolff-parkinson-white",
    "left atrial enlargement",
    "lvh with secondary repolarization abnormality",
    "possible inferior infarct - age undetermined",
    "acute anterior infarct",
    "consider acute pericarditis",
    "digitalis effect",
    "ventricular paced rhythm",
)


@dataclass(frozen=True)
class Probe:
    """What a model knows, with controls.

    Parameters
    ----------
    model
        Its name on the server.
    auroc
        Of its answers about the 12 diagnoses, less the mean of each feature and each diagnosis, against the
        vocabulary; 0.5 is chance, and that of an answer which is always the same. ``auroc_listed`` and
        ``auroc_reversed`` are those of the features in one order and in the reverse, null for a likelihood.
    agreement
        Share of what either order names that both name (Jaccard), over all lists; null for a likelihood.
    plausible, plausible_random, plausible_constant
        Share of the features proposed for the 20 statements that go with their diagnoses by the vocabulary; that of all
        features that it could choose from, and of the three that are offered most often.
    excluded
        Share of the features proposed that a statement excludes.
    loops, abstentions, failures
        Shares of the answers that name an item twice, that name nothing, and of questions without a usable answer.
    questions
        How many were asked.
    """

    model: str
    auroc: float
    auroc_listed: float | None
    auroc_reversed: float | None
    agreement: float | None
    plausible: float | None
    plausible_random: float | None
    plausible_constant: float | None
    excluded: float | None
    loops: float
    abstentions: float
    failures: float
    questions: int

    def as_json(self) -> dict[str, Any]:
        """The figures by name."""
        return asdict(self)

    def text(self) -> str:
        """The figures in words."""
        rows = {
            "features of 12 diagnoses told from others": f"AUROC {self.auroc:.2f} (chance, or always the same: 0.50)",
            "in the order listed, and reversed": f"{_figure(self.auroc_listed)}, {_figure(self.auroc_reversed)}",
            "named in both orders, of either": _percent(self.agreement),
            "plausible, of what it proposes for 20 statements": f"{_percent(self.plausible)} (random from the same "
            f"lists {_percent(self.plausible_random)}, constant {_percent(self.plausible_constant)})",
            "excluded by the statement": _percent(self.excluded),
            "answers that repeat themselves": _percent(self.loops),
            "abstentions": _percent(self.abstentions),
            "no usable answer": _percent(self.failures),
        }
        width = max(map(len, rows))
        lines = [f"{name:<{width}}  {value}" for name, value in rows.items()]
        return "\n".join([f"{self.model}, {self.questions} questions", *lines])


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def run_probe(model: LanguageModel, name: str, vocabulary: Vocabulary) -> Probe:
    """Ask the fixed questions in the way of the config.

    Raises
    ------
    UserError
        As ``LanguageModel.propose``.
    """
    known = _Known(model, vocabulary)
    statements = parse_statements(STATEMENTS, vocabulary)
    asked = [question for statement in statements for question in model.questions.about(statement)]
    first = [question for question in asked if question.sample == 0]
    listed = not isinstance(model.questions, LikelihoodQuestions)
    again = [_reversed(question) for question in first] if listed else []
    answers = model.answers([*known.questions, *asked, *again])

    votes = known.votes(answers)
    one, other = votes if listed else (votes[0], None)
    pairs = [(question, _reversed(question)) for question in (*known.forward, *first)] if listed else []
    own = {question.text for question in first} - {question.text for question in known.questions}
    given = [answer for question, answer in answers.items() if question.text in own or listed]
    usable = [answer for answer in given if not isinstance(answer, Failure)]
    shares = _shares(model, statements, answers, vocabulary)
    return Probe(
        model=name,
        auroc=_auroc(one if other is None else one + other, known.true),
        auroc_listed=None if other is None else _auroc(one, known.true),
        auroc_reversed=None if other is None else _auroc(other, known.true),
        agreement=_agreement(pairs, answers) if listed else None,
        **shares,
        loops=_share(sum(len(set(answer)) < len(answer) for answer in usable), len(usable)) or 0.0,
        abstentions=_share(sum(not answer or answer == [UNKNOWN] for answer in usable), len(usable)) or 0.0,
        failures=_share(sum(isinstance(answer, Failure) for answer in answers.values()), len(answers)) or 0.0,
        questions=len(answers),
    )


def require(model: LanguageModel, settings: RecoverySection, vocabulary: Vocabulary) -> Probe | None:
    """Probe a model before it is asked; ``None`` if the config wants none.

    Raises
    ------
    UserError
        If it knows less of ECGs than the config asks for, and as ``LanguageModel.propose``.
    """
    least = settings.min_auroc
    if least is None:
        return None
    probe = run_probe(model, settings.model, vocabulary)
    LOG.info("%s", probe.text())
    if probe.auroc >= least:
        return probe
    raise UserError(
        f"{probe.model} does not know ECGs well enough to be asked (recovery.min_auroc: {least:g}):\n\n"
        f"{probe.text()}\n\n"
        "Take another model, or do without one, which costs nothing:\n\n    recovery:\n      backend: knowledge\n\n"
        "To ask it all the same write\n\n    recovery:\n      min_auroc: 0"
    )


class _Known:
    """The 12 diagnoses, the features that some of them have, and the questions about them."""

    def __init__(self, model: LanguageModel, vocabulary: Vocabulary):
        diagnoses = [vocabulary.diagnoses[name] for name in DIAGNOSES]
        frequency = Counter(name for d in vocabulary.diagnoses.values() for name in set(d.typical))
        chosen: dict[str, None] = {}
        for diagnosis in diagnoses:
            own = sorted((name for name in diagnosis.typical if name not in chosen), key=lambda n: (frequency[n], n))
            chosen |= dict.fromkeys(own[:PER_DIAGNOSIS])
        order = np.random.default_rng(0).permutation(len(chosen))
        self._texts = [vocabulary.features[list(chosen)[place]].text for place in order]
        self._statements = [diagnosis.text for diagnosis in diagnoses]
        ids = [list(chosen)[place] for place in order]
        self.true = np.array([[name in goes_with(d) for name in ids] for d in diagnoses])
        self._listed = not isinstance(model.questions, LikelihoodQuestions)
        if self._listed:
            self.forward = [Question(text, tuple(self._texts)) for text in self._statements]
            self.questions = [*self.forward, *map(_reversed, self.forward)]
        else:
            self.forward = []
            self.questions = [Question(text, (feature,)) for text in self._statements for feature in self._texts]
        self._items = model.questions.prompt.items

    def votes(self, answers: Mapping[Question, list[str] | Failure]) -> tuple[np.ndarray, ...]:
        """Return what was answered, float64 of shape (diagnoses, features), for each order; 0 without an answer."""
        if not self._listed:
            odds = [[_odds(answers[Question(text, (f,))]) for f in self._texts] for text in self._statements]
            return (np.array(odds),)
        return tuple(
            np.array([[float(f in distinct(answers[q], self._items)) for f in self._texts] for q in asked])
            for asked in (self.forward, [_reversed(question) for question in self.forward])
        )


def goes_with(diagnosis: Diagnosis) -> set[str]:
    """Return the features (ids) that go with a diagnosis by the vocabulary."""
    return {*diagnosis.typical, *diagnosis.alternative, *diagnosis.seldom}


def _odds(answer: list[str] | Failure) -> float:
    return 0.0 if isinstance(answer, Failure) else float(answer[0])


def _reversed(question: Question) -> Question:
    return Question(question.text, question.features[::-1], question.sample)


def _auroc(votes: np.ndarray, true: np.ndarray) -> float:
    """AUROC over all pairs of a diagnosis and a feature, less the means over diagnoses and over features."""
    relative = votes - votes.mean(axis=0, keepdims=True)
    relative -= relative.mean(axis=1, keepdims=True)
    return float(roc_auc_score(true.ravel(), np.round(relative.ravel(), 9)))


def _agreement(pairs: Sequence[tuple[Question, Question]], answers: Mapping[Question, Any]) -> float | None:
    both = either = 0
    for pair in pairs:
        one, other = (set(distinct(answers[q], len(q.features))) - {UNKNOWN} for q in pair)
        both, either = both + len(one & other), either + len(one | other)
    return _share(both, either)


def _shares(
    model: LanguageModel,
    statements: Sequence[Statement],
    answers: Mapping[Question, list[str] | Failure],
    vocabulary: Vocabulary,
) -> dict[str, float | None]:
    """Return which share of what is proposed for statements is plausible, or excluded, with that of controls."""
    ids = {feature.text: name for name, feature in vocabulary.features.items()}
    offers = Counter(f for s in statements for f in {ids[t] for q in model.questions.about(s) for t in q.features})
    constant = [name for name, _ in offers.most_common(CONSTANT)]
    proposed, offered, fixed, excluded = [], [], [], []
    for statement in statements:
        diagnoses = [vocabulary.diagnoses[name] for name in statement.diagnoses]
        plausible = {name for diagnosis in diagnoses for name in goes_with(diagnosis)}
        impossible = {name for diagnosis in diagnoses for name in diagnosis.incompatible}
        questions = [question for question in model.questions.about(statement) if question.sample == 0]
        if not questions:
            continue
        found = [c.feature for c in model.questions.candidates(statement, answers) if c.feature is not None]
        proposed += [name in plausible for name in found]
        excluded += [name in impossible for name in found]
        choice = {ids[text] for question in questions for text in question.features}
        offered.append(fmean(name in plausible for name in choice))
        fixed += [name in plausible for name in constant]
    return {
        "plausible": _mean(proposed),
        "plausible_random": _mean(offered),
        "plausible_constant": _mean(fixed),
        "excluded": _mean(excluded),
    }


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None

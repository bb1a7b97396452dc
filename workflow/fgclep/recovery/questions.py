"""The two ways to ask which features go with a statement, and what the answers propose.

``list`` gives the features as a list to choose from. ``likelihood`` asks about each by itself whether it is likely, so
that no order can sway the answer, and compares the probability of yes with that for statements about anything else.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

from fgclep.config.recovery import RecoverySection
from fgclep.language.parser import StatementParser
from fgclep.language.statements import Statement
from fgclep.language.vocabulary import Vocabulary
from fgclep.recovery.answers import map_answer
from fgclep.recovery.backend import Candidate
from fgclep.recovery.prompt import UNKNOWN, Prompt, digest
from fgclep.recovery.rejections import Rejection
from fgclep.recovery.server import Reply, UnusableAnswer
from fgclep.recovery.shortlist import Shortlists

# Statements about anything: how likely a model finds a feature with these is how likely it finds it whatever is said.
REFERENCE = (
    "sinus rhythm",
    "atrial fibrillation",
    "sinus bradycardia",
    "left bundle branch block",
    "right bundle branch block",
    "left ventricular hypertrophy",
    "inferior myocardial infarction",
    "anterior myocardial infarction",
    "first degree atrioventricular block",
    "premature ventricular contractions",
    "pericarditis",
    "ventricular pacing",
)


@dataclass(frozen=True)
class Question:
    """One call: a statement, the features in the order that they are listed in (their texts), and the sample."""

    text: str
    features: tuple[str, ...]
    sample: int = 0


@dataclass(frozen=True)
class Failure:
    """Why a question got no usable answer."""

    reason: str


Answers = Mapping[Question, list[str] | Failure]


class Questions(Protocol):
    """A way to ask."""

    prompt: Prompt

    def about(self, statement: Statement) -> list[Question]:
        """Return what is to be asked for a statement; nothing where none of the features may go with it."""

    def render(self, question: Question) -> str:
        """Return the prompt."""

    def schema(self, question: Question) -> dict[str, Any] | None:
        """Return the schema of the answer; ``None``: the first word and its probability are all that is wanted."""

    def key(self, question: Question) -> dict[str, Any]:
        """Return what tells the question from others, beside statement, sample and prompt: for the cache."""

    def read(self, reply: Reply) -> list[str]:
        """Return the answer. Raises ``UnusableAnswer``."""

    def candidates(self, statement: Statement, answers: Answers) -> list[Candidate]:
        """Return what the answers propose for a statement."""


def asked_features(settings: RecoverySection, vocabulary: Vocabulary) -> list[str]:
    """Return the ids of the features that a language model is asked about, in the vocabulary's order."""
    return [f.id for f in vocabulary.features.values() if settings.ask == "all" or f.rule is None]


def make_questions(settings: RecoverySection, prompts: Path, vocabulary: Vocabulary) -> Questions:
    """Return the way of asking of the config; ``prompts`` is the folder of the templates."""
    features = asked_features(settings, vocabulary)
    order: Callable[[Statement, int], list[str]]
    if settings.shortlist is None:

        def order(statement: Statement, sample: int) -> list[str]:
            return features
    else:
        order = Shortlists(vocabulary, features, settings.shortlist).shuffled
    if settings.question == "likelihood":
        return LikelihoodQuestions(prompts / "likelihood.txt", vocabulary, order, settings.items)
    return ListQuestions(prompts / "recover.txt", vocabulary, order, settings.items, settings.samples)


class ListQuestions:
    """Ask which features of a list go with a statement, ``samples`` times."""

    def __init__(
        self,
        path: Path,
        vocabulary: Vocabulary,
        order: Callable[[Statement, int], list[str]],
        items: int,
        samples: int,
    ):
        self.prompt = Prompt(path, items)
        self._vocabulary = vocabulary
        self._parser = StatementParser(vocabulary)
        self._order = order
        self._samples = samples

    def about(self, statement: Statement) -> list[Question]:
        """See ``Questions``."""
        words = self._vocabulary.features
        listed = [tuple(words[name].text for name in self._order(statement, n)) for n in range(self._samples)]
        return [Question(statement.text, features, n) for n, features in enumerate(listed) if features]

    def render(self, question: Question) -> str:
        """See ``Questions``."""
        return self.prompt.render(question.text, "\n".join(f"- {text}" for text in question.features))

    def schema(self, question: Question) -> dict[str, Any]:
        """See ``Questions``."""
        return self.prompt.schema(question.features)

    def key(self, question: Question) -> dict[str, Any]:
        """See ``Questions``."""
        return {"features": digest("\n".join(question.features))}

    def read(self, reply: Reply) -> list[str]:
        """See ``Questions``."""
        return self.prompt.read(reply.content)

    def candidates(self, statement: Statement, answers: Answers) -> list[Candidate]:
        """Count in how many answers each feature is named."""
        asked = self.about(statement)
        votes: Counter[str] = Counter()
        first: dict[str, tuple[str, str | None, str]] = {}  # feature or answer -> answer, feature, rejection
        failures = []
        for question in asked:
            given = answers[question]
            if isinstance(given, Failure):
                failures.append(given.reason)
                continue
            named = set()
            for answer, feature, reason in _read(distinct(given, self.prompt.items), self._parser):
                key = f"feature {feature}" if feature else f"answer {answer}"
                first.setdefault(key, (answer, feature, reason))
                named.add(key)
            votes.update(named)
        candidates = [Candidate(*first[key][:2], votes[key], self._samples, first[key][2]) for key in first]
        if failures:
            reason = Rejection.NO_USABLE_ANSWER
            candidates.append(Candidate(failures[0], None, len(failures), self._samples, reason))
        return candidates


def distinct(answer: Sequence[str] | Failure, items: int) -> list[str]:
    """Return the items of an answer that count: the first ``items``, each once; none of a failure."""
    return [] if isinstance(answer, Failure) else list(dict.fromkeys(answer))[:items]


def _read(given: Sequence[str], parser: StatementParser) -> list[tuple[str, str | None, str]]:
    """Return answer, feature and reason for each item of an answer; an abstention is an item too."""
    if not given:
        return [("none", None, Rejection.NO_FEATURE)]
    if list(given) == [UNKNOWN]:
        return [(UNKNOWN, None, Rejection.UNKNOWN)]
    found = []
    for answer in given:
        feature, rejection = map_answer(answer, parser)
        found.append((answer, feature, Rejection.UNKNOWN_BESIDE if answer == UNKNOWN else rejection or ""))
    return found


class LikelihoodQuestions:
    """Ask about each feature by itself whether it is likely with a statement, by the probability of yes against no."""

    def __init__(self, path: Path, vocabulary: Vocabulary, order: Callable[[Statement, int], list[str]], items: int):
        self.prompt = Prompt(path)
        self._ids = {feature.text: name for name, feature in vocabulary.features.items()}
        self._texts = {name: feature.text for name, feature in vocabulary.features.items()}
        self._order = order
        self._items = items

    def _listed(self, statement: Statement) -> list[str]:
        return [self._texts[name] for name in sorted(self._order(statement, 0))]

    def about(self, statement: Statement) -> list[Question]:
        """Return a question for each feature, and those that its answer is compared with."""
        texts = (statement.text, *REFERENCE)
        return [Question(text, (feature,)) for text in texts for feature in self._listed(statement)]

    def render(self, question: Question) -> str:
        """See ``Questions``."""
        return self.prompt.render(question.text, question.features[0])

    def schema(self, question: Question) -> None:
        """See ``Questions``."""

    def key(self, question: Question) -> dict[str, Any]:
        """See ``Questions``."""
        return {"feature": question.features[0]}

    def read(self, reply: Reply) -> list[str]:
        """Return the logarithm of the odds of yes against no, as a text."""
        return [f"{log_odds(reply.first_words):.4f}"]

    def scores(self, statement: Statement, answers: Answers) -> dict[str, float]:
        """Return for each feature (id) how much likelier it is with the statement than with those of ``REFERENCE``.

        The difference of two mean log odds, in nats. Features of which an answer is missing are left out.
        """
        found = {}
        for feature in self._listed(statement):
            own, *others = (answers[Question(text, (feature,))] for text in (statement.text, *REFERENCE))
            usable = [float(answer[0]) for answer in others if not isinstance(answer, Failure)]
            if not isinstance(own, Failure) and usable:
                found[self._ids[feature]] = float(own[0]) - fmean(usable)
        return found

    def candidates(self, statement: Statement, answers: Answers) -> list[Candidate]:
        """Propose the features that are likelier with the statement than with others, the first ``items`` of them."""
        scores = self.scores(statement, answers)
        chosen = sorted((name for name in scores if scores[name] > 0), key=lambda name: (-scores[name], name))
        candidates = [Candidate(self._texts[name], name, 1, 1) for name in chosen[: self._items]]
        own = [answers[question] for question in self.about(statement) if question.text == statement.text]
        if failed := [answer.reason for answer in own if isinstance(answer, Failure)]:
            candidates.append(Candidate(failed[0], None, 1, 1, Rejection.NO_USABLE_ANSWER))
        elif own and not candidates:
            candidates.append(Candidate("none", None, 1, 1, Rejection.NO_FEATURE))
        return candidates


def log_odds(words: Sequence[tuple[str, float]]) -> float:
    """Return the logarithm of the odds of yes against no, by the likeliest first words of an answer.

    Parameters
    ----------
    words
        Each with the logarithm of its probability. Of yes and no in any writing the probabilities are added up; where
        one of them is not among the words, it is taken for as likely as the last of them, which is the most it can be.

    Raises
    ------
    UnusableAnswer
        If neither is among them.

    Examples
    --------
    >>> round(log_odds([("Yes", -0.1), ("No", -2.5), (" yes", -5.0)]), 3)
    2.407
    """
    found = {
        word: sum(exp(chance) for told, chance in words if told.strip().lower().strip(".,!") == word)
        for word in ("yes", "no")
    }
    if not any(found.values()):
        raise UnusableAnswer("neither yes nor no is among the likeliest first words", words[0][0])
    least = min(exp(chance) for _, chance in words)
    return log(found["yes"] or least) - log(found["no"] or least)

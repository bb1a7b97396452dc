"""What a model says of recordings: prompts, classes of a task, and the waveform features that it sees."""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress, islice

import numpy as np
import torch

from fgclep.evaluation.head import Head
from fgclep.evaluation.tasks import Task, TaskClass
from fgclep.evaluation.zero_shot import any_of
from fgclep.inference.wording import unknown_words
from fgclep.language.vocabulary import Diagnosis, Feature, Vocabulary
from fgclep.leads import LEADS
from fgclep.measurement.measure import measure
from fgclep.measurement.rules import UNTESTABLE, VERDICTS, RuleTable
from fgclep.models.fgclep import FGCLEP
from fgclep.signals.record import Record
from fgclep.verification.explain import measured

_OTHER_LEADS = re.compile(r"\bv([3-6]r|[789])\b")  # right and posterior ones, which no recording here has
_AT_ONCE = 256  # texts
RHYTHMS = {"rhythm", "pacing"}  # groups of diagnoses of which one is told in any case
MOST_DIAGNOSES = 5
CLEARLY = 5.0  # times the odds of the prevalence, from which a diagnosis is told
LEAST = 0.1  # probability of a diagnosis that is told
Input = tuple[torch.Tensor, torch.Tensor]  # of the model: FGCLEP.prepare


@dataclass(frozen=True)
class Finding:
    """One answer about a recording.

    Parameters
    ----------
    kind
        ``prompt``, ``class``, ``rhythm``, ``diagnosis`` or ``feature``.
    name
        The prompt, the name of the class, or the id of the diagnosis or feature.
    text
        The prompt, the title of the class, or the text of the diagnosis or feature.
    probability
        By the model; calibrated if there is a prevalence.
    prevalence
        Which the probability assumes; ``None``: the model has no calibration for what was asked.
    measurement
        What the measurement of the signal says of a feature that has a rule: ``supported``, ``likely``, ``unlikely`` or
        ``refuted``; ``None``: nothing.
    measured
        The measured values that the rule looks at, or that there are no beats to measure.
    """

    kind: str
    name: str
    text: str
    probability: float
    prevalence: float | None = None
    measurement: str | None = None
    measured: str = ""


@dataclass(frozen=True)
class Answer:
    """What is said of a recording.

    Parameters
    ----------
    findings
        Prompts, classes, the rhythm, diagnoses, then features.
    measures
        What was measured of it, by the names of ``MEASURES`` and ``LEAD_MEASURES``; empty without beats. ``None``: it
        was not measured, as no features were asked for or a lead is missing.
    points
        Times (s) of the waves that were measured, as of ``fgclep.measurement.measure.Measures``.
    """

    findings: list[Finding]
    measures: Mapping | None = None
    points: Mapping[str, np.ndarray] = field(default_factory=dict)


class Questions:
    """What is asked of every recording; each distinct text is embedded once.

    Parameters
    ----------
    model
        A trained model.
    prompts
        Findings in words.
    task
        Its classes are asked for; the score of a class is the probability that any of its prompts fits. Of a head, its
        weights score them.
    vocabulary
        Its waveform features are asked for, and its diagnoses as far as the model is calibrated for wordings of them;
        ``None``: neither.
    most
        How many features are told: those whose probability is the most above their prevalence.
    english
        What is asked in place of each prompt, see ``fgclep.inference.wording.in_english``.
    """

    def __init__(
        self,
        model: FGCLEP,
        prompts: Sequence[str] = (),
        task: Task | Head | None = None,
        vocabulary: Vocabulary | None = None,
        most: int = 10,
        english: Sequence[str] | None = None,
    ):
        self.model, self.task, self.most = model, task, most
        self._head = task if isinstance(task, Head) else None
        if self._head is not None:
            self._head.check(model.folder)
        self.features = [] if vocabulary is None else seen_on_twelve_leads(vocabulary)
        english = list(prompts) if english is None else english
        self._asked = [TaskClass(p, p, (), (text,)) for p, text in zip(prompts, english, strict=True)]
        self._asked += [] if task is None or self._head else task.classes
        self._prompts = len(prompts)
        self._diagnoses = [] if vocabulary is None else _calibrated_wordings(model, vocabulary)
        texts_of = [item.prompts for item in self._asked] + [(feature.text,) for feature in self.features]
        texts_of += [(wording,) for _, wordings in self._diagnoses for wording in wordings]
        texts = list(dict.fromkeys(text for some in texts_of for text in some))
        place = {text: number for number, text in enumerate(texts)}
        self._places = [[place[text] for text in some] for some in texts_of]
        self._questions = texts_of
        self._prevalence = model.calibration.of(texts_of)[:, 2]
        self._rules = RuleTable([feature.rule for feature in self.features])
        assert model.tokenizer is not None
        self.remarks = unknown_words(model.tokenizer, english)
        self._texts = model.embed_texts(texts)
        if self._head is not None:
            self._asked += self._head.classes
            self._prevalence = np.insert(self._prevalence, [self._prompts], self._head.prevalences)
            self.remarks = [*self.remarks, self._head.remark()]

    @torch.inference_mode()
    def answer(self, records: Sequence[Record], inputs: Sequence[Input]) -> list[Answer]:
        """Answer all questions about recordings and what ``prepare`` made of them."""
        signals, present = map(torch.stack, zip(*inputs, strict=True))
        embeddings = self.model.encode_prepared(signals, present).flatten(1).float().cpu().numpy()
        probabilities = self._of_texts(embeddings)
        if self._head is not None:
            parts = probabilities[:, : self._prompts], probabilities[:, self._prompts :]
            probabilities = np.concatenate([parts[0], self._head.probabilities(embeddings), parts[1]], axis=1)
        features = probabilities[:, len(self._asked) : len(self._asked) + len(self.features)]
        best = [self._best(record, row) for record, row in zip(records, features, strict=True)]
        taken = [_measures(record) if places else (None, {}) for record, places in zip(records, best, strict=True)]
        measures = [values for values, _ in taken]
        verdicts = self._rules.verdicts(_together(measures), len(records)).tolist()
        return [
            Answer([*self._of_prompts(row), *self._of_diagnoses(row), *self._of_features(some, *judged)], *found)
            for row, some, found, *judged in zip(probabilities, features, taken, best, measures, verdicts, strict=True)
        ]

    @property
    def names(self) -> list[str]:
        """Of the prompts and classes that are asked."""
        return [item.name for item in self._asked]

    @property
    def population(self) -> str:
        """In words, whose prevalences the probabilities assume; empty: none."""
        of_texts = self.model.calibration.population if self._places else ""
        populations = of_texts, "" if self._head is None else self._head.population
        return ", and for the classes of ".join(filter(None, populations))

    def texts(self, finding: Finding) -> tuple[str, ...]:
        """Texts of which one fits if a finding is there; none for a class of a head."""
        if finding.kind == "feature":
            return (finding.text,)
        if finding.kind in {"rhythm", "diagnosis"}:
            return next(tuple(wordings) for diagnosis, wordings in self._diagnoses if diagnosis.id == finding.name)
        return next(tuple(item.prompts) for item in self._asked if item.name == finding.name)

    def on_probabilities(self) -> str:
        """Say what the probabilities assume."""
        population, own = self.population, int(np.isnan(self._prevalence).sum())
        if own == len(self._prevalence):
            return "probabilities are the model's own and not calibrated: compare recordings by them, and not findings"
        some = (
            f"; {own:,} of {len(self._prevalence):,} answers have none, and the model's own probability" if own else ""
        )
        last = ", so that features among them come last" if own and self.features else ""
        return f"probabilities assume the prevalence beside them, of {population}{some}{last}"

    def _of_texts(self, embeddings: np.ndarray) -> np.ndarray:
        """Probabilities of what is asked in words, float64 (n, questions)."""
        if not self._places:
            return np.empty((len(embeddings), 0))
        logits = np.concatenate([self.model.score(embeddings, some) for some in self._texts.split(_AT_ONCE)], axis=1)
        scores = np.stack([any_of(logits[:, places]) for places in self._places], axis=1)
        return self.model.calibration.probabilities(scores, self._questions)

    def _of_prompts(self, probabilities: np.ndarray) -> list[Finding]:
        return [
            Finding(
                "prompt" if place < self._prompts else "class",
                item.name,
                item.title,
                float(probability),
                self._assumed(place),
            )
            for place, (item, probability) in enumerate(zip(self._asked, probabilities, strict=False))
        ]

    def _assumed(self, place: int) -> float | None:
        """Prevalence that a probability assumes."""
        value = float(self._prevalence[place])
        return None if np.isnan(value) else value

    def _of_diagnoses(self, probabilities: np.ndarray) -> list[Finding]:
        """Tell the most probable rhythm, and the diagnoses whose odds are clearly above those of their prevalence.

        The log odds of a diagnosis are the mean of those of its wordings, and those of its prevalence likewise. Of a
        diagnosis and a wider one the narrower is told.
        """
        place = len(self._asked) + len(self.features)
        found = []
        for diagnosis, wordings in self._diagnoses:
            rows = slice(place, place + len(wordings))
            odds, usual = (float(np.mean(_logit(row[rows]))) for row in (probabilities, self._prevalence))
            found.append((odds - usual, diagnosis, _probability(odds), _probability(usual)))
            place += len(wordings)
        rhythms = [some for some in found if some[1].group in RHYTHMS]
        if not rhythms:
            return []
        rhythm = max(rhythms, key=lambda some: some[2])
        clear = [some for some in found if some[0] >= np.log(CLEARLY) and some[2] >= LEAST and some is not rhythm]
        wider = {some[1].kind_of for some in [rhythm, *clear]}
        clear = sorted((some for some in clear if some[1].id not in wider), key=lambda some: -some[2])
        return [
            Finding("rhythm" if some is rhythm else "diagnosis", some[1].id, some[1].text, *some[2:])
            for some in [rhythm, *clear[:MOST_DIAGNOSES]]
        ]

    def _best(self, record: Record, probabilities: np.ndarray) -> list[int]:
        """Places of the features that may be told of and are the most above what is usual; last what has no curve."""
        usual = self._prevalence[len(self._asked) : len(self._asked) + len(self.features)]
        unknown = np.isnan(usual)
        places = np.lexsort([np.nan_to_num(usual) - probabilities, unknown]).tolist()
        return list(islice((place for place in places if _shown(self.features[place], record)), self.most))

    def _of_features(
        self, probabilities: np.ndarray, best: Sequence[int], measures: Mapping | None, verdicts: Sequence[int]
    ) -> list[Finding]:
        """Tell of features what the measurement says; ``verdicts`` are those of all features."""
        findings = []
        for place in best:
            feature, verdict = self.features[place], verdicts[place]
            assumed = self._assumed(len(self._asked) + place)
            told = Finding("feature", feature.id, feature.text, float(probabilities[place]), assumed)
            if verdict != UNTESTABLE:
                assert feature.rule is not None and measures is not None  # without which nothing decides
                told = replace(told, measurement=VERDICTS[verdict], measured=measured(feature.rule, measures))
            elif measures == {} and feature.rule is not None:
                told = replace(told, measured="no beats found")
            findings.append(told)
        return findings


def length_remark(model: FGCLEP, record: Record) -> list[str]:
    """Say which part of a recording the model sees, unless it is the whole."""
    seconds, seen = record.digital.shape[1] / record.sampling_rate, model.signal.duration
    if seconds >= seen + 1 / record.sampling_rate:
        return [f"the model sees the middle {seen:g} s of {seconds:.4g} s"]
    if seconds < seen - 1 / record.sampling_rate:
        return [f"{seconds:.3g} s are repeated to the {seen:g} s that the model sees"]
    return []


def leads_remark(model: FGCLEP, record: Record) -> list[str]:
    """Say which leads the model is given, unless they are all, and whether it was trained on such ECGs."""
    if len(record.leads) == len(LEADS):
        return []
    untrained = "" if model.config.lead_masking else ", and was trained on all twelve only"
    curves = "; its probabilities are calibrated for twelve" if model.calibration.curves else ""
    return [f"the model is given {len(record.leads)} of twelve leads ({', '.join(record.leads)}){untrained}{curves}"]


def _calibrated_wordings(model: FGCLEP, vocabulary: Vocabulary) -> list[tuple[Diagnosis, list[str]]]:
    """Return the diagnoses with the wordings of each for which the model has a curve, where there is one."""
    diagnoses = [diagnosis for diagnosis in vocabulary.diagnoses.values() if diagnosis.group != "summary"]
    wordings = [list(dict.fromkeys((d.text, *d.synonyms))) for d in diagnoses]
    known = [np.isfinite(model.calibration.of([(text,) for text in some])[:, 2]) for some in wordings]
    kept = [list(compress(some, curves)) for some, curves in zip(wordings, known, strict=True)]
    return [(diagnosis, some) for diagnosis, some in zip(diagnoses, kept, strict=True) if some]


def _logit(probabilities: np.ndarray) -> np.ndarray:
    some = np.clip(probabilities, 1e-9, 1 - 1e-9)
    return np.log(some) - np.log1p(-some)


def _probability(log_odds: float) -> float:
    return float(1 / (1 + np.exp(-log_odds)))


def seen_on_twelve_leads(vocabulary: Vocabulary) -> list[Feature]:
    """Return the features that do not need leads which no recording here has."""
    return [feature for feature in vocabulary.features.values() if not _OTHER_LEADS.search(feature.text)]


def _shown(feature: Feature, record: Record) -> bool:
    """Whether a feature may be told of: not one of leads of which the recording has none."""
    return not feature.leads or bool(set(feature.leads) & set(record.leads))


def _measures(record: Record) -> tuple[dict | None, dict]:
    """What is measured of a record (empty without beats, ``None`` without all twelve leads), and the points."""
    if record.leads != LEADS:
        return None, {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means of no beats, which become missing values
        found = measure(record.millivolts(), record.sampling_rate)
    return ({}, {}) if found is None else ({**found.scalars, **found.leads}, found.points)


def _together(measures: Sequence[Mapping | None]) -> dict[str, list]:
    """Values of several records, as ``RuleTable`` takes them."""
    known = next((some for some in measures if some), {})
    missing = {name: np.full(np.shape(value), np.nan) for name, value in known.items()}
    return {name: [(some or missing)[name] for some in measures] for name in known}

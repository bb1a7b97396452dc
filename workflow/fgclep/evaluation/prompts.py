"""Prompt sets: in which words a task's classes are asked for without training.

A prompt is one text, or several of which each must fit the ECG; a class has several prompts, of which one must.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from fgclep.errors import UserError
from fgclep.evaluation.tasks import Task, TaskClass
from fgclep.language.parser import StatementParser
from fgclep.language.vocabulary import Vocabulary
from fgclep.schemas.prompts import PROMPTS
from fgclep.tables import read_table

Prompt = tuple[str, ...]
COMBINED = {"both": ("synonyms", "features")}  # sets without words of their own: by what is asked, and added


def worded(kinds: Iterable[str]) -> list[str]:
    """Sets whose words are asked for, to evaluate by some sets: each once, in their order.

    >>> worded(["names", "both", "synonyms"])
    ['names', 'synonyms', 'features']
    """
    return list(dict.fromkeys(part for kind in kinds for part in COMBINED.get(kind, (kind,))))


def read_prompts(path: str | Path) -> dict[tuple[str, str], list[list[Prompt]]]:
    """Read a table with the schema ``PROMPTS``: by task and set the prompts of each class, in the task's order."""
    found: dict[tuple[str, str], dict[str, list[Prompt]]] = {}
    for row in read_table(path, PROMPTS).to_pylist():
        classes = found.setdefault((row["task"], row["prompts"]), {})
        classes.setdefault(row["class"], []).append(tuple(row["texts"]))
    return {key: list(classes.values()) for key, classes in found.items()}


class PromptSets:
    """The prompts of tasks, in three sets of words.

    ``names``
        the title of the class,
    ``synonyms``
        the wordings of reports that its task file lists,
    ``features``
        for each of these that names a diagnosis of the vocabulary, the waveform features that it is made with,
        together: those that most such ECGs show and a normal ECG does not. Left out are features that are a class
        themselves. A class that the features left do not tell from another one is asked for by its synonyms.

    Parameters
    ----------
    vocabulary
        Gives the features, and the findings that the check of ``of`` is about.
    """

    def __init__(self, vocabulary: Vocabulary):
        self._vocabulary = vocabulary
        self._parser = StatementParser(vocabulary)

    def of(self, task: Task, kind: str) -> list[list[Prompt]]:
        """Prompts of every class.

        Raises
        ------
        UserError
            Naming task, class and prompt, if a text makes a finding that another class is, or two classes have the
            same prompt, though ``overlapping`` does not join them.
        """
        findings = [self._findings(item) for item in task.classes]
        if kind == "names":
            prompts: list[list[Prompt]] = [[(item.title,)] for item in task.classes]
        else:
            prompts = [[(text,) for text in item.prompts] for item in task.classes]
        if kind == "features":
            prompts = self._described(task, findings, prompts)
        self._check(task, kind, prompts, findings)
        return prompts

    def _findings(self, item: TaskClass) -> set[str]:
        """Ids of the findings that the class is, by its title and synonyms."""
        phrases = self._vocabulary.phrases
        return {phrases[text] for text in (item.title, *item.prompts) if text in phrases}

    def _described(self, task: Task, findings: list[set[str]], synonyms: list[list[Prompt]]) -> list[list[Prompt]]:
        described: list[list[Prompt]] = []
        owners: dict[frozenset[str], list[str]] = {}
        for item, texts in zip(task.classes, synonyms, strict=True):
            taken = set().union(
                *(
                    found
                    for other, found in zip(task.classes, findings, strict=True)
                    if not task.may_share(other.name, item.name) and other is not item
                )
            )
            features = (self._features(self._vocabulary.phrases.get(text), taken) for (text,) in texts)
            described.append(list(dict.fromkeys(filter(None, features))))
            for prompt in described[-1]:
                owners.setdefault(frozenset(prompt), []).append(item.name)
        result = []
        for item, prompts, texts in zip(task.classes, described, synonyms, strict=True):
            own = [
                prompt
                for prompt in prompts
                if all(task.may_share(item.name, other) for other in owners[frozenset(prompt)] if other != item.name)
            ]
            result.append(own or texts)
        return result

    def _features(self, finding: str | None, taken: set[str]) -> Prompt:
        """Texts of the features of a finding; none if a feature that it needs is taken."""
        features = self._vocabulary.features
        if finding in features:
            return (features[finding].text,)
        diagnosis = self._vocabulary.diagnoses.get(finding) if finding else None
        if diagnosis is None or taken & set(diagnosis.required):
            return ()
        typical = list(dict.fromkeys((*diagnosis.required, *diagnosis.typical)))
        abnormal = [name for name in typical if not features[name].normal]
        return tuple(features[name].text for name in abnormal or typical if name not in taken)

    def _check(self, task: Task, kind: str, prompts: list[list[Prompt]], findings: list[set[str]]) -> None:
        owners: dict[frozenset[str], str] = {}
        for item, own, texts in zip(task.classes, findings, prompts, strict=True):
            for prompt in texts:
                for text in prompt:
                    self._check_text(task, kind, item, own, text, findings)
                owner = owners.setdefault(frozenset(prompt), item.name)
                if owner != item.name and not task.may_share(owner, item.name):
                    raise UserError(
                        f"task {task.name}, prompts {kind}: {owner} and {item.name} are both asked for by "
                        f"{', '.join(prompt)!r}; give one of them other prompts, or declare\n\n"
                        f"    overlapping:\n      - [{owner}, {item.name}]"
                    )

    def _check_text(
        self, task: Task, kind: str, item: TaskClass, own: set[str], text: str, findings: Sequence[set[str]]
    ) -> None:
        made = {finding.id for finding in self._parser.findings(text)} - own
        for other, theirs in zip(task.classes, findings, strict=True):
            if other is not item and made & theirs and not task.may_share(other.name, item.name):
                raise UserError(
                    f"task {task.name}, prompts {kind}: {text!r} asks for {item.name} and names "
                    f"{', '.join(sorted(made & theirs))}, which is {other.name}; change the class in its file, or "
                    f"declare\n\n    overlapping:\n      - [{other.name}, {item.name}]"
                )

"""Which classes two tasks have in common."""

from fgclep.evaluation.tasks import Task
from fgclep.language.vocabulary import Vocabulary


def shared_classes(one: Task, other: Task, vocabulary: Vocabulary) -> list[tuple[str, str]]:
    """Pairs of classes whose titles are the same finding of the vocabulary.

    Of several classes of a task with the same finding the first counts.

    Returns
    -------
    Names in ``one`` and in ``other``, in the order of ``other``.
    """
    named: tuple[dict[str, str], ...] = ({}, {})
    for classes, task in zip(named, (one, other), strict=True):
        for item in task.classes:
            if item.title in vocabulary.phrases:
                classes.setdefault(vocabulary.phrases[item.title], item.name)
    return [(named[0][finding], name) for finding, name in named[1].items() if finding in named[0]]

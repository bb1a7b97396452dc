"""What a model can make of a question in words: other languages, denials, words that have no meaning to it."""

from collections.abc import Sequence

from fgclep.language.parser import StatementParser
from fgclep.language.statements import clean_statement
from fgclep.language.vocabulary import Vocabulary
from fgclep.models.text import known_words
from fgclep.models.tokenizer import TextTokenizer

SHOWN = 3  # texts that a remark names


def in_english(prompts: Sequence[str], vocabulary: Vocabulary) -> tuple[list[str], list[str]]:
    """Put the vocabulary's text in place of a German or Swedish wording of it, and say so.

    Returns
    -------
    list, list
        What is to be asked for each prompt, and remarks.
    """
    english: dict[str, str] = {}
    for entry in vocabulary.entries:
        written = {entry.text, *entry.synonyms, *entry.names}
        english |= {clean_statement(word): entry.text for word in entry.german if word not in written}
    asked, remarks = [], []
    for prompt in prompts:
        text = english.get(clean_statement(prompt), prompt)
        if text != prompt:
            remarks.append(f"{prompt!r} is asked as {text!r}: the model knows English only")
        asked.append(text)
    return asked, remarks


def denials(prompts: Sequence[str], vocabulary: Vocabulary) -> list[str]:
    """Say which prompts deny a finding: models hardly tell a finding from its denial."""
    parser = StatementParser(vocabulary)
    names = {entry.id: entry.text for entry in vocabulary.entries}
    remarks = []
    for prompt in prompts:
        if denied := [names[name] for name in parser.parse(clean_statement(prompt)).negated]:
            remarks.append(
                f"{prompt!r} denies a finding, which the model does not understand: its probability is about that of "
                f"the finding. Ask for {denied[0]!r}, and take one minus its probability"
            )
    return remarks


def unknown_words(tokenizer: TextTokenizer, texts: Sequence[str]) -> list[str]:
    """Say which texts have words that stood in no report of the training, and of which none did."""
    words = {text: known_words(tokenizer, text) for text in texts}
    nothing = [text for text, known in words.items() if not any(known.values())]
    remarks = []
    if nothing:
        more = f" and of {len(nothing) - SHOWN:,} more texts" if len(nothing) > SHOWN else ""
        named = ", ".join(map(repr, nothing[:SHOWN]))
        remarks.append(f"the model knows no word of {named}{more}: what it says of that means nothing")
    for text, known in words.items():
        if text not in nothing and (strange := [word for word, is_known in known.items() if not is_known]):
            named = ", ".join(map(repr, strange[:SHOWN]))
            remarks.append(f"the model does not know {named} in {text!r}: its answer is about the other words")
    return remarks


def remarks_on(texts: Sequence[str], tokenizer: TextTokenizer | None, vocabulary: Vocabulary) -> list[str]:
    """Say what is odd about questions that are asked as they are: other languages, denials, unknown words."""
    asked, _ = in_english(texts, vocabulary)
    both = zip(texts, asked, strict=True)
    found = [
        f"{text!r} is {english!r} in English, the only language of the model"
        for text, english in both
        if text != english
    ]
    return [*found, *denials(texts, vocabulary), *(unknown_words(tokenizer, texts) if tokenizer else [])]

"""The words of a statement, as the parser compares them: one spelling, singular, without punctuation."""

import re

from fgclep.language.territories import mark_leads

# Words and abbreviations that statements write in several ways; both sides of a comparison are put in one.
SPELLINGS = {
    "abnormalities": ("abnormality",),
    "abnrm": ("abnormality",),
    "ant": ("anterior",),
    "av": ("a", "v"),
    "elev": ("elevation",),
    "first": ("1st",),
    "second": ("2nd",),
    "third": ("3rd",),
    "infarction": ("infarct",),
    "infarcts": ("infarct",),
    "ischaemia": ("ischemia",),
    "ischaemic": ("ischemic",),
    "lds": ("leads",),
    "repol": ("repolarization",),
    "repolarisation": ("repolarization",),
    "vent": ("ventricular",),
    "leitungsstoerung": ("leitungsstörung",),
    "leitungsstoerungen": ("leitungsstörungen",),
    "moeglich": ("möglich",),
    "mögl": ("möglich",),
    "supraventrikulaere": ("supraventrikuläre",),
    "ueberdrehter": ("überdrehter",),
    "veraenderungen": ("veränderungen",),
    "ventrikulaere": ("ventrikuläre",),
    "verzoegerte": ("verzögerte",),
    "vollstaendig": ("vollständig",),
    "vollstaendiger": ("vollständiger",),
    "vorhofsueberbelastung": ("vorhofsüberbelastung",),
    "vorhofsueberlastung": ("vorhofsüberlastung",),
    "digitalisveraenderung": ("digitalisveränderung",),
}
_ATRIAL_BEATS = r"\b(supraventrikulär\S{0,40} extrasystol\w+|premature atrial contractions?)"
# What would be taken apart otherwise, or read as one.
_REWRITTEN = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (r"\((?:s|er|n|a)\)", ""),
        (r"\bqrs\(t\)", "qrst"),
        (r"\band/or\b", "or"),
        (r"\binjury/ischemia\b", "injury or ischemia"),
        (r"\bmetabolic/ischemic\b", "metabolic or ischemic"),
        (r"\bsinus or ectopic atrial (\w+)", r"sinus \1 or ectopic atrial \1"),
        (r"\bacute ((?:antero|infero)?(?:anterior|inferior|lateral|posterior|septal))\b", r"\1 acute"),
        (r"\b(t waves?\b[^.]{0,300}?) and (?:are )?(inverted|low or flat|low|flat) in\b", r"\1 and t waves \2 in"),
        (r"\bant/septal\b", "anteroseptal"),
        (r"\bnon[- ]specific\b", "nonspecific"),
        (r"\bst\.t\b", "st-t"),
        (r"\bauszuschließen\b", "auszuschliessen"),
        (_ATRIAL_BEATS + r",? bigem\w+", r"\1, atrial bigeminy"),
        (
            r"\b(supraventrikulär\S{0,40} extrasystol\w+|premature atrial contractions?),? trigem\w+",
            r"\1, trigeminal pattern",
        ),
        # that a change is nonspecific, and what it is
        (r"\bnonspecific (?:terminal )?(t wave (?:flattening|inversion))\b", r"nonspecific t wave changes and \1"),
        (r"\bnonspecific (st segment (?:depression|elevation))\b", r"nonspecific st changes and \1"),
        (r"\bunspezifische abnorm(?:al)?e st-senkung\b", "unspezifisch abnormes st-t und st-senkung"),
        (
            r"\bleft axis deviation\. (?=left anterior)",
            "left axis deviation with ",
        ),  # two findings, not the name of one
        (r"\bt waves show terminal inversion in\b", "t waves are inverted in"),
        (
            r"\bt wave flattening( in [^.]{0,300}?) and (?:slight |minor )?inversion in\b",
            r"t wave flattening\1 and t wave inversion in",
        ),
        (
            r"\bt (flach|hoch|neg|biphasisch)\b([^.]{0,300}?), ?(flach|hoch|neg|biphasisch)\b\.?(?= in\b)",
            r"t \1\2, t \3",
        ),
        (r", såsom vid\b", " såsom vid"),
        (r"\bmyokard- oder perikardschaden\b", "myokardverletzung oder perikarditis"),
        (r",\s*(chronisch|akut|subakut|m(?:ö|oe)glich)\b", r" \1"),
    )
)
_VARIANT = re.compile(
    r"(?:\b(?:is|are|this is)\s+|-\s+)?\b(?:probably|probable|possibly|may be|could be|might be)\s+(?:an? )?normal"
    r"(?: variant| for age(?: and (?:sex|gender))?|(?=\s+(?:but|if)\b)|$)"
)
_WORD = re.compile(r"@[\w+]+|(?<![^\s(])-\d+(?:\.\d+)?|\d+[.:]\d+|[^\W_]+'?")
_CLAUSE_END = re.compile(r"\s-+\s|[;:]\s|,\s|,(?=[a-zä])|\.\s")


def words_in_clauses(text: str) -> tuple[list[str], list[int]]:
    """Return the words of a statement, and the number of the clause that each stands in.

    A list of leads is one word (``territories.mark_leads``). "Probably a normal variant" and the like is left out: it
    doubts no finding.

    >>> words_in_clauses("ST elevations in V2,3 - probable normal variant, no PVCs")
    (['st', 'elevation', 'in', '@V2+V3', 'no', 'pvc'], [0, 0, 0, 0, 1, 1])
    """
    text = _VARIANT.sub("", text.lower())
    for pattern, new in _REWRITTEN:
        text = pattern.sub(new, text)
    words: list[str] = []
    clause: list[int] = []
    for number, part in enumerate(_CLAUSE_END.split(mark_leads(text))):
        some = [singular(spelt) for word in _WORD.findall(part) for spelt in SPELLINGS.get(word, (word,))]
        words += some
        clause += [number] * len(some)
    return words, clause


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a statement."""
    return tuple(words_in_clauses(text)[0])


def singular(word: str) -> str:
    """Return the singular of an English word; a list of leads as it is."""
    if word.endswith("xes"):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) and word[0] != "@":
        return word[:-1]
    return word

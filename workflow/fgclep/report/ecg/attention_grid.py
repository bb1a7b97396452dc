"""All patches of an ECG and the attention to them as a small inline SVG: leads in rows, seconds across."""

from markupsafe import Markup

from fgclep.leads import INDEX
from fgclep.report.ecg.attention import Look
from fgclep.report.svg.elements import drawing, element, number
from fgclep.report.svg.marks import text

SECOND, ROW, LEFT, TOP = 13.0, 10.0, 30.0, 1.0


def grid(look: Look) -> Markup:
    """Draw the patches of a text, shaded by the attention to them, over the seconds of the recording."""
    leads = sorted({patch.lead for patch in look.patches}, key=lambda lead: INDEX.get(lead, -1))
    first = min((patch.start for patch in look.patches), default=0.0)
    last = max((patch.end for patch in look.patches), default=0.0)
    width, height = SECOND * (last - first), ROW * len(leads)
    paths: dict[int, str] = {}
    for patch, shade in look.levels():
        left, top = LEFT + SECOND * (patch.start - first), TOP + ROW * leads.index(patch.lead)
        wide = number(SECOND * (patch.end - patch.start))
        paths[shade] = paths.get(shade, "") + f"M{number(left)} {number(top)}h{wide}v{number(ROW)}h-{wide}z"
    parts = [element("path", d=path, class_=f"shade-{shade}") for shade, path in sorted(paths.items())]
    rows = "".join(f"M{number(LEFT)} {number(TOP + ROW * row)}h{number(width)}" for row in range(len(leads) + 1))
    parts.append(element("path", d=rows, class_="grid"))
    parts += [
        text("all" if lead not in INDEX else lead, LEFT - 5, TOP + ROW * (row + 1) - 2, "end", "label tiny muted")
        for row, lead in enumerate(leads)
    ]
    ends = ((first, "start"), (last, "end"))
    parts += [
        text(f"{seconds:g} s", LEFT + SECOND * (seconds - first), TOP + height + 9, anchor, "label tiny muted")
        for seconds, anchor in ends
    ]
    label = f"Attention to the leads by second for: {look.text}"
    return drawing(LEFT + width + 2, TOP + height + 12, label, parts, "chart attention")

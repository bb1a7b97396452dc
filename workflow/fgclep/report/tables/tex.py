"""Tables as LaTeX: a plain ``tabular`` with horizontal rules only, which needs no package."""

from collections.abc import Sequence

from fgclep.report.tables.table import Cell, Row, Table

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "–": "--",
    "−": "$-$",
    "→": r"$\rightarrow$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "×": r"$\times$",
    "∞": r"$\infty$",
    "°": r"$^{\circ}$",
    "µ": r"$\mu$",
    "“": "``",
    "”": "''",
}


def escape(text: str) -> str:
    r"""Write a text so that LaTeX prints it as it is; line breaks become spaces.

    >>> print(escape("50 % of_R < S & more"))
    50 \% of\_R \textless{} S \& more
    """
    return "".join(SPECIAL.get(character, character) for character in " ".join(text.split()))


def tabular(table: Table) -> str:
    """Return a table as LaTeX; its caption is a comment in the first line.

    Intervals stand small beside their values, published rows in italics, and the rows of the fine model in bold.
    """
    width = 1 + len(table.heads)
    aligned = "".join("r" if head.numeric else "l" for head in table.heads)
    lines = [f"% {' '.join(table.caption.split())}", rf"\begin{{tabular}}{{l{aligned}}}", r"\hline"]
    lines.append(_line([escape(table.first_head), *(escape(head.name) for head in table.heads)]))
    for depth in range(max((len(head.notes) for head in table.heads), default=0)):
        notes = [head.notes[depth] if depth < len(head.notes) else "" for head in table.heads]
        lines.append(_line(["", *(_small(escape(note)) for note in notes)]))
    for block in table.blocks:
        lines.append(r"\hline")
        if block.name:
            lines.append(rf"\multicolumn{{{width}}}{{l}}{{{escape(block.name)}}} \\")
        lines += [_line(_cells(row)) for row in block.rows]
    return "\n".join([*lines, r"\hline", r"\end{tabular}", ""])


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells).rstrip() + r" \\"


def _small(text: str) -> str:
    return rf"{{\scriptsize {text}}}" if text else ""


def _cells(row: Row) -> list[str]:
    shape = {"best": r"\textbf", "published": r"\textit"}.get(row.kind)

    def written(cell: Cell) -> str:
        text = escape(cell.text)
        return f"{shape}{{{text}}}" if shape and text else text

    return [
        written(Cell(row.name)),
        *(" ".join(filter(None, (written(cell), _small(escape(cell.detail))))) for cell in row.cells),
    ]

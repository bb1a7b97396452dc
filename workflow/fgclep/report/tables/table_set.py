"""All tables of results, by the names of their files."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fgclep.report.results.metrics import SUPPORTED
from fgclep.report.results.run import Results
from fgclep.report.tables.ablation import ablation_table, differences_table
from fgclep.report.tables.class_tables import class_tables
from fgclep.report.tables.comparisons import all_comparisons, fine_against_coarse
from fgclep.report.tables.retrieval import retrieval_table
from fgclep.report.tables.table import Table
from fgclep.report.tables.task_tables import few_shot, headline, other_measures, prompt_sets, transfer


def tables(results: Results, variants: Mapping[str, Any]) -> dict[str, Table]:
    """Return every table that has rows; ``variants`` are those of the config's ablation."""
    metrics = results.metrics
    made = {
        "headline": headline(metrics),
        "headline_supported": headline(metrics, SUPPORTED),
        "fine_against_coarse": fine_against_coarse(results.comparisons, results.prompts),
        "prompt_sets": prompt_sets(metrics),
        "few_shot": few_shot(metrics),
        "transfer": transfer(metrics),
        "other_measures": other_measures(metrics),
        "comparisons": all_comparisons(results.comparisons, results.prompts),
        "retrieval": retrieval_table(metrics),
    }
    if results.ablation:
        made["ablation"] = ablation_table(results.ablation, variants)
        made["ablation_differences"] = differences_table(results.ablation, variants)
    for column, table in class_tables(metrics).items():
        made[re.sub(r"\W+", "_", f"classes_{column.task}_{column.label_set}")] = table
    return {name: table for name, table in made.items() if table.rows}


def csv_rows(table: Table) -> Iterator[list[str]]:
    """Yield head and rows of a table as written, with a column of their own for the intervals of a column."""
    rows = table.rows
    detailed = [any(row.cells[place].detail for row in rows) for place in range(len(table.heads))]
    named = any(block.name for block in table.blocks)
    head = (["Part"] if named else []) + [table.first_head]
    for column, has_detail in zip(table.heads, detailed, strict=True):
        name = " ".join([column.name, *column.notes[:1]]).strip()
        head += [name, f"{name}: 95 % interval"] if has_detail else [name]
    yield head
    for block in table.blocks:
        for row in block.rows:
            line = ([block.name] if named else []) + [row.name]
            for cell, has_detail in zip(row.cells, detailed, strict=True):
                line += [cell.text, cell.detail] if has_detail else [cell.text]
            yield line

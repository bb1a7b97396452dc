"""Write the prompts that ask for the classes of the tasks, in each set of words; none may ask for another class."""

import argparse

from fgclep.config.evaluation import PromptSettings
from fgclep.evaluation.prompts import PromptSets, worded
from fgclep.evaluation.tasks import load_task
from fgclep.language.vocabulary import load_vocabulary
from fgclep.schemas.prompts import PROMPTS
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import write_table


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, PromptSettings)
    parser.add_argument("--task-files", nargs="+", required=True, help="YAML files of the tasks")
    parser.add_argument("--vocabulary", required=True, help="folder")
    parser.add_argument("--output", required=True, help="Parquet file")
    return parser


def main(args: argparse.Namespace) -> None:
    """Write one row per prompt (schema ``PROMPTS``)."""
    settings: PromptSettings = args.settings
    sets = PromptSets(load_vocabulary(args.vocabulary))
    rows = [
        {"task": task.name, "prompts": kind, "class": item.name, "texts": list(prompt)}
        for task in map(load_task, args.task_files)
        for kind in worded(settings.prompts)
        for item, prompts in zip(task.classes, sets.of(task, kind), strict=True)
        for prompt in prompts
    ]
    write_table(rows, args.output, PROMPTS)


if __name__ == "__main__":
    run_stage(main, arguments())

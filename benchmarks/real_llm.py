"""What a real language model is worth beside doing without one: proposals before and after verification.

The workflow simulates ECGs with MIMIC-like reports. For the most frequent statements of these that leave features out,
a model in a GGUF file is asked in each way that the config has, on a llama.cpp server in this process; random
features, constant ones, every measurable feature and the table of knowledge are proposed for the same statements. All
are verified in the same way, on the records that have one of the statements, and compared with the simulator's truth.
"""

import json
import tempfile
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from ecgs import ROOT, machine, parser  # isort: skip (puts the package on the path)

import numpy as np
import polars as pl
from recovery import SOURCE, run_workflow, verified

from fgclep.config.load import validate_config
from fgclep.config.recovery import RecoverySection
from fgclep.config.verification import ChecksSection
from fgclep.language.statements import Statement
from fgclep.language.vocabulary import Vocabulary, load_vocabulary
from fgclep.recovery.backend import Candidate
from fgclep.recovery.controls import controls
from fgclep.recovery.everything import EverythingBackend
from fgclep.recovery.gguf_server import GgufServer
from fgclep.recovery.probe import Probe, goes_with, run_probe
from fgclep.schemas.candidates import CANDIDATES
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.schemas.truth import TRUTH
from fgclep.stages.recover_features import make_language_model, statements_to_ask
from fgclep.tables import read_table, write_table
from fgclep.verification.score import recovery_scores, stated_features

WAYS: dict[str, dict[str, Any]] = {
    "as published: all in one list, 24 items": {"ask": "all", "shortlist": None, "items": 24},
    "list, all features": {"ask": "all"},
    "list, what is not measured": {},
    "likelihood, all features": {"ask": "all", "question": "likelihood"},
    "likelihood, what is not measured": {"question": "likelihood"},
}
Asked = list[tuple[int, Statement]]
Proposals = list[list[Candidate]]


class Trial:
    """A run's tables, the statements asked about, and the records that have one of them."""

    def __init__(self, results: Path, work: Path, vocabulary: Vocabulary, count: int):
        self.results, self.work, self.vocabulary = results, work, vocabulary
        frequency = read_table(results / "reports/texts.parquet", TEXTS, ["count"])["count"].to_numpy()
        asked = statements_to_ask(results / "reports/texts.parquet", vocabulary)
        asked = [(number, statement) for number, statement in asked if statement.diagnoses]
        self.asked: Asked = sorted(asked, key=lambda pair: (-frequency[pair[0]], pair[1].text))[:count]
        numbers = [number for number, _ in self.asked]
        reports = pl.DataFrame(read_table(results / "reports/reports.parquet", REPORTS))
        has_one = pl.col("text_ids").list.eval(pl.element().is_in(numbers)).list.any()
        self.reports = reports.filter(has_one)
        texts = pl.DataFrame(read_table(results / "reports/texts.parquet", TEXTS, ["text_id", "features"]))
        self.stated = stated_features(self.reports, texts)
        self.truth = pl.DataFrame(read_table(results / "simulation/truth.parquet", TRUTH)).join(
            self.reports.select("source", "record_id"), on=["source", "record_id"], how="semi"
        )

    @property
    def statements(self) -> list[Statement]:
        """Those asked about."""
        return [statement for _, statement in self.asked]

    def scores(self, proposed: Proposals, every: list[Candidate]) -> dict[str, Any]:
        """Verify proposals, and compare them with the truth."""
        origin = {"backend": "x", "model_digest": "", "prompt_hash": ""}
        rows = [{"text_id": None, "statement": "", **vars(candidate), **origin} for candidate in every]
        for (number, statement), candidates in zip(self.asked, proposed, strict=True):
            given = {"text_id": number, "statement": statement.text}
            rows += [{**given, **vars(candidate), **origin} for candidate in candidates]
        folder = self.work / "trial"
        for name in ("recovery", "reports"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        write_table(rows, folder / "recovery/candidates.parquet", CANDIDATES)
        write_table(self.reports.to_arrow().cast(REPORTS), folder / "reports/reports.parquet", REPORTS)
        for part in ("reports/texts.parquet", "measurements", "manifest", "recovery/scores"):
            if not (folder / part).exists():
                (folder / part).symlink_to(self.results / part)
        settings = ChecksSection().model_dump(mode="json")
        audit = verified(folder, self.work / "audit.parquet", settings)
        scores = recovery_scores(audit, self.truth, self.stated)
        left_out = self.truth.join(self.stated, on=["source", "record_id", "feature"], how="anti").height
        # of all records with one of the statements, also of those for which nothing is proposed
        found = scores["accepted"]["recall_of_left_out"]
        scores["left_out"] = (found or 0.0) * scores["true_left_out"] / left_out
        return scores

    def plausible(self, proposed: Proposals) -> tuple[float, float]:
        """Share of what is proposed that goes with the statement by the vocabulary, and that it excludes."""
        good, bad = [], []
        for statement, candidates in zip(self.statements, proposed, strict=True):
            diagnoses = [self.vocabulary.diagnoses[name] for name in statement.diagnoses]
            fits = {name for diagnosis in diagnoses for name in goes_with(diagnosis)}
            excluded = {name for diagnosis in diagnoses for name in diagnosis.incompatible}
            named = [candidate.feature for candidate in candidates if candidate.feature is not None]
            good += [name in fits for name in named]
            bad += [name in excluded for name in named]
        return (float(np.mean(good)), float(np.mean(bad))) if good else (float("nan"), float("nan"))


def ask(trial: Trial, server: GgufServer, name: str, way: dict[str, Any], cache: Path) -> dict[str, Any]:
    """Ask a model in one way: proposals, probe, core-seconds and tokens per statement."""
    recovery = {"backend": "openai", "model": name, "host": server.url, "cache": str(cache), **way}
    settings: RecoverySection = validate_config({"recovery": recovery}).recovery
    model = make_language_model(settings, ROOT / "resources/prompts", trial.vocabulary)
    # a list of everything takes a model minutes, and the probe has 40 of them
    probe: Probe | None = run_probe(model, name, trial.vocabulary) if settings.shortlist else None
    before, begun = model.cost(), time.process_time()
    proposed = model.propose(trial.statements)
    seconds = time.process_time() - begun  # the server is in this process
    spent = {key: model.cost()[key] - before[key] for key in ("prompt_tokens", "cached_tokens", "answer_tokens")}
    every = EverythingBackend(trial.vocabulary).for_every_record() if settings.ask == "unmeasured" else []
    return {"proposed": proposed, "every": every, "probe": probe, "seconds": seconds, **spent}


def percent(value: float | None) -> str:
    """A share in percent; a dash for none."""
    return "–" if value is None or np.isnan(value) else f"{100 * value:.1f} %"


def row(title: str, plausible: tuple[float, float], scores: dict[str, Any], more: tuple[str, ...]) -> str:
    """One line of the table."""
    shares = (*plausible, scores["unfiltered"]["precision"], scores["accepted"]["precision"], scores["left_out"])
    return f"| {' | '.join([title, *map(percent, shares), *more])} |"


def main() -> None:
    """Print the table, and a line of JSON whose ratio is the core-seconds as published over those of a short list."""
    options = parser(__doc__)
    options.add_argument("--gguf", type=Path, required=True, help="the model")
    options.add_argument("--records", type=int, default=600, help="simulated ECGs with reports")
    options.add_argument("--statements", type=int, default=20, help="asked about, the most frequent ones")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--folder", type=Path, help="keeps the run, for the next call; without it a temporary one")
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        report(args, (args.folder or Path(temporary)).resolve(), Path(temporary))


def report(args: Namespace, folder: Path, work: Path) -> None:
    """Run the workflow, ask the model, and print."""
    if not (folder / "results/recovery/audit.parquet").exists():
        run_workflow(folder, args.records, None, args.threads, "simulated")
    vocabulary = load_vocabulary(ROOT / "resources/vocabulary")
    trial = Trial(folder / "results", work, vocabulary, args.statements)
    print(f"{machine()}; {args.gguf.name}, {len(trial.asked)} statements, {trial.reports.height} of {SOURCE}'s records")
    titles = ("plausible", "excluded", "true before", "precision after", "of what reports leave out")
    titles = ("", *titles, "core-seconds a statement", "tokens read, written", "probe")
    print(f"\n| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    for title, (proposed, every) in controls(vocabulary, trial.statements).items():
        shown = proposed if any(proposed) else [every for _ in trial.asked]
        print(row(title, trial.plausible(shown), trial.scores(proposed, every), ("0", "", "")), flush=True)
    server = GgufServer(args.gguf, args.gguf.stem, threads=args.threads, context=8192)
    seconds = {}
    for title, way in WAYS.items():
        found = ask(trial, server, args.gguf.stem, way, work / "cache")
        asked = len(trial.asked)
        seconds[title] = found["seconds"] / asked
        tokens = f"{found['prompt_tokens'] / asked:.0f} ({found['cached_tokens'] / asked:.0f} known), "
        tokens += f"{found['answer_tokens'] / asked:.0f}"
        more = (f"{seconds[title]:.1f}", tokens, f"{found['probe'].auroc:.2f}" if found["probe"] else "–")
        scores = trial.scores(found["proposed"], found["every"])
        print(row(title, trial.plausible(found["proposed"]), scores, more), flush=True)
    published, short = (seconds[title] for title in list(WAYS)[:2])
    print(json.dumps({"name": "real_llm", "ratio": published / short, "core_seconds": seconds}))


if __name__ == "__main__":
    main()

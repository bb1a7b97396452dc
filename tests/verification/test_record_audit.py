"""``fgclep audit`` tells in words what was decided about a record's features."""

import pytest

from fgclep.cli import main
from fgclep.language.statements import Statement
from fgclep.schemas.audit import AUDIT
from fgclep.schemas.measurements import MEASUREMENTS
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.tables import write_table

CANDIDATE = {
    "source": "mimic-iv-ecg", "record_id": "7", "votes": 1, "contradiction": None, "reader_score": -1.5,
    "reader_threshold": -2.0, "backend": "knowledge", "model_digest": "", "prompt_hash": "",
}  # fmt: skip


@pytest.fixture
def results(tmp_path):
    texts = ["first degree a-v block", "prolonged pr interval"]
    rows = [{"text_id": i, "count": 1, **vars(Statement(text, "diagnosis"))} for i, text in enumerate(texts)]
    write_table(rows, tmp_path / "reports/texts.parquet", TEXTS)
    keys = [("mimic-iv-ecg", "7"), ("mimic-iv-ecg", "8"), ("local", "8")]
    reports = [{"source": source, "record_id": name, "text_ids": [0, 1]} for source, name in keys]
    write_table(reports, tmp_path / "reports/reports.parquet", REPORTS)
    supported = {**CANDIDATE, "feature": "prolonged_pr", "measurement": "supported", "accepted": True}
    refuted = {**CANDIDATE, "feature": "wide_qrs", "measurement": "refuted", "accepted": False}
    audit = [{**supported, "statement": text, "reason": "supported"} for text in reversed(texts)]
    audit += [
        {**refuted, "statement": texts[0], "reason": "refuted"},
        {**refuted, "record_id": "8", "statement": texts[0], "reason": "not_seen"},
    ]
    write_table(audit, tmp_path / "recovery/audit.parquet", AUDIT)
    for source in ("mimic-iv-ecg", "local"):
        row = dict.fromkeys(MEASUREMENTS.names) | {"source": source, "intervals_from": "database"}
        rows = [{**row, "record_id": "7", "pr_ms": 240.0, "qrs_ms": 90.0}, {**row, "record_id": "8"}]
        write_table(rows, tmp_path / f"measurements/{source}.parquet", MEASUREMENTS)
    return str(tmp_path)


def test_every_decision_is_told_once_with_its_grounds(results, capsys):
    main(["audit", "7", "--results", results])
    assert capsys.readouterr().out.splitlines() == [
        "mimic-iv-ecg/7", "",
        "Report", "  first degree a-v block", "  prolonged pr interval", "",
        "Measured (by the recorder)", "  PR 240 ms, QRS 90 ms", "",
        "Accepted (1)", "  pr interval above 200 ms: the measurement supports it (rule: PR above 200 ms)",
        "      measurement: supported (PR 240 ms) · reader: score −1.50, seen from −2.00 on · proposed for",
        "      “first degree a-v block”, “prolonged pr interval”", "",
        "Dropped (1)", "  qrs duration of 120 ms or more: the measurement refutes it (rule: QRS above 119.5 ms)",
        "      measurement: refuted (QRS 90 ms) · reader: score −1.50, seen from −2.00 on · proposed for",
        "      “first degree a-v block”",
    ]  # fmt: skip


def test_an_unclear_or_unknown_record_is_an_error_of_one_line(results, capsys):
    for name, message in (("8", "write one of local/8, mimic-iv-ecg/8"), ("9", "results/quarantine.parquet tells why")):
        with pytest.raises(SystemExit):
            main(["audit", name, "--results", results])
        assert message in capsys.readouterr().err
    main(["audit", "local/8", "--results", results])
    assert "Accepted (0)" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["audit", "7", "--results", "nowhere"])
    assert "run `snakemake --cores all` first" in capsys.readouterr().err

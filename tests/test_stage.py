import pytest

from fgclep.config.reports import ReportsSection
from fgclep.stage import stage_parser


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--settings", '{"min_wrds": 3}'], "argument --settings: min_wrds is not a known key"),
        (["--settings", '{"min_words": 0}'], "min_words is 0: Input should be greater than or equal to 1"),
        (["--settings", "{"], "Invalid JSON"),
        ([], "required: --settings"),
    ],
)
def test_settings_that_do_not_fit_end_the_stage_and_are_named(options, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        stage_parser(None, ReportsSection).parse_args(options)
    assert message in capsys.readouterr().err


def test_settings_become_what_the_config_has():
    assert stage_parser(None, ReportsSection).parse_args(["--settings", '{"min_words": 2}']).settings == ReportsSection(
        min_words=2
    )

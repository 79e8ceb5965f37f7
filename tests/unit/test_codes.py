"""docs/codes.md says what the source says, of every code that a person may meet."""

import re
from pathlib import Path

from click.testing import CliRunner

from streams.cli import main
from streams.cli.codes import page
from streams.domain.dossier.findings import rule_texts
from streams.domain.dossier.rules import OF_THE_CHECKIN, OF_THE_DEADLINES
from streams.domain.gateway_result import CLASSES
from streams.domain.signature import SignatureFault
from streams.errors import Reason
from streams.stages.forward import HOLDS

REPOSITORY = Path(__file__).parents[2]


def told() -> set[str]:
    return set(re.findall(r"^\| `([^`/]+)", page(), re.MULTILINE))


def test_the_page_is_fresh() -> None:
    answer = CliRunner().invoke(main, ["codes", "--check", "--file", str(REPOSITORY / "docs" / "codes.md")])
    assert answer.exit_code == 0


def test_a_stale_page_is_told_and_written_anew(tmp_path: Path) -> None:
    file = tmp_path / "codes.md"
    file.write_text("# Codes\n", encoding="utf-8")
    command = ["codes", "--file", str(file)]
    assert CliRunner().invoke(main, [*command, "--check"]).exit_code == 1
    assert file.read_text(encoding="utf-8") == "# Codes\n"
    assert CliRunner().invoke(main, command).exit_code == 0
    assert CliRunner().invoke(main, [*command, "--check"]).exit_code == 0


def test_every_code_is_told() -> None:
    judged = {
        code
        for code, rule in rule_texts().items()
        if code not in OF_THE_CHECKIN | OF_THE_DEADLINES and rule.severity in ("critical", "warning")
    }
    assert {code.removesuffix("W") for code in judged} <= {code.removesuffix("W") for code in told()}
    assert told() >= CLASSES.keys() | {hold.reason for hold in HOLDS} | set(Reason) | set(SignatureFault) | {"REV-001"}


def test_every_row_has_all_its_columns() -> None:
    for chapter in page().split("\n## ")[1:]:
        assert len({line.count("|") for line in chapter.splitlines() if line.startswith("|")}) == 1

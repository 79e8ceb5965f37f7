"""`healthbook dossier rules`: the list of rules, and one rule seen passing and failing."""

import json

from click.testing import CliRunner, Result

from streams.cli.dossier_rules import dossier_rules


def rules(*arguments: str) -> Result:
    return CliRunner().invoke(dossier_rules, arguments)


def test_every_rule_is_listed_with_what_it_needs() -> None:
    listed = {row["rule"]: row for row in json.loads(rules("--output", "json").stdout)}
    assert len(listed) == 307 + 5
    assert listed["CAT-001"]["needs"] == "DRUG_CATALOGUE"
    assert (listed["CHK-001"]["judged_on"], listed["TIM-001"]["judged_on"]) == ("check-in", "deadlines")
    assert (listed["LNK-002"]["judged_on"], listed["MON-103"]["judged_on"]) == ("never", "dossier")


def test_one_rule_is_shown_passing_and_failing_in_both_languages() -> None:
    for lang, text in (("vi", "tỷ lệ công khám"), ("en", "examination rate")):
        answer = rules("X3-008", "--lang", lang)
        assert answer.exit_code == 0
        assert "passes and fails as it must" in answer.stdout
        assert text in answer.stdout


def test_a_program_reads_the_proof() -> None:
    (document,) = json.loads(rules("MON-103", "--output", "json").stdout)
    assert document["proved"] is True
    assert {item["code"] for item in document["findings"]} == {"MON-103"}


def test_a_rule_that_nobody_knows_is_wrong_usage() -> None:
    answer = rules("MON-999")
    assert answer.exit_code == 2
    assert "no such rule: MON-999" in answer.stderr

"""`healthbook dossier rules`: every rule of the standard, and each one seen passing and failing."""

from collections.abc import Mapping
from typing import Any

import click

from events.visit import Finding
from streams.cli.output import Exit, emit_json, emit_rows, fail, output_option, say
from streams.domain.dossier.findings import RuleText, rule_texts
from streams.domain.dossier.rules import OF_THE_CHECKIN, OF_THE_DEADLINES, RULES
from streams.domain.dossier.sample.proof import Proof, provable, prove

_COLUMNS = ("rule", "severity", "judged_on", "tables", "needs", "condition")
_NEEDS = {code: ", ".join(rule.lists) for rule in RULES for code in rule.ids}


@click.command("rules")
@click.argument("codes", metavar="[CODE]…", nargs=-1)
@click.option(
    "--prove", "proves", is_flag=True, help="Shows every rule passing and failing; exit code 1 if one does not."
)
@click.option("--lang", type=click.Choice(["vi", "en"]), default="vi", show_default=True, help="Language of the texts.")
@output_option
def dossier_rules(codes: tuple[str, ...], proves: bool, lang: str, output: str) -> None:
    """Lists the rules; with CODE shows that rule on a dossier that keeps it and on one that breaks it.

    Exit code 1 when a rule does not tell the two apart.
    """
    unknown = [code for code in codes if code not in rule_texts()]
    if unknown:
        raise click.UsageError(f"no such rule: {', '.join(unknown)}; `healthbook dossier rules` lists them")
    if not codes and not proves:
        emit_rows([_described(text) for text in rule_texts().values()], _COLUMNS, output)
        return
    wanted = codes or tuple(code for code, text in rule_texts().items() if text.severity != "retired")
    proofs = {code: prove(code) for code in wanted if code in provable()}
    if output == "json":
        emit_json([_document(code, proofs.get(code)) for code in wanted])
    else:
        for code in wanted:
            click.echo("\n".join(_lines(code, proofs.get(code), lang, brief=not codes)))
        say(f"{sum(proof.holds for proof in proofs.values())} of {len(wanted)} rules seen passing and failing")
    broken = [code for code, proof in proofs.items() if not proof.holds]
    if broken:
        fail(f"these rules do not tell a sound dossier from a broken one: {', '.join(broken)}", Exit.NO)


def _judged_on(text: RuleText) -> str:
    if text.severity == "retired":
        return "never"
    if text.code in OF_THE_CHECKIN:
        return "check-in"
    return "deadlines" if text.code in OF_THE_DEADLINES else "dossier"


def _described(text: RuleText) -> dict[str, Any]:
    return {
        "rule": text.code,
        "severity": text.severity,
        "judged_on": _judged_on(text),
        "tables": ",".join(text.tables),
        "needs": _NEEDS.get(text.code, ""),
        "condition": text.condition,
        "source": text.source,
    }


def _document(code: str, proof: Proof | None) -> dict[str, Any]:
    described = _described(rule_texts()[code])
    if proof is None:
        return described | {"proved": None}
    return described | {"defect": proof.what, "proved": proof.holds, "findings": [_shown(item) for item in proof.fails]}


def _shown(item: Finding) -> Mapping[str, Any]:
    names = ("code", "table", "row", "field", "expected", "found", "message_vi", "message_en", "mend_vi", "mend_en")
    return {name: getattr(item, name) for name in names}


def _lines(code: str, proof: Proof | None, lang: str, *, brief: bool) -> list[str]:
    text = rule_texts()[code]
    head = f"{code} ({text.severity}, {_judged_on(text)})"
    if proof is None:
        return [f"{head}: no proof on a dossier"]
    verdict = "passes and fails as it must" if proof.holds else "DOES NOT tell them apart"
    if brief and proof.holds:
        return [f"{head}: {verdict}: {proof.what}"]
    shown = [item for item in proof.fails if item.code == code] or proof.fails
    return [
        f"{head}: {verdict}",
        f"  {text.condition}",
        f"  source: {text.source}",
        f"  keeps it:  {len(proof.passes)} findings",
        f"  breaks it: {proof.what}",
        *(line for item in shown for line in _finding(item, lang)),
    ]


def _finding(item: Finding, lang: str) -> list[str]:
    return [f"    {item.code} {getattr(item, f'message_{lang}')}", f"        → {getattr(item, f'mend_{lang}')}"]

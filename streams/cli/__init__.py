"""`healthbook`: nouns, then verbs (INTERFACE §3). A command's module is imported when it is asked for."""

from importlib import import_module
from typing import Any

import click

# noun → verb → module:attribute. A noun that stands alone has the verb "".
COMMANDS: dict[str, dict[str, str]] = {
    "run": {"": "streams.cli.run:run"},
    "status": {"": "streams.cli.status:status"},
    "stop": {"": "streams.cli.stop:stop"},
    "stage": {"": "streams.cli.stage:stage"},
    "console": {"": "streams.cli.console:console"},
    "dossier": {
        "new": "streams.cli.dossier_new:dossier_new",
        "check": "streams.cli.dossier_check:dossier_check",
        "rules": "streams.cli.dossier_rules:dossier_rules",
        "xsd": "streams.cli.dossier_xsd:dossier_xsd",
    },
    "facility": {
        "list": "streams.cli.facility:facility_list",
        "show": "streams.cli.facility:facility_show",
        "add": "streams.cli.facility_add:facility_add",
        "errors": "streams.cli.facility:facility_errors_",
        "reconcile": "streams.cli.reconcile:facility_reconcile",
    },
    "certificate": {
        "list": "streams.cli.certificate:certificate_list",
        "show": "streams.cli.certificate:certificate_show",
        "add": "streams.cli.certificate_add:certificate_add",
    },
    "receipt": {
        "export": "streams.cli.receipt:receipt_export",
        "verify": "streams.cli.receipt:receipt_verify",
        "key": "streams.cli.receipt:receipt_key",
    },
    "report": {"sla": "streams.cli.report:report_sla", "late": "streams.cli.report_late:report_late"},
    "standard": {
        "list": "streams.cli.standard:standard_list",
        "show": "streams.cli.standard:standard_show",
        "diff": "streams.cli.standard:standard_diff",
        "add": "streams.cli.standard:standard_add",
    },
    "person": {
        "show": "streams.cli.person:person_show",
        "reissue": "streams.cli.person:person_reissue",
    },
    "verdict": {
        "import": "streams.cli.verdict:verdict_import",
        "fetch": "streams.cli.verdict:verdict_fetch",
    },
    "visit": {
        "close": "streams.cli.visit_close:visit_close",
        "show": "streams.cli.visit:visit_show",
        "list": "streams.cli.visit:visit_list",
    },
    "deadline": {
        "list": "streams.cli.deadline:deadline_list",
        "show": "streams.cli.deadline:deadline_show",
        "add": "streams.cli.deadline_add:deadline_add",
    },
    "held": {
        "list": "streams.cli.held:held_list",
        "show": "streams.cli.held:held_show",
        "release": "streams.cli.held:held_release",
        "abandon": "streams.cli.held:held_abandon",
    },
    "dlq": {
        "list": "streams.cli.dlq:dlq_list",
        "show": "streams.cli.dlq:dlq_show",
        "redrive": "streams.cli.dlq:dlq_redrive",
        "dismiss": "streams.cli.dlq:dlq_dismiss",
    },
    "outage": {
        "open": "streams.cli.outage:outage_open",
        "close": "streams.cli.outage:outage_close",
        "list": "streams.cli.outage:outage_list",
        "show": "streams.cli.outage:outage_show",
    },
    "adapter": {
        "folder": "streams.cli.adapter_folder:adapter_folder",
        "http": "streams.cli.adapter_http:adapter_http",
        "token": "streams.cli.adapter_token:adapter_token",
    },
    "simulate": {
        "gateway": "streams.cli.simulate_gateway:gateway",
        "his": "streams.cli.simulate_his:his",
        "vneid": "streams.cli.simulate_vneid:vneid",
    },
    "topic": {"plan": "streams.cli.topic:topic_plan", "apply": "streams.cli.topic:topic_apply"},
    "schema": {"check": "streams.cli.schema:schema_check", "register": "streams.cli.schema:schema_register"},
    "codes": {"": "streams.cli.codes:codes"},
    "submission": {"states": "streams.cli.submission:submission_states"},
    "completion": {"": "streams.cli.completion:completion"},
    "database": {"migrate": "streams.cli.database:database_migrate"},
    "config": {"print": "streams.cli.config:config_print", "check": "streams.cli.config:config_check"},
}
HELP = {
    "dossier": "Invented dossiers, and what validation says about real ones.",
    "facility": "Who may send, and what each has to mend.",
    "certificate": "By which certificates facilities sign, and when those end.",
    "receipt": "Proof of what was sent, when, and what the gateway answered.",
    "report": "Figures for those who answer for the promises.",
    "standard": "Standards of the dossier and code lists, with their dates.",
    "person": "Whose visits belong together.",
    "verdict": "What the gateway says later about dossiers that it took.",
    "visit": "Hands a visit over; tells its story.",
    "deadline": "Clocks: what is to be done in time, and what is late.",
    "held": "Visits that wait for a person.",
    "outage": "Who was out, from when until when, and which visits waited.",
    "dlq": "Dead letters: records that a stage could not use.",
    "adapter": "Ways for a HIS to hand visits over.",
    "submission": "The life of a revision at the gateway.",
    "simulate": "The simulators on their own.",
    "topic": "Topics as declared against what is there.",
    "schema": "Schemas as declared against what is there.",
    "database": "Migrations.",
    "config": "Settings.",
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and imports a command only when it is used."""

    def __init__(self, targets: dict[str, str], **settings: Any) -> None:
        super().__init__(**settings)
        self._targets = targets

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._targets})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = self._targets.get(cmd_name)
        return _load(target) if target else super().get_command(ctx, cmd_name)


def _load(target: str) -> click.Command:
    module, _, attribute = target.partition(":")
    command: click.Command = getattr(import_module(module), attribute)
    return command


@click.group(
    cls=LazyGroup,
    targets={noun: verbs[""] for noun, verbs in COMMANDS.items() if "" in verbs},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="healthbook")
def main() -> None:
    """Takes a closed hospital visit to the BHXH gateway and into the citizen's health book."""


for _noun, _verbs in COMMANDS.items():
    if "" not in _verbs:
        main.add_command(LazyGroup(_verbs, name=_noun, help=HELP[_noun]))

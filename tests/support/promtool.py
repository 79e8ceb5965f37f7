"""What the rules of production say, asked of promtool."""

import yaml

from infra.embedded.alertmanager import CONFIGURATION

FIRING = 'alertstate="firing"'


def not_silenced(severity: str) -> str:
    """PromQL for the alerts that Alertmanager lets through, by the rules of inhibition in its configuration."""
    rules = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))["inhibit_rules"]
    through = f'ALERTS{{{FIRING}, severity="{severity}"}}'
    for rule in rules:
        target, source = (
            ", ".join([FIRING, *map(str.strip, rule[side])]) for side in ("target_matchers", "source_matchers")
        )
        equal = ", ".join(rule.get("equal", []))
        through = f"({through} unless (ALERTS{{{target}}} and on ({equal}) ALERTS{{{source}}}))"
    return through

"""openapi.yaml tells what `adapter http` does (`make check` asks if it is valid)."""

from pathlib import Path
from typing import Any

import yaml

from events.his.errors import DossierError, SpoolError, SpoolFullError
from streams.adapter_http.app import VISITS
from streams.adapter_http.errors import RETRY_AFTER, RequestError, status_of
from streams.adapter_http.parameters import READERS
from tests.support.his import dossier
from tests.support.his_http import FACILITY, Client, served, zipped

DOCUMENT: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text(encoding="utf-8"))
POST = DOCUMENT["paths"][VISITS]["post"]
ELSEWHERE = {"PATH_UNKNOWN", "METHOD_UNKNOWN"}
"""What other addresses and methods are answered with."""


def test_every_parameter_is_told_and_no_other() -> None:
    assert {parameter["name"] for parameter in POST["parameters"]} == READERS.keys()


def test_every_status_of_a_refusal_is_told_and_which_of_them_say_when_to_try_again() -> None:
    errors = [
        kind(code) for kind in (DossierError, SpoolFullError, SpoolError, RequestError) for code in kind.explanations
    ]
    given = {str(status_of(error)) for error in errors if error.code not in ELSEWHERE}
    assert POST["responses"].keys() == given | {"200", "202"}
    later = {status for status, answer in POST["responses"].items() if answer["$ref"].endswith("/Later")}
    assert {str(status_of(error)) for error in errors if error.code in RETRY_AFTER} == later


async def test_answers_have_the_fields_that_are_told(tmp_path: Path) -> None:
    schemas = DOCUMENT["components"]["schemas"]
    async with served(tmp_path) as (url, _, tokens):
        client = Client(url, tokens.issue(FACILITY))
        _, taken = await client.post(zipped(dossier("V1")))
        _, refused = await client.post(b"<x/>")
    assert taken.keys() == schemas["Receipt"]["properties"].keys() == set(schemas["Receipt"]["required"])
    error = schemas["Refusal"]["properties"]["error"]
    assert refused["error"].keys() == error["properties"].keys() == set(error["required"])

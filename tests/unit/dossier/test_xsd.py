"""The XML Schemas are fresh, accept what is sound, and are never more lenient than the rules."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree

from events.xml import parse
from streams.cli.dossier_xsd import DEFAULT_FOLDER, dossier_xsd
from streams.domain.dossier import xsd
from streams.domain.dossier.reader import Table, read_rows
from streams.domain.dossier.rules.structure import check_structure
from streams.domain.dossier.rules.values import check_values
from streams.domain.dossier.standard import Standard, standard_on, standards
from streams.domain.dossier.tables import FieldSpec, TableSpec, catalogue_of
from tests.unit.dossier.builders import TODAY, row_xml, sound_row, table_xml

ALL = [(standard, spec) for standard in standards() for spec in catalogue_of(standard).values()]
TODAYS = standard_on(TODAY)
FIELDS = [(spec, field) for spec in catalogue_of(TODAYS).values() for field in spec.fields]


def read(standard: Standard, spec: TableSpec, content: bytes) -> Table:
    return read_rows(parse(content), spec, 1, standard)


@pytest.mark.parametrize(("standard", "spec"), ALL, ids=lambda value: getattr(value, "name", None) or value.kind)
def test_the_committed_schema_is_fresh(standard: Standard, spec: TableSpec) -> None:
    committed = (DEFAULT_FOLDER / standard.name / f"{spec.kind}.xsd").read_text(encoding="utf-8")
    assert committed == xsd.generate(standard)[spec.kind], "run `healthbook dossier xsd`"


@pytest.mark.parametrize(("standard", "spec"), ALL, ids=lambda value: getattr(value, "name", None) or value.kind)
def test_the_schema_accepts_a_sound_table(standard: Standard, spec: TableSpec) -> None:
    schema = etree.XMLSchema(etree.fromstring(xsd.generate(standard)[spec.kind].encode()))
    schema.assertValid(parse(table_xml(spec, [row_xml(sound_row(spec))])))


def test_a_stale_schema_is_told_and_mended(tmp_path: Path) -> None:
    run = CliRunner().invoke
    (tmp_path / "3176").mkdir()
    (tmp_path / "3176" / "XML99.xsd").write_text("left over")
    assert run(dossier_xsd, ["--check", "--folder", str(tmp_path)]).exit_code == 1
    assert run(dossier_xsd, ["--folder", str(tmp_path)]).exit_code == 0
    assert run(dossier_xsd, ["--check", "--folder", str(tmp_path)]).exit_code == 0
    assert not (tmp_path / "3176" / "XML99.xsd").exists()
    (tmp_path / "1931" / "XML1.xsd").write_text("changed")
    assert run(dossier_xsd, ["--check", "--folder", str(tmp_path)]).exit_code == 1


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))
telling = st.text("0129 .-;AaZê\n\u0085\u00a0\u2003\u2028\u200b", max_size=14)
moments = st.datetimes().map(lambda moment: moment.strftime("%Y%m%d%H%M"))
values = st.one_of(
    texts, telling, moments, moments.map(lambda text: text[:8]), st.from_regex(r"[0-9]{6,16}", fullmatch=True),
    st.from_regex(r"[0-9]{4}(0[0-9]|1[0-3])[0-3][0-9]([0-2][0-9][0-6][0-9])?", fullmatch=True),
    st.from_regex(r"[A-Z]?[0-9]{0,13}(\.[0-9]{0,4})?", fullmatch=True),
)  # fmt: skip


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(FIELDS), values)
@example((catalogue_of(TODAYS)["XML1"], catalogue_of(TODAYS)["XML1"].by_name["GHI_CHU"]), "a\u0085")
def test_a_value_that_the_schema_accepts_needs_no_finding(place: tuple[TableSpec, FieldSpec], value: str) -> None:
    spec, field = place
    content = table_xml(spec, [row_xml(sound_row(spec, **{field.name: value}))])
    table = read(TODAYS, spec, content)
    if table.proven:
        assert not list(check_values(table, "000"))
        assert not list(check_structure(table, TODAYS))


names = st.sampled_from([*catalogue_of(TODAYS)["XML5"].by_name, "MOI"])


@settings(max_examples=300, deadline=None)
@given(st.lists(names, max_size=4), st.lists(names, max_size=2))
def test_a_row_that_the_schema_accepts_has_its_elements_in_order(out: list[str], more: list[str]) -> None:
    spec = catalogue_of(TODAYS)["XML5"]
    row = sound_row(spec)
    order = [*(name for name in row if name not in out), *more]
    table = read(TODAYS, spec, table_xml(spec, [row_xml(row | {"MOI": ""}, order)]))
    assert table.proven == (not list(check_structure(table, TODAYS)))


def test_long_text_is_matched_in_time_that_grows_with_its_length() -> None:
    """The pattern of text must not backtrack: 4 MB of words with a blank at the end."""
    spec = catalogue_of(TODAYS)["XML1"]
    table = read(TODAYS, spec, table_xml(spec, [row_xml(sound_row(spec, GHI_CHU="từ vựng " * 400_000))]))
    assert [item.code for item in check_values(table, "000")] == ["ENV-014W"]


def test_rows_are_the_same_however_the_file_was_read() -> None:
    spec = catalogue_of(TODAYS)["XML2"]
    rows = [row_xml(sound_row(spec, n, TEN_THUOC=f"<thuốc> {n} &")) for n in (1, 2)]
    proven = read(TODAYS, spec, table_xml(spec, rows))
    walked = read(TODAYS, spec, table_xml(spec, [row.replace("<DU_PHONG></DU_PHONG>", "") for row in rows]))
    assert (proven.proven, walked.proven) == (True, False)
    names = [[row["TEN_THUOC"] for row in table.rows] for table in (proven, walked)]
    assert names[0] == names[1] == ["<thuốc> 1 &", "<thuốc> 2 &"]
    assert [dict(row) for row in proven.rows] == [dict(row) | {"DU_PHONG": ""} for row in walked.rows]

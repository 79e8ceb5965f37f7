"""Laws of judging: it always answers, says the same for the same, and the order of files does not matter."""

from datetime import UTC, date, datetime
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from events.visit import TableFile
from streams.domain.dossier.envelope import write_envelope
from streams.domain.dossier.verdict import Verdict, judge
from tests.unit.dossier.builders import FACILITY, NOW, TODAY, codes, summary, table

KINDS = [*(f"XML{n}" for n in range(1, 16)), "CHECKIN", "XML0", ""]
SOUND = {file.kind: file.content for file in (summary(), *(table(f"XML{n}") for n in (*range(2, 12), 13, 14, 15)))}
ENVELOPE = write_envelope(FACILITY, TODAY, [TableFile(kind, content) for kind, content in SOUND.items()])


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """A stretch of the bytes replaced by others."""
    start = draw(st.integers(0, len(content)))
    end = draw(st.integers(start, min(len(content), start + 80)))
    return content[:start] + draw(st.binary(max_size=20)) + content[end:]


files = st.builds(
    TableFile,
    st.sampled_from(KINDS),
    st.one_of(st.binary(max_size=60), st.sampled_from(sorted(SOUND.values())).flatmap(damaged)),
)
days = st.one_of(st.none(), st.dates())


def answers(verdict: Verdict) -> None:
    assert verdict.standard in {"130", "4750", "3176", "1931"}
    assert verdict.rejected == any(f.severity == "critical" for f in verdict.findings)
    repr(verdict)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.binary(max_size=200), damaged(ENVELOPE)), days)
def test_any_bytes_are_answered(envelope: bytes, on: date | None) -> None:
    answers(judge(envelope, now=NOW, on=on, facility=FACILITY, register={}))


@settings(max_examples=400, deadline=None)
@given(st.lists(files, max_size=6), st.datetimes(timezones=st.just(UTC)))
def test_any_files_are_answered(tables: list[TableFile], now: datetime) -> None:
    answers(judge(tables, now=now, facility=FACILITY, register={}))


@settings(max_examples=200, deadline=None)
@given(st.fixed_dictionaries({}, optional={kind: damaged(content) for kind, content in SOUND.items()}), st.randoms())
def test_the_order_of_files_does_not_change_the_verdict(changed: dict[str, bytes], chance: Random) -> None:
    tables = [TableFile(kind, content) for kind, content in (SOUND | changed).items()]
    shuffled = tables.copy()
    chance.shuffle(shuffled)
    assert judge(shuffled, now=NOW).findings == judge(tables, now=NOW).findings


def test_an_envelope_and_its_tables_have_one_verdict() -> None:
    tables = [TableFile(k, c.replace(b"<NGAY_CT>20261102", b"<NGAY_CT>20261302")) for k, c in SOUND.items()]
    by_folder = judge(tables, now=NOW, facility=FACILITY)
    by_envelope = judge(write_envelope(FACILITY, TODAY, tables), now=NOW, facility=FACILITY)
    assert "FMT-001" in codes(by_folder)
    assert by_folder.findings == by_envelope.findings


def test_a_dossier_with_too_many_findings_says_how_many_are_left_out() -> None:
    rows = 1100
    row = b"<CHI_TIET_CLS><MA_LK>OTHER</MA_LK><STT>x</STT></CHI_TIET_CLS>"
    spoilt = b"<CHITIEU_CHITIET_DICHVUCANLAMSANG><DSACH_CHI_TIET_CLS>%s</DSACH_CHI_TIET_CLS>%s" % (
        row * rows,
        b"</CHITIEU_CHITIET_DICHVUCANLAMSANG>",
    )
    verdict = judge([summary(), TableFile("XML4", spoilt)], now=NOW)
    assert len(verdict.findings) == 1000
    assert verdict.findings_omitted > rows
    assert verdict.rejected

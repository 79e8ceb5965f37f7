"""Tokens of `adapter http`: whose they are, how they change, and that only hashes are stored."""

import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.adapters import facilities
from streams.adapters.facilities import FACILITY, FacilityRegister
from streams.adapters.tokens import FILE, TokenFileError, Tokens
from streams.cli import main
from streams.simulators.pki import prepare_facilities


@pytest.fixture(autouse=True)
def looked_at_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes count at the next look, not two seconds later."""
    monkeypatch.setattr(facilities, "LOOK_AGAIN", 0.0)


def test_a_token_speaks_for_its_facility_and_nobody_elses(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    ours, theirs = tokens.issue("01999"), tokens.issue("48999")
    assert tokens.facility_of(ours) == "01999"
    assert tokens.facility_of(theirs) == "48999"
    assert tokens.facility_of(theirs.replace("48999", "01999")) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: "",
        lambda token: token[:-1],
        lambda token: f"{token} ",
        lambda token: f"{token}\n",
        lambda token: token.removeprefix("01999."),
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token.replace("01999", "99999"),
        lambda token: token.replace("01999", "../01"),
        lambda token: f"01999.{sha256(token.encode()).hexdigest()[:43]}",
    ],
)
def test_anything_else_is_nobodys(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    tokens = Tokens(tmp_path)
    assert tokens.facility_of(spoil(tokens.issue("01999"))) is None


def test_a_second_token_counts_beside_the_first_until_the_earlier_ones_or_all_are_revoked(tmp_path: Path) -> None:
    tokens, running = Tokens(tmp_path), Tokens(tmp_path)
    issued = [tokens.issue("01999"), tokens.issue("01999")]
    assert [running.facility_of(token) for token in issued] == ["01999", "01999"]
    tokens.revoke("01999", keep_newest=True)
    assert [running.facility_of(token) for token in issued] == [None, "01999"]
    tokens.revoke("01999", keep_newest=False)
    assert [running.facility_of(token) for token in issued] == [None, None]


def test_the_file_holds_hashes_only_and_is_its_owners(tmp_path: Path) -> None:
    token = Tokens(tmp_path).issue("01999")
    file = tmp_path / "01999" / FILE
    assert file.read_text() == f"{sha256(token.encode()).hexdigest()}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_used_is_told_by_name_and_without_its_content(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    token = tokens.issue("01999")
    (tmp_path / "01999" / FILE).write_text(token)  # a plain token, as somebody might put it there by hand
    with pytest.raises(TokenFileError, match="01999/http-tokens") as caught:
        tokens.facility_of(token)
    assert token not in str(caught.value)


def test_of_tokens_issued_at_the_same_moment_none_is_lost(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as operators:
        tokens = list(operators.map(lambda _: Tokens(tmp_path).issue("01999"), range(40)))
    assert [Tokens(tmp_path).facility_of(token) for token in tokens] == ["01999"] * 40


def test_an_ended_token_stays_ended_while_another_is_issued(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as operators:
        for _ in range(20):
            ended = Tokens(tmp_path).issue("01999")
            issuing = operators.submit(Tokens(tmp_path).issue, "01999")
            operators.submit(Tokens(tmp_path).revoke, "01999", keep_newest=False).result()
            issuing.result()
            assert Tokens(tmp_path).facility_of(ended) is None


def issued(*arguments: str) -> tuple[int, str, str]:
    answer = CliRunner().invoke(main, ["adapter", "token", *arguments])
    return answer.exit_code, answer.stdout.strip(), answer.stderr


def test_the_command_prints_a_token_once_for_a_registered_facility(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEALTHBOOK_HOME", str(tmp_path))
    prepare_facilities(FacilityRegister(tmp_path / "facilities"), tmp_path / "accounts", {"01999": "Bệnh viện Thử"})
    tokens = Tokens(tmp_path / "facilities")
    code, first, told = issued("01999")
    assert (code, tokens.facility_of(first)) == (0, "01999")
    assert first not in told
    code, would, _ = issued("01999", "--dry-run")
    assert (code, would, tokens.count("01999")) == (0, "", 1)
    code, second, _ = issued("01999")
    assert (code, issued("01999", "--revoke", "all", "--dry-run")[:2]) == (0, (0, ""))
    assert [tokens.facility_of(token) for token in (first, second)] == ["01999", "01999"]
    code, nothing, told = issued("01999", "--revoke", "earlier")
    assert (code, nothing, tokens.facility_of(first), tokens.facility_of(second)) == (0, "", None, "01999")
    assert "1 valid, 1 ended" in told
    assert issued("01999", "--revoke", "all")[0] == 0
    assert tokens.facility_of(second) is None
    code, nothing, told = issued("48999")
    assert (code, nothing) == (1, "")
    assert "48999 is not in the facility register" in told
    assert not (tmp_path / "facilities" / "48999").exists()


def test_where_tokens_have_a_folder_of_their_own_no_register_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEALTHBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HEALTHBOOK_TOKENS", str(tmp_path / "tokens"))
    code, token, _ = issued("01999")
    assert (code, Tokens(tmp_path / "tokens").facility_of(token)) == (0, "01999")
    assert issued("../01")[0] == 1


@pytest.mark.parametrize("entry", ["removed", "broken"])
def test_tokens_are_ended_whatever_became_of_the_facilitys_entry_and_none_is_issued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    monkeypatch.setenv("HEALTHBOOK_HOME", str(tmp_path))
    prepare_facilities(FacilityRegister(tmp_path / "facilities"), tmp_path / "accounts", {"01999": "Bệnh viện Thử"})
    tokens, file = Tokens(tmp_path / "facilities"), tmp_path / "facilities" / "01999" / FACILITY
    _, token, _ = issued("01999")
    if entry == "removed":
        file.unlink()
    else:
        file.write_text("name =")
    assert tokens.facility_of(token) == "01999"  # `validate` rejects its visits: FAC-001
    code, nothing, told = issued("01999")
    assert (code, nothing, tokens.count("01999")) == (1, "", 1)
    assert "--revoke" in told
    assert "remove" not in told
    code, _, told = issued("01999", "--revoke", "all")
    assert (code, tokens.facility_of(token)) == (0, None)
    assert "0 valid, 1 ended" in told


def test_the_advice_belongs_to_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALTHBOOK_TOKENS", str(tmp_path))
    Tokens(tmp_path).issue("01999")
    (tmp_path / "01999" / FILE).write_text("broken")
    for arguments in (["01999"], ["01999", "--revoke", "all"]):
        code, _, told = issued(*arguments)
        assert code == 1
        assert f"01999/{FILE}" in told
        assert "remove it, which ends the facility's tokens" in told
    code, _, told = issued("../01", "--revoke", "all")
    assert (code, "remove" in told) == (1, False)

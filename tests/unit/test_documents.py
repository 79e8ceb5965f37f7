"""What an alert leads to is there, with every anchor that a document points to."""

import re
from pathlib import Path

import pytest
import yaml

from streams.console.documents import document

REPOSITORY = Path(__file__).parents[2]
NAMES = [str(path.relative_to(REPOSITORY / "docs")) for path in sorted((REPOSITORY / "docs" / "runbooks").glob("*.md"))]
RULES = sorted((REPOSITORY / "infra" / "prometheus" / "rules").glob("*.yml"))


def anchors(name: str) -> set[str]:
    found = document(name)
    assert found is not None, name
    return set(re.findall(r'<h\d id="([^"]+)"', found.html))


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_every_alert_leads_to_a_heading_of_a_page(path: Path) -> None:
    groups = yaml.safe_load(path.read_text("utf-8"))["groups"]
    for rule in (rule for group in groups for rule in group["rules"] if "alert" in rule):
        page, anchor = rule["annotations"]["runbook_url"].removeprefix("{{ $externalLabels.runbooks }}/").split("#")
        assert anchor in anchors(f"runbooks/{page}")


@pytest.mark.parametrize("name", NAMES)
def test_links_between_runbooks_lead_somewhere(name: str) -> None:
    found = document(name)
    assert found is not None
    for page, anchor in re.findall(r'href="([\w-]+\.md)?(?:#([\w-]+))?"', found.html):
        if anchor:
            assert anchor in anchors(f"runbooks/{page}" if page else name), (page, anchor)
        elif page:
            assert document(f"runbooks/{page}"), page


def test_html_in_a_document_stays_text_and_other_files_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some.md").write_text("# Title\n\n<script>x</script> [a](javascript:x)\n\n## A `Name`, twice\n")
    monkeypatch.setattr("streams.console.documents.FOLDERS", (tmp_path,))
    found = document("some.md")
    assert found is not None
    assert (found.title, "<script" in found.html, "href" in found.html) == ("Title", False, False)
    assert '<h2 id="a-name-twice">' in found.html
    assert [document(name) for name in ("../some.md", "/some.md", "some.txt", "no.md", "a/../some.md")] == [None] * 5

"""The two ways to read a document say the same about it, and the one for those who look for little stays small."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from events.xml import XmlError, ends, parse

SOUND = '<?xml version="1.0" encoding="utf-8"?>\n<A><B>một</B><!-- x --><C><B>hai<!-- y -->ba</B></C>\n<D a="1"/></A>'
CHANGES = (b"", b"<", b">", b"&amp;", b"&x;", b"\xff", b"\x02", b"</B>", b"<B>")
BAD = {
    "XML_EMPTY": b" \n",
    "XML_ENCODING": b'<?xml version="1.0" encoding="windows-1258"?><A/>',
    "XML_DOCTYPE": b'<!DOCTYPE A [<!ENTITY e "x">]><A><B>&e;</B></A>',
    "XML_CONTROL_CHARACTER": b"<A><B>\x01</B></A>",
    "XML_MALFORMED": b"<A>\n<B>1</B>\n<C></A>",
}


def by_tree(data: bytes) -> object:
    try:
        return [(element.tag, element.text) for element in parse(data).iter()]
    except XmlError as error:
        return error.code, error.line


def by_ends(data: bytes) -> object:
    try:
        return [(element.tag, element.text) for element in ends(data)]
    except XmlError as error:
        return error.code, error.line


@pytest.mark.parametrize("code", BAD)
def test_a_fault_has_the_same_code_and_line_in_both(code: str) -> None:
    told = by_ends(BAD[code])
    assert isinstance(told, tuple)
    assert told[0] == code
    assert told == by_tree(BAD[code])


@given(place=st.integers(0, len(SOUND.encode())), change=st.sampled_from(CHANGES))
@example(place=0, change=b"")
@example(place=70, change=b"&x;")
def test_whatever_is_put_into_a_document_both_read_the_same_or_refuse_it_alike(place: int, change: bytes) -> None:
    data = SOUND.encode()[:place] + change + SOUND.encode()[place:]
    tree, streamed = by_tree(data), by_ends(data)
    if isinstance(tree, list):
        assert isinstance(streamed, list)
        assert sorted(map(str, streamed)) == sorted(map(str, tree))
    else:
        assert streamed == tree


def test_a_document_of_many_small_elements_costs_little_more_than_its_bytes() -> None:
    """As a tree this one takes 150 MB."""
    look = (
        "import resource, events.xml as xml\n"
        "data = b'<A><B>1</B>' + b'<a/>' * 1_000_000 + b'</A>'\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "assert sum(element.tag == 'B' for element in xml.ends(data)) == 1\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    root = Path(__file__).parents[2]
    said = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True, cwd=root)
    grown = int(said.stdout) * (1 if sys.platform == "darwin" else 1024)
    assert grown < 32 * 1024 * 1024

"""What counts as a dossier: folder, zip, envelope, tables in memory; and what is refused, with which code."""

import base64
import io
import zipfile
from pathlib import Path

import pytest

from events.his.errors import DossierError
from events.his.source import MAX_BYTES, DossierInput, read_dossier, visit_key
from events.visit import TableFile

XML1 = b"<TONG_HOP><MA_LK>V1</MA_LK></TONG_HOP>"
XML7 = b"<CHI_TIEU_DU_LIEU_GIAY_RA_VIEN><MA_LK>V1</MA_LK></CHI_TIEU_DU_LIEU_GIAY_RA_VIEN>"


def envelope(*files: tuple[str, bytes | str]) -> bytes:
    """An unsigned envelope; text content is put in as it is, bytes as base64."""
    inner = "".join(
        f"<FILEHOSO><LOAIHOSO>{kind}</LOAIHOSO><NOIDUNGFILE>"
        f"{content if isinstance(content, str) else base64.encodebytes(content).decode()}</NOIDUNGFILE></FILEHOSO>"
        for kind, content in files
    )
    return f"<GIAMDINHHS><DANHSACHHOSO><HOSO>{inner}</HOSO></DANHSACHHOSO><CHUKYDONVI/></GIAMDINHHS>".encode()


def folder(path: Path, **files: bytes) -> Path:
    """A folder of files; `XML7_2` stands for XML7-2."""
    path.mkdir(exist_ok=True)
    for name, content in files.items():
        (path / f"{name.replace('_', '-')}.xml").write_bytes(content)
    return path


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def refused(source: object) -> str:
    with pytest.raises(DossierError) as caught:
        visit_key(read_dossier(source))  # type: ignore[arg-type]
    assert caught.value.message_vi
    assert caught.value.message_en
    assert caught.value.mend_vi
    assert caught.value.mend_en
    return caught.value.code


def test_table_files_come_in_the_order_of_their_numbers_whatever_their_case(tmp_path: Path) -> None:
    found = read_dossier(folder(tmp_path / "v", xml10=b"j", XML7_2=b"c", Xml1=XML1, XML7=b"b", XML2=b"a"))
    assert [(table.kind, table.content) for table in found.tables] == [
        ("XML1", XML1),
        ("XML2", b"a"),
        ("XML7", b"b"),
        ("XML7", b"c"),
        ("XML10", b"j"),
    ]


def test_other_files_are_ignored_by_name_xml12_is_left_to_validate_and_a_check_in_stands_last(tmp_path: Path) -> None:
    path = folder(tmp_path / "v", XML1=XML1, XML0=b"check-in", XML12=b"board", note=b"x")
    (path / "scan.pdf").write_bytes(b"%PDF")
    found = read_dossier(path)
    assert [table.kind for table in found.tables] == ["XML1", "XML12", "XML0"]
    assert sorted(found.ignored) == ["note.xml", "scan.pdf"]


def test_a_check_in_may_stand_beside_an_envelope_and_a_second_one_is_named(tmp_path: Path) -> None:
    path = folder(tmp_path / "v", XML0=b"check-in", dossier=b"<GIAMDINHHS/>")
    (path / "XML0-2.xml").write_bytes(b"another")
    found = read_dossier(path)
    assert (found.envelope, [table.kind for table in found.tables]) == (b"<GIAMDINHHS/>", ["XML0"])
    assert found.ignored == ("XML0-2.xml",)


def test_a_link_in_a_folder_is_not_followed(tmp_path: Path) -> None:
    path = folder(tmp_path / "v", XML1=XML1)
    secret = tmp_path / "secret.xml"
    secret.write_bytes(b"secret")
    (path / "XML2.xml").symlink_to(secret)
    assert b"secret" not in b"".join(table.content for table in read_dossier(path).tables)


def test_a_folder_a_zip_and_tables_in_memory_are_the_same_dossier(tmp_path: Path) -> None:
    in_folder = read_dossier(folder(tmp_path / "v", XML1=XML1, XML7=XML7))
    in_zip = read_dossier(zipped(tmp_path / "v.zip", {"XML7.xml": XML7, "XML1.xml": XML1}))
    nested = read_dossier(zipped(tmp_path / "n.zip", {"v/XML7.xml": XML7, "v/XML1.xml": XML1}))
    in_memory = read_dossier({"XML7": XML7, "XML1": XML1})
    assert in_folder.tables == in_zip.tables == nested.tables == in_memory.tables
    assert in_folder.digest == in_zip.digest == in_memory.digest


@pytest.mark.parametrize("other", ["readme.txt", "doc.pdf", "visit.zip", ".DS_Store", "README"])
def test_what_stands_beside_a_dossier_is_ignored_by_its_own_name_in_whatever_form_it_comes(
    tmp_path: Path, other: str
) -> None:
    for name, content in {"XML1.xml": XML1, "dossier.xml": envelope(("XML1", XML1))}.items():
        files = {name: content, other: b"PK"}
        path = tmp_path / name
        path.mkdir()
        for file in files:
            (path / file).write_bytes(files[file])
        in_folder, in_zip = read_dossier(path), read_dossier(zipped(tmp_path / f"{name}.zip", files))
        assert in_folder == in_zip == read_dossier(files)
        assert in_folder.ignored == (other,)
    assert refused({other: b"PK"}) == "DOSSIER_EMPTY"


def test_an_envelope_as_file_bytes_or_in_a_zip(tmp_path: Path) -> None:
    content = envelope(("XML1", XML1))
    (tmp_path / "hoso.xml").write_bytes(content)
    for source in (tmp_path / "hoso.xml", content, zipped(tmp_path / "e.zip", {"hoso.xml": content})):
        found = read_dossier(source)
        assert found.envelope == content
        assert found.tables == ()
        assert visit_key(found) == "V1"


def test_one_table_file_alone_is_a_dossier_of_one_table(tmp_path: Path) -> None:
    assert [table.kind for table in read_dossier(folder(tmp_path / "v", XML1=XML1) / "XML1.xml").tables] == ["XML1"]


def test_the_digest_tells_apart_what_differs_only_in_where_the_bytes_are() -> None:
    one = DossierInput((TableFile("XML1", b"ab"), TableFile("XML2", b"c")))
    other = DossierInput((TableFile("XML1", b"a"), TableFile("XML2", b"bc")))
    assert one.digest != other.digest
    assert one.digest != DossierInput((), b"abc").digest


def test_ma_lk_is_taken_as_written_and_101_characters_are_for_validate_to_judge() -> None:
    assert visit_key(read_dossier({"XML1": b"<TONG_HOP><MA_LK> V1</MA_LK></TONG_HOP>"})) == " V1"
    long = b"9" * 101
    assert visit_key(read_dossier({"XML1": b"<TONG_HOP><MA_LK>" + long + b"</MA_LK></TONG_HOP>"})) == long.decode()


def test_a_dossier_of_20_mb_passes() -> None:
    assert read_dossier({"XML1": XML1, "XML5": b"x" * 20_971_520}).size > 20_000_000


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ({"XML7": XML7}, "XML1_MISSING"),
        ({"XML1": b"<TONG_HOP/>"}, "MA_LK_MISSING"),
        ({"XML1": b"<TONG_HOP><MA_LK> </MA_LK></TONG_HOP>"}, "MA_LK_MISSING"),
        ({"XML1": b"<T><MA_LK>" + b"9" * 1001 + b"</MA_LK></T>"}, "MA_LK_UNUSABLE"),
        ({"XML1": b""}, "XML_EMPTY"),
        ({"XML1": b"not xml"}, "XML_MALFORMED"),
        ({"XML1": b'<!DOCTYPE t [<!ENTITY e "x">]><T><MA_LK>&e;</MA_LK></T>'}, "XML_DOCTYPE"),
        ({"XML1": b"<T><MA_LK>\xff</MA_LK></T>"}, "XML_ENCODING"),
        ({"XML1": b'<?xml version="1.0" encoding="windows-1258"?><T><MA_LK>1</MA_LK></T>'}, "XML_ENCODING"),
        ({"XML1": b"<T><MA_LK>\x01</MA_LK></T>"}, "XML_CONTROL_CHARACTER"),
        ({"XML1": XML1, "xml1.xml": XML1}, "ENV-007"),
        ({"XML1": XML1, "XML7-2": XML7, "XML7-02": XML7}, "ENV-007"),
        ({"XML1": XML1, "XML5": b"x" * MAX_BYTES}, "DOSSIER_TOO_LARGE"),
        ({}, "DOSSIER_EMPTY"),
        (envelope(("XML2", b"x")), "XML1_MISSING"),
        (envelope(("XML1", "!!!")), "BASE64"),
        (b'<!DOCTYPE g [<!ENTITY e "x">]><GIAMDINHHS>&e;</GIAMDINHHS>', "XML_DOCTYPE"),
        (envelope(("XML1", b"<!DOCTYPE t><T><MA_LK>1</MA_LK></T>")), "XML_DOCTYPE"),
        ("/nowhere/at/all", "DOSSIER_NOT_FOUND"),
    ],
)
def test_what_cannot_be_handed_over_says_why(source: object, code: str) -> None:
    assert refused(source) == code


def test_a_folder_with_two_envelopes_or_none_is_refused(tmp_path: Path) -> None:
    assert refused(folder(tmp_path / "two", a=envelope(), b=envelope())) == "DOSSIER_SEVERAL_ENVELOPES"
    assert refused(folder(tmp_path / "none")) == "DOSSIER_EMPTY"


def test_no_error_quotes_the_dossier(tmp_path: Path) -> None:
    person = "NGUYEN VAN TEST"
    with pytest.raises(DossierError) as caught:
        visit_key(read_dossier({"XML1": f"<TONG_HOP><HO_TEN>{person}</HO_TEN>".encode()}))
    assert person not in repr(caught.value) + str(caught.value)
    assert person not in repr(read_dossier({"XML1": person.encode()}))


def test_zips_that_are_no_dossier_are_refused(tmp_path: Path) -> None:
    assert refused(zipped(tmp_path / "many.zip", {f"{n}.xml": b"" for n in range(201)})) == "ZIP_BOMB"
    assert refused(zipped(tmp_path / "ratio.zip", {"XML1.xml": b" " * 20_000_000})) == "ZIP_BOMB"
    assert refused(zipped(tmp_path / "up.zip", {"../XML1.xml": XML1})) == "ZIP_PATH"
    assert refused(zipped(tmp_path / "abs.zip", {"/etc/XML1.xml": XML1})) == "ZIP_PATH"
    assert refused(zipped(tmp_path / "win.zip", {"C:\\XML1.xml": XML1})) == "ZIP_PATH"
    (tmp_path / "cut.zip").write_bytes(zipped(tmp_path / "whole.zip", {"XML1.xml": XML1 * 100}).read_bytes()[:-30])
    assert refused(tmp_path / "cut.zip") == "ZIP_DAMAGED"


def test_the_sizes_in_a_zip_are_counted_not_believed(tmp_path: Path) -> None:
    """Stored without compression, so that no ratio gives it away."""
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("XML1.xml", XML1)
        archive.writestr("XML5.xml", b"x" * MAX_BYTES)
    assert refused(path) == "DOSSIER_TOO_LARGE"

    # A local header that claims less than comes out.
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("XML1.xml", b" " * 3_000_000)
    forged = data.getvalue().replace((3_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    (tmp_path / "forged.zip").write_bytes(forged)
    assert refused(tmp_path / "forged.zip") in ("ZIP_DAMAGED", "ZIP_BOMB")

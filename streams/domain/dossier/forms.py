"""The forms a value can have: what XSD enforces, and the rule that names a value which has another form.

One `Form` is at once a simple type of the generated XSDs (`pattern`) and the key of the check in
`rules/values.py` that applies when a value does not match. Patterns accept the empty value: presence is REQ-001's.
Whitespace is Unicode's: a no-break space in MA_LK is as invisible, and as harmful, as a blank.
"""

import re
from dataclasses import dataclass
from enum import Enum

from streams.domain.dossier.tables import FieldSpec

_DAY = (
    r"[1-9][0-9]{3}(((0[13578]|1[02])(0[1-9]|[12][0-9]|3[01]))|((0[469]|11)(0[1-9]|[12][0-9]|30))"
    r"|(02(0[1-9]|1[0-9]|2[0-8])))"
    r"|([1-9][0-9](0[48]|[2468][048]|[13579][26])|([2468][048]|[13579][26])00)0229"
)
_TIME = r"([01][0-9]|2[0-3])[0-5][0-9]"
_SPACE = "\\s\\p{Z}\u0085"  # what str.isspace() calls white space and XML 1.0 allows
_SOLID = f"[^{_SPACE}]"


@dataclass(frozen=True, slots=True)
class Shape:
    """A simple type: its name in the XSDs and the XSD pattern of a non-empty value that needs no finding."""

    type_name: str
    pattern: str

    @property
    def regex(self) -> re.Pattern[str]:
        """The same pattern for Python, whose `\\s` is Unicode's white space as it is."""
        return re.compile(self.pattern.replace(_SPACE, r"\s"))


class Form(Enum):
    """Every form of the standard."""

    KEY = Shape("key", f"{_SOLID}*")
    CODE = Shape("code", f"{_SOLID}*")
    TEXT = Shape("text", f"({_SOLID}+([{_SPACE}]+{_SOLID}+)*)?")
    DATE = Shape("date", f"({_DAY})?")
    APPOINTMENT = Shape("appointment", f"(({_DAY})({_TIME})?)?")
    MOMENT = Shape("moment", f"(({_DAY}){_TIME})?")
    BIRTH = Shape("birth", f"((({_DAY})|[1-9][0-9]{{3}}0000){_TIME})?")
    IDENTITY = Shape("identity", "([0-9]{12}|[0-9]{9}|[A-Z][0-9]{7})?")
    INTEGER = Shape("integer", "[0-9]*")
    DECIMAL = Shape("decimal", r"([0-9]+(\.[0-9]+)?)?")
    AMOUNT = Shape("amount", r"([0-9]+(\.[0-9]{1,2})?)?")
    QUANTITY = Shape("quantity", r"([0-9]+(\.[0-9]{1,3})?)?")


KEY_FIELDS = frozenset(
    {
        "MA_LK",
        "MA_BN",
        "MA_CSKCB",
        "MA_DKBD",
        "MA_THE_BHYT",
        "SO_CCCD",
        "MA_BENH_CHINH",
        "MA_THUOC",
        "MA_DICH_VU",
        "MA_VAT_TU",
    }
)
"""Fields that must hold no white space at all (ENV-014)."""
_IDENTITIES = frozenset({"SO_CCCD", "SO_CCCD_NND"})
_QUANTITIES = frozenset({"SO_LUONG", "DON_GIA", "DON_GIA_BV", "DON_GIA_BH"})  # FMT-010
_AMOUNT_TABLES = frozenset({"XML1", "XML2", "XML3"})  # FMT-010, FMT-011
_BY_TYPE = {"integer": Form.INTEGER, "date": Form.DATE, "datetime": Form.MOMENT}


def form_of(kind: str, field: FieldSpec) -> Form:
    """The form of a field of table `kind`."""
    name = field.name
    if name in _IDENTITIES:
        return Form.IDENTITY
    if name == "NGAY_SINH" and field.type == "datetime":  # a plain date in table 12
        return Form.BIRTH
    if name == "NGAY_HEN_KL":
        return Form.APPOINTMENT
    if field.type in _BY_TYPE:
        return _BY_TYPE[field.type]
    if field.type == "decimal":
        return _decimal(kind, name)
    if (kind, name) == ("XML1", "CAN_NANG"):  # a string in the annex, a number by FMT-009
        return Form.DECIMAL
    if name in KEY_FIELDS:
        return Form.KEY
    return Form.CODE if name.startswith("MA_") else Form.TEXT


def _decimal(kind: str, name: str) -> Form:
    if kind in _AMOUNT_TABLES and name in _QUANTITIES:
        return Form.QUANTITY
    if kind in _AMOUNT_TABLES and name.startswith(("T_", "THANH_TIEN_")):
        return Form.AMOUNT
    return Form.DECIMAL

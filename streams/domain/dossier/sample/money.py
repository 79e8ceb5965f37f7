"""Amounts of a line and of a visit, in Decimal (RULES §4 and §5)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from streams.domain.dossier.data import read_csv
from streams.domain.dossier.sample.model import Row

_CENT = Decimal("0.01")
_LEVELS = {"1": 100, "2": 100, "3": 95, "4": 80, "5": 100}
_ALL = 100


def round_amount(value: Decimal) -> Decimal:
    """Half away from zero, 2 decimals; amounts here are never negative."""
    return value.quantize(_CENT, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Charge:
    """What one line costs: at hospital price, and within coverage."""

    quantity: Decimal
    price: Decimal
    covered_price: Decimal
    rate: int
    """TYLE_TT_BH; 0: the patient pays all."""

    @property
    def total(self) -> Decimal:
        return round_amount(self.quantity * self.price)

    @property
    def covered(self) -> Decimal:
        return round_amount(self.quantity * self.covered_price * self.rate / 100)

    def fields(self, level: int) -> Row:
        """The money fields that tables 2 and 3 share, nobody else paying (MON-005 to MON-014)."""
        fund = round_amount(self.covered * level / 100)
        return {
            "PHAM_VI": "1" if self.rate else "2",
            "TYLE_TT_BH": str(self.rate),
            "SO_LUONG": str(self.quantity),
            "THANH_TIEN_BV": str(self.total),
            "THANH_TIEN_BH": str(self.covered),
            "T_NGUONKHAC_NSNN": "0",
            "T_NGUONKHAC_VTNN": "0",
            "T_NGUONKHAC_VTTN": "0",
            "T_NGUONKHAC_CL": "0",
            "T_NGUONKHAC": "0",
            "MUC_HUONG": str(level if self.rate else 0),
            "T_BNTT": str(self.total - self.covered),
            "T_BNCCT": str(self.covered - fund),
            "T_BHTT": str(fund),
            "MA_PTTT": "1",
        }


def benefit_level(card_level: str, covered: Iterable[Charge], day: date) -> int:
    """Percent that insurance pays at the registered facility: all of a small bill, else what the card says."""
    return _ALL if sum(charge.covered for charge in covered) < _small_bill(day) else _LEVELS[card_level]


def _small_bill(day: date) -> Decimal:
    """15 % of the base salary of the day."""
    rows = (row for row in read_csv("codes/luong_co_so.csv") if row["valid_from"] <= day.isoformat())
    return Decimal(max(rows, key=lambda row: row["valid_from"])["amount_vnd"]) * 15 / 100


def totals(drugs: Iterable[Row], services: Iterable[Row]) -> Row:
    """The totals of table 1 as sums over tables 2 and 3 (MON-101 to MON-109)."""
    drugs, services = list(drugs), list(services)
    lines = drugs + services
    fund = _sum(lines, "T_BHTT")
    amounts = {
        "T_THUOC": _sum(drugs, "THANH_TIEN_BV"),
        "T_VTYT": _sum((row for row in services if row["MA_NHOM"] in ("10", "11")), "THANH_TIEN_BV"),
        "T_TONGCHI_BV": _sum(lines, "THANH_TIEN_BV"),
        "T_TONGCHI_BH": _sum(lines, "THANH_TIEN_BH"),
        "T_BNTT": _sum(lines, "T_BNTT"),
        "T_BNCCT": _sum(lines, "T_BNCCT"),
        "T_BHTT": fund,
        "T_NGUONKHAC": _sum(lines, "T_NGUONKHAC"),
        "T_BHTT_GDV": fund,  # every line is paid by service (MA_PTTT 1)
    }
    return {name: f"{amount:.2f}" for name, amount in amounts.items()}


def _sum(rows: Iterable[Row], name: str) -> Decimal:
    return sum((Decimal(row[name]) for row in rows), Decimal(0))

"""Tables 2 and 5: medicines, and the notes of those who watched what they did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from streams.domain.dossier.sample.medicine import ARV, DRUGS, INJECTIONS, Drug
from streams.domain.dossier.sample.model import Row, Trait, VisitKind, moment_text
from streams.domain.dossier.sample.money import Charge
from streams.domain.dossier.sample.services import spread
from streams.domain.dossier.sample.visit import Visit

_COURSE_DAYS = {"01": 5, "14": 7, "02": 5, "08": 7, "05": 28, "07": 28}
"""Days for which a medicine is given out, by MA_LOAI_KCB; on a ward it is ordered day by day."""


@dataclass(frozen=True, slots=True)
class DrugOrder:
    """One line of table 2, before anybody knows what level insurance pays."""

    drug: Drug
    times: int
    days: int
    ordered: datetime
    charge: Charge


def order_drugs(visit: Visit, count: int) -> list[DrugOrder]:
    """So many medicines: at the end of an examination, at the start of a long course, all along a stay."""
    rng = visit.random("drugs")
    days = _COURSE_DAYS.get(visit.care.code, 1)
    stock = (*DRUGS, *INJECTIONS) if visit.care.stay else DRUGS
    first = rng.randrange(len(stock))
    orders = []
    for number, at in enumerate(spread(count, *_window(visit))):
        drug = ARV if number == 0 and Trait.HIV in visit.traits else stock[(first + number) % len(stock)]
        times = rng.randrange(1, 4)
        covered = visit.insured and not (visit.care.stay and number % 40 == 39)  # now and then one that nobody covers
        charge = Charge(Decimal(times * days), drug.price, drug.price, drug.rate if covered else 0)
        orders.append(DrugOrder(drug, times, days, at, charge))
    return orders


def _window(visit: Visit) -> tuple[datetime, datetime]:
    if visit.care.drugs_only:
        return visit.admitted + timedelta(minutes=14), visit.admitted + timedelta(minutes=24)
    if visit.care.kind is VisitKind.EXAM:
        return visit.last - timedelta(minutes=18), visit.last - timedelta(minutes=8)
    return visit.admitted + timedelta(minutes=30), visit.last - timedelta(minutes=10)


def drug_rows(visit: Visit, orders: Sequence[DrugOrder], level: int) -> list[Row]:
    """Table 2."""
    return [_drug_row(visit, order, level) | {"STT": str(number)} for number, order in enumerate(orders, 1)]


def _drug_row(visit: Visit, order: DrugOrder, level: int) -> dict[str, str]:
    drug, times = order.drug, order.times
    return {
        "MA_LK": visit.ma_lk,
        "MA_THUOC": drug.code,
        "MA_NHOM": "4" if drug.rate == 100 else "6",
        "TEN_THUOC": drug.name,
        "DON_VI_TINH": drug.unit,
        "HAM_LUONG": drug.strength,
        "DUONG_DUNG": drug.route,
        "DANG_BAO_CHE": drug.form,
        "LIEU_DUNG": f"1 {drug.unit}/lần * {times} lần/ngày * {order.days} ngày [{times} {drug.unit}/ngày]",
        "CACH_DUNG": "Dùng sau khi ăn, uống nhiều nước" if drug.unit == "viên" else "Tiêm truyền theo y lệnh",
        "SO_DANG_KY": f"VD-{drug.code[-3:]}00-26",
        "TT_THAU": f"01/QĐ-TEST;G1;N1;{visit.admitted.year}",
        "DON_GIA": str(drug.price),
        **order.charge.fields(level),
        "MA_KHOA": visit.departments[-1],
        "MA_BAC_SI": visit.doctor,
        "NGAY_YL": moment_text(order.ordered),
        "NGAY_TH_YL": moment_text(order.ordered + timedelta(minutes=5)),
        "NGUON_CTRA": "1",
    }


def note_rows(visit: Visit, count: int) -> list[Row]:
    """Table 5; no two notes alike (X5-003)."""
    rng = visit.random("notes")
    moments = spread(count, visit.admitted + timedelta(minutes=15), visit.last - timedelta(minutes=5))
    return [
        {
            "MA_LK": visit.ma_lk,
            "STT": str(number),
            "DIEN_BIEN_LS": (
                f"Lần khám {number}: người bệnh tỉnh, tiếp xúc tốt, tim đều, phổi thông khí rõ, bụng mềm. "
                f"CSST<M{rng.randrange(64, 98)}_T36.{rng.randrange(4, 9)}_HA{rng.randrange(105, 139)}/"
                f"{rng.randrange(62, 88)}_NT{rng.randrange(16, 21)}_SP{rng.randrange(95, 100)}>"
            ),
            "GIAI_DOAN_BENH": "Ổn định",
            "THOI_DIEM_DBLS": moment_text(at),
            "NGUOI_THUC_HIEN": visit.nurse,
        }
        for number, at in enumerate(moments, 1)
    ]

"""Tables 3 and 4: services, beds and supplies, and what the paraclinical ones found."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from streams.domain.dossier.sample.medicine import (
    BEDS,
    EXAM,
    IMAGING,
    LABORATORY,
    PROCEDURES,
    REMOTE_EXAM,
    SUPPLIES,
    VIRAL_LOAD,
    Index,
    Service,
)
from streams.domain.dossier.sample.model import Row, Trait, VisitKind, moment_text
from streams.domain.dossier.sample.money import Charge
from streams.domain.dossier.sample.visit import Visit

_PARACLINICAL = ("1", "2", "3")
_SUPPLY = "10"
_BED = ("14", "15")
_TO_START, _TO_RESULT = timedelta(minutes=10), timedelta(minutes=40)


@dataclass(frozen=True, slots=True)
class ServiceOrder:
    """One line of table 3, before anybody knows what level insurance pays."""

    service: Service
    quantity: int
    ordered: datetime
    performed: datetime
    finished: datetime
    charge: Charge

    @property
    def is_paraclinical(self) -> bool:
        return self.service.group in _PARACLINICAL


def order_services(visit: Visit, paraclinical: int, others: int) -> list[ServiceOrder]:
    """The examination and the bed that the kind of care has, then so many tests, procedures and supplies."""
    return sorted(
        (*_examination(visit), *_bed(visit), *_tests(visit, paraclinical), *_procedures(visit, others)),
        key=lambda order: order.ordered,
    )


def fixed_services(visit: Visit) -> int:
    """How many lines order_services adds by itself."""
    return sum(1 for _ in (*_examination(visit), *_bed(visit)))


def _examination(visit: Visit) -> Iterator[ServiceOrder]:
    if visit.care.kind is VisitKind.APPOINTED_DRUGS:
        return
    service = REMOTE_EXAM if visit.care.kind is VisitKind.REMOTE else EXAM
    at = visit.admitted + timedelta(minutes=3)
    yield _order(visit, service, 1, at, at + timedelta(minutes=2), at + timedelta(minutes=10))


def _bed(visit: Visit) -> Iterator[ServiceOrder]:
    """One bed line; its days as X3-023 counts them: the day of leaving counts when another hospital goes on."""
    if visit.care.bed is None:
        return
    start = visit.admitted_to_ward
    nights = (visit.ended.date() - start.date()).days + (1 if visit.sent_to else 0)
    days = nights if visit.care.bed == "15" else 1
    yield _order(visit, BEDS[visit.care.bed], days, start, start, visit.ended)


def _tests(visit: Visit, count: int) -> Iterator[ServiceOrder]:
    """Mostly laboratory; every third one imaging or an electrocardiogram."""
    rng = visit.random("tests")
    for number, at in enumerate(spread(count, visit.admitted + timedelta(minutes=30), visit.last - timedelta(hours=1))):
        service = rng.choice(IMAGING) if number % 3 == 2 else LABORATORY[number % len(LABORATORY)]
        if number == 0 and Trait.HIV in visit.traits:
            service = VIRAL_LOAD
        yield _order(visit, service, 1, at, at + _TO_START, at + _TO_RESULT)


def _procedures(visit: Visit, count: int) -> Iterator[ServiceOrder]:
    rng = visit.random("procedures")
    for number, at in enumerate(spread(count, visit.admitted + timedelta(minutes=25), visit.last - timedelta(hours=1))):
        service = SUPPLIES[number // 2 % len(SUPPLIES)] if number % 2 else rng.choice(PROCEDURES)
        quantity = rng.randrange(1, 6) if service.group == _SUPPLY else 1
        yield _order(visit, service, quantity, at, at + _TO_START, at + timedelta(minutes=30))


def _order(
    visit: Visit, service: Service, quantity: int, ordered: datetime, performed: datetime, finished: datetime
) -> ServiceOrder:
    charge = Charge(Decimal(quantity), service.price, service.covered_price, 100 if visit.insured else 0)
    return ServiceOrder(service, quantity, ordered, performed, finished, charge)


def spread(count: int, first: datetime, last: datetime) -> Iterator[datetime]:
    """So many moments, evenly from first towards last, to the minute."""
    for number in range(count):
        moment = first + (last - first) * number / count
        yield moment.replace(second=0, microsecond=0)


def service_rows(visit: Visit, orders: Sequence[ServiceOrder], level: int) -> list[Row]:
    """Table 3."""
    return [_service_row(visit, order, level) | {"STT": str(number)} for number, order in enumerate(orders, 1)]


def _service_row(visit: Visit, order: ServiceOrder, level: int) -> dict[str, str]:
    service = order.service
    bed = service.group in _BED
    return {
        "MA_LK": visit.ma_lk,
        **_named(visit, service),
        "MA_NHOM": service.group,
        "DON_VI_TINH": service.unit,
        "DON_GIA_BV": str(service.price),
        "DON_GIA_BH": str(service.covered_price),
        "TYLE_TT_DV": "100",
        **order.charge.fields(level),
        "MA_KHOA": visit.departments[0 if service.group == "13" else -1],
        "MA_GIUONG": "H012" if bed else "",
        "MA_BAC_SI": visit.doctor,
        "NGUOI_THUC_HIEN": visit.technician if order.is_paraclinical else visit.nurse,
        "MA_BENH": visit.illness.code,
        "NGAY_YL": moment_text(order.ordered),
        "NGAY_TH_YL": moment_text(order.performed),
        "NGAY_KQ": moment_text(order.finished),
        "MA_MAY": service.machine,
    }


def _named(visit: Visit, service: Service) -> Row:
    if service.group != _SUPPLY:
        return {"MA_DICH_VU": service.code, "TEN_DICH_VU": service.name}
    tender = f"02/QĐ-TEST;G1;N2;{visit.admitted.year}"
    return {"MA_VAT_TU": service.code, "TEN_VAT_TU": service.name, "TT_THAU": tender}


def result_rows(visit: Visit, orders: Sequence[ServiceOrder], count: int) -> list[Row]:
    """Table 4: one row for each picture or curve, the rest shared out evenly among the laboratory tests."""
    rng = visit.random("results")
    tests = [order for order in orders if order.is_paraclinical]
    laboratory = sum(1 for order in tests if order.service.indices)
    values = iter(_shares(count - (len(tests) - laboratory), laboratory))
    rows: list[dict[str, str]] = []
    for order in tests:
        if order.service.indices:
            rows += (_value_row(order, index, rng.random()) for index in _cycle(order.service.indices, next(values)))
        else:
            rows.append(_picture_row(order))
    common = {"MA_LK": visit.ma_lk, "MA_BS_DOC_KQ": visit.technician}
    return [common | row | {"STT": str(number)} for number, row in enumerate(rows, 1)]


def _shares(total: int, parts: int) -> list[int]:
    """`total` in so many whole parts that differ by at most one; each at least 1."""
    return [max(1, total // parts + (1 if number < total % parts else 0)) for number in range(parts)]


def _cycle(indices: Sequence[Index], count: int) -> Iterator[Index]:
    return (indices[number % len(indices)] for number in range(count))


def _value_row(order: ServiceOrder, index: Index, position: float) -> dict[str, str]:
    value = index.low + (index.high - index.low) * position
    return {
        "MA_DICH_VU": order.service.code,
        "MA_CHI_SO": index.code,
        "TEN_CHI_SO": index.name,
        "GIA_TRI": f"{value:.{index.decimals}f}",
        "DON_VI_DO": index.unit,
        "NGAY_KQ": moment_text(order.finished),
    }


def _picture_row(order: ServiceOrder) -> dict[str, str]:
    return {
        "MA_DICH_VU": order.service.code,
        "TEN_CHI_SO": order.service.name,
        "MO_TA": "Hình ảnh thử nghiệm: cấu trúc đều, không thấy tổn thương khu trú.",
        "KET_LUAN": "Chưa phát hiện bất thường (kết quả thử nghiệm).",
        "NGAY_KQ": moment_text(order.finished),
    }

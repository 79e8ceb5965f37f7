"""Invented price list and illnesses. Diagnosis codes are real (WHO ICD-10); drugs, services and prices are not."""

from dataclasses import dataclass
from decimal import Decimal

from streams.domain.dossier.sample.model import NEWBORNS, Trait, VisitKind


@dataclass(frozen=True, slots=True)
class Illness:
    """Why somebody comes. Texts are Vietnamese, as a doctor writes them."""

    code: str
    accompanying: str
    department: str
    complaint: str
    suspected: str
    diagnosis: str


@dataclass(frozen=True, slots=True)
class Drug:
    """A medicine; `rate` below 100 makes it one that insurance pays in part (group 6)."""

    code: str
    name: str
    strength: str
    form: str
    unit: str
    route: str
    price: Decimal
    rate: int = 100


@dataclass(frozen=True, slots=True)
class Index:
    """One value that a laboratory measures, and between which bounds it is invented."""

    code: str
    name: str
    unit: str
    low: float
    high: float
    decimals: int


@dataclass(frozen=True, slots=True)
class Service:
    """A service, bed or supply of table 3. The hospital may charge more than insurance pays."""

    code: str
    name: str
    group: str
    unit: str
    price: Decimal
    covered_price: Decimal
    machine: str = ""
    indices: tuple[Index, ...] = ()


_ACUTE = (
    Illness("J02.9", "", "K28", "Đau rát họng, sốt nhẹ hai ngày", "Theo dõi viêm họng", "Viêm họng cấp"),
    Illness("K29.7", "", "K05", "Đau bụng vùng thượng vị sau ăn", "Theo dõi viêm dạ dày", "Viêm dạ dày"),
    Illness("N39.0", "", "K07", "Tiểu buốt, tiểu rắt", "Theo dõi nhiễm khuẩn tiết niệu", "Nhiễm khuẩn đường tiết niệu"),
)
_CHRONIC = (
    Illness(
        "I10", "E78.5", "K04", "Kiểm tra huyết áp định kỳ", "Theo dõi tăng huyết áp", "Tăng huyết áp; rối loạn mỡ máu"
    ),
    Illness(
        "E11.9",
        "I10",
        "K08",
        "Kiểm tra đường huyết định kỳ",
        "Theo dõi đái tháo đường",
        "Đái tháo đường típ 2; tăng huyết áp",
    ),
    Illness("M17.9", "", "K06", "Đau khớp gối khi đi lại", "Theo dõi thoái hóa khớp gối", "Thoái hóa khớp gối"),
)
_SEVERE = (
    Illness("J18.9", "I10", "K03", "Sốt cao, ho đờm, khó thở", "Theo dõi viêm phổi", "Viêm phổi; tăng huyết áp"),
    Illness(
        "A09.9",
        "E78.5",
        "K11",
        "Tiêu chảy nhiều lần, mệt",
        "Theo dõi viêm dạ dày ruột",
        "Viêm dạ dày ruột; rối loạn mỡ máu",
    ),
    Illness("K29.7", "", "K05", "Đau bụng dữ dội, nôn", "Theo dõi viêm dạ dày cấp", "Viêm dạ dày"),
)
BY_KIND = {
    VisitKind.EXAM: _ACUTE,
    VisitKind.REMOTE: _CHRONIC,
    VisitKind.OUTPATIENT_TREATMENT: _CHRONIC,
    VisitKind.APPOINTED_DRUGS: _CHRONIC,
    VisitKind.INPATIENT: _SEVERE,
    VisitKind.DAY: _SEVERE,
}
BY_TRAIT = {
    Trait.HIV: Illness("B20.9", "", "K11", "Khám định kỳ, nhận thuốc", "Theo dõi bệnh HIV", "Bệnh HIV có nhiễm trùng"),
    Trait.TB: Illness("A15.0", "", "K12", "Ho kéo dài ba tuần, sút cân", "Theo dõi lao phổi", "Lao phổi"),
    Trait.BIRTH: Illness("O80.9", "", "K27", "Đau bụng, vỡ ối", "Theo dõi chuyển dạ", "Đẻ thường một con"),
    Trait.PREGNANCY_LEAVE: Illness("O20.0", "", "K27", "Ra máu khi mang thai", "Theo dõi dọa sảy thai", "Dọa sảy thai"),
    **dict.fromkeys(NEWBORNS, Illness("P59.9", "", "K18", "Vàng da sau sinh", "Theo dõi vàng da", "Vàng da sơ sinh")),
    Trait.UNIDENTIFIED: Illness(
        "R40.2", "", "K02", "Người đi đường đưa đến, không tỉnh táo", "Theo dõi hôn mê", "Hôn mê chưa rõ nguyên nhân"
    ),
}


def _drug(number: int, name: str, strength: str, price: str, rate: int = 100) -> Drug:
    return Drug(f"40.9{number:02d}", f"{name} (mẫu thử)", strength, "Viên nén", "viên", "1.01", Decimal(price), rate)


DRUGS = (
    _drug(1, "Paracetamol", "500mg", "420"),
    _drug(2, "Amoxicilin", "500mg", "1150.5"),
    _drug(3, "Amlodipin", "5mg", "610"),
    _drug(4, "Metformin", "850mg", "905.25"),
    _drug(5, "Omeprazol", "20mg", "780"),
    _drug(6, "Losartan", "50mg", "1340"),
    _drug(7, "Atorvastatin", "20mg", "2215.125"),
    _drug(8, "Cetirizin", "10mg", "350"),
    _drug(9, "Cefuroxim", "500mg", "5260"),
    _drug(10, "Vitamin C", "500mg", "290"),
    _drug(11, "Glucosamin", "750mg", "3890", rate=50),
    _drug(12, "Domperidon", "10mg", "440"),
)
INJECTIONS = tuple(
    Drug(f"40.9{number}", f"{name} (mẫu thử)", strength, "Dung dịch tiêm", "lọ", "2.10", Decimal(price))
    for number, name, strength, price in (
        (51, "Ceftriaxon", "1g", "18900"),
        (52, "Natri clorid 0,9%", "500ml", "7350"),
        (53, "Furosemid", "20mg/2ml", "2450.4"),
    )
)
ARV = _drug(90, "Tenofovir/Lamivudin/Dolutegravir", "300mg/300mg/50mg", "4200")

EXAM = Service("02.9001", "Khám bệnh (mẫu thử)", "13", "lần", Decimal(50600), Decimal(50600))
REMOTE_EXAM = Service("02.9014", "Khám bệnh từ xa (mẫu thử)", "13", "lần", Decimal(50600), Decimal(50600))
BEDS = {
    "14": Service("K03.9114", "Ngày giường ban ngày (mẫu thử)", "14", "ngày", Decimal(171300), Decimal(171300)),
    "15": Service("K03.9115", "Ngày giường nội trú (mẫu thử)", "15", "ngày", Decimal(245700), Decimal(245700)),
}
VIRAL_LOAD = Service(
    "23.9090",
    "Đo tải lượng HIV (mẫu thử)",
    "1",
    "lần",
    Decimal(742000),
    Decimal(742000),
    "VS.1.00009",
    (Index("HIVVL", "HIV đo tải lượng", "bản sao/ml", 20, 49, 0),),
)

_BLOOD_COUNT = (
    Index("WBC", "Số lượng bạch cầu", "G/L", 4, 12, 2),
    Index("RBC", "Số lượng hồng cầu", "T/L", 3.8, 5.5, 2),
    Index("HGB", "Huyết sắc tố", "g/L", 110, 165, 0),
    Index("HCT", "Thể tích khối hồng cầu", "L/L", 0.34, 0.5, 2),
    Index("MCV", "Thể tích trung bình hồng cầu", "fL", 78, 98, 1),
    Index("PLT", "Số lượng tiểu cầu", "G/L", 150, 400, 0),
    Index("NEU", "Bạch cầu trung tính", "%", 40, 78, 1),
    Index("LYM", "Bạch cầu lympho", "%", 18, 45, 1),
)
_CHEMISTRY = (
    Index("GLU", "Định lượng glucose", "mmol/L", 3.9, 9.5, 1),
    Index("URE", "Định lượng ure", "mmol/L", 2.5, 8, 1),
    Index("CRE", "Định lượng creatinin", "µmol/L", 50, 115, 0),
    Index("AST", "Đo hoạt độ AST", "U/L", 12, 60, 0),
    Index("ALT", "Đo hoạt độ ALT", "U/L", 10, 65, 0),
    Index("CHO", "Định lượng cholesterol", "mmol/L", 3.1, 6.9, 1),
    Index("TRI", "Định lượng triglycerid", "mmol/L", 0.6, 3.2, 1),
    Index("CRP", "Định lượng CRP", "mg/L", 0.5, 90, 1),
)
_URINE = (
    Index("PH", "pH nước tiểu", "", 5, 8, 1),
    Index("SG", "Tỷ trọng nước tiểu", "", 1.005, 1.03, 3),
    Index("LEU", "Bạch cầu nước tiểu", "/µL", 0, 70, 0),
    Index("PRO", "Protein nước tiểu", "g/L", 0, 0.3, 2),
)
LABORATORY = (
    Service(
        "22.9121",
        "Tổng phân tích tế bào máu (mẫu thử)",
        "1",
        "lần",
        Decimal(49700),
        Decimal(49700),
        "HH.1.00001",
        _BLOOD_COUNT,
    ),
    Service("23.9075", "Sinh hóa máu (mẫu thử)", "1", "lần", Decimal(95400), Decimal(89200), "SH.1.00002", _CHEMISTRY),
    Service(
        "23.9206",
        "Tổng phân tích nước tiểu (mẫu thử)",
        "1",
        "lần",
        Decimal(28600),
        Decimal(28600),
        "SH.1.00003",
        _URINE,
    ),
)
IMAGING = (
    Service("18.9001", "Siêu âm ổ bụng (mẫu thử)", "2", "lần", Decimal(70000), Decimal(58600), "SA.2.00004"),
    Service("18.9119", "Chụp X quang ngực thẳng (mẫu thử)", "2", "lần", Decimal(73300), Decimal(73300), "XQ.1.00005"),
    Service("02.9085", "Điện tim thường (mẫu thử)", "3", "lần", Decimal(39900), Decimal(39900), "ĐT.1.00006"),
)
PROCEDURES = (
    Service("01.9006", "Khí dung mũi họng (mẫu thử)", "18", "lần", Decimal(27500), Decimal(27500)),
    Service("17.9011", "Điều trị bằng tia hồng ngoại (mẫu thử)", "18", "lần", Decimal(40900), Decimal(40900)),
)
SUPPLIES = (
    Service("N03.9001", "Bơm tiêm nhựa 5ml (mẫu thử)", "10", "cái", Decimal("630"), Decimal("630")),
    Service("N03.9002", "Dây truyền dịch (mẫu thử)", "10", "bộ", Decimal("4820.5"), Decimal("4820.5")),
)

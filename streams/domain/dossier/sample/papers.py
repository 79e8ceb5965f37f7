"""Papers and programme tables: HIV (6), discharge (7), summary (8), birth (9), leave (10, 11), referral (13),
appointment (14), TB (15)."""

from datetime import timedelta

from streams.domain.dossier.sample.header import ADVICE, TREATMENT
from streams.domain.dossier.sample.model import Row, Trait, day_text, moment_text
from streams.domain.dossier.sample.person import FACILITY_NAME, invent_name
from streams.domain.dossier.sample.visit import Visit
from streams.domain.dossier.tables import catalogue

_COURSE = "Bệnh diễn biến vài ngày trước khi đến khám; đã được khám, làm xét nghiệm và điều trị, đáp ứng tốt"
_FINDINGS = "Các xét nghiệm và chẩn đoán hình ảnh trong giới hạn cho phép; không có chỉ định can thiệp thêm"


def discharge_paper(visit: Visit, header: Row) -> Row:
    """Table 7, with three days off work from the day after."""
    rest = visit.ended + timedelta(days=1)
    return {
        **_copy(header, "MA_LK", "NGAY_VAO", "NGAY_RA", "CHAN_DOAN_RV", "MA_TTDV"),
        "SO_LUU_TRU": f"LT{visit.ma_lk[-8:]}",
        "MA_YTE": header["MA_BN"],
        "MA_KHOA_RV": visit.departments[-1],
        "PP_DIEUTRI": TREATMENT,
        "GHI_CHU": ADVICE,
        "MA_BS": visit.doctor,
        "TEN_BS": invent_name(visit.random("doctor"), "1"),
        "NGAY_CT": day_text(visit.ended),
        "MA_ME": visit.person.mother_insurance if "mother" in visit.person.family else "",
        "HO_TEN_ME": visit.person.family.get("mother", ""),
        "SO_NGAY_NGHI": "3",
        "NGOAITRU_TUNGAY": day_text(rest),
        "NGOAITRU_DENNGAY": day_text(rest + timedelta(days=2)),
    }


def summary(visit: Visit, header: Row) -> Row:
    """Table 8: what the health book shows of every visit (HBR-08)."""
    return {
        **_copy(header, "MA_LK", "MA_LOAI_KCB", "NGAY_VAO", "NGAY_RA", "CHAN_DOAN_VAO", "CHAN_DOAN_RV"),
        **_copy(header, "KET_QUA_DTRI", "GHI_CHU", "MA_TTDV"),
        "HO_TEN_CHA": visit.person.family.get("father", ""),
        "HO_TEN_ME": visit.person.family.get("mother", ""),
        "NGUOI_GIAM_HO": next(iter(visit.person.family.values()), ""),
        "QT_BENHLY": _COURSE,
        "TOMTAT_KQ": _FINDINGS,
        "PP_DIEUTRI": TREATMENT,
        "NGAY_CT": day_text(visit.ended),
    }


def referral(visit: Visit, header: Row) -> Row:
    """Table 13: the neighbouring facility goes on with the treatment. QĐ 3176 renamed a field and added the state."""
    copied = (
        "MA_LK MA_CSKCB HO_TEN NGAY_SINH GIOI_TINH MA_QUOCTICH MA_DANTOC MA_NGHE_NGHIEP DIA_CHI MA_THE_BHYT GT_THE_DEN "
        "NGAY_VAO NGAY_VAO_NOI_TRU NGAY_RA CHAN_DOAN_RV MA_BENH_CHINH MA_BENH_KT MA_LOAI_RV MA_TTDV"
    )
    number = visit.ma_lk[-6:]
    since_3176 = {"MA_CSKCB_DEN": visit.sent_to, "TINH_TRANG_CT": "Ổn định khi chuyển"}
    renamed = "MA_CSKCB_DEN" in catalogue(visit.ended.date())["XML13"].by_name
    return {
        **_copy(header, *copied.split()),
        **(since_3176 if renamed else {"MA_NOI_DEN": visit.sent_to}),
        "SO_HOSO": f"HS{number}",
        "SO_CHUYENTUYEN": number,
        "GIAY_CHUYEN_TUYEN": f"CT-{number}/{visit.ended.year}",
        "DAU_HIEU_LS": "Tỉnh, sinh hiệu ổn định, cần theo dõi thêm",
        "QT_BENHLY": _COURSE,
        "TOMTAT_KQ": _FINDINGS,
        "PP_DIEUTRI": TREATMENT,
        "MA_LYDO_CT": "1",
        "HUONG_DIEU_TRI": "Tiếp tục theo dõi và điều trị chuyên khoa",
        "PHUONGTIEN_VC": "Xe cứu thương",
        "HOTEN_NGUOI_HT": invent_name(visit.random("escort"), "2"),
        "CHUCDANH_NGUOI_HT": "Điều dưỡng",
        "MA_BAC_SI": visit.doctor,
    }


def appointment(visit: Visit, header: Row) -> Row:
    """Table 14: the one day on which the patient should come again."""
    copied = (
        "MA_LK MA_CSKCB HO_TEN NGAY_SINH GIOI_TINH DIA_CHI MA_THE_BHYT GT_THE_DEN NGAY_VAO NGAY_VAO_NOI_TRU NGAY_RA "
        "CHAN_DOAN_RV MA_BENH_CHINH MA_BENH_KT MA_DOITUONG_KCB MA_TTDV"
    )
    return {
        **_copy(header, *copied.split()),
        "SO_GIAYHEN_KL": f"HK{visit.ma_lk[-6:]}",
        "NGAY_HEN_KL": header["NGAY_TAI_KHAM"],
        "MA_BAC_SI": visit.doctor,
        "NGAY_CT": day_text(visit.last),
    }


def newborns_paper(visit: Visit, header: Row) -> Row:
    """Table 7 of the child, which goes with the mother's dossier (RULES §3)."""
    born = visit.admitted_to_ward + timedelta(minutes=40)
    return {
        **discharge_paper(visit, header),
        "MA_YTE": f"{header['MA_BN']}-C1",
        "NGAY_VAO": moment_text(born),
        "MA_ME": (visit.person.card.number if visit.person.card else visit.person.mother_insurance)[-10:],
        "HO_TEN_ME": visit.person.name,
        "CHAN_DOAN_RV": "Trẻ sơ sinh khỏe mạnh",
        "SO_NGAY_NGHI": "",
        "NGOAITRU_TUNGAY": "",
        "NGOAITRU_DENNGAY": "",
    }


def birth_certificate(visit: Visit, header: Row) -> Row:
    """Table 9: one living child."""
    born = visit.admitted_to_ward + timedelta(minutes=40)
    number = visit.ma_lk[-6:]
    return {
        **_copy(header, "MA_LK", "MA_QUOCTICH", "MATINH_CU_TRU", "MAHUYEN_CU_TRU", "MAXA_CU_TRU", "MA_TTDV"),
        "HO_TEN_NND": header["HO_TEN"],
        "NGAYSINH_NND": header["NGAY_SINH"][:8],
        "MA_DANTOC_NND": header["MA_DANTOC"],
        "SO_CCCD_NND": header["SO_CCCD"],
        "NGAYCAP_CCCD_NND": day_text(visit.admitted - timedelta(days=900)),
        "NOICAP_CCCD_NND": "Nơi cấp thử nghiệm",
        "NOI_CU_TRU_NND": header["DIA_CHI"],
        "MA_THE_TAM": f"TE1{visit.facility[:2]}99{visit.ma_lk[-8:]}",
        "GIOI_TINH_CON": "1",
        "SO_CON": "1",
        "LAN_SINH": "1",
        "SO_CON_SONG": "1",
        "CAN_NANG_CON": "3200",
        "NGAY_SINH_CON": moment_text(born),
        "NOI_SINH_CON": FACILITY_NAME,
        "TINH_TRANG_CON": "Khóc to, hồng hào",
        "SINHCON_PHAUTHUAT": "0",
        "SINHCON_DUOI32TUAN": "0",
        "NGUOI_DO_DE": invent_name(visit.random("midwife"), "2"),
        "NGUOI_GHI_PHIEU": invent_name(visit.random("clerk"), "2"),
        "NGAY_CT": day_text(born),
        "SO": number,
        "QUYEN_SO": f"{born.year}",
    }


def pregnancy_leave(visit: Visit, header: Row) -> Row:
    """Table 10: a week at home to keep the pregnancy, from the day of leaving."""
    number = visit.ma_lk[-6:]
    return {
        **_copy(header, "MA_LK", "MA_TTDV"),
        "SO_SERI": f"DT{number}",
        "SO_CT": number,
        "SO_NGAY": "7",
        "DON_VI": "Công ty Thử Nghiệm",
        "CHAN_DOAN_RV": f"{header['CHAN_DOAN_RV']}; nghỉ dưỡng thai",
        "TU_NGAY": day_text(visit.last),
        "DEN_NGAY": day_text(visit.last + timedelta(days=6)),
        "TEN_BS": invent_name(visit.random("doctor"), "1"),
        "MA_BS": visit.doctor,
        "NGAY_CT": day_text(visit.last),
    }


def sick_leave(visit: Visit, header: Row) -> Row:
    """Table 11: three days off work from the day of leaving."""
    number = visit.ma_lk[-6:]
    return {
        **_copy(header, "MA_LK", "MA_THE_BHYT", "CHAN_DOAN_RV", "MA_TTDV"),
        "SO_CT": number,
        "SO_SERI": f"NV{number}",
        "SO_KCB": f"KCB{number}",
        "DON_VI": "Công ty Thử Nghiệm",
        "MA_BHXH": header["MA_THE_BHYT"][-10:],
        "PP_DIEUTRI": header.get("PP_DIEU_TRI") or TREATMENT,
        "SO_NGAY_NGHI": "3",
        "TU_NGAY": day_text(visit.last),
        "DEN_NGAY": day_text(visit.last + timedelta(days=2)),
        "MA_BS": visit.doctor,
        "NGAY_CT": day_text(visit.last),
        "MAU_SO": "CT07",
    }


def hiv_record(visit: Visit, header: Row) -> Row:
    """Table 6: ARV treatment goes on, that of tuberculosis begins if there is one. Never reaches the health book."""
    start = visit.admitted.date()
    tuberculosis = {
        "LOAI_DTRI_LAO": "2",
        "PHACDO_DTRI_LAO": "1",
        "NGAYBD_DTRI_LAO": day_text(start),
        "KQ_DTRI_LAO": "1",
    }
    none = {"LOAI_DTRI_LAO": "0", "KQ_DTRI_LAO": "7"}
    return {
        **_copy(header, "MA_LK", "MA_THE_BHYT", "SO_CCCD", "NGAY_SINH", "GIOI_TINH", "DIA_CHI"),
        **_copy(header, "MATINH_CU_TRU", "MAHUYEN_CU_TRU", "MAXA_CU_TRU", "MA_CSKCB"),
        "NGAYKD_HIV": day_text(start - timedelta(days=700)),
        "NOI_LAY_MAU_XN": visit.facility,
        "NOI_XN_KD": visit.facility,
        "NOI_BDDT_ARV": visit.facility,
        "BDDT_ARV": _arv_since(visit),
        "MA_PHAC_DO_DIEU_TRI_BD": "TDF+3TC+DTG",
        "MA_LYDO_DTRI": "3",
        "SANG_LOC_LAO": "2",
        **(tuberculosis if Trait.TB in visit.traits else none),
        "MA_LOAI_BN": "1",
        "GIAI_DOAN_LAM_SANG": "1",
        "NHOM_DOI_TUONG": "11",
        "MA_TINH_TRANG_DK": "9",
        "MA_XU_TRI": "1",
        "NGAY_BAT_DAU_XU_TRI": day_text(start),
        "NGAY_KET_THUC_XU_TRI": day_text(start + timedelta(days=30)),
        "MA_PHAC_DO_DIEU_TRI": "TDF+3TC+DTG",
        "SO_NGAY_CAP_THUOC_ARV": "30",
    }


def _arv_since(visit: Visit) -> str:
    return day_text(visit.admitted - timedelta(days=680))


def tuberculosis_record(visit: Visit, header: Row) -> Row:
    """Table 15: new and drug-sensitive; treatment begins. Never reaches the health book."""
    hiv = {
        "PHANLOAI_LAO_HIV": "1",
        "BDDT_ARV": _arv_since(visit),
        "NGAY_BAT_DAU_DT_CTX": day_text(visit.admitted),
    }
    return {
        **_copy(header, "MA_LK", "MA_BN", "HO_TEN", "SO_CCCD", "MA_CSKCB"),
        "STT": "1",
        "PHANLOAI_LAO_VITRI": "1",
        "PHANLOAI_LAO_TS": "1",
        **(hiv if Trait.HIV in visit.traits else {"PHANLOAI_LAO_HIV": "2"}),
        "PHANLOAI_LAO_VK": "1",
        "LOAI_DTRI_LAO": "2",
        "NGAYBD_DTRI_LAO": day_text(visit.admitted),
        "PHACDO_DTRI_LAO": "1",
        "KET_QUA_DTRI_LAO": "6",
    }


def _copy(header: Row, *names: str) -> Row:
    """Fields of table 1 that another table repeats, as they are there (equal or empty: X13-002, X14-005)."""
    return {name: header.get(name, "") for name in names}

"""`report sla` as a page to print or to send on: tables, and plots drawn into it; nothing is loaded from elsewhere."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import jinja2
import pygal
from lxml import etree
from pygal.style import Style

from streams.adapters.promise_report import Figures, Grouping
from streams.cli.report import span

_TEXTS = {
    "title": ("Báo cáo thực hiện cam kết thời hạn", "How the promises were kept"),
    "period": ("Từ ngày đến ngày", "From – to"),
    "closed-to-receipt": ("Đóng lượt khám → cổng BHXH tiếp nhận", "Visit closed → received by the gateway"),
    "receipt-to-shown": (
        "Cổng tiếp nhận → hiển thị trên VNeID (24 giờ)",
        "Received by the gateway → shown on VNeID (24 hours)",
    ),
    "late-verdict-to-correction": (
        "Cổng báo sai sau tiếp nhận → cơ sở sửa (2 ngày làm việc)",
        "Late verdict → corrected (2 working days)",
    ),
    "all": ("Tổng cộng", "In all"),
    "day": ("Theo ngày", "By day"),
    "facility": ("Theo cơ sở", "By facility"),
    "visit-type": ("Theo hình thức khám chữa bệnh", "By visit type"),
    "insured": ("Có hay không có BHYT", "Insured or not"),
    "true": ("có BHYT", "insured"),
    "false": ("không BHYT", "not insured"),
    "": ("chưa rõ (chưa đến bước gửi)", "not known (did not come to be sent)"),
    "owed": ("Phải thực hiện", "Owed"),
    "in_time": ("Đúng hạn", "In time"),
    "late": ("Trễ", "Late"),
    "late_and_open": ("Trễ, chưa xong", "Late, still open"),
    "running": ("Đang chạy", "Running"),
    "superseded": ("Đã thay", "Superseded"),
    "not_due": ("Không phải gửi", "Not due"),
    "share": ("Tỷ lệ đúng hạn", "Share in time"),
    "hours": ("giờ", "hours"),
    "share_by_day": ("Tỷ lệ đúng hạn theo ngày (%)", "Share in time by day (%)"),
    "delay_by_day": ("Thời gian theo ngày (giờ)", "Delay by day (hours)"),
    "note": (
        "Mỗi lượt tính một lần, vào ngày đồng hồ bắt đầu (giờ Việt Nam). Tỷ lệ = đúng hạn ÷ (đúng hạn + trễ).",
        "Each clock counts once, on the day it started (Vietnam). Share = in time ÷ (in time + late).",
    ),
}
_COUNTS = ("owed", "in_time", "late", "late_and_open", "running", "superseded", "not_due")
_STYLE = Style(
    background="transparent", plot_background="transparent", colors=("#1d5fa8", "#8a5300", "#a61b1b"),
    font_family="system-ui, Noto Sans, sans-serif", label_font_size=13, legend_font_size=13, title_font_size=15,
)  # fmt: skip
_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def report_page(found: Sequence[Figures], first: date, last: date, language: str) -> str:
    """The whole page as HTML."""
    number = ("vi", "en").index(language)

    def t(name: str) -> str:
        return _TEXTS[name][number] if name in _TEXTS else name

    clocks = [
        {
            "name": clock,
            "plots": _plots([item for item in of_clock if item.grouping is Grouping.DAY], t),
            "tables": [
                (grouping, rows)
                for grouping in Grouping
                if (rows := [item for item in of_clock if item.grouping is grouping])
            ],
        }
        for clock in sorted({item.clock for item in found})
        if (of_clock := [item for item in found if item.clock == clock])
    ]
    page = _ENVIRONMENT.get_template("report-sla.html")
    return page.render(t=t, language=language, first=first, last=last, clocks=clocks, counts=_COUNTS, span=span)


def _plots(days: Sequence[Figures], t: Callable[[str], str]) -> list[str]:
    """Share in time, and percentiles, day by day. One day is no course: then the tables say it all."""
    if len(days) == 1:
        return []
    share = _chart(pygal.Bar, t("share_by_day"), days, range=(0, 100), show_legend=False)
    share.add(t("share"), [None if item.share is None else round(100 * item.share, 2) for item in days])
    delay = _chart(pygal.Line, t("delay_by_day"), days)
    for name in ("p50", "p95", "p99"):
        delay.add(
            name, [None if (took := getattr(item, name)) is None else took.total_seconds() / 3600 for item in days]
        )
    return [_drawn(chart) for chart in (share, delay)]


def _chart(kind: Any, title: str, days: Sequence[Figures], **options: Any) -> Any:
    # No script: the plots are read on paper too.
    chart = kind(js=(), style=_STYLE, width=900, height=320, x_label_rotation=30, title=title, **options)
    chart.x_labels = [item.value for item in days]
    return chart


def _drawn(chart: Any) -> str:
    svg = etree.fromstring(chart.render())
    etree.strip_elements(svg, "{*}script", with_tail=False)  # its settings for a script that is not there
    return str(etree.tostring(svg, encoding="unicode"))

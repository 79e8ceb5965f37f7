"""forward: a signed visit goes to the insurer's gateway; its answer is the event (GATEWAY §§6, 12).

Two halves with the submission ledger between them: `record` writes what was signed, `forward` is one attempt to hand it
over. The dispatcher (`streams/runtime/dispatcher.py`) says when.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from events.visit import VisitAccepted, VisitHeld, VisitRefused, VisitSigned
from streams.domain.gateway_result import Reply, ResultClass
from streams.domain.submission import Hold, Later, Outcome, Result, Submission


class Gateway(Protocol):
    """The insurer's gateway as this stage needs it."""

    async def submit(self, visit: VisitSigned) -> Reply:
        """Hands the frozen bytes over once. May take as long as the send timeout; raises nothing on transport trouble:
        that is a Reply (TEMPORARY: nothing was sent; UNKNOWN: it may have arrived)."""
        ...


class Ledger(Protocol):
    """Where signed visits wait for the gateway."""

    async def add(self, visits: Sequence[VisitSigned]) -> None:
        """Durable when it returns; the same revision again changes nothing. Raises RetryLater."""
        ...


async def record(visits: Sequence[VisitSigned], ledger: Ledger) -> None:
    """The consuming half: what was signed is owed to the gateway from here on."""
    await ledger.add(visits)


async def forward(submission: Submission, gateway: Gateway) -> Result:
    """The sending half: one attempt and what it means."""
    reply = await gateway.submit(submission.visit)  # the only effect
    return Result(submission, reply, outcome(submission, reply))  # the decision: pure


def outcome(submission: Submission, reply: Reply) -> Outcome:
    """What an answer means for the visit.

    Refused is what the facility must correct. Held is what a person must decide: a broken signature profile, account or
    sending window is not the dossier's fault. An answer that decides nothing is Later, until the horizon has passed.
    """
    visit = submission.visit
    if reply.receipt is not None:
        return VisitAccepted(
            facility=visit.facility,
            ma_lk=visit.ma_lk,
            revision=visit.revision,
            closed_at=visit.closed_at,
            standard=visit.standard,
            visit_type=visit.visit_type,
            insured=visit.insured,
            person_key_kind=visit.person_key_kind,
            transaction_code=reply.receipt.transaction_code,
            received_at=reply.receipt.received_at,
            sent_at=submission.started_at,
            attempts=submission.attempt,
            envelope_sha256=visit.envelope_sha256,
            payload_sha256=visit.payload_sha256,
            certificate_serial=visit.certificate_serial,
        )
    if reply.result in CORRECTIONS:
        mend_vi, mend_en = CORRECTIONS[reply.result]
        return VisitRefused(
            facility=visit.facility,
            ma_lk=visit.ma_lk,
            revision=visit.revision,
            closed_at=visit.closed_at,
            standard=visit.standard,
            code=reply.code,
            result_class=reply.result,
            message=reply.message,
            answered_at=submission.started_at + reply.duration,
            attempts=submission.attempt,
            mend_vi=mend_vi,
            mend_en=mend_en,
        )
    if reply.result in _DECIDE:
        return _held(submission, reply, _DECIDE[reply.result])
    if _exhausted(submission, reply):
        return _held(submission, reply, _NO_SESSION if reply.result is ResultClass.AUTH else _NO_ANSWER)
    return Later(reply.retry_after) if reply.retry_after else Later()


def _exhausted(submission: Submission, reply: Reply) -> bool:
    """Past the horizon. An outage is no reason to hold: a probe that fails says nothing about its dossier, and after
    three days without a gateway nobody should have to release the visits that happened to be probes. A session that is
    refused is not an outage: a person must mend the account anyway."""
    if submission.probe and reply.result is not ResultClass.AUTH:
        return False
    return submission.started_at + reply.duration >= submission.give_up_at


def _held(submission: Submission, reply: Reply, hold: Hold) -> VisitHeld:
    visit = submission.visit
    return VisitHeld(
        facility=visit.facility,
        ma_lk=visit.ma_lk,
        revision=visit.revision,
        closed_at=visit.closed_at,
        held_by=VisitHeld.stage,
        reason=hold.reason,
        message_vi=hold.message_vi,
        message_en=hold.message_en,
        mend_vi=hold.mend_vi,
        mend_en=hold.mend_en,
        held_at=submission.started_at + reply.duration,
        hold=submission.holds + 1,
    )


CORRECTIONS: Mapping[ResultClass, tuple[str, str]] = {
    ResultClass.PERMANENT_DATA: (
        "Sửa hồ sơ trên HIS theo nội dung cổng trả về, rồi đóng lại lượt khám để gửi phiên bản mới.",
        "Correct the dossier in the HIS as the gateway's text says, then close the visit again (a new revision).",
    ),
    ResultClass.PERMANENT_SIZE: (
        "Giảm dung lượng hồ sơ (bỏ tệp đính kèm, nội dung lặp), rồi đóng lại lượt khám để gửi phiên bản mới.",
        "Make the dossier smaller (attachments, repeated text), then close the visit again: a new revision is sent.",
    ),
}

_DECIDE: Mapping[ResultClass, Hold] = {
    ResultClass.PERMANENT_SIGN: Hold(
        "GATEWAY_SIGNATURE",
        "Cổng từ chối chữ ký số của hồ sơ.",
        "The gateway does not take the dossier's signature.",
        "Kiểm tra chứng thư số đã đăng ký trên cổng cho cơ sở và mẫu chữ ký; sau đó chạy `healthbook held release`.",
        "Check that the certificate is registered for the facility on the portal, and the signature profile; "
        "then `healthbook held release`.",
    ),
    ResultClass.PERMANENT_CONFIG: Hold(
        "GATEWAY_CONFIG",
        "Cổng không chấp nhận mã cơ sở hoặc quyền của tài khoản.",
        "The gateway does not take the facility code or the account's rights.",
        "Kiểm tra tài khoản, mã cơ sở và tình trạng khóa tài khoản với BHXH; sau đó chạy `healthbook held release`.",
        "Check account, facility code and whether the account is locked with the insurer; "
        "then `healthbook held release`.",
    ),
    ResultClass.PERMANENT_WINDOW: Hold(
        "GATEWAY_WINDOW",
        "Cổng không còn nhận hồ sơ này: ngoài thời hạn gửi.",
        "The gateway no longer takes this dossier: outside the sending window.",
        "Đề nghị BHXH mở thời hạn gửi, rồi chạy `healthbook held release`; hoặc `healthbook held abandon`.",
        "Ask the insurer to open the window, then `healthbook held release`; or `healthbook held abandon`.",
    ),
}

_NO_ANSWER = Hold(
    "GATEWAY_UNKNOWN",
    "Đã gửi nhiều lần nhưng cổng không trả lời rõ ràng trong thời hạn; cổng có thể đã nhận hồ sơ.",
    "Sent repeatedly without a clear answer until the horizon; the gateway may have the dossier.",
    "Tra cứu hồ sơ trên trang của BHXH; gửi lại đúng nội dung đã ký bằng `healthbook held release`.",
    "Look the dossier up on the insurer's portal; `healthbook held release` sends the same signed bytes again.",
)
_NO_SESSION = Hold(
    "GATEWAY_AUTH",
    "Không đăng nhập được vào cổng bằng tài khoản của cơ sở trong thời hạn.",
    "The facility's account could not sign in to the gateway until the horizon.",
    "Cập nhật mật khẩu của tài khoản trong danh mục cơ sở; sau đó chạy `healthbook held release`.",
    "Put the account's present password into the facility register; then `healthbook held release`.",
)

HOLDS = (*_DECIDE.values(), _NO_ANSWER, _NO_SESSION)
"""Every reason for which this stage holds a visit (docs/codes.md)."""

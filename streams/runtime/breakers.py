"""The breakers of one dispatcher: one for each facility's lane, one for the whole gateway (GATEWAY §12.7)."""

from streams.domain.breaker import Breaker, Position
from streams.domain.gateway_result import Reply, ResultClass
from streams.domain.outage import NO_ANSWER
from streams.domain.submission import Submission

NOT_SENT = "NOT_SENT"
"""Code of an attempt that its dispatcher gave up before the request: it says nothing about the gateway."""

_CERTAIN = {ResultClass.AUTH, ResultClass.PERMANENT_CONFIG}


class Breakers:
    """Learns from every reply; `now` is seconds of a steady clock."""

    def __init__(self, lane: Breaker, gateway: Breaker) -> None:
        self._fresh_lane = lane
        self._lanes: dict[str, Breaker] = {}
        self._gateway = gateway

    def gateway(self, now: float) -> Position:
        """What may be sent at all."""
        return self._gateway.position(now)

    def away(self, now: float) -> bool:
        """The gateway was seen to fail, and not to answer since."""
        return self._gateway.openings > 0 and self.gateway(now) is not Position.CLOSED

    def failing(self, now: float) -> bool:
        """Some breaker is not closed, if only that of one facility; whether the gateway is out, the ledger knows."""
        return self.away(now) or any(lane.position(now) is not Position.CLOSED for lane in self._lanes.values())

    def doubt(self, now: float) -> None:
        """The next send finds out whether the gateway is there, before others follow."""
        self._gateway = self._gateway.doubted(now)

    def stopped(self, now: float) -> list[str]:
        """Facilities for which nothing is sent now."""
        return [code for code, lane in self._lanes.items() if lane.position(now) is Position.OPEN]

    def probing(self, now: float) -> list[str]:
        """Facilities for which one send at a time finds out whether it works again."""
        return [code for code, lane in self._lanes.items() if lane.position(now) is Position.HALF_OPEN]

    def note(self, submission: Submission, reply: Reply, now: float) -> None:
        """A reply came. A signature refused counts against the lane (is the certificate registered?), a refused session
        or account stops it at once; any answer that was made by the gateway itself shows that the gateway is there."""
        if reply.code == NOT_SENT:
            return
        visit, heard = submission.visit, reply.http_status is not None
        lane = self._lanes.get(visit.facility, self._fresh_lane)
        if reply.result in _CERTAIN:
            lane = lane.tripped(now)
        elif reply.result in NO_ANSWER:
            # Once the gateway itself is known to be away, that is no news about this facility.
            lane = lane.failed(visit.ma_lk, now) if self.gateway(now) is Position.CLOSED else lane
        elif reply.result is ResultClass.PERMANENT_SIGN:
            lane = lane.failed(visit.ma_lk, now)
        elif heard:
            lane = lane.succeeded()
        if lane == self._fresh_lane:
            self._lanes.pop(visit.facility, None)
        else:
            self._lanes[visit.facility] = lane
        if reply.result in NO_ANSWER:
            self._gateway = self._gateway.failed(visit.key, now)
        elif heard:
            self._gateway = self._gateway.succeeded()

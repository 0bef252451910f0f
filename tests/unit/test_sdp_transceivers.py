"""Whatever two ends want of their transceivers, in whatever order: they agree in the end (RFC 9429)."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rtcore.errors import Error
from rtcore.sdp import (
    Agreement,
    Changes,
    Negotiation,
    SendEncoding,
    SessionDescription,
    Transceiver,
    default_codecs,
)
from sdp_sides import check_agreement, known, sections, side

ROUNDS = 6
"""Negotiations after which nothing is left to be said, whatever was wanted before."""


class End:
    """One end, and what its application would know from the changes that it is told."""

    def __init__(self, number: int) -> None:
        self.negotiation = side(number)
        self.tracks: set[Transceiver] = set()  # that come
        self.told: set[Transceiver] = set()  # transceivers that the application knows of
        self.count = 0
        self.agreement: Agreement | None = None
        self.settled: dict[Transceiver, object] = {}  # as the last answer left them

    def add(self, one: Transceiver) -> None:
        self.told.add(one)

    def carry_out(self, changes: Changes) -> None:
        for one in changes.removed:
            assert one.stopped
            self.told.remove(one)
        for one in changes.added:
            assert one not in self.told
            self.told.add(one)
        for one in changes.muted:
            self.tracks.remove(one)
        for one in changes.received:
            self.tracks.add(one)
        for one in changes.stopped:
            assert one.stopped
            self.told.remove(one)
            self.tracks.discard(one)
        if self.negotiation.signaling_state == "stable":
            self.check_stable()

    def check_stable(self) -> None:
        """After an answer: keeps what it left. After a rollback: all is as the last answer left it."""
        now = {
            one: (one.mid, one.index, one.current_direction, one.remote_direction, one.remote_streams)
            for one in self.negotiation.transceivers
            if one.mid is not None
        }
        if self.negotiation.agreement is self.agreement:
            assert now == {one: before for one, before in self.settled.items() if not one.stopped}
        self.agreement, self.settled = self.negotiation.agreement, now

    def name(self) -> str:
        self.count += 1
        return f"{self.negotiation.cname}-{self.count}"


kinds = st.sampled_from(["audio", "video"])
ends = st.integers(0, 1)
picks = st.integers(0, 7)
directions = st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"])


class TwoEnds(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.ends = (End(1), End(2))
        self.wires: tuple[list[SessionDescription], list[SessionDescription]] = ([], [])

    def transceiver(self, i: int, pick: int) -> Transceiver | None:
        all_of_them = self.ends[i].negotiation.transceivers
        return all_of_them[pick % len(all_of_them)] if all_of_them else None

    @initialize(first=st.lists(st.tuples(ends, kinds), max_size=4))
    def begin(self, first: list[tuple[int, str]]) -> None:
        for i, kind in first:
            self.add_track(i, kind)

    # What the applications want

    @rule(i=ends, kind=kinds)
    def add_track(self, i: int, kind: str) -> None:
        if len(self.ends[i].negotiation.transceivers) < 8:
            self.ends[i].add(self.ends[i].negotiation.add_track(kind, self.ends[i].name(), ["s"]))

    @rule(i=ends, kind=kinds, direction=directions, simulcast=st.booleans(), asked=st.booleans())
    def add_transceiver(self, i: int, kind: str, direction: str, simulcast: bool, asked: bool) -> None:
        if len(self.ends[i].negotiation.transceivers) < 8:
            encodings = [SendEncoding(rid) for rid in ("h", "l")] if simulcast and kind == "video" else []
            one = self.ends[i].negotiation.add_transceiver(
                kind,
                direction=direction,
                encodings=encodings,
                receive_rids=("x", "y") if asked and kind == "video" else (),
            )
            self.ends[i].add(one)

    @rule(i=ends, pick=picks)
    def remove_track(self, i: int, pick: int) -> None:
        one = self.transceiver(i, pick)
        if one is not None:
            self.ends[i].negotiation.remove_track(one)

    @rule(i=ends, pick=picks, direction=directions)
    def set_direction(self, i: int, pick: int, direction: str) -> None:
        one = self.transceiver(i, pick)
        if one is not None and not one.stopping:
            self.ends[i].negotiation.set_direction(one, direction)

    @rule(i=ends, pick=picks, count=st.integers(1, 2))
    def set_streams(self, i: int, pick: int, count: int) -> None:
        one = self.transceiver(i, pick)
        if one is not None:
            self.ends[i].negotiation.set_streams(one, [f"stream{n}" for n in range(count)])

    @rule(i=ends, pick=picks, first=st.integers(0, 3))
    def prefer(self, i: int, pick: int, first: int) -> None:
        one = self.transceiver(i, pick)
        if one is not None and not one.stopping:
            codecs = default_codecs(one.kind)
            chosen = (codecs[first], codecs[0]) if first % 2 and codecs[first].primary else ()
            self.ends[i].negotiation.set_codec_preferences(one, chosen)

    @rule(i=ends, pick=picks)
    def stop(self, i: int, pick: int) -> None:
        one = self.transceiver(i, pick)
        if one is not None:
            end = self.ends[i]
            end.negotiation.stop(one)
            end.tracks.discard(one)
            if one.stopped:
                end.told.remove(one)

    @rule(i=ends)
    def want_data(self, i: int) -> None:
        self.ends[i].negotiation.want_data()

    # Descriptions on their way

    @rule(i=ends, kind=st.sampled_from(["offer", "answer", "pranswer", "rollback", None]))
    def set_local(self, i: int, kind: str | None) -> None:
        self.attempt(i, lambda n: n.set_local(SessionDescription(kind) if kind else None))
        local = self.ends[i].negotiation.pending_local or self.ends[i].negotiation.current_local
        if local is not None:
            self.wires[1 - i].append(local)

    @rule(i=ends)
    def receive(self, i: int) -> None:
        if self.wires[i]:
            description = self.wires[i].pop()
            self.attempt(i, lambda n: n.set_remote(description))

    @rule(i=ends)
    def roll_back_remote(self, i: int) -> None:
        self.attempt(i, lambda n: n.set_remote(SessionDescription("rollback")))

    def attempt(self, i: int, operation) -> None:
        end = self.ends[i]
        before = self.picture(end.negotiation)
        try:
            changes = operation(end.negotiation)
        except Error:
            assert self.picture(end.negotiation) == before
        else:
            end.carry_out(changes)

    @staticmethod
    def picture(n: Negotiation) -> object:
        each = [(one, one.mid, one.direction, one.current_direction, one.receiving) for one in n.transceivers]
        return n.signaling_state, n.local, n.remote, n.agreement, each

    # In the end

    def come_to_rest(self) -> bool:
        """Whether both ends could be made stable."""
        for end in self.ends:
            if end.negotiation.signaling_state == "have-local-offer":
                end.carry_out(end.negotiation.set_local(SessionDescription("rollback")))
            elif end.negotiation.signaling_state == "have-remote-offer":
                end.carry_out(end.negotiation.set_remote(SessionDescription("rollback")))
        for wire in self.wires:
            wire.clear()
        return all(end.negotiation.signaling_state == "stable" for end in self.ends)

    @precondition(lambda self: all("pranswer" not in e.negotiation.signaling_state for e in self.ends))
    @rule(i=ends)
    def full_exchange(self, i: int) -> None:
        a, b = self.ends[i], self.ends[1 - i]
        if not self.come_to_rest() or not self.same_history():
            return
        for _ in range(ROUNDS):
            exchange(a, b)
            check_agreement(a.negotiation, b.negotiation)
            if not a.negotiation.needs_negotiation:
                a, b = b, a
            if not a.negotiation.needs_negotiation:
                break
        assert not a.negotiation.needs_negotiation
        assert not b.negotiation.needs_negotiation

    def same_history(self) -> bool:
        """Both ends ended the same negotiation last: one that is lost half way is not to be mended."""
        one, other = (end.negotiation for end in self.ends)
        if one.current_local is None or other.current_local is None:
            return one.current_local is other.current_local
        return (
            known(one.current_local).sdp == known(other.current_remote).sdp
            and known(other.current_local).sdp == known(one.current_remote).sdp
        )

    @invariant()
    def the_application_knows(self) -> None:
        for end in self.ends:
            transceivers = end.negotiation.transceivers
            assert end.told == set(transceivers)
            assert end.tracks == {one for one in transceivers if one.receiving and not one.stopping}
            mids = [one.mid for one in transceivers if one.mid is not None]
            assert len(set(mids)) == len(mids)
            end.negotiation.needs_negotiation  # noqa: B018 -- never raises, whatever the state

    @invariant()
    def sections_stay(self) -> None:
        for end in self.ends:
            for section in sections(end.negotiation):
                assert section.index < 256


def exchange(a: End, b: End) -> None:
    a.carry_out(a.negotiation.set_local())
    b.carry_out(b.negotiation.set_remote(known(a.negotiation.local)))
    b.carry_out(b.negotiation.set_local())
    a.carry_out(a.negotiation.set_remote(known(b.negotiation.local)))


TwoEnds.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestTwoEnds = TwoEnds.TestCase

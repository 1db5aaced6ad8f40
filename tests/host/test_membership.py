"""The account of memberships: messages and times in, events and what is wrong out. Times are numbers."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import WireError
from netfeed.host import members, membership, membership_network, queriers
from netfeed.host.membership import PATIENCE_NS, Memberships, Wanted
from netfeed.host.membership_events import Event, Kind, is_local, span
from netfeed.host.membership_findings import findings
from netfeed.machine import NEVER
from netfeed.wire.membership import hear
from netfeed.wire.membership_words import Address, GroupRecord, Leave, Message, Query, RecordType, Report
from tests.wire.membership_samples import A6, FRAMES, G6, A, B, G, S, frame, general, old_report, report

SECOND = 10**9
IS_IN, IS_EX, TO_IN, TO_EX, ALLOW, BLOCK = RecordType
LOW, HIGH, ZERO = IPv4Address("10.9.0.100"), IPv4Address("10.9.0.200"), IPv4Address("0.0.0.0")
FIVE = general(interval_s=5, response=10)
"""Asked every 5 s, answered within 1 s: lost after 10.5 s, forgotten after 11 s."""


class Network:
    """A network, and what was told of it."""

    def __init__(self, *wanted: Wanted, patience_ns: int = PATIENCE_NS, complete: bool = True) -> None:
        self.memberships = Memberships(wanted, patience_ns=patience_ns, complete=complete)
        self.memberships.begin(0)

    def say(self, at_s: float, source: Address, message: Message, **how: object) -> list[Event]:
        heard = hear(frame(message, source, **how), 1)  # type: ignore[arg-type]
        assert heard is not None
        return self.memberships.hear(heard, round(at_s * SECOND))

    def wake(self, at_s: float) -> list[Event]:
        return self.memberships.wake(round(at_s * SECOND))

    def wrong(self) -> list[str]:
        return [one.kind for one in findings(self.memberships) if one.wrong]

    def notes(self) -> list[str]:
        return [one.kind for one in findings(self.memberships) if not one.wrong]

    def found(self, kind: str) -> str:
        (one,) = [str(one) for one in findings(self.memberships) if one.kind == kind]
        return one

    def members(self, group: Address = G) -> dict[str, str]:
        there = [one.members.groups.get(group, {}) for one in self.memberships.networks.values()]
        return {str(host): str(one) for members in there for host, one in members.items()}


def kinds(events: list[Event]) -> list[str]:
    return [str(one.kind) for one in events]


def texts(events: list[Event]) -> list[str]:
    return [one.text for one in events]


def test_a_healthy_network_has_one_querier_and_members_that_answer() -> None:
    one = Network(Wanted(G, S), Wanted(G))
    assert texts(one.say(0, LOW, FIVE)) == ["10.9.0.100 asks, version 3, every 5 s"]
    assert texts(one.say(0.5, A, report(IS_EX))) == ["10.9.0.1 wants 239.1.1.1 from all sources"]
    for at in range(5, 60, 5):
        assert one.say(at, LOW, FIVE) == []
        assert one.say(at + 0.5, A, report(IS_EX)) == []
    assert one.wrong() == one.notes() == []


def test_a_network_without_a_querier_is_told_when_patience_ends() -> None:
    one = Network()
    one.say(1, A, report(TO_EX))
    assert one.memberships.deadline == 2 * SECOND  # the memberships are looked through
    assert one.wrong() == []
    assert one.notes() == ["no_query_yet"]
    assert one.wake(134.9) == []
    assert texts(one.wake(135)) == ["no query for 135 s: there is no querier, or none is heard here"]
    assert one.wake(136) == []
    assert one.wrong() == ["no_querier"]
    text = one.found("no_querier")
    assert "switches that snoop stop forwarding to a member 260 s after its last report" in text
    assert "enable a querier on a router or switch" in text
    assert one.members() == {"10.9.0.1": "from all sources"}  # nobody was asked, and so nobody is silent


def test_a_capture_without_any_message_proves_nothing() -> None:
    one = Network(complete=False)
    one.wake(1000)
    assert (one.wrong(), one.notes()) == ([], ["nothing_captured"])
    one.say(1001, A, report(TO_EX))
    assert one.wrong() == ["no_querier"]


def test_ipv6_without_a_querier_is_wrong_only_for_who_wants_ipv6() -> None:
    one = Network(patience_ns=SECOND)
    one.say(0, LOW, FIVE)
    one.say(0, A6, report(TO_EX, group=G6))
    one.wake(2)
    assert one.wrong() == []
    assert "no_querier" in one.notes()
    wants = Network(Wanted(G6), patience_ns=SECOND)
    wants.say(0, A6, report(TO_EX, group=G6))
    wants.wake(2)
    assert wants.wrong() == ["no_querier"]
    assert "MLD snooping" in wants.found("no_querier")


def test_the_lowest_address_is_elected_and_the_other_gives_way() -> None:
    one = Network()
    one.say(0, HIGH, FIVE)
    (event,) = one.say(1, LOW, FIVE)
    assert (event.kind, event.text) == (
        Kind.ELECTED, "10.9.0.100 asks, version 3, every 5 s, and 10.9.0.200 gives way",
    )  # fmt: skip
    assert texts(one.say(2, HIGH, FIVE)) == []  # it may have asked before it heard the other
    assert one.wrong() == []


def test_one_that_goes_on_asking_does_not_hear_the_other() -> None:
    one = Network()
    one.say(0, LOW, FIVE)
    assert texts(one.say(1, HIGH, FIVE)) == ["10.9.0.200 asks, too; 10.9.0.100 is the elected querier"]
    one.say(1.1, HIGH, Query("IGMP", 3, G, 10))  # of one group: the others' questions are of all
    assert one.wrong() == []
    (event,) = one.say(6, HIGH, FIVE)
    assert "goes on asking although 10.9.0.100 was elected" in event.text
    assert one.wrong() == ["two_queriers"]
    assert "they do not hear each other" in one.found("two_queriers")
    for at in range(7, 30, 5):
        one.say(at, LOW, FIVE)
    assert one.wrong() == []  # the rival has fallen silent


def test_a_querier_that_falls_silent_is_lost_after_its_time_and_another_takes_over() -> None:
    one = Network()
    one.say(0, LOW, FIVE)
    one.say(5, LOW, FIVE)
    assert one.memberships.deadline == 15_500_000_000
    assert one.wake(15.4) == []
    (event,) = one.wake(15.5)
    assert event.text == "10.9.0.100 has not asked for 10 s, and did every 5 s: it is lost"
    assert one.wake(15.6) == []
    assert one.wrong() == ["querier_lost"]
    assert "silent for 11 s: members are forgotten in 400 ms" in one.found("querier_lost")
    one.wake(20)
    assert "members have been forgotten by switches that snoop; bring it back" in one.found("querier_lost")
    assert kinds(one.say(21, HIGH, FIVE)) == ["querier"]
    assert one.wrong() == []


def test_the_interval_of_an_old_querier_is_the_longest_pause_that_was_seen() -> None:
    one = Network()
    for at in (0, 2, 12, 22):  # the first ones come quicker
        one.say(at, LOW, general(2, response=10))
    assert one.memberships.deadline == 22 * SECOND + 2 * 10 * SECOND + SECOND // 2


def test_a_switch_without_an_address_takes_no_part_in_elections() -> None:
    one = Network()
    one.say(0, ZERO, FIVE)
    assert one.notes() == ["nameless_querier"]
    assert kinds(one.say(1, HIGH, FIVE)) == ["elected"]
    for at in (2, 7, 12):
        assert one.say(at, ZERO, FIVE) == []
        one.say(at, HIGH, FIVE)
    assert one.wrong() == one.notes() == []


def test_an_older_query_takes_source_filters_away_and_that_is_said() -> None:
    one = Network()
    one.say(0, LOW, FIVE)
    one.say(1, A, report(IS_IN, S))
    events = one.say(2, HIGH, general(2, response=10))
    assert "version 2 is spoken now, without source filters; it was 3" in texts(events)
    (spoken, changed) = one.say(3, A, old_report())
    assert spoken.text == "10.9.0.1 speaks IGMPv2 now, and v3 before: a query made it, and its source filters are lost"
    assert changed.text == "10.9.0.1 now wants 239.1.1.1 from all sources"
    assert "old_version" in one.wrong()
    text = one.found("old_version")
    assert "IGMPv2 was asked in by 10.9.0.200: hosts speak it for 10 s more, and source filters (SSM) are lost" in text
    assert "set 10.9.0.200 to version 3 (`ip igmp version 3`, on a Linux bridge" in text
    events = []
    assert one.memberships.deadline == 4 * SECOND
    for at in range(5, 30, 5):
        events += [event for event in one.say(at, LOW, FIVE) if event.kind is Kind.VERSION]
        one.say(at, A, old_report())
    assert [event.ts_ns for event in events] == [15 * SECOND]
    assert texts(events) == ["version 3 is spoken now, with source filters again; it was 2"]
    assert one.wrong() == []


def test_an_old_version_is_only_wrong_where_somebody_needs_sources() -> None:
    one, wants = Network(), Network(Wanted(G, S))
    for network in (one, wants):
        network.say(0, LOW, general(2))
        network.say(1, A, old_report())
    assert (one.wrong(), one.notes()) == ([], ["old_version"])
    assert wants.wrong() == ["old_version"]


def test_modes_and_sources_follow_every_record() -> None:
    one = Network()
    steps: list[tuple[RecordType, tuple[Address, ...], str | None]] = [
        (BLOCK, (S,), None),
        (TO_IN, (), None),
        (ALLOW, (S,), "from 10.0.0.7 only"),
        (ALLOW, (A,), "from 10.0.0.7, 10.9.0.1 only"),
        (BLOCK, (S,), "from 10.9.0.1 only"),
        (BLOCK, (A,), None),
        (TO_EX, (S,), "from all but 10.0.0.7"),
        (BLOCK, (A,), "from all but 10.0.0.7, 10.9.0.1"),
        (ALLOW, (S, A), "from all sources"),
        (IS_IN, (S,), "from 10.0.0.7 only"),
        (IS_EX, (), "from all sources"),
        (TO_IN, (), None),
    ]
    for kind, sources, wanted in steps:
        one.say(1, A, report(kind, *sources))
        assert one.members().get("10.9.0.1") == wanted
    one.say(2, A, Report("IGMP", 3, (GroupRecord(77, G),)))
    assert one.members() == {}


def test_what_followed_a_leave_is_told() -> None:
    one = Network()
    one.say(0, LOW, FIVE)
    for host in (A, B):
        one.say(1, host, report(IS_EX))
    assert texts(one.say(2, A, report(TO_IN))) == ["10.9.0.1 leaves 239.1.1.1"]
    one.say(2.1, LOW, Query("IGMP", 3, G, 10, True))
    one.say(2.5, B, report(IS_EX))
    assert texts(one.wake(5)) == ["after 10.9.0.1 left 239.1.1.1 10.9.0.2 still wants it"]
    one.say(6, B, report(TO_IN))
    one.say(6.1, LOW, Query("IGMP", 3, G, 10, True))
    assert texts(one.wake(9)) == ["after 10.9.0.2 left 239.1.1.1 the querier asked, and nobody wants it any more"]
    one.say(9, B, old_report())
    one.say(9.1, B, Leave("IGMP", 2, G))
    (event,) = one.wake(12.1)
    assert event.text == (
        "after 10.9.0.2 left 239.1.1.1 nobody was heard to ask who else wants it: it flows on, for 11 s, or was cut "
        "off at once"
    )
    assert event.details == {"group": "239.1.1.1", "host": "10.9.0.2", "asked": False, "answers": []}


def test_a_host_that_stops_answering_without_a_leave_is_told() -> None:
    one = Network(Wanted(G))
    for at in range(0, 20, 5):
        one.say(at, LOW, FIVE)
        one.say(at + 0.5, B, report(IS_EX))
        if at < 10:
            one.say(at + 0.6, A, report(IS_EX))
    (event,) = one.wake(17)
    assert event.text == "10.9.0.1 has not said for 11 s that it wants 239.1.1.1, and did not leave it"
    assert one.members() == {"10.9.0.2": "from all sources"}
    assert one.wrong() == ["expired"]
    assert "look for filters at its port" in one.found("expired")
    one.say(18, A, report(IS_EX))
    assert one.wrong() == []


def test_where_reports_are_suppressed_one_answers_for_all() -> None:
    one = Network()
    for at in range(0, 60, 5):
        one.say(at, LOW, general(2, response=10))
        one.say(at + 0.5, A if at % 10 else B, old_report())
    one.wake(61)
    assert set(one.members()) == {"10.9.0.1", "10.9.0.2"}
    assert one.wrong() == []


def test_a_group_that_is_wanted_and_nobody_reports_is_found() -> None:
    one = Network(Wanted(G), Wanted(IPv4Address("239.9.9.9"), S))
    one.say(0, A, report(IS_IN, S, group=IPv4Address("239.9.9.9")))
    assert one.found("unreported").startswith("nobody was heard to want 239.1.1.1, and nobody was asked in time; join")
    assert "unreported" in one.notes()
    one.say(1, LOW, FIVE)
    one.wake(2)
    assert one.wrong() == ["unreported"]
    assert one.found("unreported").startswith("nobody on this network wants 239.1.1.1; join it (`netfeed listen`)")
    one.say(3, A, report(IS_EX))
    assert one.wrong() == []
    one.say(4, A, report(IS_IN, B, group=IPv4Address("239.9.9.9")))
    assert "239.9.9.9 is wanted here, and not from 10.0.0.7: 10.9.0.1 wants it from 10.9.0.2 only" in one.found(
        "unreported"
    )


def test_queries_that_nobody_heeds_are_found() -> None:
    for how, why in (({"ttl": 64}, "its TTL is 64 and not 1"), ({"alert": False}, "it has no router alert")):
        one = Network()
        one.say(0, LOW, FIVE, **how)
        assert one.wrong() == ["misfit_query"]
        assert why in one.found("misfit_query")
    six = Network()
    six.say(0, IPv6Address("2001:db8::1"), Query("MLD", 2, None, 1000, False, 2, 5))
    assert "its source is no link-local address" in six.found("misfit_query")
    old = Network()
    old.say(0, LOW, general(1), alert=False)
    assert "misfit_query" not in old.wrong()


def test_a_join_of_any_source_in_the_range_of_ssm_is_noted() -> None:
    one = Network()
    one.say(0, LOW, FIVE)
    one.say(1, A, report(IS_EX, group=IPv4Address("232.1.1.1")))
    one.say(1, B, report(IS_IN, S, group=IPv4Address("232.1.1.2")))
    assert one.notes() == ["ssm_without_source"]
    assert one.found("ssm_without_source").startswith("10.9.0.1 joined 232.1.1.1 from any source")


def test_each_vlan_is_a_network_of_its_own() -> None:
    one = Network(Wanted(G))
    one.say(0, LOW, FIVE, vlan=7)
    one.say(1, A, report(IS_EX), vlan=7)
    (event,) = one.say(2, HIGH, FIVE, vlan=8)
    assert event.network == "IGMP on VLAN 8"
    assert one.wrong() == []  # and the one without a tag, on which nobody spoke, is none


def test_a_host_that_has_no_ipv6_address_yet_is_no_member() -> None:
    one = Network()
    assert one.say(1, IPv6Address("::"), report(TO_EX, group=G6)) == []
    assert one.members(G6) == {}


def test_damage_is_noted() -> None:
    one = Network()
    one.say(0, LOW, FIVE)
    one.memberships.damaged = 3
    assert one.found("damaged").startswith("3 messages of IGMP or MLD were damaged")


def test_what_others_can_make_grow_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "MAX_GROUPS", 300)
    monkeypatch.setattr(membership_network, "MAX_LEAVES", 100)
    one = Network()
    start = int(IPv4Address("239.0.0.0"))
    for at in range(members.MAX_GROUPS + 50):
        one.say(1, A, report(TO_EX, group=IPv4Address(start + at)))
    for at in range(queriers.MAX_QUERIERS + 5):
        one.say(1, IPv4Address(int(LOW) + at), FIVE)
    for at in range(membership.MAX_NETWORKS + 5):
        one.say(1, LOW, FIVE, vlan=at)
    sources = [IPv4Address(start + at) for at in range(members.MAX_SOURCES + 9)]
    one.say(1, A, report(IS_IN, *sources, group=IPv4Address(start)))
    for at in range(membership_network.MAX_LEAVES + 9):
        one.say(1, A, report(TO_IN, group=IPv4Address(start + at)))
    network = next(iter(one.memberships.networks.values()))
    assert len(network.members.groups) == members.MAX_GROUPS
    assert len(network.queriers.known) == queriers.MAX_QUERIERS
    assert len(one.memberships.networks) == membership.MAX_NETWORKS
    assert len([event for event in one.wake(5) if event.kind is Kind.AFTER_LEAVE]) == membership_network.MAX_LEAVES
    assert "overflow" in one.notes()


def test_what_others_can_make_grow_is_bounded_over_all_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "MAX_REMEMBERED", 1000)
    one = Network()
    start = int(IPv4Address("239.0.0.0"))
    sources = [IPv4Address(start + at) for at in range(20)]
    for at in range(400):
        host, group = IPv4Address(int(A) + at % 100), IPv4Address(start + at)
        one.say(1, host, report(IS_IN, *sources, group=group), vlan=at % 4)
    networks = [each.members for each in one.memberships.networks.values()]
    held = [there for each in networks for group in each.groups.values() for there in group.values()]
    assert 0 < len(held) < 60
    assert sum(map(len, (there.sources for there in held))) + len(held) <= 1000
    assert "overflow" in one.notes()
    for there in held:
        one.say(2, there.host, report(TO_IN, group=there.group), vlan=(int(there.group) - start) % 4)
    assert [each.count for each in networks] == [0] * len(networks)
    assert one.say(3, A, report(IS_IN, *sources, group=IPv4Address(start)))


@given(
    st.lists(st.tuples(st.integers(0, len(FRAMES) - 1), st.integers(0, 300), st.integers(0, 5)), max_size=20),
)
def test_the_deadline_is_honest_and_a_second_call_has_nothing_to_say(steps: list[tuple[int, int, int]]) -> None:
    """Before the deadline nothing is told, at it a turn is due, and the account never holds more than was said."""
    one, now = Memberships(), 0
    one.begin(0)
    for number, seconds, rest in steps:
        deadline = one.deadline
        now += seconds * SECOND
        if now < deadline:
            assert one.wake(now) == []
        one.wake(now)
        assert one.wake(now) == []
        assert one.deadline > now
        try:
            heard = hear(FRAMES[number], 1)
        except WireError:
            heard = None
        if heard is not None:
            one.hear(heard, now - rest)  # a clock that goes back stands still
        assert one.now_ns == now
        findings(one)


def test_words_for_people() -> None:
    assert [span(one) for one in (200_000_000, 2 * SECOND, 135 * SECOND, 7200 * SECOND)] == [
        "200 ms", "2 s", "135 s", "7,200 s",
    ]  # fmt: skip
    local = ("224.0.0.251", "ff02::1", "ff12::1")
    assert all(is_local(IPv4Address(one) if "." in one else IPv6Address(one)) for one in local)
    assert not is_local(G)
    assert not is_local(G6)
    assert str(Wanted(G, S)) == "10.0.0.7,239.1.1.1"
    assert Memberships().deadline == NEVER

"""Who counts for which rule."""

from hypothesis import given
from hypothesis import strategies as st

from releases.approvals import Rule, Signature, assign, counts, may_decide, unmeetable

BUSINESS = Rule("business", "Business owner", 1, 1)
QUALITY = Rule("quality", "QA engineer", 2, 1)
ANNA, BERT, CARL = 11, 12, 13


def yes(*people: int) -> list[Signature]:
    return [Signature(person, "approved") for person in people]


def met(rules, signed, approvers, barred=None):
    return [standing.met for standing in assign(rules, signed, approvers, barred or {})]


def test_each_rule_is_met_on_its_own():
    approvers = {ANNA: frozenset({1}), BERT: frozenset({1}), CARL: frozenset({2})}
    assert met([BUSINESS, QUALITY], yes(ANNA, BERT), approvers) == [True, False]
    assert met([BUSINESS, QUALITY], yes(ANNA, CARL), approvers) == [True, True]


def test_one_person_with_two_hats_counts_once():
    assert sorted(met([BUSINESS, QUALITY], yes(ANNA), {ANNA: frozenset({1, 2})})) == [False, True]


def test_the_best_assignment_is_found_whatever_the_order():
    approvers = {ANNA: frozenset({1, 2}), BERT: frozenset({1})}
    assert met([BUSINESS, QUALITY], yes(ANNA, BERT), approvers) == [True, True]
    assert met([QUALITY, BUSINESS], yes(BERT, ANNA), approvers) == [True, True]


def test_requester_and_author_do_not_count_unless_the_rule_says_so():
    approvers = {ANNA: frozenset({1})}
    assert not counts(BUSINESS, ANNA, approvers, {ANNA: "requester"})
    assert not counts(BUSINESS, ANNA, approvers, {ANNA: "author"})
    lenient = Rule("business", "Business owner", 1, 1, allow_requester=True)
    assert counts(lenient, ANNA, approvers, {ANNA: "requester"})
    assert not counts(lenient, ANNA, approvers, {ANNA: "requester+author"})


def test_a_right_that_ended_counts_no_more():
    assert met([BUSINESS], yes(ANNA), {}) == [False]
    assert not may_decide([BUSINESS], ANNA, {}, {})


def test_candidates_are_those_who_have_not_decided():
    approvers = {ANNA: frozenset({1}), BERT: frozenset({1}), CARL: frozenset({2})}
    (standing,) = assign([BUSINESS], [Signature(BERT, "rejected")], approvers, {})
    assert standing.candidates == (ANNA,)


def test_a_rule_nobody_can_meet_is_named():
    assert unmeetable([BUSINESS, QUALITY], {ANNA: frozenset({1})}, {}) == [QUALITY]
    assert unmeetable([BUSINESS], {ANNA: frozenset({1})}, {ANNA: "requester"}) == [BUSINESS]


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=4),
    st.dictionaries(st.integers(1, 7), st.frozensets(st.integers(1, 3), min_size=1), max_size=7),
)
def test_the_assignment_is_valid_and_nobody_counts_twice(shapes, approvers):
    rules = [Rule(f"r{n}", str(role), role, count) for n, (role, count) in enumerate(shapes)]
    standings = assign(rules, yes(*approvers), approvers, {})
    counted = [person for standing in standings for person in standing.by]
    assert len(counted) == len(set(counted))
    for standing in standings:
        assert len(standing.by) <= standing.rule.count
        assert all(standing.rule.role_id in approvers[person] for person in standing.by)
    # Maximum: nobody who is left over could still be seated in an open rule.
    for person in set(approvers) - set(counted):
        assert all(s.met or s.rule.role_id not in approvers[person] for s in standings)

# SPDX-License-Identifier: Apache-2.0
"""Plans: everything that a CA has issued is replaced by another one's, with an estimate first,
paced, past names that fail, through a kill of certd, and with what was replaced revoked."""

import pytest

from acme_bed import DONE, REPLACEMENT, AcmeBed
from bed import wait_for
from certd_bed import keys_pb2

NAMES = [f"www{i}.example.org" for i in range(6)]
ESTIMATED, RUNNING, PAUSED, PLAN_DONE, PLAN_CANCELLED = range(1, 6)


@pytest.fixture(scope="module")
def bed():
    b = AcmeBed(cas={"one": {}, "two": {}, "slow": {}}, ca_lines={
        "slow": "      limits:\n        orders: 2\n        orders_window: 1h\n"})
    b.up()
    b.enrollments = {}
    begun = [b.enroll(name) for name in NAMES]
    for name, one in zip(NAMES, begun):
        b.ended(one.change.id, DONE)
        b.enrollments[name] = one.enrollment.id
    yield b
    b.close()


def plan_of(bed, id_):
    return bed.call("Plans", "Get", id=id_)


def authority_of(bed, enrollment):
    return bed.change(bed.enrollment(enrollment).change).authority


def no_key_is_left_over(bed):
    in_use = {row[0] for row in bed.rows("SELECT lower(hex(key)) FROM certificate")}
    return in_use == {id_ for id_, key in bed.keyd_keys().items()
                      if key.state == keys_pb2.KEY_STATE_ACTIVE}


@pytest.mark.feature("X12")
def test_an_estimate_comes_before_anything_begins(bed):
    before = bed.pebbles["two"].requests()
    plan = bed.json("plan", "replace", "--authority", "one", "--to", "two", "--within", "24h")
    assert plan["total"] == len(NAMES) and plan["fits"]
    assert plan["keys_per_s"] > 0 and plan["estimate_s"] > 0 and plan["bound"]
    shown = bed.cli("plan", "show", plan["id"])
    assert "6 certificates" in shown and f"holdfast plan start {plan['id']}" in shown
    assert bed.pebbles["two"].requests() == before
    assert not bed.changes(under_way=True)
    # The keys that were made for the measure are gone, or about to be.
    wait_for("no key is left over", lambda: no_key_is_left_over(bed), 60)


@pytest.mark.feature("X12")
def test_what_does_not_fit_is_told_with_what_would_help(bed):
    plan = bed.json("plan", "replace", "--authority", "one", "--to", "slow", "--within", "1h")
    assert not plan.get("fits") and plan["bound"] == "slow's 2 orders in 60 minutes"
    assert "--to" in plan["advice"]
    code, text = bed.refusal("Plans", "Start", id=int(plan["id"]))
    assert code == "FAILED_PRECONDITION" and "2 orders in 60 minutes" in text
    status, _, answer = bed.rest("POST", "/v1/plans", bed.make_token("acme"), {"authority": "one"})
    assert status == 403, answer
    code, text = bed.refusal("Plans", "Create", authority="two")
    assert code == "FAILED_PRECONDITION" and "nothing to replace" in text


@pytest.mark.feature("X12")
def test_all_of_a_ca_is_replaced_and_revoked_past_one_that_fails_and_a_kill(bed):
    old = {name: bed.enrollment(id_).certificate for name, id_ in bed.enrollments.items()}
    serials = {name: bed.certificate(id_).serial_number for name, id_ in old.items()}
    bad = NAMES[2]
    # Nobody answers there.
    bed.pebble.set_a(bad, "127.0.0.254")
    plan = bed.call("Plans", "Create", authority="one", to_authority="two", within_s=60, revoke=4)
    assert plan.state == ESTIMATED and plan.fits
    started = bed.call("Plans", "Start", id=plan.id)
    assert started.state == RUNNING
    wait_for("some are replaced", lambda: plan_of(bed, plan.id).done >= 1, 60)
    bed.kill_certd()
    bed.start_certd()

    def others():
        now = plan_of(bed, plan.id)
        return now if now.done == len(NAMES) - 1 and now.failing == 1 else None
    now = wait_for("all but one are replaced", others, 120)
    assert now.state == RUNNING and now.expected_end_s > 0
    failure, = now.failures
    assert failure.name == bad and failure.problem
    for name, id_ in bed.enrollments.items():
        if name == bad:
            assert bed.enrollment(id_).certificate == old[name]
            continue
        assert authority_of(bed, id_) == "two"
        change = bed.change(bed.enrollment(id_).change)
        assert (change.kind, change.replaces) == (REPLACEMENT, old[name])
        wait_for(f"{name}'s old certificate is revoked",
                 lambda s=serials[name]: bed.pebble.certificate_status(s)["Status"] == "Revoked")
    # Not the one that is still in use.
    assert bed.pebble.certificate_status(serials[bad])["Status"] == "Valid"
    bed.pebble.clear_a(bad)
    done = wait_for("the plan is done", lambda: (
        lambda p: p if p.state == PLAN_DONE else None)(plan_of(bed, plan.id)), 180)
    assert done.done == len(NAMES) and done.ended_s
    wait_for("the last one is revoked", lambda: bed.pebble.certificate_status(
        serials[bad])["Status"] == "Revoked")
    assert bed.events("plan done") == [(f"plan {plan.id}", "6 certificates")]


@pytest.mark.feature("X12")
def test_a_paused_plan_begins_nothing_until_it_goes_on(bed):
    plan = bed.json("plan", "replace", "--authority", "two", "--account", "acme", "--start")
    bed.cli("plan", "pause", plan["id"])
    now = plan_of(bed, int(plan["id"]))
    assert now.state in (PAUSED, PLAN_DONE)
    bed.cli("plan", "start", plan["id"])
    wait_for("it is done", lambda: plan_of(bed, int(plan["id"])).state == PLAN_DONE, 120)
    assert "done" in bed.cli("plan", "list")
    code, text = bed.refusal("Plans", "Cancel", id=int(plan["id"]))
    assert code == "FAILED_PRECONDITION" and "is done" in text

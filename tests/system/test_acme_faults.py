# SPDX-License-Identifier: Apache-2.0
"""A CA that is away, slow, broken or lies: each change says so in a sentence, nothing is half
done, and all is well when the fault ends, without a person."""

import os
import subprocess

import pytest

from acme_bed import ACTIVE, DONE, FAILED, FINALIZING, AcmeBed
from bed import wait_for


@pytest.fixture(scope="module")
def bed():
    b = AcmeBed(front={}, clock=True)
    b.up()
    b.n = 0
    b.refused = []
    yield b
    b.close()


@pytest.fixture(autouse=True)
def no_fault(bed):
    yield
    bed.front.clear()


def begin(bed):
    bed.n += 1
    return bed.enroll(f"f{bed.n}.example.org").change.id


def trouble(bed, change, *words):
    """What it says while it goes on."""
    def ask():
        found = bed.change(change)
        assert found.state < DONE, found
        return found.problem and found
    found = wait_for("it says what is wrong", ask)
    for word in words:
        assert word in found.problem, found.problem
    return found


def recovers(bed, change):
    bed.front.clear()
    bed.call("Changes", "Get", id=change)
    return bed.ended(change, DONE)


def ends(bed, change, *words):
    """It failed, nothing came of it, and it is tried again later."""
    done = bed.ended(change, FAILED)
    for word in words:
        assert word in done.problem, done.problem
    enrollment = bed.enrollment(done.enrollment)
    assert not done.certificate and not enrollment.certificate
    assert enrollment.problem == done.problem and enrollment.next_at_s > 0
    assert any(object_ == f"change {change}" for object_, _ in bed.events("acme.failed"))
    bed.refused.append(enrollment.id)
    return done


# ---- what passes ----

def test_a_ca_that_is_away_is_waited_for(bed):
    bed.front.fault("reset", count=-1)
    change = begin(bed)
    trouble(bed, change, "CA pebble")
    assert bed.call("Authorities", "Get", name="pebble").problem
    recovers(bed, change)
    assert not bed.call("Authorities", "Get", name="pebble").problem


@pytest.mark.parametrize("on", ["directory", "new_nonce", "new_account", "new_order",
                                "authorization", "challenge", "order", "finalize", "certificate"])
def test_an_error_of_the_server_at_any_step_is_waited_for(bed, on):
    if on in ("directory", "new_nonce", "new_account"):
        bed.restart_certd()
    orders, issued = bed.orders_made(), bed.issued_by()
    bed.front.fault("status", on=on, status=503, detail="the database is being moved", count=2)
    change = begin(bed)
    bed.ended(change, DONE)
    assert bed.issued_by() == issued + 1
    if on != "new_order":
        assert bed.orders_made() == orders + 1


def test_a_slow_ca_is_waited_for(bed):
    bed.front.fault("slow", seconds=1, count=3)
    bed.ended(begin(bed), DONE)


def test_who_is_told_to_come_back_later_does_not_ask_before(bed):
    bed.ended(begin(bed), DONE)
    bed.front.fault("rate_limited", on="new_order", retry_after=4)
    change = begin(bed)
    trouble(bed, change, "CA pebble", "too many requests lately")
    # Others of that domain do not ask either.
    other = begin(bed)
    done = bed.ended(change, DONE)
    bed.ended(other, DONE)
    assert done.state == DONE
    log = bed.front.log()
    refused = max(i for i, entry in enumerate(log) if entry["status"] == 429)
    assert log[refused + 1]["at"] - log[refused]["at"] >= 3.9


def test_nonces_that_are_refused_in_a_storm_do_no_harm(bed):
    issued = bed.issued_by()
    for on in ("new_order", "challenge", "finalize", "certificate"):
        bed.front.fault("bad_nonce", on=on, count=12)
    bed.ended(begin(bed), DONE)
    assert bed.issued_by() == issued + 1


@pytest.mark.parametrize("fault, more, words", [
    ("html", {}, ["text/html"]), ("cut_json", {}, []), ("redirect", {}, ["302"]),
    ("huge", {"octets": 8 << 20}, []), ("cut_body", {}, [])])
def test_what_is_no_acme_is_not_believed(bed, fault, more, words):
    bed.front.fault(fault, on="new_order", count=-1, **more)
    change = begin(bed)
    trouble(bed, change, "CA pebble", *words)
    recovers(bed, change)


def test_an_order_that_is_processed_for_ever_is_waited_for_and_shown(bed):
    bed.front.fault("processing", on="order", count=-1)
    bed.front.fault("processing", on="finalize", count=-1)
    change = begin(bed)
    bed.in_state(change, FINALIZING)
    found = bed.change(change)
    assert found.doing and not found.certificate and found.expires_s
    recovers(bed, change)


# ---- what the CA does not take back ----

def test_urls_that_lead_elsewhere_are_not_followed(bed):
    bed.front.fault("elsewhere", on="new_order", count=-1)
    change = begin(bed)
    trouble(bed, change, "elsewhere.example", "away from the CA's own origin")
    recovers(bed, change)


def test_names_that_nobody_asked_for_are_not_taken(bed):
    bed.front.fault("other_names", on="new_order", count=-1)
    change = begin(bed)
    trouble(bed, change, "other names than were asked for")
    recovers(bed, change)


@pytest.mark.parametrize("fault, words", [
    ("chain_reversed", "first certificate is a CA's"), ("leaf_only", "without its issuer's")])
def test_a_chain_that_is_not_whole_is_fetched_again(bed, fault, words):
    before = bed.rows("SELECT count(*) FROM certificate")
    bed.front.fault(fault, on="certificate", count=-1)
    change = begin(bed)
    trouble(bed, change, "CA pebble", words)
    assert bed.rows("SELECT count(*) FROM certificate") == before
    done = recovers(bed, change)
    assert len(bed.chain(done.certificate)) == 2


def test_an_order_that_the_ca_calls_invalid_ends_with_its_reason(bed):
    bed.front.fault("order_invalid", on="order", count=-1, type="unauthorized",
                    detail="the name is on a list of ours")
    ends(bed, begin(bed), "CA pebble", "the name is on a list of ours")


@pytest.mark.parametrize("fault, words", [("wrong_key", ["key"]), ("expired", ["expired"])])
def test_a_certificate_that_is_not_what_was_asked_for_is_never_taken(bed, fault, words):
    before = bed.rows("SELECT count(*) FROM certificate")
    bed.front.fault(fault, on="certificate", count=-1)
    change = begin(bed)
    ends(bed, change, "was refused", *words)
    assert bed.rows("SELECT count(*) FROM certificate") == before
    wait_for("its key is no more", bed.no_key_is_left_over)


# ---- certd's own troubles ----

def test_keyd_that_is_away_is_waited_for(bed):
    keyd = bed.daemons["keyd"]
    keyd.stop()
    try:
        change = begin(bed)
        found = trouble(bed, change)
        assert "keyd" in found.problem, found.problem
    finally:
        bed.start_keyd()
    bed.ended(change, DONE, seconds=90)


def test_all_that_failed_is_tried_again_without_a_person(bed):
    assert bed.refused
    states = {id_: bed.enrollment(id_) for id_ in bed.refused}
    bed.travel(180)
    try:
        for id_, before in states.items():
            wait_for(f"{before.name} has its certificate", lambda i=id_: bed.enrollment(
                i).state == ACTIVE, 60)
            now = bed.enrollment(id_)
            assert now.certificate and not now.problem
            assert bed.change(now.change).created_by == "certd"
    finally:
        bed.travel(0)


def test_a_clock_that_jumps_upsets_nothing(bed):
    """While a change is under way, and again when it is set right."""
    enrollment, first = bed.obtain("clock.example.org")
    bed.front.fault("status", on="new_order", status=503, count=-1)
    change = begin(bed)
    trouble(bed, change)
    # By some hours, for its own identity lives for a day; and back again.
    bed.travel(11 * 3600)
    trouble(bed, change)
    late = begin(bed)
    trouble(bed, late)
    bed.travel(0)
    recovers(bed, change)
    recovers(bed, late)
    now = bed.enrollment(enrollment.id)
    assert now.certificate == first.certificate
    assert now.next_at_s == enrollment.next_at_s


# ---- a full disk ----

class SmallDiskBed(AcmeBed):
    """certd's state has a disk of its own, of 8 MB."""

    def join_certd(self, name="one"):
        self.state = self.dir / "certd"
        self.state.mkdir(mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", self.state],
                       check=True, timeout=60)
        return super().join_certd(name)

    def fill(self):
        with open(self.state / "filler", "wb", buffering=0) as filler:
            with pytest.raises(OSError):
                while True:
                    filler.write(bytes(4096))

    def close(self):
        try:
            super().close()
        finally:
            subprocess.run(["umount", "-l", self.state], check=True, timeout=60)


@pytest.fixture
def small():
    b = SmallDiskBed(cas={"pebble": {"nonce_reject": 0}}, front={})
    try:
        b.up()
        yield b
    finally:
        b.close()


@pytest.mark.parametrize("on", ["order", "certificate"])
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_a_full_disk_holds_a_change_up_and_nothing_is_ordered_twice(small, on):
    small.front.fault("slow", on=on, seconds=6, count=1)
    change = small.enroll("full.example.org").change.id
    wait_for("the CA is asked", lambda: small.front.count(on) > 0)
    small.fill()
    try:
        wait_for("certd says so", lambda: "could not be read or kept" in
                 small.daemons["certd"].text())
        assert small.change(change).state < DONE
        assert small.rows("SELECT count(*) FROM certificate") == [(0,)]
    finally:
        (small.state / "filler").unlink()
    done = small.ended(change, DONE)
    assert small.orders_made() == small.issued_by() == 1
    assert small.rows("SELECT id FROM certificate") == [(done.certificate,)]
    wait_for("no key is left over", small.no_key_is_left_over)

# SPDX-License-Identifier: Apache-2.0
"""certd killed at every step of a change: the order is resumed, nothing is ordered or issued
twice, and no key is left over."""

import random
import time

import pytest

from acme_bed import DONE, AcmeBed, names_of
from bed import wait_for

NAMES = ("crash.example.org", "www.crash.example.org")
MOMENTS = 16


@pytest.fixture(scope="module")
def bed():
    # The CA believes: who would answer it is certd, which dies.
    b = AcmeBed(cas={"pebble": {"nonce_reject": 0, "always_valid": True}}, front={})
    b.up()
    b.enrolled, _ = b.obtain(*NAMES)
    yield b
    b.close()


def is_dead(bed):
    return not bed.daemons["certd"].running()


def begin(bed):
    """Another certificate is asked for; what was there before."""
    bed.before = bed.orders_made(), bed.issued_by(), bed.enrollment(bed.enrolled.id).certificate
    return bed.call("Enrollments", "Issue", id=bed.enrolled.id, force=True).change.id


def state_of(bed, change):
    return bed.rows(f"SELECT state FROM change WHERE id = {change}")[0][0]


def assert_whole(bed, change, what):
    """One order and one certificate came of it, which took the old one's place."""
    orders, issued, old = bed.before
    done = bed.ended(change, DONE)
    assert bed.orders_made() == orders + 1, what
    assert bed.issued_by() == issued + 1, what
    assert bed.enrollment(bed.enrolled.id).certificate == done.certificate != old
    assert names_of(bed.certificate(done.certificate)) == set(NAMES)
    assert bed.ca_status(done.certificate) == "Valid"
    assert [row[0] for row in bed.rows("SELECT id FROM certificate")] == [done.certificate], what
    assert bed.rows("SELECT token FROM challenge WHERE presented <> 0") == []
    states = [line.state for line in done.history]
    assert states == sorted(states), what


@pytest.mark.feature("A08")
@pytest.mark.parametrize("fault", ["kill", "kill_after"])
def test_certd_killed_at_any_request_to_the_ca_resumes_the_order(bed, fault):
    walked = 0
    while True:
        bed.front.clear()
        bed.front.fault(fault, skip=walked, pid=bed.daemons["certd"].pid)
        change = begin(bed)
        wait_for("certd dies, or is done", lambda: is_dead(bed) or state_of(bed, change) >= DONE)
        if not is_dead(bed):
            break
        walked += 1
        request = bed.front.log()[-1]["on"]
        bed.start_certd()
        assert_whole(bed, change, f"{fault} at request {walked}, {request}")
    bed.front.clear()
    assert_whole(bed, change, "not killed")
    # newOrder, 2 authorizations, 2 challenges, polls, finalize, certificate.
    assert walked >= 8
    wait_for("no key is left over", bed.no_key_is_left_over)


def test_certd_killed_at_any_moment_leaves_nothing_half_done(bed):
    chance, killed = random.Random(8555), {}
    began = time.monotonic()
    bed.ended(begin(bed), DONE)
    last = time.monotonic() - began
    for _ in range(MOMENTS):
        change = begin(bed)
        time.sleep(chance.uniform(0, last))
        bed.kill_certd()
        state = state_of(bed, change)
        killed[state] = killed.get(state, 0) + 1
        bed.start_certd()
        assert_whole(bed, change, f"killed in state {state}")
    assert len(killed) > 2, killed
    wait_for("no key is left over", bed.no_key_is_left_over)
    keys = [key for key in bed.keyd_keys().values() if key.label.startswith("c-")]
    issued = bed.issued_by()
    # Each certificate had one key, and no attempt left one behind.
    assert len(keys) == issued, (len(keys), issued)

# SPDX-License-Identifier: Apache-2.0
"""A year of renewals: 200 certificates of 90 days, with the clocks of certd and keyd ahead by
ever more.  None late, none double, and the old ones gone.

certd and keyd are asked nothing meanwhile, for who asks is still in the present: what there
is to see stands in certd's database.
"""

import datetime
import time

import pytest
from cryptography import x509

from acme_bed import AcmeBed
from bed import wait_for

DAY = 86400
CERTIFICATES, LIFE, YEAR = 200, 90 * DAY, 365 * DAY
# When a third of its life is left, give or take a day and a half; the machine is off then, for
# as long as all of a wave come at once.
LATE, RENEWALS = 4 * DAY, 5
# A longer absence might outlive the certificates by which certd and keyd know each other.
AWAY = 44 * DAY
NO_LIMITS = """\
      limits:
        orders: 0
        per_domain: 0
        requests_per_s: 0
"""


@pytest.fixture(scope="module")
def bed():
    b = AcmeBed(cas={"pebble": {"nonce_reject": 0, "always_valid": True, "validity_s": LIFE}},
                front={}, clock=True, where="/dev/shm", ca_lines={"pebble": NO_LIMITS})
    keyd = b.dir / "keyd.yaml"
    keyd.write_text(keyd.read_text().replace(
        "\naudit:", "\n  certificate_lifetime: 90d\naudit:"))
    b.up()
    yield b
    b.close()


def one(bed, sql):
    return bed.rows(sql)[0][0]


def travel(bed, ahead_s):
    for name in ("certd", "keyd"):
        bed.daemons[name].stop()
    bed.front.set(ahead=ahead_s)
    bed.set_clock(ahead_s)
    bed.start_keyd(ready=False)
    bed.start_certd()


def identity_left_s(bed):
    """From now, by our clock."""
    pem = (bed.dir / "certd/identity.pem").read_bytes()
    end = x509.load_pem_x509_certificate(pem).not_valid_after
    return (end - datetime.datetime.utcnow()).total_seconds()


def nothing_is_due(bed, ahead_s):
    now_s = int(time.time()) + ahead_s
    return not one(bed, "SELECT count(*) FROM change WHERE ended_s = 0") and not one(
        bed, f"SELECT count(*) FROM renewal WHERE renew_s > 0 AND renew_s <= {now_s}")


@pytest.mark.feature("C22")
@pytest.mark.feature("H09")
def test_a_year_of_renewals_has_none_late_and_none_double(bed):
    for i in range(CERTIFICATES // 2):
        bed.enroll(f"p{i}.example.org")
        bed.call("Resources", "Create", account="acme", name=f"r{i}",
                 hostnames=[f"r{i}.example.org"])
    wait_for("all are there", lambda: nothing_is_due(bed, 0), 400)
    began_s, ahead_s = int(time.time()), 0
    while True:
        due_s = one(bed, "SELECT min(renew_s) FROM renewal WHERE renew_s > 0")
        then_s = min(due_s + LATE - began_s, ahead_s + AWAY)
        if then_s > YEAR:
            break
        ahead_s = then_s
        travel(bed, ahead_s)
        left_s = one(bed, "SELECT min(not_after_s) FROM certificate") - began_s - ahead_s
        assert left_s > 24 * DAY, f"{left_s // DAY} days left after {ahead_s // DAY} days"
        wait_for("nothing is due", lambda: nothing_is_due(bed, ahead_s), 400)
        wait_for("certd's own certificate is young", lambda: identity_left_s(
            bed) > ahead_s + 44 * DAY)
    assert one(bed, "SELECT count(*) FROM change WHERE state <> 11") == 0
    counts = bed.rows("SELECT enrollment, count(*) FROM change GROUP BY enrollment")
    assert len(counts) == CERTIFICATES and {count for _, count in counts} == {
        1 + RENEWALS}, counts[:5]
    issued = CERTIFICATES * counts[0][1]
    assert len(bed.events("acme.issued")) == bed.issued_by() == issued
    assert bed.front.count("new_order") == issued
    # The old ones are gone, each with its key.
    assert one(bed, "SELECT count(*) FROM certificate") == CERTIFICATES
    wait_for("their keys, too", lambda: one(bed, "SELECT count(*) FROM key") == CERTIFICATES)
    assert one(bed, "SELECT count(*) FROM resource WHERE https = 1") == CERTIFICATES // 2
    assert one(bed, "SELECT count(DISTINCT certificate) FROM binding") == CERTIFICATES // 2

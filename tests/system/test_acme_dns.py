# SPDX-License-Identifier: Apache-2.0
"""Validation by DNS, with real BINDs that pebble asks: the ways to put TXT records there,
wildcards, delegation, by hand, and what is said when the DNS is not as it should be."""

import datetime
import json
import subprocess
import sys

import pytest

from acme_bed import (AWAITING_ISSUE, AWAITING_VERIFY, BY_HAND, DNS_01, DNS_PERSIST_01, DONE,
                      EXPIRED, FAILED, PRESENTING, RENEWAL, AcmeBed, names_of)
from bed import TOP, free_port, wait_for
from named import Named
from pebble import AcmeFront, Pebble

ISSUER = "ca.example"  # of dns-persist-01
BEHIND = "127.0.0.2"

# What operators write: nsupdate in a hook.
LEGO_HOOK = """\
#!/bin/sh
echo "$@" >> {log}
case $1 in
present) verb=add; ttl=5 ;;
cleanup) verb=delete; ttl= ;;
esac
nsupdate -k {key} <<END
server 127.0.0.1 {port}
zone lego.test.
update $verb $2 $ttl TXT "$3"
send
END
"""
CERTBOT_HOOK = """\
#!/bin/sh
env | grep ^CERTBOT_ | sort | tr '\\n' ' ' >> {log}
echo "$1" >> {log}
case $1 in
auth) line="add _acme-challenge.$CERTBOT_DOMAIN. 5" ;;
cleanup) line="delete _acme-challenge.$CERTBOT_DOMAIN." ;;
esac
nsupdate -k {key} <<END
server 127.0.0.1 {port}
zone certbot.test.
update $line TXT "$CERTBOT_VALIDATION"
send
END
test "$1" = cleanup || echo "record of $CERTBOT_DOMAIN"
"""


class DnsBed(AcmeBed):
    """All zones at one named; a second one is behind, a third CA has short certificates."""

    def __init__(self):
        port = free_port()
        super().__init__(dns=f"127.0.0.1:{port}", preflight=True,
                         cas={"pebble": {}, "short": {"validity_s": 18}, "persist": {}})
        self.named = named = Named(self.dir / "named", port=port)
        self.behind = Named(self.dir / "behind", beside=named, address=BEHIND)
        key = {word: named.key(f"{word}-key", f"hmac-{word}")
               for word in ("sha256", "sha384", "sha512")}
        self.other, self.hooks = named.key("other-key"), named.key("hooks-key")
        two = (("ns1", "127.0.0.1"), ("ns2", BEHIND))
        named.zone("example.org", "_acme-challenge.moved IN CNAME there.example.net.\n"
                   "_acme-challenge.mine IN CNAME x.acme.to.tenants.test.\n"
                   "_acme-challenge.theirs IN CNAME x.rival.to.tenants.test.\n"
                   "_acme-challenge IN TXT \"somebody's\"\n"
                   "_acme-challenge.round IN CNAME _acme-challenge.about\n"
                   "_acme-challenge.about IN CNAME _acme-challenge.round\n",
                   keys=[key["sha256"]])
        named.zone("example.net", keys=[key["sha512"]])
        named.zone("three.test", keys=[key["sha384"]])
        named.zone("hand.test", "_acme-challenge.away IN CNAME here.hand.test.\n")
        named.zone("slow.test", keys=[key["sha256"]], servers=two)
        named.zone("lame.test", keys=[key["sha256"]], servers=two)
        named.zone("refused.test")
        named.zone("badkey.test", keys=[self.other])
        named.zone("tenants.test", keys=[key["sha256"]])
        named.zone("lego.test", keys=[self.hooks])
        named.zone("certbot.test", keys=[self.hooks])
        named.zone("auth.test", keys=[self.hooks])
        named.zone("broken.test", "this is no record", keys=[key["sha256"]])
        self.behind.secondary("slow.test", named)
        named.start()
        self.behind.start()
        self.start_acme_dns()
        self.dns_lines = "  providers:\n" + "".join((
            self.rfc2136("main", key["sha256"], "example.org", "slow.test", "lame.test",
                         "refused.test", "broken.test"),
            self.rfc2136("tenants", key["sha256"], "tenants.test") +
            "      delegation_zone: to.tenants.test\n",
            self.rfc2136("second", key["sha512"], "example.net"),
            self.rfc2136("third", key["sha384"], "three.test"),
            self.rfc2136("badkey", self.other, "badkey.test"),
            self.exec("lego", LEGO_HOOK), self.exec("certbot", CERTBOT_HOOK),
            f"""\
    - name: acmedns
      type: acme_dns
      zones: [example.com]
      url: {self.acme_dns_url}
      credentials_file: {self.dir}/acme-dns.json
"""))

    def _new_ca(self, name, settings):
        if name != "persist":
            return super()._new_ca(name, settings)
        pebble = Pebble(self.dir / "ca-persist", http_port=self.http_port, validity_s=18)
        pebble.eab = False
        self.persist = AcmeFront(pebble, persist={"issuer": ISSUER, "resolver": self.dns})
        return pebble

    def reached(self):
        return dict(super().reached(), persist=self.persist)

    def rfc2136(self, name, key, *zones):
        return f"""\
    - name: {name}
      zones: [{", ".join(zones)}]
      server: {self.named.resolver}
      tsig_name: {key.name}
      tsig_algorithm: {key.algorithm}
      tsig_key_file: {key.file}
      ttl: 5
      propagation_timeout: 60s
"""

    def exec(self, style, text):
        path, log = self.dir / f"{style}-hook", self.dir / f"{style}.calls"
        path.write_text(text.format(log=log, key=self.hooks.nsupdate, port=self.named.port))
        path.chmod(0o755)
        return f"""\
    - name: {style}
      type: exec
      zones: [{style}.test]
      command: [{path}]
      style: {style}
"""

    def calls(self, style):
        return (self.dir / f"{style}.calls").read_text().splitlines()

    def start_acme_dns(self):
        """Its account is in a file as clients keep them; the name leads there by CNAME."""
        self.acme_dns = subprocess.Popen(
            [sys.executable, TOP / "tests/fake/acme_dns.py", "--server", self.named.resolver,
             "--zone", "auth.test", "--key", self.hooks.nsupdate],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.acme_dns_url = self.acme_dns.stdout.readline().strip()
        done = subprocess.run(["curl", "-sSf", "-X", "POST", f"{self.acme_dns_url}/register"],
                              check=True, capture_output=True, text=True, timeout=60)
        account = json.loads(done.stdout)
        credentials = self.dir / "acme-dns.json"
        credentials.write_text(json.dumps({"www.example.com": account}))
        credentials.chmod(0o600)
        self.named.zone("example.com",
                        f"_acme-challenge.www IN CNAME {account['fulldomain']}.\n")
        self.named.reload()

    def up(self):
        super().up()
        self.persist.start()
        return self

    def close(self):
        try:
            super().close()
        finally:
            self.persist.stop()
            self.named.stop()
            self.behind.stop()
            self.acme_dns.stdin.close()
            self.acme_dns.wait(60)

    # ---- what tests ask ----

    def begin(self, *hostnames, **fields):
        """The id of the change."""
        return self.enroll(*hostnames, validation=fields.pop("validation", DNS_01),
                           **fields).change.id

    def refused_verify(self, change):
        code, why = self.refusal("Changes", "Verify", id=change)
        assert code == "FAILED_PRECONDITION"
        return why

    def retried(self, change):
        """The next change of its enrollment, ended well."""
        begun = self.call("Enrollments", "Issue", id=self.change(change).enrollment)
        assert begun.change.id != change
        return self.ended(begun.change.id, DONE)


@pytest.fixture(scope="module")
def bed():
    b = DnsBed()
    try:
        b.up()
        yield b
    finally:
        b.close()


def values_of(change):
    return sorted(c.dns_value for c in change.challenges)


def place(challenge):
    return challenge.dns_target or challenge.dns_name


# ---- the ways ----

@pytest.mark.feature("C24")
@pytest.mark.feature("H04")
@pytest.mark.feature("H05")
def test_a_wildcard_and_its_apex_share_a_name_and_leave_what_others_have_there(bed):
    """Step by step, for both records are to be seen at once."""
    name = "_acme-challenge.example.org"
    change = bed.in_state(bed.enroll("*.example.org", "example.org", stepwise=True).change.id,
                          AWAITING_VERIFY)
    assert [c.type for c in change.challenges] == ["dns-01", "dns-01"]
    assert {c.dns_name for c in change.challenges} == {name}
    values = values_of(change)
    assert len(set(values)) == 2
    assert bed.named.txt(name) == sorted([*values, "somebody's"])
    bed.call("Changes", "Verify", id=change.id)
    bed.in_state(change.id, AWAITING_ISSUE)
    bed.call("Changes", "Issue", id=change.id)
    done = bed.ended(change.id, DONE)
    assert names_of(bed.certificate(done.certificate)) == {"*.example.org", "example.org"}
    assert bed.named.txt(name) == ["somebody's"]


@pytest.mark.feature("C24")
def test_each_tsig_algorithm_signs_updates_that_bind_takes(bed):
    """SHA-256 in the test before."""
    for host in ("*.three.test", "*.example.net"):
        _, change = bed.obtain(host)
        assert names_of(bed.certificate(change.certificate)) == {host}
        assert bed.named.txt(f"_acme-challenge.{host[2:]}") == []


def test_a_cname_of_acme_challenge_leads_into_another_zone_with_another_key(bed):
    change = bed.ended(bed.begin("moved.example.org", "*.moved.example.org"), DONE)
    assert {c.dns_target for c in change.challenges} == {"there.example.net"}
    assert bed.named.txt("there.example.net") == []
    # All that was there is the CNAME.
    assert bed.named.dig("_acme-challenge.moved.example.org") == ["there.example.net."]


def test_an_account_gets_a_provider_by_a_cname_into_its_own_part_alone(bed):
    """Who has the name has put it there; the provider has the operator's credentials."""
    token = bed.make_token("acme")

    def order(host):
        status, _, answer = bed.rest("POST", "/v1/enrollments", token, {
            "hostnames": [host], "validation": "dns_01"})
        assert status in (200, 201), answer
        return int(answer["change"]["id"])
    change = bed.ended(order("mine.example.org"), DONE)
    assert change.challenges[0].dns_target == "x.acme.to.tenants.test"
    for host in ("theirs.example.org", "bank.example.org"):
        change = bed.ended(order(host), FAILED)
        assert "for others than account acme" in change.problem
        assert change.problem.count("ask the operator") == 1
    assert bed.named.txt("x.rival.to.tenants.test") == []


def test_an_acme_dns_server_takes_the_values(bed):
    change = bed.ended(bed.begin("www.example.com"), DONE)
    challenge = change.challenges[0]
    assert challenge.dns_target.endswith(".auth.test")
    # acme-dns keeps the last ones.
    assert bed.named.txt(challenge.dns_name) == [challenge.dns_value]


def test_a_hook_of_legos_style_is_told_name_and_value(bed):
    change = bed.ended(bed.begin("*.lego.test"), DONE)
    told = f"_acme-challenge.lego.test. {change.challenges[0].dns_value}"
    assert bed.calls("lego") == [f"present {told}", f"cleanup {told}"]
    assert bed.named.txt("_acme-challenge.lego.test") == []


def test_a_hook_of_certbots_style_has_its_environment(bed):
    change = bed.ended(bed.begin("www.certbot.test"), DONE)
    auth, cleanup = bed.calls("certbot")
    value = change.challenges[0].dns_value
    for line in (auth, cleanup):
        assert "CERTBOT_DOMAIN=www.certbot.test " in line
        assert f"CERTBOT_VALIDATION={value} " in line
        assert "CERTBOT_REMAINING_CHALLENGES=0 " in line
    assert "CERTBOT_AUTH_OUTPUT" not in auth and auth.endswith("auth")
    assert "CERTBOT_AUTH_OUTPUT=record of www.certbot.test " in cleanup
    assert bed.named.txt("_acme-challenge.www.certbot.test") == []


@pytest.mark.feature("H10")
def test_dns_persist_01_needs_one_record_for_ever(bed):
    """The CA is a front's invention; its certificates are short-lived."""
    change = bed.in_state(bed.begin("*.keep.hand.test", validation=DNS_PERSIST_01,
                                    authority="persist"), PRESENTING)
    challenge = change.challenges[0]
    assert challenge.dns_name == "_validation-persist.keep.hand.test"
    assert challenge.dns_value.startswith(f"{ISSUER}; accounturi=https://{bed.persist.host}/")
    assert challenge.dns_value.endswith("; policy=wildcard")
    assert f'IN TXT "{challenge.dns_value}"' in bed.cli("change", "show", change.id)
    bed.named.update("hand.test", f'add {challenge.dns_name} 5 TXT "{challenge.dns_value}"')
    bed.first = bed.ended(change.id, DONE)
    assert bed.named.txt(challenge.dns_name) == [challenge.dns_value]


# ---- by hand ----

def put(bed, change, *challenges):
    for challenge in challenges or change.challenges:
        bed.named.update("hand.test", f'add {place(challenge)} 5 TXT "{challenge.dns_value}"')


@pytest.mark.feature("H06")
@pytest.mark.feature("A04")
def test_by_hand_values_are_shown_checked_and_stay_while_the_order_lives(bed):
    host = ["www.hand.test", "away.hand.test"]
    change = bed.in_state(bed.begin(*host, validation=BY_HAND), AWAITING_VERIFY)
    first, second = sorted(change.challenges, key=lambda c: c.dns_target)
    assert (first.dns_name, first.dns_target) == ("_acme-challenge.www.hand.test", "")
    assert second.dns_target == "here.hand.test"
    shown = bed.cli("change", "show", change.id)
    assert f'_acme-challenge.www.hand.test. IN TXT "{first.dns_value}"' in shown
    assert f'here.hand.test. IN TXT "{second.dns_value}"' in shown
    assert f"holdfast change verify {change.id}" in shown
    # Pressed too early: what is missing, where, and when to press again.
    why = bed.refused_verify(change.id)
    assert "0 of 1 authoritative servers of hand.test have it" in why
    assert "has no TXT record there" in why
    assert why.count("verify again in ") == 1, why
    # One of two; another value at the other.
    put(bed, change, first)
    bed.named.update("hand.test", 'add here.hand.test 5 TXT "another"')
    done = bed.run("change", "verify", change.id)
    assert done.returncode == 1 and 'has "another"' in done.stderr, done.stderr
    again = bed.change(change.id)
    states = {c.dns_name: c.state for c in again.challenges}
    assert states == {first.dns_name: 2, second.dns_name: 1}
    bed.restart_certd()
    again = bed.change(change.id)
    assert values_of(again) == values_of(change) and again.state == AWAITING_VERIFY
    assert [c.token for c in again.challenges] == [c.token for c in change.challenges]
    put(bed, change, second)
    assert "certificate " in bed.cli("change", "verify", change.id)
    done = bed.ended(change.id, DONE)
    assert names_of(bed.certificate(done.certificate)) == set(host)
    # What a person put there is a person's.
    assert first.dns_value in bed.named.txt(first.dns_name)


@pytest.mark.feature("H07")
def test_an_order_that_nobody_verifies_expires_and_can_be_ordered_again(bed):
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=20)
    # Some requests are refused for their nonce, and made again.
    bed.persist.fault("member", on="new_order", count=-1, member="expires",
                      value=soon.strftime("%Y-%m-%dT%H:%M:%SZ"))
    first = bed.in_state(bed.begin("late.hand.test", validation=BY_HAND, authority="persist"),
                         AWAITING_VERIFY)
    bed.persist.clear()
    assert first.expires_s == int(soon.timestamp())
    ended = bed.ended(first.id, EXPIRED)
    assert "ended before it was verified; order again" in ended.problem
    assert bed.refusal("Changes", "Verify", id=first.id)[0] == "FAILED_PRECONDITION"
    assert [detail for about, detail in bed.events("acme.expired")
            if about == f"change {first.id}"] == [ended.problem]
    begun = bed.call("Enrollments", "Issue", id=first.enrollment)
    second = bed.in_state(begun.change.id, AWAITING_VERIFY)
    assert values_of(second) != values_of(first)
    put(bed, second)
    # This CA asks a DNS of its own.
    challenge = second.challenges[0]
    bed.pebbles["persist"].add_txt(challenge.dns_name, challenge.dns_value)
    bed.call("Changes", "Verify", id=second.id)
    bed.ended(second.id, DONE)


# ---- renewal ----

@pytest.mark.feature("H10")
@pytest.mark.feature("C22")
def test_certificates_validated_by_dns_renew_by_themselves(bed):
    """By a provider, over a delegation, and by the record of the test of dns-persist-01; of
    CAs whose certificates are short-lived."""
    begun = [bed.first] + [bed.obtain(host, authority="short")[1] for host in (
        "*.again.example.org", "*.moved.example.org")]
    for first in begun:
        wait_for(f"{first.hostnames} is renewed", lambda c=first: bed.enrollment(
            c.enrollment).certificate != c.certificate)
        change = bed.changes(enrollment=first.enrollment)[-2]
        assert (change.kind, change.created_by) == (RENEWAL, "certd")
        bed.call("Enrollments", "Delete", id=first.enrollment)


# ---- the DNS is not as it should be ----

def mended(bed, change):
    """It goes on without being ordered again, sooner when it is told to."""
    bed.call("Changes", "Retry", id=change)
    bed.ended(change, DONE)


def says(bed, change, words):
    """What is wrong with the change's challenge, once it is that: an answer may be late."""
    def ask():
        said = bed.change(change).challenges[0].problem
        assert words in said, said
        return said
    return wait_for("it says who has it not", ask)


def test_a_server_that_is_behind_is_named_and_waited_for(bed):
    change = bed.in_state(bed.begin("*.slow.test"), PRESENTING)
    said = says(bed, change.id, "1 of 2 authoritative servers of slow.test have it")
    assert "ns2.slow.test" in said and BEHIND in said and "ns1.slow.test" not in said
    assert "ns2.slow.test" in bed.cli("change", "show", change.id)
    bed.behind.catch_up("slow.test")
    bed.ended(change.id, DONE)


def test_a_lame_server_is_named_and_no_order_is_lost_on_it(bed):
    change = bed.begin("*.lame.test")
    assert "ns2.lame.test" in says(bed, change, "REFUSED")
    bed.named.update("lame.test", "delete lame.test NS ns2.lame.test.")
    bed.ended(change, DONE)


def test_servfail_stops_before_the_ca_is_asked_and_is_tried_again(bed):
    orders = bed.orders_made()
    change = bed.ended(bed.begin("*.broken.test"), FAILED)
    assert "SERVFAIL" in change.problem and "broken.test" in change.problem
    assert bed.orders_made() == orders
    zone = bed.named.dir / "broken.test.zone"
    zone.write_text(zone.read_text().replace("this is no record", ""))
    bed.named.reload()
    bed.retried(change.id)


def test_a_zone_that_is_not_there_is_told(bed):
    change = bed.ended(bed.begin("*.nowhere.invalid"), FAILED)
    assert "_acme-challenge.nowhere.invalid" in change.problem


def test_a_cname_loop_is_told(bed):
    change = bed.ended(bed.begin("round.example.org"), FAILED)
    assert "_acme-challenge.round.example.org" in change.problem
    assert "circle" in change.problem or "no end" in change.problem
    bed.named.update("example.org", "delete _acme-challenge.round.example.org CNAME")
    bed.retried(change.id)


def test_an_update_that_is_not_granted_says_which_key_at_which_server(bed):
    change = bed.ended(bed.begin("*.refused.test"), FAILED)
    assert "DNS provider main" in change.problem and "REFUSED" in change.problem
    assert bed.named.resolver in change.problem
    bed.named.zones["refused.test"]["keys"] = [
        key for key in bed.named.keys if key.name == "sha256-key"]
    bed.named.reload()
    bed.retried(change.id)


def test_a_wrong_tsig_key_is_told_and_its_secret_never_shown(bed):
    bed.named.secrets["other-key"] = bed.hooks.secret
    bed.named.reload()
    change = bed.begin("*.badkey.test")
    said = wait_for("it is said", lambda: bed.change(change).problem)
    assert "DNS provider badkey" in said and "the key other-key is another one" in said
    for secret in (bed.other.secret, bed.hooks.secret):
        assert secret not in said and secret not in bed.daemons["certd"].text()
    del bed.named.secrets["other-key"]
    bed.named.reload()
    mended(bed, change)


def test_a_hook_that_fails_is_quoted(bed):
    hook = bed.dir / "lego-hook"
    good = hook.read_text()
    hook.write_text("#!/bin/sh\necho 'the API says: quota' >&2\nexit 3\n")
    change = bed.begin("www.lego.test")
    said = wait_for("it is said", lambda: bed.change(change).problem)
    assert "the API says: quota" in said
    hook.write_text(good)
    mended(bed, change)


def test_no_record_of_ours_is_left_anywhere(bed):
    for zone in ("example.org", "example.net", "three.test", "slow.test", "lame.test",
                 "refused.test", "badkey.test", "tenants.test", "lego.test", "certbot.test", "broken.test"):
        done = subprocess.run(["dig", "@127.0.0.1", "-p", str(bed.named.port), zone, "AXFR"],
                              capture_output=True, text=True, check=True, timeout=60)
        left = [line for line in done.stdout.splitlines()
                if "\tTXT\t" in line and "somebody's" not in line]
        assert left == [], zone

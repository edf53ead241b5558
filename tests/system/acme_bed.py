# SPDX-License-Identifier: Apache-2.0
"""The test bed with CAs: certd, pebbles that it orders from, and edges where wanted.

    bed = AcmeBed().up()              certd itself answers http-01; one pebble
    bed = AcmeBed(edges=2).up()       edged does, behind nginx (one port for each edge)
    bed = AcmeBed(front={}).up()      bed.front misbehaves on cue, or has ARI, profiles, ...
    bed = AcmeBed(cas={"one": {}, "two": {"eab": True}}).up()      bed.pebbles["two"]

    bed.obtain("www.example.org")                   its Enrollment and its Change, DONE
    change = bed.ended(bed.enroll("a.example.org").change.id)

All run as daemons of the bed; its DNS is the first pebble's challtestsrv, unless dns= names
another resolver ("127.0.0.1:5353").
"""

import base64
import struct

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from bed import BUILD, free_port, wait_for
from certd_bed import FollowBed, enrollments_pb2, keys_pb2
from pebble import EAB_KEY, EAB_KEY_ID, AcmeFront, Pebble

(QUEUED, CHECKING, ORDERING, PRESENTING, AWAITING_VERIFY, VALIDATING, AWAITING_ISSUE, FINALIZING,
 INSTALLING, PROVING, DONE, FAILED, CANCELLED, EXPIRED) = range(1, 15)
ISSUE, RENEWAL, REISSUE, REPLACEMENT = 1, 2, 3, 4
PENDING, ACTIVE, ENROLLMENT_FAILED, REVOKED = 1, 2, 3, 4
VERIFY, GIVE_ISSUE, RETRY, CANCEL = 1, 2, 3, 4
HTTP_01, DNS_01, BY_HAND, DNS_PERSIST_01 = 1, 2, 3, 4
MODE_PERSONAL, MODE_ACME, MODE_SHARED, MODE_AUTOMATIC = 1, 2, 3, 4
KIND_PERSONAL, KIND_ACME = 1, 2

CLOCK = BUILD / "tests/libclock_ahead.so"
_NAMES = enrollments_pb2.ChangeState.Name


def state_name(state):
    return _NAMES(state).removeprefix("CHANGE_STATE_")


class AcmeBed(FollowBed):
    """cas: {name in certd.yaml: what Pebble is made with}; the first one by default.

    front: settings of an AcmeFront before the first CA (None: no front).
    ca_lines: {name: more lines of its entry in acme.authorities}.
    acme_lines, dns_lines, check_lines: more of these parts of certd.yaml.
    dns: the resolver of CAs and certd.  preflight: certd looks before it asks a CA.
    clock: the daemons' can be set (set_clock, travel); the CAs stay in the present.
    """

    def __init__(self, edges=0, cas=None, front=None, ca_lines=None, acme_lines="", dns_lines="",
                 check_lines="", dns=None, preflight=False, clock=False, **kw):
        super().__init__(edges=edges, http=edges > 0, **kw)
        if clock:
            self.clock = self.dir / "clock"
            self.clock.write_bytes(bytes(8))
            self.env.update(LD_PRELOAD=str(CLOCK), CLOCK_AHEAD_FILE=str(self.clock))
        self.ca_lines, self.acme_lines = ca_lines or {}, acme_lines
        self.dns_lines, self.check_lines = dns_lines, check_lines
        self.preflight, self.dns = preflight, dns
        self.http_port = self.http_ports["e1"] if edges else free_port()
        self.pebbles = {name: self._new_ca(name, settings)
                        for name, settings in (cas or {"pebble": {}}).items()}
        self.pebble = next(iter(self.pebbles.values()))
        self.resolver = dns or self.pebble.resolver
        self.front = None if front is None else AcmeFront(self.pebble, **front)
        keyd = self.dir / "keyd.yaml"
        hosts = ", ".join(f'"{ca.host}"' for ca in self.reached().values())
        text = keyd.read_text() + f"signing:\n  acme_hosts: [{hosts}]\n"
        if clock:
            # Its workers certify identities.
            text = text.replace("[SOFTHSM2_CONF]", "[SOFTHSM2_CONF, LD_PRELOAD, CLOCK_AHEAD_FILE]")
        keyd.write_text(text)

    def _new_ca(self, name, settings):
        settings = dict({"dns": self.dns, "http_port": self.http_port}, **settings)
        if settings["dns"] is None and getattr(self, "_first_dns", None):
            settings["dns"] = self._first_dns
        pebble = Pebble(self.dir / f"ca-{name}", **settings)
        pebble.eab = settings.get("eab", False)
        self._first_dns = settings["dns"] or pebble.resolver
        return pebble

    def reached(self):
        """{name: whom certd asks}."""
        found = dict(self.pebbles)
        if self.front is not None:
            found[next(iter(found))] = self.front
        return found

    # ---- certd.yaml ----

    def authority_entry(self, name, ca):
        lines = f"""\
    - name: {name}
      directory: {ca.directory}
      ca_file: {ca.ca_file}
      terms_agreed: true
"""
        if self.pebbles[name].eab:
            key = self.dir / f"{name}.eab"
            key.write_text(EAB_KEY)
            key.chmod(0o600)
            lines += f"      eab_kid: {EAB_KEY_ID}\n      eab_key_file: {key}\n"
        return lines + self.ca_lines.get(name, "")

    def write_certd_config(self):
        path = super().write_certd_config()
        entries = "".join(self.authority_entry(*one) for one in self.reached().items())
        listen = "" if self.names else f'  http_listen: "127.0.0.1:{self.http_port}"\n'
        path.write_text(path.read_text() + f"""\
acme:
  authorities:
{entries}{listen}  preflight: {"true" if self.preflight else "false"}
{self.acme_lines}dns:
  resolvers: ["{self.resolver}"]
  authoritative_port: {self.resolver.rpartition(":")[2]}
{self.dns_lines}checks:
  http_port: {self.http_port}
  https_port: {self.ports[self.names[0]] if self.names else free_port()}
  allow_private: true
{self.check_lines}""")
        return path

    # ---- life ----

    def up(self):
        for ca in self.pebbles.values():
            ca.start()
        if self.front is not None:
            self.front.start()
        super().up()
        self.make_account("acme")
        for name in self.names:
            self.start_edge(name)
        if self.names:
            self.start_nginx()
            self.wait_edges()
        return self

    def wait_edges(self):
        """Until all edges are connected."""
        for name in self.names:
            wait_for(f"{name} is live", lambda n=name: self.json(
                "edge", "show", n)["state"] == "live", 120)

    def kill_certd(self):
        self.daemons["certd"].kill()

    def restart_certd(self):
        """Stopped and started; it, its edges and keyd reach each other."""
        self.daemons["certd"].stop()
        self.start_certd()
        wait_for("certd reaches keyd", lambda: self.call(
            "Status", "Get").keyd_trouble == "")
        self.wait_edges()

    def set_clock(self, ahead_s):
        """That of keyd, certd, edges and the command line, while they run."""
        with open(self.clock, "r+b", buffering=0) as clock:
            clock.write(struct.pack("=q", ahead_s))

    def travel(self, ahead_s):
        """certd is started again at another time."""
        self.set_clock(ahead_s)
        self.restart_certd()

    def close(self):
        try:
            super().close()
        finally:
            if self.front is not None:
                self.front.stop()
            for ca in self.pebbles.values():
                ca.stop()

    # ---- enrollments and changes ----

    def enroll(self, *hostnames, account="acme", **fields):
        """The EnrollmentChange."""
        return self.call("Enrollments", "Create", account=account, hostnames=hostnames, **fields)

    def enrollment(self, id_):
        return self.call("Enrollments", "Get", id=id_)

    def change(self, id_):
        return self.call("Changes", "Get", id=id_)

    def changes(self, **fields):
        """Newest first."""
        return list(self.call("Changes", "List", page_size=1000, **fields).changes)

    def in_state(self, id_, *states, seconds=120):
        """The change, as soon as it is in one of these."""
        def ask():
            change = self.change(id_)
            if change.state not in states and change.state >= DONE:
                raise AssertionError(f"{state_name(change.state)}: {change.problem}")
            return change if change.state in states else None
        return wait_for(f"change {id_} is {' or '.join(map(state_name, states))}", ask, seconds)

    def ended(self, id_, *states, seconds=120):
        """The change when it has ended, in one of these (any when none is named)."""
        change = None
        def ask():
            nonlocal change
            change = self.change(id_)
            return change.state >= DONE
        try:
            wait_for(f"change {id_} ends", ask, seconds)
        except AssertionError:
            raise AssertionError(f"change {id_} does not end:\n{change}") from None
        assert not states or change.state in states, f"{state_name(change.state)}\n{change}"
        return change

    def obtain(self, *hostnames, **fields):
        """(enrollment, change) of a certificate that is there."""
        begun = self.enroll(*hostnames, **fields)
        change = self.ended(begun.change.id, DONE)
        return self.enrollment(begun.enrollment.id), change

    def certificate(self, id_):
        """The leaf, as x509."""
        return self.chain(id_)[0]

    def chain(self, id_):
        """The leaf and what follows it."""
        return read_chain(self.call("Certificates", "Export", id=id_, format=1).content)

    def ca_status(self, certificate, ca=None):
        """"Valid" or "Revoked", as the CA says of certd's certificate."""
        return (ca or self.pebble).certificate_status(
            self.certificate(certificate).serial_number)["Status"]

    def orders_made(self, ca=None):
        """How many orders the CA has taken since its start: not those whose nonce it refused."""
        return (ca or self.pebble).pebble.text().count("Added order ")

    def issued_by(self, ca=None):
        """How many certificates the CA has issued since its start."""
        return (ca or self.pebble).pebble.text().count("Issued certificate serial")

    def no_key_is_left_over(self):
        """Does keyd hold the keys of certd's certificates, and no other for use?"""
        in_use = {row[0] for row in self.rows("SELECT lower(hex(key)) FROM certificate")}
        return in_use == {id_ for id_, key in self.keyd_keys().items()
                          if key.state == keys_pb2.KEY_STATE_ACTIVE}

    def events(self, act):
        """[(object, detail)] of certd's history, oldest first."""
        return self.rows(f"SELECT object, detail FROM event WHERE act = '{act}' ORDER BY id")


def read_chain(pem):
    end = b"-----END CERTIFICATE-----\n"
    return [x509.load_pem_x509_certificate(part + end) for part in pem.split(end) if part.strip()]


def names_of(certificate):
    return set(certificate.extensions.get_extension_for_class(
        x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName))


def spki_of(certificate):
    return certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def fingerprint_of(certificate):
    return certificate.fingerprint(hashes.SHA256()).hex()


def cert_id_of(certificate):
    """RFC 9773 4.1."""
    key = certificate.extensions.get_extension_for_class(
        x509.AuthorityKeyIdentifier).value.key_identifier
    serial = certificate.serial_number
    octets = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    return ".".join(base64.urlsafe_b64encode(b).rstrip(b"=").decode() for b in (key, octets))

# SPDX-License-Identifier: Apache-2.0
"""Standby certificates: a second CA with its own root, a second key, and files that are on the
edges before they are needed.  The first CA goes away, and what it issued is to be replaced."""

import socket
import ssl

import pytest
from cryptography.hazmat.primitives import hashes

from acme_bed import CANCELLED, DONE, MODE_ACME, AcmeBed, read_chain
from bed import wait_for

HOST = "shop.example.org"
STANDBY = 11  # UpdateEnrollmentRequest.Field


@pytest.fixture(scope="module")
def bed():
    b = AcmeBed(edges=1, cas={"first": {}, "spare": {}}, acme_lines="  standby: spare\n",
                ca_lines={"spare": "      standby_only: true\n"})
    b.up()
    made = b.call("Resources", "Create", account="acme", name="shop", hostnames=[HOST],
                  mode=MODE_ACME).resource
    b.publish(HOST)
    b.ended(made.change, DONE)
    b.resource, b.enrollment_id = made.id, b.call("Resources", "Get", id=made.id).enrollment
    yield b
    b.close()


def set_standby(bed, wanted):
    bed.call("Enrollments", "Update", id=bed.enrollment_id, change=[STANDBY], standby=wanted)


def with_standby(bed):
    """The enrollment, once it has both certificates."""
    if not bed.enrollment(bed.enrollment_id).standby:
        set_standby(bed, True)

    def ask():
        found = bed.enrollment(bed.enrollment_id)
        return found if found.standby_certificate else None
    return wait_for("a standby certificate comes", ask, 60)


def fingerprint(certificate):
    return certificate.fingerprint(hashes.SHA256()).hex()


def granted(bed, certificate):
    """Has keyd granted the edges' group the certificate's key?"""
    key, = bed.rows(f"SELECT lower(hex(key)) FROM certificate WHERE id = {certificate}")[0]
    return (key, "standard") in bed.keyd_grants()


def standby_folder(bed):
    return bed.live("e1", HOST) / "standby"


def has_files_of(bed, certificate):
    leaf = fingerprint(bed.certificate(certificate))

    def ask():
        chain = standby_folder(bed) / "fullchain.pem"
        return chain.exists() and fingerprint(read_chain(chain.read_bytes())[0]) == leaf
    wait_for("the edge has the standby certificate's files", ask)


def verified(bed, roots):
    """A handshake that a browser with these roots would like."""
    context = ssl.create_default_context(cadata=roots)
    with socket.create_connection(("127.0.0.1", bed.ports["e1"]), 60) as plain:
        with context.wrap_socket(plain, server_hostname=HOST) as tls:
            return tls.version()


@pytest.mark.feature("X15")
def test_a_second_ca_has_issued_for_a_key_of_its_own_and_edges_are_ready(bed):
    enrollment = with_standby(bed)
    main, standby = enrollment.certificate, enrollment.standby_certificate
    assert enrollment.standby_problem == ""
    assert bed.certificate(main).public_key() != bed.certificate(standby).public_key()
    assert bed.certificate(main).issuer != bed.certificate(standby).issuer
    has_files_of(bed, standby)
    assert b"PRIVATE KEY" not in (standby_folder(bed) / "privkey.pem").read_bytes()
    assert (standby_folder(bed) / "haproxy.pem").exists()
    wait_for("keyd grants both keys", lambda: granted(bed, main) and granted(bed, standby))
    # It is served nowhere, and nobody waits for it.
    assert bed.served("e1", HOST) == fingerprint(bed.certificate(main))
    wait_for("the edge has converged", lambda: bed.converged("shop"), 60)
    assert [one.id for one in bed.call("Resources", "Get", id=bed.resource).certificates] == [main]


@pytest.mark.feature("X15")
def test_one_bind_changes_over_while_the_first_ca_is_gone(bed):
    enrollment = with_standby(bed)
    main, standby = enrollment.certificate, enrollment.standby_certificate
    has_files_of(bed, standby)
    bed.pebbles["first"].stop_ca()
    # All that it has issued is to be replaced, and it is not there.
    change = bed.call("Enrollments", "Issue", id=bed.enrollment_id, force=True).change.id
    wait_for("the change meets with trouble", lambda: bed.change(change).problem)
    bed.call("Resources", "Bind", id=bed.resource, certificates=[standby])
    leaf = fingerprint(bed.certificate(standby))
    wait_for("nginx serves the standby certificate",
             lambda: bed.served("e1", HOST) == leaf)
    # A worker of nginx that is about to end may take one more connection.
    wait_for("its chain leads to the other CA's root",
             lambda: verified(bed, bed.pebbles["spare"].root()))
    with pytest.raises(ssl.SSLCertVerificationError):
        verified(bed, (bed.pebbles["spare"].dir / "ca.pem").read_text())
    # They have changed places.
    now = bed.enrollment(bed.enrollment_id)
    assert (now.certificate, now.standby_certificate) == (standby, main)
    has_files_of(bed, main)
    assert granted(bed, main) and granted(bed, standby)
    bed.ended(change, CANCELLED)
    # Nothing takes its place by itself.
    assert not bed.changes(enrollment=bed.enrollment_id, under_way=True)
    wait_for("the edge has converged", lambda: bed.converged("shop"), 60)
    # And back, which costs as little.
    bed.call("Resources", "Bind", id=bed.resource, certificates=[main])
    leaf = fingerprint(bed.certificate(main))
    wait_for("nginx serves the first one again", lambda: bed.served("e1", HOST) == leaf)
    bed.pebbles["first"].start()


@pytest.mark.feature("X15")
def test_without_standby_the_edge_loses_files_and_right(bed):
    enrollment = with_standby(bed)
    main, standby = enrollment.certificate, enrollment.standby_certificate
    has_files_of(bed, standby)
    key, = bed.rows(f"SELECT lower(hex(key)) FROM certificate WHERE id = {standby}")[0]
    set_standby(bed, False)
    wait_for("the standby files are gone", lambda: not standby_folder(bed).exists())
    wait_for("keyd has taken the right away",
             lambda: (key, "standard") not in bed.keyd_grants())
    assert granted(bed, main)
    wait_for("the certificate is deleted", lambda: not bed.rows(
        f"SELECT id FROM certificate WHERE id = {standby}"))
    assert bed.served("e1", HOST) == fingerprint(bed.certificate(main))


@pytest.mark.feature("X15")
def test_with_its_resource_all_of_it_goes(bed):
    enrollment = with_standby(bed)
    has_files_of(bed, enrollment.standby_certificate)
    bed.call("Resources", "Delete", id=bed.resource)
    wait_for("keyd grants the edges nothing", lambda: not [
        one for one in bed.keyd_grants() if one[1] == "standard"])

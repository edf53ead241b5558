# SPDX-License-Identifier: Apache-2.0
"""Whom an operator has quarantined at keyd, certd does nothing for either."""

import grpc
import pytest

from bed import wait_for
from certd_bed import CertdBed


@pytest.fixture(scope="module")
def bed():
    b = CertdBed()
    b.init()
    b.start_keyd()
    b.start_certd()
    yield b
    b.close()


def refused(bed, state, method="List"):
    """The sentence; None when it was answered."""
    try:
        bed.call("Accounts", method, state=state)
    except grpc.RpcError as error:
        assert error.code().name == "PERMISSION_DENIED", error
        return error.details()
    return None


@pytest.mark.parametrize("role", ["operator", "auditor"])
def test_whom_keyd_has_quarantined_calls_certd_no_more(bed, role):
    state = bed.member(role, "bob")
    assert refused(bed, state) is None
    bed.cli("edge", "quarantine", f"{role}/bob", "--reason", "lost laptop")
    why = wait_for("certd refuses", lambda: refused(bed, state), 60)
    assert "quarantined" in why and "holdfast edge release" in why
    # On the connection that was open all the time, and whatever is asked.
    assert "quarantined" in bed.refusal("Status", "Get", state=state)[1]
    assert "quarantined" in bed.refusal("Accounts", "Create", state=state, name="mine")[1]
    assert refused(bed, "admin") is None
    bed.cli("edge", "release", f"{role}/bob")
    wait_for("certd lets in", lambda: refused(bed, state) is None, 60)


def test_a_quarantine_holds_while_keyd_is_away_and_over_a_restart(bed):
    state = bed.member("operator", "carol")
    assert refused(bed, state) is None
    bed.cli("edge", "quarantine", "operator/carol")
    wait_for("certd refuses", lambda: refused(bed, state), 60)
    bed.daemons["keyd"].stop()
    try:
        assert refused(bed, state) and refused(bed, "admin") is None
        bed.daemons["certd"].stop()
        bed.start_certd()
        assert refused(bed, state) and refused(bed, "admin") is None
    finally:
        bed.start_keyd()
    bed.cli("edge", "release", "operator/carol")
    wait_for("certd lets in", lambda: refused(bed, state) is None, 60)

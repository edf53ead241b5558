# SPDX-License-Identifier: Apache-2.0
"""Dossiers of keys with other lives: kept wrapped, imported, voted on, gone."""

import json
import subprocess

import pytest

from bed import Bed, wait_for
from wire import Signer, member, tls13_content


@pytest.fixture(scope="module")
def bed():
    """A wrapped pool; destroying takes two, a moment after it is due."""
    b = Bed(workers=1)
    config = b.dir / "keyd.yaml"
    config.write_text(config.read_text().replace(
        "    token: custody\n", "    token: custody\n    keys: wrapped\n") +
        "keys: {destroy_delay: 1h, destroy_delay_min: 1s}\napprovals: {quorum: 2}\n")
    b.init()
    b.start_keyd()
    b.cli("audit", "key")
    yield b
    b.close()


def dossier(bed, label):
    path = bed.dir / f"{label}.json"
    bed.cli("key", "dossier", label, "-o", path)
    assert "it holds" in bed.cli("audit", "verify") and "holds:" in bed.cli(
        "audit", "verify", "--dossier", path)
    return json.loads(path.read_text())


@pytest.mark.feature("X13")
def test_a_wrapped_keys_dossier_says_what_that_means(bed):
    key = bed.make_key("wrapped", edge="fra-1")
    Signer(bed, "edge", "fra-1").sign(key, tls13_content())
    told = dossier(bed, "wrapped")
    assert told["key"]["wrapped"] is True
    assert "extractable under that key alone" in told["key"]["kept"]
    assert "as recorded" in told["attributes_now"]["not_asked"]
    assert told["attributes_at_birth"]["extractable"] is False
    assert "generated" in told["key"]["birth"]


@pytest.mark.feature("X13")
def test_an_imported_keys_dossier_says_where_it_came_from(bed):
    pem = bed.dir / "came.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-out", pem], check=True, capture_output=True)
    pem.chmod(0o600)
    bed.cli("key", "import", "came", pem)
    told = dossier(bed, "came")
    assert "imported" in told["key"]["birth"]
    assert told["attributes_at_birth"]["local"] is False
    assert "imported" in bed.cli("audit", "verify", "--dossier", bed.dir / "came.json")


@pytest.mark.feature("X13")
def test_votes_and_the_end_stay_in_a_keys_dossier(bed):
    key = bed.make_key("ended", edge="fra-1")
    second = member(bed, "operator", "second").name
    bed.cli("key", "destroy", "ended", "--delay", "1s", "--comment", "moved", "--yes")
    told = dossier(bed, "ended")
    approval, = told["approvals"]
    assert approval["state"] == "pending" and approval["comment"] == "moved"
    bed.cli("approval", "approve", approval["id"], "--comment", "seen", state=second)
    wait_for("it is destroyed",
             lambda: bed.json("key", "show", "ended")["state"] == "destroyed")
    told = dossier(bed, "ended")
    assert told["key"]["state"] == "destroyed" and told["key"]["id"] == key["id"]
    approval, = told["approvals"]
    assert approval["state"] == "done" and approval["quorum"] == 2
    assert {v["operator"].split("/")[-1] for v in approval["votes"]} == {"admin", "second"}
    assert told["grants"] == [] and told["left_out"]["older_approvals"] is False
    assert any("destroy" in act["act"] for act in told["custody"])

# SPDX-License-Identifier: Apache-2.0
"""A keyd whose past is exchanged, and witnesses, seen from the command line.

A bed of its own: these tests stop keyd and put an older state in its place.
"""

import base64
import hashlib
import json
import shutil
import subprocess
import time

import pytest

from bed import Bed
from wire import Signer, tls13_content


class Witness:
    """Ed25519 by OpenSSL; cosignatures as C2SP tlog-cosignature has them."""

    def __init__(self, folder, name="witness.test/w1"):
        self.name, self.key, self.folder = name, folder / "witness.pem", folder
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.key],
                       check=True)
        spki = subprocess.run(["openssl", "pkey", "-in", self.key, "-pubout", "-outform", "DER"],
                              check=True, capture_output=True).stdout
        public = b"\x04" + spki[-32:]
        self.hash = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
        self.vkey = f"{name}+{self.hash.hex()}+{base64.b64encode(public).decode()}"

    def cosign(self, note, at=None):
        at = int(time.time()) if at is None else at
        text = note[:note.index("\n\n") + 1]
        signed, out = self.folder / "signed", self.folder / "signature"
        signed.write_text(f"cosignature/v1\ntime {at}\n{text}")
        subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", self.key, "-rawin", "-in",
                        signed, "-out", out], check=True)
        octets = self.hash + at.to_bytes(8, "big") + out.read_bytes()
        return f"{note}— {self.name} {base64.b64encode(octets).decode()}\n"


@pytest.fixture(scope="module")
def bed():
    b = Bed(workers=1)
    b.witness = Witness(b.dir)
    config = b.dir / "keyd.yaml"
    config.write_text(config.read_text().replace(
        "audit:\n", f"audit:\n  witnesses: [\"{b.witness.vkey}\"]\n"))
    b.init()
    b.start_keyd()
    b.key = b.make_key("www", edge="fra-1")
    b.sign = lambda n: [Signer(b, "edge", "fra-1").sign(b.key, tls13_content())
                        for _ in range(n)]
    b.sign(3)
    yield b
    b.close()


def verify(bed, *argv):
    done = bed.run("--json", "audit", "verify", *argv)
    return done, json.loads(done.stdout) if done.stdout else None


def test_a_cosignature_is_handed_in_and_asked_for(bed):
    described = bed.json("audit", "key")
    file = bed.dir / "cosigned"
    file.write_text(bed.witness.cosign(described["checkpoint"]))
    bed.cli("audit", "cosign", file)
    copy = bed.dir / "copy"
    shutil.copytree(bed.dir / "keyd/audit/ledger", copy)
    done, result = verify(bed, copy, "--witness", bed.witness.vkey, "--no-remember")
    assert done.returncode == 0 and result["cosignatures"] == 1, done
    # A witness that has not cosigned is missed, unless it is not needed.
    (bed.dir / "other").mkdir()
    other = Witness(bed.dir / "other", "witness.test/w2").vkey
    both = ("--witness", bed.witness.vkey, "--witness", other, "--no-remember")
    done, result = verify(bed, copy, *both)
    assert done.returncode == 1 and not result["holds"], done
    done, result = verify(bed, copy, *both, "--witnesses-needed", "1")
    assert done.returncode == 0 and result["cosignatures"] == 1, done


def test_a_cosignature_of_something_else_is_refused(bed):
    # With keyd's own signature alone.
    text, signatures = bed.json("audit", "key")["checkpoint"].split("\n\n")
    note = text + "\n\n" + signatures.splitlines(keepends=True)[0]
    file = bed.dir / "wrong"
    lines = bed.witness.cosign(note).splitlines(keepends=True)
    file.write_text(note + lines[-1].replace(lines[-1][-12:-8], "AAAA"))
    assert bed.run("audit", "cosign", file).returncode == 1
    stranger = bed.dir / "stranger"
    stranger.mkdir()
    file.write_text(Witness(stranger, "witness.test/x").cosign(note))
    assert bed.run("audit", "cosign", file).returncode == 5
    file.write_text("nothing\n")
    assert bed.run("audit", "cosign", file).returncode == 1


@pytest.mark.feature("X06")
def test_a_keyd_whose_history_was_rewritten_is_noticed(bed):
    bed.cli("audit", "key")
    keyd = bed.daemons["keyd"]
    keyd.stop()
    saved = bed.dir / "saved"
    shutil.copytree(bed.dir / "keyd", saved)
    bed.start_keyd()
    bed.sign(5)
    done, seen = verify(bed)
    assert done.returncode == 0 and seen["holds"], done
    # Back to the state before, as an intruder would to lose five records.
    keyd.stop()
    shutil.rmtree(bed.dir / "keyd")
    shutil.copytree(saved, bed.dir / "keyd")
    bed.start_keyd()
    done, result = verify(bed)
    assert done.returncode == 1 and "rolled back" in result["what"], done
    # Longer than it was, so size alone tells nothing; keyd cannot prove it.
    bed.sign(seen["size"])
    done, result = verify(bed)
    assert done.returncode == 1 and "rewritten" in result["what"], done
    copy = bed.dir / "rewritten"
    shutil.copytree(bed.dir / "keyd/audit/ledger", copy)
    done, result = verify(bed, copy)
    assert done.returncode == 1 and not result["holds"], done
    # What was remembered is still what was true.
    assert verify(bed)[0].returncode == 1

# SPDX-License-Identifier: Apache-2.0
"""The HSM goes away and comes back; keyd stays. Its own bed: it breaks things."""

import subprocess

import pytest

from bed import Bed, wait_for
from wire import Signer, tls13_content


@pytest.fixture(scope="module")
def bed():
    b = Bed()
    b.init()
    b.start_keyd()
    b.key = b.make_key("k", edge="fra-1")
    yield b
    b.close()


@pytest.fixture(scope="module")
def signer(bed):
    return Signer(bed, "edge", "fra-1")


def sign(signer, bed):
    return signer.sign(bed.key, tls13_content())


@pytest.mark.feature("X09")
def test_a_killed_worker_comes_back_by_itself(bed, signer):
    assert sign(signer, bed)
    keyd = bed.daemons["keyd"].pid
    bed.kill_workers()
    wait_for("signatures again", lambda: sign(signer, bed))
    assert bed.daemons["keyd"].pid == keyd and bed.daemons["keyd"].running()


@pytest.mark.feature("X09")
def test_a_token_that_goes_away_is_used_again_when_it_returns(bed, signer):
    keyd = bed.daemons["keyd"].pid
    tokens, away = bed.dir / "tokens", bed.dir / "tokens.away"
    tokens.rename(away)
    # A lane may go on with the copies it holds; a new worker cannot start.
    bed.kill_workers()
    wait_for("the lanes say so", lambda: all(l["state"] == "probing" and l["why"]
                                             for l in bed.lanes()))
    error = signer.error(bed.key, tls13_content())
    assert error.code().name == "UNAVAILABLE", error
    assert "token" in error.details(), error.details()
    away.rename(tokens)
    wait_for("signatures again", lambda: sign(signer, bed))
    wait_for("all lanes ready", bed.lanes_ready)
    assert bed.daemons["keyd"].pid == keyd


@pytest.mark.feature("X09")
def test_a_key_made_by_one_worker_signs_in_the_other(bed, signer):
    key = bed.make_key("fresh", edge="fra-1")
    for _ in range(20):
        assert signer.sign(key, tls13_content())


def test_a_wrong_pin_is_tried_once_a_worker_and_said(tmp_path):
    b = Bed(workers=1)
    try:
        b.init()
        b.start_keyd()
        b.daemons["keyd"].stop()
        (b.dir / "custody.pin").write_text("0000\n")
        b.start_keyd(ready=False)
        lane = wait_for("the lane says so",
                        lambda: next(l for l in b.lanes() if l["state"] == "pin-refused"))
        assert "PIN" in lane["why"]
        pid = lane["pid"]
        # It stays refused: no loop of attempts, no restarts.
        subprocess.run(["sleep", "2"], check=True)
        again = b.lanes()[0]
        assert (again["state"], again["restarts"], again["pid"]) == (
            "pin-refused", lane["restarts"], pid)
        said = [l for l in b.daemons["keyd"].text().splitlines() if "lane cannot serve" in l]
        assert len(said) == 1 and "PIN" in said[0], said
    finally:
        b.close()


@pytest.mark.parametrize("what", ["token", "module"])
def test_a_missing_token_or_module_is_said_and_keyd_stays(what):
    b = Bed(workers=1)
    try:
        b.init()
        if what == "token":
            b.write_keyd_config(token="elsewhere")
        else:
            b.write_keyd_config(module="/usr/lib/none.so")
        b.start_keyd(ready=False)
        lane = wait_for("the lane says so", lambda: next(
            l for l in b.lanes() if l["state"] == "probing" and l["why"]))
        assert what in lane["why"], lane
        assert b.daemons["keyd"].running()
    finally:
        b.close()

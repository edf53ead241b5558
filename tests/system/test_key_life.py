# SPDX-License-Identifier: Apache-2.0
"""The life of keys and M-of-N approval, with real tokens: what a suspension stops,
what a destruction leaves of a key, and who can bring one about."""

import contextlib
import json
import os
import pty
import signal
import sqlite3
import subprocess
import threading
import time

import grpc
import pytest

from bed import HOLDFAST, MODULE, Bed, wait_for
from wire import (Signer, approvals_pb2, approvals_pb2_grpc, channel, member, signer_pb2,
                  tls13_content)

REFUSED, DENIED = 1, 5


def make_bed(config, keys="token"):
    b = Bed()
    path = b.dir / "keyd.yaml"
    text = path.read_text()
    # The pool serves edges of the group "standard" alone.
    pool = "    token: custody\n"
    assert pool in text
    path.write_text(text.replace(
        pool, f"{pool}    edge_groups: [standard]\n    keys: {keys}\n") + config)
    b.init()
    b.start_keyd()
    return b


@pytest.fixture(scope="module")
def bed():
    """One operator may do all; keys are destroyed a moment after they are due."""
    b = make_bed("keys: {destroy_delay: 1h, destroy_delay_min: 1s}\n"
                 "approvals: {quorum: 1}\n")
    yield b
    b.close()


@pytest.fixture(scope="module")
def pair():
    """As shipped, destroying takes two: admin and second."""
    b = make_bed("keys: {destroy_delay: 1h, destroy_delay_min: 1s}\n"
                 "approvals: {lifetime: 72h}\n")
    yield b
    b.close()


@pytest.fixture(scope="module")
def edge(bed):
    return Signer(bed, "edge", "fra-1")


def token_objects(bed, label):
    """What the token itself has under this label, as OpenSC sees it."""
    done = subprocess.run(
        ["pkcs11-tool", "--module", MODULE, "--token-label", "custody", "--login",
         "--pin", (bed.dir / "custody.pin").read_text().strip(), "--list-objects"],
        env=bed.env, capture_output=True, text=True, timeout=60, check=True)
    return [line for line in done.stdout.splitlines()
            if line.split(":")[0].strip() == "label" and line.split(":")[1].strip() == label]


def state(bed, label):
    return bed.json("key", "show", label)["state"]


def acts(bed, *needles, who=None):
    """Custody entries of the ledger whose act holds all needles."""
    lines = bed.cli("--json", "audit", "show", "--kind", "custody").splitlines()
    return [e for e in map(json.loads, lines) if all(n in e.get("act", "") for n in needles)
            and (who is None or e["peer"].endswith(who))]


def recorded(bed, *needles, who=None, n=None):
    """The same, once they are in the ledger: all of n, or any."""
    def found():
        entries = acts(bed, *needles, who=who)
        return len(entries) == n if n is not None else entries
    return wait_for(f"{needles} in the ledger", found)


def worker_pids(bed):
    pids = [l["pid"] for l in bed.lanes()]
    assert pids and all(pid > 1 for pid in pids)
    return pids


# ---- suspension ----

def test_a_suspended_key_signs_nothing_until_it_is_resumed(bed, edge):
    key = bed.make_key("suspended")
    edge.sign(key, tls13_content())
    keys = [l["keys"] for l in bed.lanes()]
    shown = bed.json("key", "suspend", "suspended", "--reason", "a drill")
    assert shown["state"] == "suspended"
    error = edge.error(key, tls13_content())
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    # Workers have dropped it, copies and handle.
    assert [l["keys"] for l in bed.lanes()] == [n - 1 for n in keys]
    assert bed.json("key", "suspend", "suspended")["state"] == "suspended"
    assert bed.json("key", "resume", "suspended")["state"] == "active"
    edge.sign(key, tls13_content())
    assert [l["keys"] for l in bed.lanes()] == keys
    assert recorded(bed, "suspend key suspended: a drill", who="operator/admin")
    assert recorded(bed, "resume key suspended", who="operator/admin")


def test_an_open_stream_is_refused_from_the_next_request_on(bed, edge):
    key = bed.make_key("streamed")
    go_on, results = threading.Event(), []

    def batches():
        yield signer_pb2.SignBatch(
            requests=[edge.request(key, tls13_content(), id=1)])
        go_on.wait(30)
        yield signer_pb2.SignBatch(
            requests=[edge.request(key, tls13_content(), id=2)])

    for reply in edge.stub.SignStream(batches(), timeout=90):
        for result in reply.responses:
            results.append(result)
        if len(results) == 1:
            bed.cli("key", "suspend", "streamed")
            go_on.set()
    assert [r.code for r in results] == [0, grpc.StatusCode.FAILED_PRECONDITION.value[0]]


def test_requests_that_wait_in_the_queue_are_refused_too(bed, edge):
    """Workers are stopped, so that requests wait; they see the suspension."""
    key = bed.make_key("queued")
    edge.sign(key, tls13_content())
    asked, replied = 2000, []
    suspended = threading.Event()

    def batches():
        for first in range(0, asked, 200):
            yield signer_pb2.SignBatch(requests=[
                edge.request(key, tls13_content(), id=first + i + 1, timeout_ms=20000)
                for i in range(200)])
        suspended.wait(30)

    def read():
        for reply in edge.stub.SignStream(batches(), timeout=120):
            replied.extend(reply.responses)

    pids = worker_pids(bed)
    reader = threading.Thread(target=read)
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        reader.start()
        wait_for("requests wait", lambda: bed.json("status")["queued"] > 100)
        bed.cli("key", "suspend", "queued")
    finally:
        for pid in pids:
            # One that hangs for long is replaced.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        suspended.set()
    reader.join(120)
    assert len(replied) == asked
    refused = [r for r in replied
               if r.code == grpc.StatusCode.FAILED_PRECONDITION.value[0]]
    # What a worker had been handed before is all that was signed.
    assert len(refused) > asked / 2
    assert edge.error(key, tls13_content()).code() == grpc.StatusCode.FAILED_PRECONDITION


def test_a_suspension_outlives_a_restart(bed, edge):
    key = bed.make_key("restarted")
    bed.cli("key", "suspend", "restarted")
    bed.daemons["keyd"].stop()
    bed.start_keyd()
    error = edge.error(key, tls13_content())
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    bed.cli("key", "resume", "restarted")
    wait_for("it signs", lambda: edge.sign(key, tls13_content()))


# ---- destruction ----

def test_a_key_is_destroyed_in_the_token_when_its_time_has_come(bed, edge):
    key = bed.make_key("doomed")
    kept = bed.make_key("kept")
    assert len(token_objects(bed, "doomed")) == 2
    shown = bed.json("key", "destroy", "doomed", "--delay", "2s", "--yes")
    assert shown["state"] == "scheduled"
    assert edge.error(key, tls13_content()).code() == grpc.StatusCode.FAILED_PRECONDITION
    wait_for("it is destroyed", lambda: state(bed, "doomed") == "destroyed")
    assert token_objects(bed, "doomed") == []
    assert len(token_objects(bed, "kept")) == 2
    edge.sign(kept, tls13_content())
    # Those who had a grant have none any more, and learn nothing.
    assert edge.error(key, tls13_content()).code() in (
        grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.FAILED_PRECONDITION)
    assert bed.json("key", "show", "doomed")["grants"] == []
    assert bed.run("key", "resume", "doomed").returncode == REFUSED
    # The name is not given to another key.
    again = bed.run("key", "generate", "doomed")
    assert again.returncode == REFUSED and "label" in again.stderr
    assert recorded(bed, "schedule destruction of key doomed", who="operator/admin")
    recorded(bed, "destroy key doomed", who="keyd/keyd", n=2)


def test_a_cancelled_key_stays_suspended_and_is_kept(bed, edge):
    key = bed.make_key("cancelled")
    bed.cli("key", "destroy", "cancelled", "--delay", "1h", "--yes")
    assert bed.json("key", "cancel-destruction", "cancelled")["state"] == "suspended"
    assert edge.error(key, tls13_content()).code() == grpc.StatusCode.FAILED_PRECONDITION
    bed.cli("key", "resume", "cancelled")
    edge.sign(key, tls13_content())


def test_a_destruction_that_is_due_while_keyd_is_down_is_done_at_start(bed):
    bed.make_key("late")
    due = bed.json("key", "destroy", "late", "--delay", "6s", "--yes")["destroy_at_s"]
    bed.daemons["keyd"].kill()
    time.sleep(max(0, due - time.time()))
    assert len(token_objects(bed, "late")) == 2
    bed.start_keyd()
    wait_for("it is destroyed", lambda: state(bed, "late") == "destroyed")
    assert token_objects(bed, "late") == []


def test_destroying_is_asked_about_and_short_delays_are_refused(bed):
    bed.make_key("asked")
    done = bed.run("key", "destroy", "asked")
    assert done.returncode == 2 and "--yes" in done.stderr
    done = bed.run("key", "destroy", "asked", "--delay", "soon", "--yes")
    assert done.returncode == 2 and "--delay" in done.stderr
    assert state(bed, "asked") == "active"


@pytest.mark.parametrize("typed, state_then", [("no", "active"), ("typed", "scheduled")])
def test_a_person_types_the_label_to_destroy_a_key(bed, typed, state_then):
    if bed.run("key", "show", "typed").returncode != 0:
        bed.make_key("typed")
    ours, theirs = pty.openpty()
    try:
        cli = subprocess.Popen(
            [HOLDFAST, "--state", bed.dir / "admin", "key", "destroy", "typed"],
            env=bed.env, stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        os.write(ours, typed.encode() + b"\n")
        _, said = cli.communicate(timeout=60)
    finally:
        os.close(ours)
        os.close(theirs)
    assert b"Type its label" in said
    assert (cli.returncode == 0) == (typed == "typed")
    assert state(bed, "typed") == state_then
    if typed == "typed":
        listed = bed.cli("key", "list").splitlines()
        assert any(l.startswith("typed ") and "destroyed in" in l for l in listed)


def test_keyds_own_keys_are_not_there_to_be_destroyed(bed):
    before = len(token_objects(bed, "ledger"))
    assert before > 0
    for label in ("ledger", "import", "kek", "ca"):
        for verb in ("suspend", "destroy"):
            assert bed.run("key", verb, label, *(["--yes"] if verb == "destroy" else [])
                           ).returncode != 0
    assert len(token_objects(bed, "ledger")) == before


def test_group_owner_and_notes_are_told_and_changed(bed):
    bed.json("key", "generate", "described", "--group", "shop", "--owner", "Ann",
             "--notes", "of the shop")
    shown = bed.json("key", "show", "described")
    assert (shown["group"], shown["owner"], shown["notes"]) == ("shop", "Ann", "of the shop")
    shown = bed.json("key", "set", "described", "--owner", "Bea", "--notes", "")
    assert (shown["group"], shown["owner"], shown["notes"]) == ("shop", "Bea", "")


def test_a_wrapped_key_lives_the_same_life_and_its_blob_is_erased():
    b = make_bed("keys: {destroy_delay: 1h, destroy_delay_min: 1s}\n"
                 "approvals: {quorum: 1}\n", keys="wrapped")
    try:
        edge = Signer(b, "edge", "fra-1")
        key = b.make_key("wrapped")
        edge.sign(key, tls13_content())
        b.cli("key", "suspend", "wrapped")
        error = edge.error(key, tls13_content())
        assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
        b.cli("key", "resume", "wrapped")
        edge.sign(key, tls13_content())
        b.cli("key", "destroy", "wrapped", "--delay", "1s", "--yes")
        wait_for("it is destroyed", lambda: state(b, "wrapped") == "destroyed")
        edge.error(key, tls13_content())
        with contextlib.closing(sqlite3.connect(
                f"file:{b.dir}/keyd/registry.db?mode=ro", uri=True)) as registry:
            assert registry.execute("SELECT count(*) FROM blob").fetchone() == (0,)
    finally:
        b.close()


# ---- approval ----

@pytest.mark.feature("X14")
def test_one_operator_alone_cannot_have_a_key_destroyed(pair):
    pair.make_key("lonely")
    done = pair.run("key", "destroy", "lonely", "--yes")
    assert done.returncode == REFUSED
    assert "holdfast edge invite NAME --role operator" in done.stderr
    assert state(pair, "lonely") == "active"


@pytest.fixture(scope="module")
def second(pair):
    """Another operator, with an identity of its own."""
    return member(pair, "operator", "second").name


@pytest.mark.feature("X14")
def test_destroying_a_key_takes_two_operators(pair, second):
    pair.make_key("www")
    asked = pair.json("key", "destroy", "www", "--delay", "2s", "--comment", "it leaked",
                      "--yes")["approval"]
    assert asked["state"] == "pending" and asked["quorum"] == 2
    assert state(pair, "www") == "active"
    assert pair.json("status")["pending_approvals"] >= 1
    # The one who asked has voted; again is no second vote.
    again = pair.run("approval", "approve", asked["id"])
    assert again.returncode == REFUSED and "another operator" in again.stderr
    assert state(pair, "www") == "active"
    listed = pair.json("approval", "list", state=second)
    assert [a["id"] for a in listed if a["act"].startswith("destroy key www")] == [asked["id"]]
    done = pair.json("approval", "approve", asked["id"], "--comment", "yes, it did",
                     state=second)
    assert done["state"] == "done"
    assert [v["operator"].rsplit("/", 1)[1] for v in done["votes"]] == ["admin", "second"]
    wait_for("it is destroyed", lambda: state(pair, "www") == "destroyed")
    assert token_objects(pair, "www") == []
    n = asked["id"]
    assert recorded(pair, f"approval {n}: destroy key www", "asked", who="operator/admin")
    assert recorded(pair, f"approval {n}: destroy key www", "approve", who="operator/admin")
    assert recorded(pair, f"approval {n}: destroy key www", "approve", who="operator/second")
    assert recorded(pair, f"approval {n}: destroy key www", "done")
    assert recorded(pair, "schedule destruction of key www", "wanted by admin, second",
                who="operator/second")


@pytest.mark.feature("X14")
def test_a_grant_beyond_its_group_takes_two_operators(pair, second):
    pair.cli("edge", "invite", "far-1", "--group", "far", "-o", pair.dir / "edge-far-1.join")
    pair.cli("join", pair.dir / "edge-far-1.join", state="edge-far-1")
    far = Signer(pair, "edge", "far-1")
    key = pair.make_key("coveted-by-far", edge=None)
    alone = pair.run("key", "grant", "coveted-by-far", "edge/far-1", "tls")
    assert alone.returncode == REFUSED
    asked = pair.json("key", "grant", "coveted-by-far", "edge/far-1", "tls", "--beyond-group",
                      "--comment", "they moved")["approval"]
    assert asked["state"] == "pending" and "far-1" in asked["act"]
    assert far.error(key, tls13_content()).code() == grpc.StatusCode.PERMISSION_DENIED
    assert pair.run("approval", "approve", asked["id"]).returncode == REFUSED
    assert far.error(key, tls13_content()).code() == grpc.StatusCode.PERMISSION_DENIED
    done = pair.json("approval", "approve", asked["id"], state=second)
    assert done["state"] == "done"
    far.sign(key, tls13_content())
    recorded(pair, f"approval {asked['id']}: ", "approve", who="operator/second")


@pytest.mark.feature("X14")
def test_a_no_ends_it_and_the_asker_may_take_it_back(pair, second):
    pair.make_key("spared")
    first = pair.json("key", "destroy", "spared", "--yes")["approval"]["id"]
    twice = pair.run("key", "destroy", "spared", "--yes")
    assert twice.returncode == REFUSED and "approval list" in twice.stderr
    assert pair.json("approval", "reject", first, state=second)["state"] == "rejected"
    late = pair.run("approval", "approve", first)
    assert late.returncode == REFUSED
    taken = pair.json("key", "destroy", "spared", "--yes")["approval"]["id"]
    assert pair.json("approval", "reject", taken)["outcome"] == "withdrawn by admin"
    assert pair.run("approval", "approve", taken, state=second).returncode == REFUSED
    assert state(pair, "spared") == "active"
    assert recorded(pair, f"approval {first}: destroy key spared", "rejected")


@pytest.mark.feature("X14")
def test_auditors_look_and_edges_do_not_even_that(pair, second):
    auditor = member(pair, "auditor", "eve").name
    edge = member(pair, "edge", "nosy").name
    pair.make_key("watched")
    asked = pair.json("key", "destroy", "watched", "--yes")["approval"]["id"]
    assert pair.json("approval", "show", asked, state=auditor)["id"] == asked
    assert pair.run("approval", "approve", asked, state=auditor).returncode == DENIED
    assert pair.run("approval", "list", state=edge).returncode == DENIED
    assert state(pair, "watched") == "active"


@pytest.mark.feature("X14")
def test_an_operator_invited_for_the_vote_has_none(pair, second):
    pair.make_key("tempting")
    asked = pair.json("key", "destroy", "tempting", "--yes")["approval"]["id"]
    time.sleep(1.1)  # enrollment is known to the second
    puppet = member(pair, "operator", "puppet").name
    done = pair.run("approval", "approve", asked, state=puppet)
    assert done.returncode == REFUSED and "after the request" in done.stderr
    assert state(pair, "tempting") == "active"
    assert pair.json("approval", "approve", asked, state=second)["state"] == "done"


@pytest.mark.feature("X14")
def test_a_quarantined_operator_neither_votes_nor_counts(pair, second):
    suspect = member(pair, "operator", "suspect").name
    pair.make_key("coveted")
    asked = pair.json("key", "destroy", "coveted", "--yes", state=suspect)["approval"]["id"]
    pair.cli("edge", "quarantine", "operator/suspect", "--reason", "laptop lost")
    assert pair.json("approval", "approve", asked)["state"] == "pending"
    assert state(pair, "coveted") == "active"
    assert pair.run("approval", "reject", asked, state=suspect).returncode == DENIED
    assert pair.json("approval", "reject", asked, state=second)["state"] == "rejected"


@pytest.mark.feature("X14")
def test_a_vote_is_the_connections_not_the_messages(pair, second):
    """There is no field to vote as another in; two connections of one operator are one."""
    assert [f.name for f in approvals_pb2.VoteRequest.DESCRIPTOR.fields] == [
        "id", "approve", "comment"]
    pair.make_key("twofold")
    asked = pair.json("key", "destroy", "twofold", "--yes")["approval"]["id"]
    for _ in range(2):
        with channel(pair, pair.dir / "admin") as one:
            with pytest.raises(grpc.RpcError) as refused:
                approvals_pb2_grpc.ApprovalsStub(one).Vote(
                    approvals_pb2.VoteRequest(id=asked, approve=True), timeout=60)
            assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert state(pair, "twofold") == "active"


@pytest.mark.feature("X14")
def test_a_request_expires_and_that_is_on_record():
    b = make_bed("keys: {destroy_delay: 1h, destroy_delay_min: 1s}\n"
                 "approvals: {lifetime: 2s}\n")
    try:
        other = member(b, "operator", "second").name
        b.make_key("stale")
        asked = b.json("key", "destroy", "stale", "--yes")["approval"]["id"]
        wait_for("it expires",
                 lambda: b.json("approval", "show", asked)["state"] == "expired")
        late = b.run("approval", "approve", asked, state=other)
        assert late.returncode == REFUSED and "expired" in late.stderr
        assert b.json("approval", "list") == []
        assert state(b, "stale") == "active"
        wait_for("it is in the ledger",
                 lambda: acts(b, f"approval {asked}: destroy key stale", "expired",
                              who="keyd/keyd"))
    finally:
        b.close()


@pytest.mark.feature("X14")
def test_an_approval_outlives_a_restart(pair, second):
    pair.make_key("patient")
    asked = pair.json("key", "destroy", "patient", "--yes")["approval"]["id"]
    pair.daemons["keyd"].kill()
    pair.start_keyd()
    assert pair.json("approval", "approve", asked, state=second)["state"] == "done"
    assert state(pair, "patient") == "scheduled"


@pytest.mark.feature("X14")
def test_of_votes_at_once_one_does_the_act(pair, second):
    third = member(pair, "operator", "third").name
    time.sleep(1.1)  # so that the third is enrolled before the request
    pair.make_key("contested")
    asked = pair.json("key", "destroy", "contested", "--yes")["approval"]["id"]
    voters = [subprocess.Popen(
        [HOLDFAST, "--state", pair.dir / who, "approval", "approve", str(asked)],
        env=pair.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for who in (second, third)]
    codes = [v.wait(60) for v in voters]
    assert 0 in codes
    assert pair.json("approval", "show", asked)["state"] == "done"
    recorded(pair, "schedule destruction of key contested", n=2)


# SPDX-License-Identifier: Apache-2.0
"""certd's accounts: operators by certificate, and who may not."""

import sqlite3
import threading
import urllib.request

import pytest

from bed import wait_for
from certd_bed import (
    ADMINISTRATOR, AUDITOR, ENGINEER, CertdBed, all_methods, service_of)


@pytest.fixture(scope="module")
def bed():
    b = CertdBed()
    b.init()
    b.start_keyd()
    b.start_certd()
    yield b
    b.close()


def test_an_operator_makes_accounts_and_sees_them_all(bed):
    made = bed.make_account("acme", title="Acme, Inc.")
    bed.make_account("other")
    assert made.name == "acme" and made.etag
    names = [a.name for a in bed.call("Accounts", "List").accounts]
    assert names == sorted(names) and {"acme", "other"} <= set(names)
    assert bed.refusal("Accounts", "Create", name="acme") == (
        "ALREADY_EXISTS", "there is an account acme already")
    assert bed.refusal("Accounts", "Create", name="-x")[0] == "INVALID_ARGUMENT"
    assert bed.call("Accounts", "Get", name="acme").title == "Acme, Inc."
    events = bed.call("Status", "History", account="acme").events
    assert (events[-1].act, events[-1].actor) == ("account created", "operator/admin")


def test_status_tells_who_certd_is_and_that_keyd_answers(bed):
    status = bed.call("Status", "Get")
    assert status.identity.endswith("/certd/one") and status.schema >= 1
    assert status.keyd_trouble == ""


def test_an_auditor_reads_and_changes_nothing(bed):
    auditor = bed.member("auditor", "inspector")
    assert bed.call("Accounts", "List", state=auditor).accounts
    code, why = bed.refusal("Accounts", "Create", state=auditor, name="mine")
    assert code == "PERMISSION_DENIED" and "operator" in why


@pytest.mark.parametrize("role", ["edge", "certd"])
def test_other_members_are_heard_by_no_method_for_people(bed, role):
    state = bed.member(role, "curious")
    for service, method in all_methods():
        if service == "Edges" and method in ("Watch", "Report"):
            continue
        request, _ = service_of(service, method)
        code, _ = bed.refusal(service, method, state=state, request=request())
        # Methods of parts that are not there are UNIMPLEMENTED to everyone.
        assert code in ("PERMISSION_DENIED", "UNIMPLEMENTED"), (service, method)


def test_users_and_tokens_live_in_an_account(bed):
    user = bed.call("Users", "Create", account="acme", email="kim@acme.test", role=ENGINEER)
    assert bed.refusal("Tokens", "Create", account="acme", name="x", role=ADMINISTRATOR,
                       user_id=user.id)[0] == "FAILED_PRECONDITION"
    made = bed.call("Tokens", "Create", name="kim", user_id=user.id)
    assert made.secret.startswith("hft_") and len(made.secret) == 47
    assert made.token.account == "acme" and made.token.role == ENGINEER
    assert made.token.hint == made.secret[:8]
    listed = bed.call("Tokens", "List", account="acme").tokens
    assert [t.id for t in listed] == [made.token.id]
    assert bed.call("Tokens", "Revoke", id=made.token.id).revoked_s > 0
    assert bed.call("Users", "Update", id=user.id, role=AUDITOR).role == AUDITOR
    stale = bed.refusal("Users", "Update", id=user.id, name="Kim", etag=user.etag)
    assert stale[0] == "ABORTED"
    secret = made.secret.encode()
    for file in (bed.dir / "certd").iterdir():
        assert secret not in file.read_bytes(), file


def test_requests_and_commits_are_counted(bed):
    with urllib.request.urlopen(f"http://127.0.0.1:{bed.certd_metrics_port}/metrics") as reply:
        page = reply.read().decode()
    rows = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    path = "/holdfast.certd.v1.Accounts/Create"
    assert int(rows[f'certd_requests_total{{method="{path}",code="OK"}}']) >= 2
    assert int(rows[f'certd_requests_total{{method="{path}",code="ALREADY_EXISTS"}}']) >= 1
    assert int(rows["certd_store_commits_total"]) >= 2


def test_a_backup_is_whole_though_others_write(bed):
    ended = threading.Event()
    errors = []

    def write():
        number = 0
        while not ended.is_set():
            try:
                bed.make_account(f"busy-{number}")
            except Exception as error:  # noqa: BLE001 (told below)
                errors.append(error)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        copy = bed.dir / "copy.db"
        wait_for("somebody writes", lambda: len(bed.call("Accounts", "List").accounts) > 5)
        done = bed.run_certd("backup", "-o", copy)
        assert done.returncode == 0, done.stderr
    finally:
        ended.set()
        writer.join()
    assert not errors
    assert copy.stat().st_mode & 0o077 == 0
    with sqlite3.connect(copy) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT count(*) FROM account WHERE name = 'acme'").fetchone() == (1,)
    again = bed.run_certd("backup", "-o", copy)
    assert again.returncode == 1 and "choose another" in again.stderr


def test_certd_starts_and_answers_while_keyd_is_away(bed):
    bed.daemons["certd"].stop()
    bed.daemons["keyd"].stop()
    try:
        bed.start_certd()
        assert bed.call("Accounts", "Get", name="acme").name == "acme"
    finally:
        bed.start_keyd()


def test_a_second_certd_on_the_same_folder_does_not_start(bed):
    done = bed.run_certd()
    assert done.returncode == 78 and "another certd" in done.stderr

# SPDX-License-Identifier: Apache-2.0
"""The command line: what people read, what scripts read, and the errors."""

import json
import subprocess

import pytest

from bed import HOLDFAST, TOP
from wire import member


def test_a_key_is_made_listed_and_shown(bed):
    made = bed.json("key", "generate", "site-1")
    assert made["algorithm"] == "ec-p256" and len(made["id"]) == 64
    assert made["created_by"].endswith("/operator/admin")
    assert [k["id"] for k in bed.json("key", "list") if k["label"] == "site-1"] == [made["id"]]
    text = bed.cli("key", "show", "site-1")
    assert "never extractable" in text and "nobody may sign" in text
    assert bed.json("key", "show", made["id"])["label"] == "site-1"


def test_listing_pages_through_many_keys(bed):
    labels = {f"many-{i}" for i in range(5)}
    for label in labels:
        bed.cli("key", "generate", label)
    assert labels <= {k["label"] for k in bed.json("key", "list")}


def test_grants_are_added_and_taken_away(bed):
    bed.cli("key", "generate", "granted")
    bed.cli("key", "grant", "granted", "edge/fra-*", "tls13_server")
    shown = bed.json("key", "grant", "granted", "edge/fra-*", "tls12_server_ecdhe")
    assert shown["grants"] == [{"identity": "edge/fra-*",
                                "contexts": ["tls13_server", "tls12_server_ecdhe"]}]
    shown = bed.json("key", "revoke", "granted", "edge/fra-*", "tls13_server")
    assert shown["grants"][0]["contexts"] == ["tls12_server_ecdhe"]
    assert bed.json("key", "revoke", "granted", "edge/fra-*")["grants"] == []


def test_status_is_readable_and_json(bed):
    text = bed.cli("status")
    assert "ready" in text and "journal writable" in text
    status = bed.json("status")
    assert status["audit_trouble"] == "" and len(status["lanes"]) == 2


def test_edges_are_listed_from_invitation_to_enrolment(bed):
    bed.cli("edge", "invite", "new-edge", "-o", bed.dir / "new.join")
    state = {e["identity"]: e["state"] for e in bed.json("edge", "list")}
    assert state["spiffe://bed.holdfast.test/edge/new-edge"] == "invited"
    member(bed, "edge", "other")
    state = {e["identity"]: e["state"] for e in bed.json("edge", "list")}
    assert state["spiffe://bed.holdfast.test/edge/other"] == "enrolled"


def test_a_join_file_works_once(bed):
    join = bed.dir / "once.join"
    bed.cli("edge", "invite", "once", "-o", join)
    assert join.stat().st_mode & 0o077 == 0
    bed.cli("join", join, state="once-a")
    done = bed.run("join", join, state="once-b")
    assert done.returncode == 1
    assert "used before" in done.stderr and "edge invite" in done.stderr


ERRORS = [
    (["key", "show", "absent"], 4, "key list"),
    (["key", "generate", "no spaces allowed"], 1, "label"),
    (["key", "generate", "x", "--alg", "dsa"], 2, "ec-p256"),
    (["key", "generate", "x", "--pool", "gold"], None, "pool"),
    (["key", "grant", "absent", "edge/a", "tls"], 4, ""),
    (["key", "grant", "err", "nobody", "tls"], 1, "edge/"),
    (["key", "grant", "err", "edge/a", "everything"], 2, "tls13_server"),
    (["key", "csr", "err", "a b"], 2, "host name"),
    (["key", "csr", "err", "a.example"], 5, ""),
    (["key", "frob"], 2, "key generate"),
    (["frob"], 2, "--help"),
    (["key", "list", "--bogus"], 2, "--bogus"),
    (["edge", "invite", "x", "--role", "king"], 2, "edge"),
    (["--keyd", "127.0.0.1:1", "--timeout", "2", "status"], 3, ""),
    (["cert", "frob"], 2, "cert upload"),
    (["cert", "upload"], 2, "FILE..."),
    (["cert", "show"], 2, "CERT"),
    (["cert", "set", "1"], 2, "--scope"),
    (["resource", "set", "1"], 2, "--hostnames"),
    (["user", "set", "1"], 2, "--role"),
    (["--certd", "127.0.0.1:1", "--timeout", "2", "cert", "list"], 3, "127.0.0.1:1"),
    (["--certd", "127.0.0.1:1", "--timeout", "2", "cert", "list"], 3, "HOLDFAST_CERTD"),
    (["frob", "--help"], 2, "--help"),
]


@pytest.mark.parametrize("argv,code,says", ERRORS, ids=lambda v: " ".join(v) if
                         isinstance(v, list) else None)
def test_errors_have_a_code_and_say_what_to_do(bed, argv, code, says):
    if bed.run("key", "show", "err").returncode == 4:
        bed.cli("key", "generate", "err")
    done = bed.run(*argv)
    assert done.returncode != 0 if code is None else done.returncode == code, done
    assert done.stderr.startswith("holdfast: ") and says in done.stderr, done.stderr


def test_a_label_is_taken_once(bed):
    bed.cli("key", "generate", "taken")
    done = bed.run("key", "generate", "taken")
    assert done.returncode == 1 and "label" in done.stderr


def test_without_an_identity_it_says_how_to_join(bed):
    done = bed.run("status", state="nowhere")
    assert done.returncode == 4 and "join" in done.stderr


def test_an_auditor_reads_but_changes_nothing(bed):
    state = member(bed, "auditor", "eve").name
    assert json.loads(bed.cli("--json", "key", "list", state=state)) is not None
    assert bed.run("status", state=state).returncode == 0
    for argv in (["key", "generate", "x"], ["edge", "invite", "x"]):
        done = bed.run(*argv, state=state)
        assert done.returncode == 5, done


def test_an_expired_or_damaged_join_file_is_refused(bed):
    bad = bed.dir / "bad.join"
    bad.write_text("identity: nonsense\n")
    bad.chmod(0o600)
    done = bed.run("join", bad, state="bad")
    assert done.returncode == 1 and "bad.join" in done.stderr


def test_help_names_every_command_of_the_manual():
    text = subprocess.run([HOLDFAST, "--help"], capture_output=True, text=True).stdout
    manual = (TOP / "docs/man/holdfast.1").read_text()
    commands = [l.strip() for l in text.splitlines() if l.startswith("  ") and
                not l.startswith("   ")]
    assert len(commands) >= 12
    for command in commands:
        words = [w for w in command.split() if w.isalpha() and w.islower()]
        for word in words[:2]:
            assert word in manual, f"holdfast.1 does not mention {word}"


@pytest.mark.parametrize("argv", [["cert", "--help"], ["help", "cert"], ["--help", "cert"],
                                  ["cert", "upload", "--help"], ["help", "cert", "upload"],
                                  ["status", "--help"]], ids=" ".join)
def test_help_is_there_for_a_noun_and_for_a_command(argv):
    done = subprocess.run([HOLDFAST, *argv], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done
    assert ("wrapped here" if "cert" in argv else "certd") in done.stdout
    assert ("cert replace" in done.stdout) == ("upload" not in argv and "cert" in argv)


def test_help_fits_a_terminal_of_100_columns():
    text = subprocess.run([HOLDFAST, "--help"], capture_output=True, text=True).stdout
    assert max(len(line) for line in text.splitlines()) <= 100


def test_bash_completes_commands_and_their_options():
    script = (f"source {TOP}/tools/completion.bash; COMP_WORDS=(holdfast key g); COMP_CWORD=2; "
              "_holdfast; echo ${COMPREPLY[*]}")
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["generate", "grant"], done


def test_bench_sign_measures_and_verifies(bed):
    bed.cli("key", "generate", "bench")
    bed.cli("key", "grant", "bench", "operator/admin", "tls13_server")
    result = bed.json("bench", "sign", "bench", "--seconds", "1", "--in-flight", "16")
    assert result["signatures"] > 0 and result["refused"] == 0 and result["verified"] > 0
    assert result["rate"] > 0 and result["front_cpu_us"] > 0 and result["workers_cpu_us"] > 0
    text = bed.cli("bench", "sign", "bench", "--seconds", "1")
    assert "signs/s" in text and "OpenSSL" in text

# SPDX-License-Identifier: Apache-2.0
"""What certd's two processes gave up, seen from outside, and that all still works.

certd runs as a user without privileges where the tests are root's, so that what
is refused here is refused to another process of the very same user.
"""

import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import urllib.request

import pytest

from bed import wait_for
from certd_bed import CERTD, CertdBed
from confined import (
    USER, as_user, assert_confined, assert_no_capability, children, give_away, pry,
    seccomp_ended, status)

INSTRUMENTED = b"__asan_init" in CERTD.read_bytes() or b"__tsan_init" in CERTD.read_bytes()
HOST = "rest.holdfast.test"

pytestmark = pytest.mark.skipif(INSTRUMENTED, reason="a build for tests confines nothing")


def sign_for(bed, name, *hosts):
    """A key and a certificate of the bed's CA: (certificate, key), files."""
    key, request, certificate = (bed.dir / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
    subprocess.run(
        ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-subj", f"/CN={hosts[0]}", "-addext",
         "subjectAltName=" + ",".join(f"DNS:{host}" for host in hosts),
         "-keyout", key, "-out", request], check=True, capture_output=True, timeout=60)
    subprocess.run(
        ["openssl", "x509", "-req", "-in", request, "-CA", bed.ca(), "-CAkey",
         bed.dir / "ca.key", "-CAcreateserial", "-days", "2", "-copy_extensions", "copy",
         "-out", certificate], check=True, capture_output=True, timeout=60)
    return certificate, key


def put_in_place(bed, name):
    """A new certificate and key for the REST port, each renamed over the one there."""
    for made, kind in zip(sign_for(bed, name, HOST), ("pem", "key")):
        give_away(made)
        made.rename(bed.dir / f"rest.{kind}")


def start_as_user(bed):
    """certd as the user who has no privileges."""
    certd = bed.join_certd()
    for path in ("certd", "certd.yaml", "rest.pem", "rest.key"):
        if (bed.dir / path).exists():
            give_away(bed.dir / path)
    certd.argv = [*as_user(), *certd.argv]
    return bed.start_certd()


@pytest.fixture(scope="module")
def bed():
    b = CertdBed(certd_lines="allow_exposed_upload: true\n")
    b.init()
    b.start_keyd()
    put_in_place(b, "first")
    b.rest_lines = (f"  tls: files\n  certificate: {b.dir}/rest.pem\n"
                    f"  key: {b.dir}/rest.key\n")
    # By name: so the resolver runs under the sandbox too.
    b.certd_lines += f'keyd: ["localhost:{b.port}"]\n'
    start_as_user(b)
    b.make_account("acme")
    yield b
    b.close()


@pytest.fixture
def fresh():
    b = CertdBed()
    b.init()
    b.start_keyd()
    yield b
    b.close()


def opener(bed):
    found = [p for p in children(bed.daemons["certd"].pid)
             if status(p)["Name"] == "certd-opener"]
    assert len(found) == 1, found
    return found[0]


def processes(bed):
    return {"certd": bed.daemons["certd"].pid, "opener": opener(bed)}


def served_leaf(bed):
    """The certificate of the REST port."""
    context = ssl.create_default_context(cafile=str(bed.ca()))
    with socket.create_connection(("127.0.0.1", bed.rest_port), 60) as plain:
        with context.wrap_socket(plain, server_hostname=HOST) as tls:
            return tls.getpeercert(True)


def leaf_of(path):
    return ssl.PEM_cert_to_DER_cert(pathlib.Path(path).read_text())


def test_both_processes_are_confined(bed):
    for name, pid in processes(bed).items():
        assert_confined(name, pid, 2)


def test_root_keeps_no_capability_in_certd(fresh):
    if os.geteuid() != 0:
        pytest.skip("root's matter")
    fresh.start_certd()
    for name, pid in processes(fresh).items():
        assert_no_capability(name, pid)
    assert fresh.make_account("root").name == "root"


def test_another_process_of_the_same_user_can_look_into_neither(bed):
    for name, pid in processes(bed).items():
        assert pry(pid) == set(), name


def test_status_and_log_say_what_is_in_force(bed):
    assert bed.call("Status", "Get").sandbox.startswith("seccomp, Landlock")
    assert 'msg="certd is confined" by="seccomp' in bed.daemons["certd"].text()
    at = ("--certd", f"127.0.0.1:{bed.certd_port}")
    assert bed.cli(*at, "status").count("confined by: seccomp") == 2
    assert "seccomp" in bed.json(*at, "status")["certd"]["sandbox"]


def test_keyd_is_found_by_name(bed):
    bed.call("Certificates", "ImportParameters")
    wait_for("keyd answers", lambda: bed.call("Status", "Get").keyd_trouble == "")


def test_metrics_and_the_database_work(bed):
    bed.make_account("other")
    with urllib.request.urlopen(f"http://127.0.0.1:{bed.certd_metrics_port}/metrics") as page:
        assert "certd_store_commits_total" in page.read().decode()
    # Another process copies the database meanwhile.
    copy = bed.dir / "copy.db"
    done = bed.run_certd("backup", "-o", copy)
    assert done.returncode == 0 and copy.stat().st_size > 0, done.stderr


@pytest.mark.parametrize("cipher", ["PBE-SHA1-RC2-40", "AES-256-CBC"])
def test_old_pfx_files_are_read_though_nothing_can_be_loaded(bed, cipher):
    certificate, key = sign_for(bed, f"pfx-{cipher}", f"{cipher.lower()}.holdfast.test")
    pfx = bed.dir / f"{cipher}.pfx"
    subprocess.run(
        ["openssl", "pkcs12", "-export", "-legacy", "-keypbe", cipher, "-certpbe", cipher,
         "-macalg", "sha1", "-passout", "pass:opensesame", "-in", certificate, "-inkey", key,
         "-certfile", bed.ca(), "-out", pfx], check=True, capture_output=True, timeout=60)
    reply = bed.call("Certificates", "Upload", account="acme", passphrase="opensesame",
                     parts={"data": pfx.read_bytes()})
    assert reply.certificate.id, reply


def test_a_certificate_of_the_rest_port_put_in_place_anew_is_served(bed):
    first = leaf_of(bed.dir / "rest.pem")
    assert served_leaf(bed) == first
    put_in_place(bed, "second")
    second = leaf_of(bed.dir / "rest.pem")
    assert second != first
    wait_for("the new one", lambda: served_leaf(bed) == second)


def test_a_configuration_put_in_place_anew_is_read_on_sighup(bed):
    daemon, path = bed.daemons["certd"], bed.dir / "certd.yaml"
    for form, sign_of_it in (("json", '"log settings read again'), ("logfmt", 'msg="log settings')):
        beside = bed.dir / "certd.yaml.new"
        beside.write_text(re.sub(r"log:\n  format: \w+\n", "", path.read_text())
                          + f"log:\n  format: {form}\n")
        beside.rename(path)
        if os.geteuid() == 0:
            os.chown(path, USER, USER)
        before = len(daemon.text())
        os.kill(daemon.pid, signal.SIGHUP)
        wait_for(form, lambda: sign_of_it in daemon.text()[before:])


def test_no_call_of_certd_was_refused_so_far(bed):
    assert bed.refused_calls() == []


def test_the_kernel_has_ended_none_of_certds_processes():
    """In none of the tests so far: the kernel writes down whom seccomp ends."""
    found = seccomp_ended(CERTD)
    if found is None:
        pytest.skip("the kernel's log is not ours to read")
    assert not found


def test_an_opener_that_has_ended_leaves_certd_serving(bed):
    daemon = bed.daemons["certd"]
    served = served_leaf(bed)
    os.kill(opener(bed), signal.SIGKILL)
    put_in_place(bed, "third")
    assert served_leaf(bed) == served
    os.kill(daemon.pid, signal.SIGHUP)
    wait_for("the log says it", lambda: "the configuration stays as it was" in daemon.text())
    assert daemon.text().count("the process that opens files for certd has ended") == 1
    assert bed.call("Status", "Get").sandbox


def test_certd_killed_takes_its_opener_along(fresh):
    fresh.start_certd()
    pid = opener(fresh)
    fresh.daemons.pop("certd").kill()
    wait_for("the opener ends", lambda: not pathlib.Path(f"/proc/{pid}").exists()
             or status(pid)["State"].startswith("Z"))


def test_off_is_told_and_works_in_certd(fresh):
    fresh.certd_lines = "sandbox: off\n"
    daemon = fresh.start_certd()
    assert fresh.call("Status", "Get").sandbox == "off"
    assert "the sandbox is off" in daemon.text()
    assert status(daemon.pid)["Seccomp"] == "0" and not children(daemon.pid)
    assert fresh.make_account("open").name == "open"
    before = len(daemon.text())
    os.kill(daemon.pid, signal.SIGHUP)
    wait_for("it is read", lambda: "log settings read again" in daemon.text()[before:])

# SPDX-License-Identifier: Apache-2.0
"""tools/start, as a newcomer runs it: twice, --status, --stop."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

import pytest

from bed import BUILD, TOP, free_port


@pytest.fixture(scope="module")
def start():
    folder = tempfile.mkdtemp(prefix="hf-start-", dir="/tmp")
    os.chmod(folder, 0o755)
    env = dict(os.environ, HOLDFAST_RUN=folder + "/run", HOLDFAST_BUILD=str(BUILD),
               HOLDFAST_PORT=str(free_port(*range(1, 10), 1000, 1001)))

    def run(*argv):
        return subprocess.run([TOP / "tools/start", *argv], env=env, capture_output=True,
                              text=True, timeout=400, stdin=subprocess.DEVNULL)
    yield run
    run("--reset")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.feature("X02", "V01")
def test_start_serves_pages_and_leaves_all_running(start):
    done = start()
    assert done.returncode == 0, done.stdout + done.stderr
    for protocol in ("TLSv1.3", "TLSv1.2"):
        assert done.stdout.count(f"over {protocol} ") == 3, done.stdout
    assert "100 %" in done.stdout, done.stdout
    assert "www.holdfast.test, issued by pebble" in done.stdout, done.stdout
    assert len(done.stdout.splitlines()) < 45
    status = start("--status")
    assert status.returncode == 0, status.stdout + status.stderr
    assert status.stdout.count("running, pid") == 6


def test_start_twice_does_no_harm(start):
    before = start("--status").stdout
    again = start()
    assert again.returncode == 0, again.stdout + again.stderr
    pids = [l for l in before.splitlines() if "running, pid" in l]
    assert pids == [l for l in start("--status").stdout.splitlines() if "running, pid" in l]


def log_in(url, secret):
    """(status, who) of the link's secret at the console."""
    request = urllib.request.Request(f"{url}/v1/sessions:link", json.dumps({"secret": secret}).encode(),
                                     {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply)["actor"]
    except urllib.error.HTTPError as refused:
        return refused.code, None


def test_the_link_that_it_ends_with_opens_the_console_once(start):
    line = start().stdout.splitlines()[-1].strip()
    url, secret = re.fullmatch(r"(http://127\.0\.0\.1:\d+)/console/login#link=(\S+)", line).groups()
    with urllib.request.urlopen(f"{url}/console/login", timeout=60) as page:
        assert b"<title>" in page.read()
    assert log_in(url, secret) == (201, "operator/you")
    assert log_in(url, secret) == (401, None)


def test_stop_ends_it_and_start_goes_on_with_the_same_keys(start):
    assert start("--stop").returncode == 0
    status = start("--status")
    assert status.returncode != 0 and status.stdout.count("not running") == 6
    again = start()
    assert again.returncode == 0, again.stdout + again.stderr
    assert "init" not in again.stdout.split()

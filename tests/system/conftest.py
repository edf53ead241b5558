# SPDX-License-Identifier: Apache-2.0
"""Fixtures for the system tests; the bed itself is tests/system/bed.py."""

import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from bed import Bed  # noqa: E402 (needs the path)
from browser import Browser, Visits, report_sections  # noqa: E402

# The longest first, so that no process is left with one of them at the end.
LONGEST = ("test_notices.py", "test_acme_year.py", "test_follow.py", "test_hsm_recovery.py",
           "test_plans.py", "test_acme.py", "test_fail_closed.py")


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "feature(id): the behaviour of docs/FEATURES.txt that this test proves")


def pytest_collection_modifyitems(items):
    order = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the ends of its daemons' logs, and what its pages saw."""
    report = (yield).get_result()
    visits = item.funcargs.get("visits")
    if report.failed and call.when == "call" and visits is not None:
        report.sections += report_sections(visits, re.sub(r"[^\w.-]+", "_", item.name))
    bed = item.funcargs.get("bed") or item.funcargs.get("whole_bed")
    if report.failed and bed is not None and bed.dir.exists():
        for log in sorted(bed.dir.glob("*.log")):
            report.sections.append((log.name, log.read_text(errors="replace")[-4000:]))


@pytest.fixture(scope="module")
def bed():
    """keyd initialised and running with two workers; one a module."""
    b = Bed()
    b.init()
    b.start_keyd()
    yield b
    b.close()


@pytest.fixture(scope="module")
def whole_bed():
    """The bed with edged, two sites (EC and RSA) and nginx in front."""
    b = Bed()
    b.init()
    b.start_keyd()
    b.start_edged()
    b.make_site("ec", "ec-p256")
    b.make_site("rsa", "rsa-2048")
    b.start_nginx()
    yield b
    b.close()


@pytest.fixture(scope="module")
def browser():
    """A running chromium; one a module."""
    with Browser() as b:
        yield b


@pytest.fixture
def visits(browser):
    """Pages; tests/system/browser.py says what fails the test at its end."""
    v = Visits(browser)
    yield v
    v.done()

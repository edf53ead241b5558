# SPDX-License-Identifier: Apache-2.0
"""Fixtures for the system tests; the bed itself is tests/system/bed.py."""

import sys
import pathlib

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from bed import Bed  # noqa: E402 (needs the path)


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "feature(id): the behaviour of docs/FEATURES.txt that this test proves")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the ends of its daemons' logs."""
    report = (yield).get_result()
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

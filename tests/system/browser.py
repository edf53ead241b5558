# SPDX-License-Identifier: Apache-2.0
"""A real browser for the system tests: Debian's chromium, by tests/browser/bridge.mjs.

    def test_it(bed, visits):                           # visits: a fixture, see below
        page = visits.page(f"https://127.0.0.1:{bed.rest_port}")
        page.allow(401, "/v1/session")                  # an answer that this flow provokes
        page.goto("/console/")
        page.get_by_label("Name").fill("shop")
        page.get_by_role("button", name="Add").click()
        page.expect_text("shop was added")
        page.check_axe()
        page.screenshot("shop-added")                   # build/screenshots/shop-added.png

Names are playwright's, in snake case; options are keyword arguments; a regular expression goes
where playwright takes one.  Each page of visits.page() has cookies and storage of its own;
page.tab() is a second one with the same.

A test with visits fails at its end when a page had a console error, an uncaught error, a
violation of its content security policy, a failed request or an answer of 400 and above that
was not allowed, a request to another origin, a dialog of the browser's own, or when check_axe()
found something serious or critical.  What its pages saw is in the report of a failed test, with
screenshots.
"""

import base64
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

from bed import TOP, wait_for

BRIDGE = TOP / "tests/browser/bridge.mjs"
MODULES = TOP / "build/browser"
SCREENSHOTS = TOP / "build/screenshots"
CHROMIUM = "/usr/bin/chromium"
FLAGS = ("--no-sandbox",  # CI is root
         "--disable-dev-shm-usage", "--disable-gpu", "--disable-component-update",
         "--no-default-browser-check", "--no-first-run")
TIMEOUT_MS = 30000  # of one step on a page
ANSWER_S = 90  # of one command of the bridge

FINDERS = frozenset("""get_by_role get_by_label get_by_text get_by_placeholder get_by_title
    get_by_alt_text get_by_test_id locator filter first last nth and_ or_""".split())
ACTIONS = frozenset("""click dblclick fill clear press press_sequentially check uncheck
    select_option hover focus blur text_content inner_text input_value get_attribute is_visible
    is_hidden is_enabled is_disabled is_checked count all_inner_texts all_text_contents wait_for
    scroll_into_view_if_needed bounding_box evaluate evaluate_all dispatch_event tap
    select_text""".split())
PAGE_ACTIONS = frozenset("""reload go_back go_forward title content url evaluate
    wait_for_load_state wait_for_function bring_to_front set_viewport_size close""".split())


class BrowserError(AssertionError):
    """What the browser or the bridge has refused."""


def _camel(name):
    head, *rest = name.rstrip("_").split("_")
    return head + "".join(word.upper() if word in ("url", "https") else word.capitalize()
                          for word in rest)


def _coded(value):
    """As JSON lines carry it."""
    if isinstance(value, re.Pattern):
        flags = "i" * bool(value.flags & re.I) + "s" * bool(value.flags & re.S)
        return {"$regex": value.pattern, "flags": flags}
    if isinstance(value, Locator):
        return {"$locator": value.chain}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, pathlib.Path):
        return str(value)
    if isinstance(value, dict):
        return {key: _coded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_coded(one) for one in value]
    return value


def _step(name, args, options):
    options = {_camel(key): _coded(value) for key, value in options.items()}
    return [_camel(name), *map(_coded, args), *([options] if options else [])]


def _marked(mark):
    """The processes with that mark in their environment."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


class Browser:
    """Chromium behind the bridge; close it, or use it with `with`.

    hosts: {name: address} of the only names that it finds; localhost and addresses stay.
    """

    def __init__(self, hosts=None, flags=()):
        subprocess.run([TOP / "tests/browser/install"], check=True, timeout=600)
        # Chromium's profile, and the mark of its processes.
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="hf-browser-"))
        self.log = self.dir / "bridge.log"
        env = {name: value for name, value in os.environ.items()
               if not name.lower().endswith("_proxy") and name != "LD_PRELOAD"}
        env.update(TMPDIR=str(self.dir), HOME=str(self.dir), NODE_OPTIONS="")
        self.last = 0
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["node", BRIDGE, MODULES], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=log, env=env, start_new_session=True)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.unread = b""
        rules = ",".join([f"MAP {name} {to}" for name, to in (hosts or {}).items()]
                         + ["MAP * ~NOTFOUND", "EXCLUDE localhost", "EXCLUDE 127.0.0.1"])
        try:
            self.version = self.tell("start", executable=CHROMIUM, args=[
                *FLAGS, f"--host-resolver-rules={rules}", *flags])
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def tell(self, do, **fields):
        """One command of the bridge; its value."""
        self.last += 1
        line = json.dumps({"id": self.last, "do": do, **fields}) + "\n"
        try:
            self.process.stdin.write(line.encode())
            self.process.stdin.flush()
        except OSError:
            raise BrowserError(self._ended(do)) from None
        reply = json.loads(self._answer(do))
        assert reply["id"] == self.last, reply
        if "error" in reply:
            raise BrowserError(f"{do} {_told(fields)}: {reply['error']}")
        return reply["value"]

    def _answer(self, do):
        until = time.monotonic() + ANSWER_S
        while b"\n" not in self.unread:
            if not self.selector.select(max(0, until - time.monotonic())):
                self.process.kill()
                raise BrowserError(f"{do}: no answer within {ANSWER_S} s; the browser was ended")
            got = os.read(self.process.stdout.fileno(), 1 << 20)
            if not got:
                raise BrowserError(self._ended(do))
            self.unread += got
        line, _, self.unread = self.unread.partition(b"\n")
        return line

    def _ended(self, do):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        return (f"{do}: the browser's bridge has ended ({self.process.returncode}):\n"
                f"{self.log.read_text(errors='replace')[-4000:]}")

    def running(self):
        """The pids of the bridge and of all that it has started."""
        return _marked(f"TMPDIR={self.dir}".encode())

    def close(self):
        """Ends all of its processes."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(15)
        try:
            # Chromium's last ones end a little later.
            wait_for("the browser's processes have ended", lambda: not self.running(), 5)
        except AssertionError:
            for pid in self.running():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait(5)
        self.selector.close()
        self.process.stdout.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def _told(fields):
    """A command as its test has it: get_by_label("Name").fill("x")."""
    def text(value):
        return f"/{value['$regex']}/" if isinstance(value, dict) and "$regex" in value else (
            json.dumps(value, ensure_ascii=False))
    chain = ".".join(f"{name}({', '.join(map(text, args))})"
                     for name, *args in fields.get("chain", []))
    return chain or fields.get("context", "")


@dataclasses.dataclass
class Request:
    """One that a page has made.  body: its bytes; None when it had one, or may have, that the
    browser does not show (a Blob, a File, a form with files, a web socket)."""
    method: str
    url: str
    type: str
    headers: dict
    body: bytes | None
    page: str

    @property
    def path(self):
        return urllib.parse.urlsplit(self.url).path

    def json(self):
        return json.loads(self.body)


def _request(seen, lengths):
    if "body" in seen:
        body = base64.b64decode(seen["body"])
    else:
        has_none = seen["method"] in ("GET", "HEAD") and seen["type"] != "websocket"
        body = b"" if has_none or lengths.get(seen.get("number")) == 0 else None
    return Request(seen["method"], seen["url"], seen["type"], seen["headers"], body, seen["page"])


class Visits:
    """The pages of one test, and what went wrong on them."""

    def __init__(self, browser):
        self.browser, self.pages, self.contexts = browser, [], []

    def page(self, base_url, client_certificate=None, dark=False, width=1280, height=900,
             **options):
        """A page with cookies and storage of its own.

        client_certificate: (certificate file, key file), PEM, shown to base_url.
        options: more of playwright's browser.newContext().
        """
        origin = origin_of(base_url)
        options = dict({"base_url": base_url, "ignore_https_errors": True,
                        "color_scheme": "dark" if dark else "light", "locale": "en-GB",
                        "timezone_id": "UTC", "reduced_motion": "reduce",
                        "viewport": {"width": width, "height": height}}, **options)
        if client_certificate is not None:
            certificate, key = map(str, client_certificate)
            options["client_certificates"] = [
                {"origin": origin, "certPath": certificate, "keyPath": key}]
        context = Context(self, origin, self.browser.tell(
            "context", timeout_ms=TIMEOUT_MS,
            options={_camel(key): _coded(value) for key, value in options.items()}))
        self.contexts.append(context)
        return self._opened(context, self.browser.tell("page", context=context.id))

    def _opened(self, context, id_):
        page = Page(context, id_)
        self.pages.append(page)
        return page

    def findings(self):
        """Sentences: all that makes the test fail."""
        return [one for context in self.contexts for one in context.findings()]

    def done(self):
        """The end of the test: fails with all that went wrong, and closes the pages."""
        try:
            found = self.findings()
        finally:
            self.close()
        assert not found, "the pages had:\n" + "\n".join(f"- {one}" for one in found)

    def close(self):
        for context in self.contexts:
            with contextlib.suppress(BrowserError):
                self.browser.tell("close", context=context.id)
        self.contexts, self.pages = [], []


@contextlib.contextmanager
def visits_of(browser):
    """with visits_of(browser) as visits: ...; its end is that of the fixture."""
    visits = Visits(browser)
    try:
        yield visits
    except BaseException:
        visits.close()
        raise
    visits.done()


def origin_of(url):
    parts = urllib.parse.urlsplit(url)
    port = f":{parts.port}" if parts.port not in (
        None, {"http": 80, "https": 443}.get(parts.scheme)) else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


class Context:
    """Pages that share cookies and storage, and what they saw."""

    def __init__(self, visits, origin, id_):
        self.visits, self.browser, self.origin, self.id = visits, visits.browser, origin, id_
        self.saw, self.axe, self.allowed, self.allowed_console = [], [], [], []
        self.origins = {origin}
        self.lengths = {}  # of bodies that the browser does not show, by the request's number

    def look(self, settle=False):
        """All that happened, in its order."""
        for seen in self.browser.tell("seen", context=self.id, settle=settle):
            if seen["kind"] == "length":
                self.lengths[seen["of"]] = seen["length"]
            else:
                self.saw.append(seen)
        return self.saw

    def is_allowed(self, seen, status):
        path = urllib.parse.urlsplit(seen["url"]).path
        return any(status == allowed and re.fullmatch(pattern, path)
                   and method in (None, seen["method"])
                   for allowed, pattern, method in self.allowed)

    def findings(self):
        found = []
        for seen in self.look(settle=True):
            found += filter(None, [getattr(self, f"_{seen['kind']}")(seen)])
        return found + self.axe

    def _console(self, seen):
        # Said of the answer or failure itself, with its method.
        if seen["level"] != "error" or seen["text"].startswith("Failed to load resource:"):
            return None
        if any(re.search(pattern, seen["text"]) for pattern in self.allowed_console):
            return None
        return f"console error: {seen['text']} ({seen['url']}:{seen['line']})"

    def _uncaught(self, seen):
        return f"uncaught error: {seen['text']}"

    def _violation(self, seen):
        return (f"violation of the content security policy on {seen['page']}: "
                f"{seen['directive']} forbids {seen['blocked']} "
                f"({seen['source']}:{seen['line']} {seen['sample']})")

    def _dialog(self, seen):
        return f"a dialog of the browser's own ({seen['type']}): {seen['text']}"

    def _request(self, seen):
        scheme = urllib.parse.urlsplit(seen["url"]).scheme
        if scheme in ("data", "blob", "about"):
            return None
        of = origin_of(seen["url"].replace("ws", "http", 1) if scheme in ("ws", "wss")
                       else seen["url"])
        if of in self.origins:
            return None
        return f"request to another origin: {seen['method']} {seen['url']}"

    def _response(self, seen):
        if seen["status"] < 400 or self.is_allowed(seen, seen["status"]):
            return None
        return f"{seen['method']} {seen['url']} answered {seen['status']}"

    def _failed(self, seen):
        # Given up by the page itself, which has left or asks no longer.
        if seen["text"] == "net::ERR_ABORTED" or self.is_allowed(seen, None):
            return None
        return f"{seen['method']} {seen['url']} failed: {seen['text']}"


class Chain:
    """A way to something on a page; grows by finders, ends with an action."""

    def __init__(self, page, chain=()):
        self._page, self.chain = page, list(chain)

    def __getattr__(self, name):
        if name in FINDERS:
            return lambda *args, **options: Locator(
                self._page, self.chain + [_step(name, args, options)])
        if name in self._actions:
            return lambda *args, **options: self._do(_step(name, args, options))
        raise AttributeError(f"{type(self).__name__} has no {name}; browser.py lists what it has")

    def _do(self, *steps):
        return self._page.browser.tell("chain", on=self._page.id, chain=[*self.chain, *steps])


class Locator(Chain):
    """What playwright calls a locator: looked for at each use, and waited for."""

    _actions = ACTIONS

    def set_input_files(self, *paths):
        """Of a file input."""
        self._do(["setInputFiles", [str(path) for path in paths]])

    def drop_files(self, *paths):
        """As a person drags them there from another program."""
        self._page.browser.tell("drop", on=self._page.id, chain=self.chain,
                                files=[str(path) for path in paths])

    def download(self, to):
        """Click it; the file that comes, in the folder `to`."""
        return pathlib.Path(self._page.browser.tell(
            "download", on=self._page.id, chain=[*self.chain, ["click"]], to=str(to)))

    def popup(self):
        """Click it; the page that opens."""
        return self._page.context.visits._opened(self._page.context, self._page.browser.tell(
            "popup", on=self._page.id, chain=[*self.chain, ["click"]]))

    def expect_visible(self, seconds=TIMEOUT_MS / 1000):
        self._do(["first"], ["waitFor", {"state": "visible", "timeout": seconds * 1000}])
        return self

    def expect_hidden(self, seconds=TIMEOUT_MS / 1000):
        """Not there, or not visible."""
        self._do(["first"], ["waitFor", {"state": "hidden", "timeout": seconds * 1000}])
        return self

    def expect_text(self, text, seconds=TIMEOUT_MS / 1000):
        """Its text has this in it, or matches this regular expression."""
        pattern = text if isinstance(text, re.Pattern) else re.compile(re.escape(text))
        return self._expect(f"text {pattern.pattern!r}", self.inner_text, pattern.search, seconds)

    def expect_value(self, value, seconds=TIMEOUT_MS / 1000):
        """Of a field."""
        return self._expect(f"value {value!r}", self.input_value, lambda v: v == value, seconds)

    def expect_count(self, number, seconds=TIMEOUT_MS / 1000):
        return self._expect(f"{number} of them", self.count, lambda n: n == number, seconds)

    def expect_attribute(self, name, value, seconds=TIMEOUT_MS / 1000):
        return self._expect(f"{name}={value!r}", lambda: self.get_attribute(name),
                            lambda v: v == value, seconds)

    def _expect(self, what, ask, is_it, seconds):
        until = time.monotonic() + seconds
        while True:
            last = ask()
            if is_it(last):
                return self
            if time.monotonic() > until:
                raise BrowserError(f"{_told({'chain': self.chain})}: {what} not within "
                                   f"{seconds:g} s; it is {last!r}")
            time.sleep(0.05)


class Page(Chain):
    """One tab."""

    _actions = PAGE_ACTIONS

    def __init__(self, context, id_):
        super().__init__(self)
        self.context, self.browser, self.id = context, context.browser, id_

    def tab(self):
        """Another page with the same cookies and storage."""
        return self.context.visits._opened(
            self.context, self.browser.tell("page", context=self.context.id))

    # ---- going there ----

    def goto(self, path, **options):
        """A path below the base URL, or a URL."""
        return self._do(_step("goto", (path,), dict({"wait_until": "load"}, **options)))

    def wait_for_url(self, url, **options):
        """A glob or a regular expression."""
        self._do(_step("wait_for_url", (url,), options))

    def press(self, key):
        """On the keyboard: "Tab", "Enter", "Control+A"."""
        self._do(["keyboard"], ["press", key])

    def path(self):
        """Where it is: path, query and fragment."""
        parts = urllib.parse.urlsplit(self.url())
        return urllib.parse.urlunsplit(("", "", *parts[2:]))

    def emulate(self, dark=None, width=None, height=900, reduced_motion=None, offline=None,
                forced_colors=None):
        media = {"colorScheme": None if dark is None else "dark" if dark else "light",
                 "reducedMotion": None if reduced_motion is None
                 else "reduce" if reduced_motion else "no-preference",
                 "forcedColors": None if forced_colors is None
                 else "active" if forced_colors else "none"}
        media = {name: value for name, value in media.items() if value is not None}
        if media:
            self._do(["emulateMedia", media])
        if width is not None:
            self._do(["setViewportSize", {"width": width, "height": height}])
        if offline is not None:
            self.browser.tell("chain", on=self.context.id, chain=[["setOffline", offline]])
        return self

    def cookies(self):
        return self.browser.tell("chain", on=self.context.id, chain=[["cookies"]])

    def answer(self, path, json):
        """From now on requests of paths that this regular expression matches whole are answered
        with that JSON, by somebody between the page and the server."""
        self.browser.tell("answer", on=self.id, path=_coded(re.compile(f"^(?:{path})$")), json=json)
        return self

    # ---- looking ----

    def expect_text(self, text, seconds=TIMEOUT_MS / 1000):
        """Somewhere on the page, visible."""
        self.get_by_text(text).filter(visible=True).expect_visible(seconds)

    def screenshot(self, name, full_page=True):
        """build/screenshots/NAME.png; its path."""
        path = SCREENSHOTS / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._do(["screenshot", {"path": str(path), "fullPage": full_page,
                                 "animations": "disabled"}])
        return path

    def overflows(self):
        """By how many pixels the page would scroll sideways."""
        return self.evaluate("document.documentElement.scrollWidth - innerWidth")

    def axe(self, **rules):
        """axe-core's findings: [{"id", "impact", "help", "nodes": [{"target", "html", "why"}]}].
        rules: axe's, by their ids with underscores: color_contrast={"enabled": False}."""
        return self.browser.tell("axe", on=self.id, rules={
            name.replace("_", "-"): value for name, value in rules.items()})

    def check_axe(self, **rules):
        """What axe-core finds serious or critical now fails the test at its end."""
        where = self.path()
        for one in self.axe(**rules):
            if one["impact"] in ("serious", "critical"):
                self.context.axe.append(
                    f"axe ({one['impact']}) on {where}: {one['help']} [{one['id']}]" + "".join(
                        f"\n    {node['target']}: {node['html'][:200]}\n    {node['why']}"
                        for node in one["nodes"]))

    # ---- what it saw ----

    def allow(self, status, path, method=None):
        """Answers with this status to requests of paths that this regular expression matches
        whole are no failure; status None: requests that get no answer."""
        self.context.allowed.append((status, path, method))
        return self

    def allow_console(self, pattern):
        """A console error that matches is no failure."""
        self.context.allowed_console.append(pattern)
        return self

    def _saw(self, kind):
        return [seen for seen in self.context.look()
                if seen["kind"] == kind and seen["page"] in (self.id, "")]

    def requests(self, path=None, method=None):
        """[Request] so far, in their order; path: a regular expression for the whole of it."""
        found = [_request(seen, self.context.lengths) for seen in self._saw("request")]
        return [one for one in found if method in (None, one.method)
                and (path is None or re.fullmatch(path, one.path))]

    def wait_for_request(self, path, method=None):
        """The first one, once it was made."""
        return wait_for(f"{method or 'a request'} of {path}",
                        lambda: self.requests(path, method), TIMEOUT_MS / 1000)[0]

    def responses(self, path=None):
        """[{"method", "url", "status", "headers"}] so far."""
        return [one for one in self._saw("response") if path is None
                or re.fullmatch(path, urllib.parse.urlsplit(one["url"]).path)]

    def console(self, *levels):
        """[text] of these levels ("error", "warning", "log", ...; none: all)."""
        return [seen["text"] for seen in self._saw("console")
                if not levels or seen["level"] in levels]


# ---- for conftest.py ----

def report_sections(visits, name):
    """[(title, text)] for the report of a failed test; its pages' screenshots."""
    lines, shots = [], []
    with contextlib.suppress(BrowserError):
        for context in visits.contexts:
            for seen in context.look():
                lines.append(f"{seen['page']} {seen['kind']} " + " ".join(
                    str(seen[key]) for key in ("level", "method", "status", "url", "text",
                                               "directive", "blocked") if key in seen))
        for number, page in enumerate(visits.pages):
            with contextlib.suppress(BrowserError):
                shots.append(str(page.screenshot(f"failed/{name}-{number}")))
    return [("what the pages saw", "\n".join(lines[-60:])), ("screenshots", "\n".join(shots))]

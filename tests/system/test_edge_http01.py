# SPDX-License-Identifier: Apache-2.0
"""http-01 through the web servers that edges have: the examples that ship, with stock
nginx, HAProxy and Apache, and what edged sees and certd keeps of the way."""

import os
import signal
from pathlib import Path

import pytest

from bed import Daemon, free_port, wait_for
from certd_bed import FollowBed

PATH = "/.well-known/acme-challenge/"
HOSTS = ("one.example.com", "two.example.com")


@pytest.fixture(scope="module")
def bed():
    b = FollowBed(edges=2, http=True)
    b.up()
    b.cli("account", "create", "acme")
    for name in b.names:
        b.start_edge(name)
    for host in HOSTS:
        b.json("resource", "create", host.split(".")[0], host, "--account", "acme",
               "--plain-http")
    yield b
    b.close()


def with_nginx(bed):
    if "nginx" not in bed.daemons:
        bed.start_nginx()


def ways(bed):
    """{(edge, resource): what certd has of the way of http-01}"""
    return {(edge, resource): problem for edge, resource, probed, problem in bed.rows(
        "SELECT e.name, r.name, s.http_probed, s.http_problem FROM edge_site s"
        " JOIN edge e ON e.id = s.edge JOIN resource r ON r.id = s.resource") if probed}


def all_ways(bed, problem):
    """Both edges say that of both sites."""
    found = ways(bed)
    return len(found) == 4 and all(problem in p if problem else not p for p in found.values())


@pytest.mark.feature("V02")
def test_edged_answers_the_probe_and_nothing_that_it_was_not_told(bed):
    for name in bed.names:
        port = bed.acme_ports[name]
        wait_for("edged answers", lambda: bed.ask(port, HOSTS[0], PATH + "test"))
        status, headers, body = bed.ask(port, HOSTS[0], PATH + "test")
        assert (status, body) == (200, "test")
        assert headers["Content-Type"].startswith("text/plain")
        for path in (PATH, PATH + "token", PATH + "test/", PATH + "%74est%2f", "/", "/test",
                     "/metrics"):
            assert bed.ask(port, HOSTS[0], path)[0] == 404, path
        assert bed.ask(port, HOSTS[0], PATH + "test", "POST")[0] == 405
        assert bed.ask(port, HOSTS[0], PATH + "test", "HEAD")[::2] == (200, "")


@pytest.mark.feature("V02")
def test_every_edge_says_what_it_sees_of_the_way_from_its_web_server(bed):
    wait_for("nobody listens", lambda: all_ways(bed, ": Connection refused"), 60)
    # A site by plain HTTP alone, too: its first certificate comes this way.
    assert ways(bed)["e1", "two"] == "two.example.com: Connection refused"
    with_nginx(bed)
    wait_for("all is well", lambda: all_ways(bed, ""), 60)


@pytest.mark.feature("V02")
def test_the_nginx_example_hands_challenges_on_and_redirects_the_rest(bed):
    with_nginx(bed)
    for name in bed.names:
        port = bed.http_ports[name]
        assert bed.ask(port, HOSTS[0], PATH + "test")[::2] == (200, "test")
        assert bed.ask(port, HOSTS[1], PATH + "test")[::2] == (200, "test")
        assert bed.ask(port, HOSTS[0], PATH + "token")[0] == 404
        status, headers, _ = bed.ask(port, HOSTS[0], "/page?x=y")
        assert (status, headers["Location"]) == (301, f"https://{HOSTS[0]}/page?x=y")


def reload_nginx(bed):
    """Until none of the old workers is there, which would still answer as before."""
    master = bed.daemons["nginx"].process
    children = Path(f"/proc/{master.pid}/task/{master.pid}/children")
    old = set(children.read_text().split())
    master.send_signal(signal.SIGHUP)
    wait_for("there are new workers alone",
             lambda: (now := set(children.read_text().split())) and not now & old)


@pytest.mark.feature("V02")
def test_a_web_server_that_redirects_everything_is_seen(bed):
    """Of a site that changed; the others have their turn in a day."""
    with_nginx(bed)
    wait_for("all is well", lambda: all_ways(bed, ""), 60)
    conf = bed.dir / "nginx.conf"
    good = conf.read_text()
    conf.write_text(good.replace("location ^~ /.well-known/acme-challenge/",
                                 "location ^~ /elsewhere/"))
    reload_nginx(bed)
    try:
        wait_for("nginx redirects", lambda: bed.ask(
            bed.http_ports["e1"], HOSTS[0], PATH + "test")[0] == 301)
        bed.json("resource", "set", "one", "--hostnames", f"{HOSTS[0]},www.{HOSTS[0]}")
        wait_for("both edges see it", lambda: all(
            ways(bed)[name, "one"] == f"{HOSTS[0]}: 301 to https://{HOSTS[0]}{PATH}test"
            for name in bed.names), 60)
        assert ways(bed)["e1", "two"] == ""
    finally:
        conf.write_text(good)
        reload_nginx(bed)
    wait_for("and that it is right again", lambda: all_ways(bed, ""), 120)


def drop_user():
    return "user www-data\n  group www-data" if os.geteuid() == 0 else ""


@pytest.mark.feature("V02")
def test_the_haproxy_example_hands_challenges_on_and_redirects_the_rest(bed):
    port = free_port()
    base, example = bed.dir / "haproxy.cfg", bed.dir / "haproxy-acme.cfg"
    base.write_text(f"""\
global
  {drop_user()}
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 5s
""")
    text = bed.acme_example("haproxy-acme.cfg", "e1")
    assert "bind :80\n" in text
    example.write_text(text.replace("bind :80\n", f"bind 127.0.0.1:{port}\n"))
    haproxy = Daemon("haproxy", ["/usr/sbin/haproxy", "-db", "-f", base, "-f", example],
                     bed.dir / "haproxy.log", bed.env)
    haproxy.start()
    try:
        wait_for("HAProxy listens", lambda: bed._listens(haproxy, port))
        assert_hands_on(bed, port)
    finally:
        haproxy.stop()


@pytest.mark.feature("V02")
def test_the_apache_example_hands_challenges_on_whatever_else_is_redirected(bed):
    port = free_port()
    modules = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for
                        name in ("mpm_event", "authz_core", "proxy", "proxy_http", "rewrite"))
    text = bed.acme_example("apache-acme.conf", "e1")
    # Its own advice on how to redirect the rest.
    advice = "".join(line.lstrip("#").strip() + "\n" for line in text.splitlines()
                     if line.startswith("#\tRewriteRule"))
    assert advice.count("\n") == 2
    conf = bed.dir / "apache.conf"
    user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
    conf.write_text(f"""\
{modules}
{user}
ServerName localhost
PidFile {bed.dir}/apache.pid
ErrorLog {bed.dir}/apache.error.log
DefaultRuntimeDir {bed.dir}
Listen 127.0.0.1:{port}
{text}
<VirtualHost *:{port}>
RewriteEngine on
{advice}
</VirtualHost>
""")
    apache = Daemon("apache", ["/usr/sbin/apache2", "-D", "FOREGROUND", "-f", conf],
                    bed.dir / "apache.log", bed.env)
    apache.start()
    try:
        wait_for("Apache listens", lambda: bed._listens(apache, port))
        assert_hands_on(bed, port)
    finally:
        apache.stop()


def assert_hands_on(bed, port):
    assert bed.ask(port, HOSTS[0], PATH + "test")[::2] == (200, "test")
    assert bed.ask(port, HOSTS[0], PATH + "token")[0] == 404
    status, headers, _ = bed.ask(port, HOSTS[0], "/page?x=y")
    assert (status, headers["Location"]) == (301, f"https://{HOSTS[0]}/page?x=y")


def test_an_edged_that_finds_its_port_taken_says_so_and_goes_on(bed):
    edged = bed.daemons["edged-e2"]
    edged.stop()
    taker = Daemon("taker", ["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1",
                             bed.acme_ports["e2"]], bed.dir / "taker.log", bed.env)
    taker.start()
    try:
        wait_for("the port is taken", lambda: bed._listens(taker, bed.acme_ports["e2"]))
        bed.start_edge("e2")
        wait_for("certd is told", lambda: "acme.listen" in bed.json(
            "edge", "show", "e2")["problem"], 60)
        assert bed.json("edge", "show", "e2")["state"] == "live"
    finally:
        taker.stop()
    wait_for("it is had as soon as it is free", lambda: bed.json(
        "edge", "show", "e2")["problem"] == "", 60)
    assert bed.ask(bed.acme_ports["e2"], HOSTS[0], PATH + "test")[2] == "test"

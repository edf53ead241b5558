# SPDX-License-Identifier: Apache-2.0
"""BIND 9 for the system tests: zones of its own root on loopback, updated by TSIG keys.

    named = Named(bed.dir / "named")
    key = named.key("certd-key", "hmac-sha512")
    named.zone("example.org", "www IN A 127.0.0.1", keys=[key])
    named.start()
    named.resolver                          "127.0.0.1:PORT", for dns.resolvers and pebble
    key.file                                for tsig_key_file of certd.yaml
    named.update("example.org", "add www.example.org 60 A 127.0.0.2")
    named.txt("_acme-challenge.example.org")    ["..."]

It resolves what it is authoritative for and nothing else, so nothing leaves the machine.
certd asks all authoritative servers at one port, so a second server is reached at another
address and the port of the first:

    behind = Named(bed.dir / "behind", beside=named, address="127.0.0.2")
    behind.secondary("example.org", named)

BIND listens on addresses that interfaces have alone, which 127.0.0.2 is not: a thread passes
questions on to it.
"""

import base64
import os
import signal
import socket
import subprocess
import threading

from bed import Daemon, free_port, wait_for

NAMED = "/usr/sbin/named"


def _lines(text):
    return [line for line in text.splitlines() if line]


class Key:
    """A TSIG key: file as certd wants it, nsupdate as nsupdate(1) does."""

    def __init__(self, folder, name, algorithm):
        self.name, self.algorithm = name, algorithm
        self.file, self.nsupdate = folder / f"{name}.secret", folder / f"{name}.key"
        self.change(base64.b64encode(os.urandom(32)).decode())

    def change(self, secret):
        self.secret = secret
        for path, text in ((self.file, secret + "\n"), (self.nsupdate, self.clause())):
            path.write_text(text)
            path.chmod(0o600)

    def clause(self, secret=None):
        return (f'key "{self.name}" {{ algorithm {self.algorithm}; '
                f'secret "{secret or self.secret}"; }};\n')


class _Relay(threading.Thread):
    """Passes questions by UDP on, from another address of loopback."""

    def __init__(self, address, port, to_port):
        super().__init__(daemon=True)
        self.to = ("127.0.0.1", to_port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, port))
        self.start()

    def run(self):
        while True:
            question, who = self.socket.recvfrom(4096)
            if not question:
                return
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
                out.settimeout(5)
                try:
                    out.sendto(question, self.to)
                    self.socket.sendto(out.recv(65535), who)
                except OSError:
                    pass  # no answer is one

    def stop(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(b"", self.socket.getsockname())
        self.join(20)
        self.socket.close()


class Named:
    """One named; zones and keys are told before start, or with reload() after."""

    def __init__(self, folder, port=None, beside=None, address=None):
        self.dir, self.port = folder, port or free_port()
        self.dir.mkdir(parents=True)
        self.resolver = f"127.0.0.1:{self.port}"
        self.keys, self.zones = [], {}
        self.secrets = {}  # other secrets than the keys', by name
        self.master = self.key("bed")
        self.daemon = Daemon("named", [NAMED, "-4", "-c", self.dir / "named.conf", "-g"],
                             self.dir / "named.log")
        self.relay = None
        if beside is None:
            self.zone(".", "")
        else:
            self.relay = _Relay(address, beside.port, self.port)

    # ---- what it has ----

    def key(self, name, algorithm="hmac-sha256"):
        key = Key(self.dir, name, algorithm)
        self.keys.append(key)
        return key

    def zone(self, name, records="", keys=(), servers=(("ns", "127.0.0.1"),)):
        """A primary.  keys may change its TXT records; servers: its NS, and where they are."""
        path = self.dir / f"{name}.zone"
        origin = name if name == "." else f"{name}."
        nss = "".join(f"@ IN NS {ns}\n{ns} IN A {address}\n" for ns, address in servers)
        path.write_text(f"$ORIGIN {origin}\n$TTL 60\n"
                        f"@ IN SOA {servers[0][0]} hostmaster 1 3600 600 86400 5\n{nss}{records}\n")
        self.zones[name] = {"type": "primary", "file": path, "keys": list(keys)}

    def secondary(self, name, primary):
        """It has the zone as the primary had it when it asked last: see catch_up."""
        self.zones[name] = {"type": "secondary", "file": self.dir / f"{name}.copy",
                            "primary": primary}

    def _zone_clause(self, name, zone):
        if zone["type"] == "secondary":
            of = zone["primary"]
            return (f'zone "{name}" {{ type secondary; file "{zone["file"]}"; '
                    f"primaries {{ 127.0.0.1 port {of.port}; }}; }};\n")
        grants = "grant bed zonesub ANY; " + "".join(
            f"grant {key.name} zonesub TXT; " for key in zone["keys"])
        return (f'zone "{name}" {{ type primary; file "{zone["file"]}"; '
                f"update-policy {{ {grants}}}; }};\n")

    def write(self):
        # Only who has the root answers for names that it is not asked to serve.
        recursion = "yes" if "." in self.zones else "no"
        text = "".join(key.clause(self.secrets.get(key.name)) for key in self.keys) + f"""\
options {{
  directory "{self.dir}"; pid-file none; session-keyfile "{self.dir}/session.key";
  managed-keys-directory "{self.dir}"; listen-on port {self.port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }}; recursion {recursion};
  allow-transfer {{ 127.0.0.0/8; }}; empty-zones-enable no; dnssec-validation no; notify no;
  minimal-responses no; servfail-ttl 0;
}};
controls {{ }};
""" + "".join(self._zone_clause(name, zone) for name, zone in self.zones.items())
        (self.dir / "named.conf").write_text(text)

    # ---- its life ----

    def start(self):
        self.write()
        self.daemon.start()

        def listens():
            assert self.daemon.running(), self.daemon.text()[-2000:]
            with socket.create_connection(("127.0.0.1", self.port), 10):
                return "running\n" in self.daemon.text().rpartition("starting BIND")[2]
        wait_for("named is ready", listens)
        return self

    def reload(self):
        """Have it take other keys and zones."""
        self.write()
        before = self.daemon.text().count("reloading zones succeeded")
        self.daemon.process.send_signal(signal.SIGHUP)
        wait_for("named has its configuration", lambda: self.daemon.text().count(
            "reloading zones succeeded") > before)

    def stop(self):
        self.daemon.kill()
        if self.relay is not None:
            self.relay.stop()
            self.relay = None

    def catch_up(self, name):
        """Have a secondary ask its primary."""
        subprocess.run(["dig", "-b", "127.0.0.1", "@127.0.0.1", "-p", str(self.port),
                        "+opcode=NOTIFY", "+aaflag", "+norecurse", name, "SOA"], check=True,
                       capture_output=True, timeout=60)

    # ---- asking and changing ----

    def dig(self, name, kind="TXT"):
        """Its answers, as dig +short has them."""
        done = subprocess.run(["dig", "@127.0.0.1", "-p", str(self.port), "+short",
                               "+tries=3", "+time=10", name, kind], check=True,
                              capture_output=True, text=True, timeout=60)
        return _lines(done.stdout)

    def txt(self, name):
        """TXT values at a name, sorted; CNAMEs are followed."""
        return sorted(line.strip('"') for line in self.dig(name) if line.startswith('"'))

    def update(self, zone, *lines, key=None):
        """nsupdate: "add NAME TTL TYPE VALUE", "delete NAME TYPE"."""
        script = "\n".join([f"server 127.0.0.1 {self.port}", f"zone {zone}.",
                            *(f"update {line}" for line in lines), "send", ""])
        done = subprocess.run(["nsupdate", "-k", (key or self.master).nsupdate], input=script,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr

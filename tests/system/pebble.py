# SPDX-License-Identifier: Apache-2.0
"""A CA for the system tests: pebble, its challenge test server, and a front that misbehaves.

    pebble = Pebble(bed.dir / "ca")
    pebble.start()
    pebble.directory, pebble.ca_file        for acme.authorities of certd.yaml
    pebble.host                             for signing.acme_hosts of keyd.yaml
    pebble.set_a("www.example.test", "127.0.0.1")
    front = AcmeFront(pebble); front.start()
    front.directory, front.ca_file, front.host          in pebble's place
    front.fault("rate_limited", on="new_order", retry_after=2)

pebble validates http-01 at http_port of the addresses that its DNS gives (127.0.0.1 unless
told otherwise): give certd or nginx that port.  It forgets everything when it is started
again, its roots too.
"""

import datetime
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes

import certs
from bed import TOP, Daemon, free_port, wait_for

EAB_KEY_ID = "kid-1"
EAB_KEY = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


def _write_tls_files(folder):
    """ca.pem, and server.pem with server.key for localhost."""
    ca_key, key = certs.new_key(), certs.new_key()
    moment, day = certs.now(), datetime.timedelta(days=1)

    def sign(subject, public, extensions):
        builder = (x509.CertificateBuilder().subject_name(certs.name(subject))
                   .issuer_name(certs.name("bed CA TLS")).public_key(public)
                   .serial_number(x509.random_serial_number())
                   # Wide enough for tests that travel in time.
                   .not_valid_before(moment - 400 * day).not_valid_after(moment + 4000 * day))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(ca_key, hashes.SHA256())

    ca = sign("bed CA TLS", ca_key.public_key(), [(x509.BasicConstraints(True, None), True)])
    server = sign("localhost", key.public_key(), [(x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)])
    for name, text in (("ca.pem", certs.pem(ca)), ("server.pem", certs.pem(server)),
                       ("server.key", certs.key_pem(key))):
        (folder / name).write_text(text)


def _listens(port):
    def ask():
        with socket.create_connection(("127.0.0.1", port), 10):
            return True
    return ask


class Pebble:
    """pebble with a pebble-challtestsrv of its own.

    dns: "127.0.0.1:5353" in place of the latter's DNS.  eab: accounts need EAB_KEY_ID and
    EAB_KEY.  serve_http: challtestsrv answers http-01 at http_port (add_http01) where no web
    server does.  nonce_reject, authz_reuse: per cent.  ocsp_url: of a responder, which its
    certificates then name.  environment: more of PEBBLE_*.
    """

    def __init__(self, folder, strict=True, eab=False, validity_s=7776000, dns=None,
                 http_port=None, serve_http=False, nonce_reject=5, authz_reuse=0,
                 alternate_roots=0, chain_length=1, always_valid=False, blocked=(),
                 ocsp_url="", environment=None):
        self.dir = folder
        self.dir.mkdir(parents=True, exist_ok=True)
        self.port, self.management_port, self.control_port = (free_port() for _ in range(3))
        self.http_port, self.tls_port = http_port or free_port(), free_port()
        self.dns_port = free_port()
        self.resolver = f"127.0.0.1:{self.dns_port}"
        self.ca_file, self.host = self.dir / "ca.pem", f"localhost:{self.port}"
        self.directory = f"https://{self.host}/dir"
        if not self.ca_file.exists():
            _write_tls_files(self.dir)
        config = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self.management_port}",
            "certificate": str(self.dir / "server.pem"),
            "privateKey": str(self.dir / "server.key"),
            "httpPort": self.http_port, "tlsPort": self.tls_port, "ocspResponderURL": ocsp_url,
            "externalAccountBindingRequired": eab,
            "externalAccountMACKeys": {EAB_KEY_ID: EAB_KEY} if eab else {},
            "domainBlocklist": list(blocked), "certificateValidityPeriod": validity_s}
        (self.dir / "pebble.json").write_text(json.dumps({"pebble": config}))
        # One thread: pebble's locks deadlock under parallel clients otherwise.
        env = dict(os.environ, GOMAXPROCS="1", PEBBLE_VA_NOSLEEP="1",
                   PEBBLE_WFE_NONCEREJECT=str(nonce_reject),
                   PEBBLE_AUTHZREUSE=str(authz_reuse), PEBBLE_ALTERNATE_ROOTS=str(alternate_roots),
                   PEBBLE_CHAIN_LENGTH=str(chain_length), **(environment or {}))
        if always_valid:
            env["PEBBLE_VA_ALWAYS_VALID"] = "1"
        self.alternate_roots = alternate_roots
        self.pebble = Daemon("pebble", [
            "pebble", "-config", self.dir / "pebble.json", *(["-strict"] if strict else []),
            "-dnsserver", dns or self.resolver], self.dir / "pebble.log", env)
        self.challtestsrv = Daemon("pebble-challtestsrv", [
            "pebble-challtestsrv", "-http01", f"127.0.0.1:{self.http_port}" if serve_http else "",
            "-https01", "", "-tlsalpn01", "", "-dns01", self.resolver,
            "-management", f"127.0.0.1:{self.control_port}",
            "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""], self.dir / "challtestsrv.log")

    # ---- its life ----

    def start(self):
        if not self.challtestsrv.running():
            self.challtestsrv.start()
        self.pebble.start()
        for port in (self.control_port, self.port, self.management_port):
            wait_for("pebble listens", _listens(port))
        return self

    def stop(self):
        self.pebble.kill()
        self.challtestsrv.kill()

    def stop_ca(self):
        """The CA alone; its DNS stays."""
        self.pebble.kill()

    def restart(self):
        """It has forgotten accounts, orders and roots."""
        self.stop_ca()
        return self.start()

    # ---- what it has issued ----

    def _management(self, path):
        context = ssl.create_default_context(cafile=str(self.ca_file))
        with urllib.request.urlopen(f"https://localhost:{self.management_port}{path}",
                                    context=context, timeout=60) as reply:
            return reply.read().decode()

    def root(self, index=0):
        """A root's PEM, that of an alternate chain from 1."""
        return self._management(f"/roots/{index}")

    def intermediate(self, index=0):
        return self._management(f"/intermediates/{index}")

    def intermediate_key(self, index=0):
        return self._management(f"/intermediate-keys/{index}")

    def roots_file(self):
        """All roots of this run in one file, to verify what it issued."""
        path = self.dir / "roots.pem"
        path.write_text("".join(self.root(i) for i in range(self.alternate_roots + 1)))
        return path

    def certificate_status(self, serial):
        """{"Certificate", "Status": "Valid" or "Revoked", ...} of a serial number."""
        text = serial if isinstance(serial, str) else f"{serial:x}"
        return json.loads(self._management(f"/cert-status-by-serial/{text.lstrip('0')}"))

    def requests(self):
        """Its log's lines of requests: "POST /order-plz -> calling handler()"."""
        return [line.split(" ", 2)[2] for line in self.pebble.text().splitlines()
                if "calling handler" in line]

    # ---- DNS and answers of challtestsrv ----

    def _tell(self, path, **body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.control_port}{path}",
                                         json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.read()

    def set_a(self, name, *addresses):
        self._tell("/add-a", host=f"{name}.", addresses=list(addresses))

    def clear_a(self, name):
        self._tell("/clear-a", host=f"{name}.")

    def set_aaaa(self, name, *addresses):
        self._tell("/add-aaaa", host=f"{name}.", addresses=list(addresses))

    def clear_aaaa(self, name):
        self._tell("/clear-aaaa", host=f"{name}.")

    def default_a(self, address):
        """For all names that have none; "" for none."""
        self._tell("/set-default-ipv4", ip=address)

    def add_txt(self, name, value):
        self._tell("/set-txt", host=f"{name}.", value=value)

    def clear_txt(self, name):
        self._tell("/clear-txt", host=f"{name}.")

    def set_cname(self, name, target):
        self._tell("/set-cname", host=f"{name}.", target=f"{target}.")

    def clear_cname(self, name):
        self._tell("/clear-cname", host=f"{name}.")

    def add_caa(self, name, **policies):
        """add_caa("example.test", issue="ca.example")."""
        self._tell("/add-caa", host=f"{name}.", policies=[
            {"tag": tag, "value": value} for tag, value in policies.items()])

    def clear_caa(self, name):
        self._tell("/clear-caa", host=f"{name}.")

    def set_servfail(self, name):
        self._tell("/set-servfail", host=f"{name}.")

    def clear_servfail(self, name):
        self._tell("/clear-servfail", host=f"{name}.")

    def add_http01(self, token, key_authorization):
        self._tell("/add-http01", token=token, content=key_authorization)

    def del_http01(self, token):
        self._tell("/del-http01", token=token)


class AcmeFront:
    """tests/fake/acme_front.py before a pebble; its text lists the faults and settings."""

    def __init__(self, pebble, **settings):
        self.pebble, self.port, self.control_port = pebble, free_port(), free_port()
        self.ca_file, self.host = pebble.ca_file, f"localhost:{self.port}"
        self.directory = f"https://{self.host}/dir"
        self.initial = settings
        self.daemon = Daemon("acme_front", [
            TOP / "tests/fake/acme_front.py", "--listen", self.port,
            "--control", self.control_port, "--upstream", pebble.port,
            "--management", pebble.management_port, "--challtestsrv", pebble.control_port,
            "--ca", pebble.ca_file, "--certificate", pebble.dir / "server.pem",
            "--key", pebble.dir / "server.key"], pebble.dir / "acme_front.log")

    def start(self):
        self.daemon.start()
        for port in (self.control_port, self.port):
            wait_for("the front listens", _listens(port))
        if self.initial:
            self.set(**self.initial)
        return self

    def stop(self):
        self.daemon.kill()

    def _tell(self, path, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.control_port}{path}",
                                         json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.loads(reply.read())

    def fault(self, fault, on="any", count=1, **more):
        """count -1: until clear()."""
        self._tell("/faults", {"fault": fault, "on": on, "count": count, **more})

    def clear(self):
        self._tell("/clear", {})

    def set(self, **settings):
        """ari=True, profiles={...}, retry_after={"order": 1}, persist={...} or None."""
        self._tell("/settings", settings)

    def set_window(self, cert_id, **window):
        """start, end (RFC 3339), explanation, retry_after; cert_id "*": of all."""
        self._tell("/window", {"id": cert_id, **window})

    def revoke(self, serial):
        """The CA has revoked it, by renewalInfo."""
        self._tell("/revoke", {"serial": f"{serial:x}"})

    def replaced(self):
        """CertIDs that orders have replaced."""
        return self._tell("/replaced", {})

    def log(self):
        """[{"on": "new_order", "method", "path", "status"}, ...] since the start."""
        return self._tell("/log", {})

    def count(self, kind="any"):
        return sum(kind in ("any", entry["on"]) for entry in self.log())

    def times(self):
        """When requests came, in seconds of one clock."""
        return [entry["at"] for entry in self.log()]

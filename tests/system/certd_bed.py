# SPDX-License-Identifier: Apache-2.0
"""The test bed with a certd: keyd of bed.py, and a certd that has joined it.

    bed.call("Accounts", "Create", name="acme")        gRPC, as operator/admin
    bed.refusal("Accounts", "Get", name="none")        (code, sentence)
    bed.rest("GET", "/v1/certificates", token)         REST; (status, headers, JSON)
"""

import base64
import hashlib
import http.client
import json
import os
import socket
import sqlite3
import ssl
import subprocess

import grpc
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from bed import BUILD, DOMAIN, EDGED, TOP, Bed, Daemon, children, free_port, wait_for
from wire import channel, keys_pb2, keys_pb2_grpc, member

from holdfast.certd.v1 import (  # noqa: E402 (wire has generated them)
    accounts_pb2, accounts_pb2_grpc, authorities_pb2, authorities_pb2_grpc,
    certificates_pb2, certificates_pb2_grpc, choices_pb2, choices_pb2_grpc,
    custody_pb2, custody_pb2_grpc,
    diagnoses_pb2, diagnoses_pb2_grpc,
    edges_pb2, edges_pb2_grpc, enrollments_pb2, enrollments_pb2_grpc,
    notices_pb2, notices_pb2_grpc, overview_pb2, overview_pb2_grpc, plans_pb2, plans_pb2_grpc,
    resources_pb2, resources_pb2_grpc, sessions_pb2, sessions_pb2_grpc,
    status_pb2, status_pb2_grpc)

CERTD = BUILD / "certd/certd"
MODULES = ((accounts_pb2, accounts_pb2_grpc), (authorities_pb2, authorities_pb2_grpc),
           (certificates_pb2, certificates_pb2_grpc), (choices_pb2, choices_pb2_grpc),
           (diagnoses_pb2, diagnoses_pb2_grpc),
           (edges_pb2, edges_pb2_grpc), (enrollments_pb2, enrollments_pb2_grpc),
           (custody_pb2, custody_pb2_grpc), (notices_pb2, notices_pb2_grpc),
           (overview_pb2, overview_pb2_grpc),
           (plans_pb2, plans_pb2_grpc), (resources_pb2, resources_pb2_grpc),
           (sessions_pb2, sessions_pb2_grpc),
           (status_pb2, status_pb2_grpc))
ADMINISTRATOR, ENGINEER, VIEWER, AUDITOR = 1, 2, 3, 4


def service_of(service, method):
    """The class of a method's requests, and the stub of its service."""
    for messages, stubs in MODULES:
        found = messages.DESCRIPTOR.services_by_name.get(service)
        if found is not None:
            request = getattr(messages, found.methods_by_name[method].input_type.name)
            return request, getattr(stubs, f"{service}Stub")
    raise KeyError(service)


def all_methods():
    """("Accounts", "Create") ... of every service of certd."""
    return [(service.name, method.name) for messages, _ in MODULES
            for service in messages.DESCRIPTOR.services_by_name.values()
            for method in service.methods]


class _Https(http.client.HTTPSConnection):
    """certd under its own name, at whatever address."""

    def connect(self):
        plain = socket.create_connection((self.host, self.port), self.timeout)
        self.sock = self._context.wrap_socket(plain, server_hostname=f"certd.{DOMAIN}")


class CertdBed(Bed):
    def __init__(self, *args, certd_lines="", enhanced=False, quorum=1, **kw):
        """enhanced: with a network and a pool of that name, on a token of its own.
        quorum: operators that it takes to have a key destroyed."""
        self.enhanced, self.certd_lines, self.quorum = enhanced, certd_lines, quorum
        super().__init__(*args, **kw)
        self.certd_port, self.rest_port = free_port(), free_port()
        self.certd_metrics_port = free_port()
        self.channels = {}

    # ---- a second pool ----

    def write_keyd_config(self, *args, **kw):
        super().write_keyd_config(*args, **kw)
        path = self.dir / "keyd.yaml"
        path.write_text(path.read_text() + f"approvals:\n  quorum: {self.quorum}\n")
        if not self.enhanced:
            return
        subprocess.run([TOP / "tools/softhsm-token", "enhanced", self.dir / "enhanced.pin"],
                       check=True, env=self.env, timeout=60)
        text = path.read_text()
        pool = text[text.index("  - name: standard"):text.index("identity:")]
        pool = pool.replace("\n    workers:", "\n    edge_groups: [standard]\n    workers:")
        text = text[:text.index("  - name: standard")] + pool + pool.replace(
            "standard", "enhanced").replace("custody", "enhanced") + text[text.index("identity:"):]
        path.write_text(text)
        self.certd_lines += """\
networks:
  - name: standard
    pool: standard
    edge_groups: [standard]
  - name: enhanced
    pool: enhanced
    edge_groups: [enhanced]
"""

    def lanes_ready(self):
        lanes = self.lanes()
        return len(lanes) == self.workers * (2 if self.enhanced else 1) and all(
            l["state"] == "ready" for l in lanes)

    # ---- certd ----

    rest_lines = ""  # more below rest:

    def write_certd_config(self):
        path = self.dir / "certd.yaml"
        path.write_text(f"""\
listen: 127.0.0.1:{self.certd_port}
state_dir: {self.dir}/certd
zone: edge.holdfast.test
rest:
  listen: 127.0.0.1:{self.rest_port}
{self.rest_lines}metrics_listen: 127.0.0.1:{self.certd_metrics_port}
{self.certd_lines}""")
        return path

    def run_certd(self, *argv, timeout=60):
        """One of certd's commands; the completed process."""
        return subprocess.run([CERTD, *map(str, argv), "-c", self.dir / "certd.yaml"],
                              env=self.env, capture_output=True, text=True, timeout=timeout)

    def join_certd(self, name="one"):
        config = self.write_certd_config()
        join = self.dir / f"certd-{name}.join"
        self.cli("edge", "invite", name, "--role", "certd", "-o", join)
        done = self.run_certd("join", join)
        assert done.returncode == 0, done.stdout + done.stderr
        certd = Daemon("certd", [CERTD, "-c", config], self.dir / "certd.log", self.env)
        self.daemons["certd"] = certd
        return certd

    def start_certd(self, name="one"):
        certd = self.daemons.get("certd") or self.join_certd(name)
        certd.start()
        # REST comes last.
        for port in (self.certd_port, self.rest_port):
            wait_for("certd listens", lambda: self._listens(certd, port))
        return certd

    def up(self):
        """keyd and certd, with their tokens; the command line knows both."""
        self.init()
        self.start_keyd()
        self.start_certd()
        self.env["HOLDFAST_CERTD"] = f"127.0.0.1:{self.certd_port}"
        wait_for("certd reaches keyd", lambda: self.call(
            "Status", "Get").keyd_trouble == "")
        return self

    # ---- gRPC ----

    def channel(self, state="admin"):
        """To certd as the identity in that state folder."""
        if state not in self.channels:
            self.channels[state] = channel(
                self, self.dir / state, self.certd_port, server="certd")
        return self.channels[state]

    def member(self, role, name):
        """Enroll an identity; the state folder's name, for state=."""
        return member(self, role, name).name

    def call(self, service, method, state="admin", timeout=60, request=None, **fields):
        """A unary method; its reply, or grpc.RpcError."""
        kind, stub = service_of(service, method)
        ask = getattr(stub(self.channel(state)), method)
        return ask(kind(**fields) if request is None else request, timeout=timeout,
                   wait_for_ready=True)

    def refusal(self, service, method, **kw):
        """Its code and sentence; fails when it is not refused."""
        try:
            self.call(service, method, **kw)
        except grpc.RpcError as error:
            return error.code().name, error.details()
        raise AssertionError(f"{service}.{method} was not refused: {kw}")

    # ---- keys ----

    def wrapped(self, key, parameters):
        """A private key for the token, as REST takes it; of Certificates.ImportParameters."""
        assert parameters.wrapping == keys_pb2.IMPORT_WRAPPING_RSA_OAEP_SHA1_AES_256_KWP
        to, aes = serialization.load_der_public_key(parameters.wrapping_key), os.urandom(32)
        blob = to.encrypt(aes, padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None))
        blob += keywrap.aes_key_wrap_with_padding(aes, key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        spki = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return {name: base64.b64encode(value).decode() for name, value in (
            ("wrapping_key_id", parameters.wrapping_key_id), ("blob", blob), ("spki", spki))}

    def keyd_keys(self):
        """{id: key} of all that keyd has for certd."""
        stub, found, token = keys_pb2_grpc.KeysStub(self.keyd_channel()), {}, ""
        while True:
            page = stub.List(keys_pb2.ListKeysRequest(page_size=1000, page_token=token),
                             timeout=60, wait_for_ready=True)
            found.update((k.id.hex(), k) for k in page.keys if k.label.startswith("c-"))
            token = page.next_page_token
            if not token:
                return found

    def keyd_grants(self):
        """{(key, edge group)} as keyd has them."""
        stub, found, token = keys_pb2_grpc.KeysStub(self.keyd_channel()), set(), ""
        while True:
            page = stub.ListGrants(
                keys_pb2.ListGrantsRequest(page_size=1000, page_token=token), timeout=60,
                wait_for_ready=True)
            found |= {(g.key_id.hex(), g.grant.identity.removeprefix("edge/@"))
                      for g in page.grants if g.grant.identity.startswith("edge/@")}
            token = page.next_page_token
            if not token:
                return found

    def keyd_channel(self):
        if "keyd" not in self.channels:
            self.channels["keyd"] = channel(self, self.dir / "admin")
        return self.channels["keyd"]

    def rows(self, sql):
        """Of certd's database, beside certd."""
        with sqlite3.connect(f"file:{self.dir}/certd/certd.db?mode=ro", uri=True) as db:
            return db.execute(sql).fetchall()

    # ---- accounts ----

    def make_account(self, name, **fields):
        return self.call("Accounts", "Create", name=name, **fields)

    def make_token(self, account, role=ADMINISTRATOR, name="test", **fields):
        """A new API token's secret."""
        return self.call("Tokens", "Create", account=account, name=name, role=role,
                         **fields).secret

    # ---- REST ----

    def https(self, timeout=90):
        """A connection to the REST port, for several requests; close it.

        Its timeout is longer than any ?timeout_ms that certd takes.
        """
        context = ssl.create_default_context(cafile=str(self.dir / "keyd/ca.pem"))
        return _Https("127.0.0.1", self.rest_port, context=context, timeout=timeout)

    def rest(self, verb, path, token=None, body=None, headers=None, over=None):
        """(status, headers, JSON or text) of one request over TLS."""
        connection = over or self.https()
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(verb, path, body, sent)
            reply = connection.getresponse()
            text = reply.read()
            is_json = "json" in (reply.headers.get("Content-Type") or "")
            return reply.status, reply.headers, json.loads(text) if is_json and text else text
        finally:
            if over is None:
                connection.close()

    def close(self):
        for open_channel in self.channels.values():
            open_channel.close()
        try:
            if "certd" in self.daemons:
                code = self.daemons["certd"].stop()
                assert code == 0, self.daemons["certd"].text()[-4000:]
        finally:
            super().close()


class FollowBed(CertdBed):
    """A certd whose edges follow it: edged processes, and stock nginx before them.

    One nginx stands for the web servers of all edges: it has a port for each, which
    loads that edge's files.
    """

    def __init__(self, edges=1, edge_lines="", http=False, **kw):
        """edge_lines: more of edged.yaml.  http: nginx also listens for plain HTTP, on a port
        for each edge, hands challenges on to edged as the example has it, and redirects the
        rest; edged looks at it."""
        super().__init__(**kw)
        self.edge_lines = edge_lines
        self.names = [f"e{i}" for i in range(1, edges + 1)]
        self.ports = {name: free_port() for name in self.names}
        self.http_ports = {name: free_port() for name in self.names} if http else {}
        self.acme_ports = {name: free_port() for name in self.names}
        # There nginx says which of its configurations it has.
        self.nginx_port, self.nginx_number = free_port(), 0
        self.hosts = []
        self.hook = self.dir / "hook"
        # It is run by each edged, also at once; a nginx that is not there yet is no error.
        self.hook.write_text(f"""#!/bin/sh
echo "$(date +%s.%N) $1" >> {self.dir}/hooks
pid=$(cat {self.dir}/nginx.pid 2>/dev/null) || exit 0
kill -HUP "$pid" 2>/dev/null || exit 0
""")
        self.hook.chmod(0o755)

    def live(self, name, host):
        return self.dir / f"edge-{name}" / "files/live" / host

    def probe_lines(self, name):
        port = self.http_ports.get(name)
        return f"  http_connect: 127.0.0.1:{port}\n" if port else ""

    def acme_example(self, example, name):
        """An example of docs/examples that hands challenges on, for that edge's edged."""
        text = (TOP / "docs/examples" / example).read_text()
        assert "127.0.0.1:8402" in text
        return text.replace("127.0.0.1:8402", f"127.0.0.1:{self.acme_ports[name]}")

    def ask(self, port, host, path, method="GET"):
        """By plain HTTP, under a host name: (status, headers, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request(method, path, headers={"Host": host})
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read().decode()
        finally:
            connection.close()

    def start_edge(self, name, group="standard", certd=True):
        daemon = self.daemons.get(f"edged-{name}")
        folder = self.dir / f"edge-{name}"
        if daemon is None:
            folder.mkdir()
            folder.chmod(0o755)
            config = folder / "edged.yaml"
            config.write_text(f"""\
state_dir: {folder}/state
sockets:
  - path: {folder}/edged.sock
    mode: "0666"
    allow: [www-data]
certd: ["127.0.0.1:{self.certd_port}"]
files:
  dir: {folder}/files
hook: [{self.hook}, {name}]
probe:
  connect: 127.0.0.1:{self.ports[name]}
  timeout: 5s
{self.probe_lines(name)}acme:
  listen: 127.0.0.1:{self.acme_ports[name]}
{self.edge_lines}""")
            join = folder / "edge.join"
            self.cli("edge", "invite", name, "--group", group, "-o", join)
            done = subprocess.run([EDGED, "join", join, "-c", config], env=self.env,
                                  capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stdout + done.stderr
            daemon = Daemon(f"edged-{name}", [EDGED, "-c", config], self.dir / f"edged-{name}.log",
                            self.env)
            self.daemons[f"edged-{name}"] = daemon
        daemon.start()
        return daemon

    def openssl_conf(self):
        """Signing is by the first edge's edged."""
        path = super().openssl_conf()
        path.write_text(path.read_text().replace(
            f"{self.dir}/edged.sock", f"{self.dir}/edge-{self.names[0]}/edged.sock"))
        return path

    def write_nginx_conf(self, workers=1):
        """A server for each edge and host name, for those whose files are there."""
        servers = ""
        for name, port in self.ports.items():
            for host in self.hosts:
                live = self.live(name, host.replace("*.", "_wildcard."))
                if not live.exists():
                    continue
                pairs = [("fullchain.pem", "privkey.pem")]
                if (live / "fullchain-rsa.pem").exists():
                    pairs.append(("fullchain-rsa.pem", "privkey-rsa.pem"))
                lines = "".join(f"    ssl_certificate {live}/{chain};\n"
                                f"    ssl_certificate_key {live}/{key};\n" for chain, key in pairs)
                servers += f"""
  server {{
    listen 127.0.0.1:{port} ssl;
    server_name {host};
{lines}    return 200 "{name}\\n";
  }}"""
        for name, port in self.http_ports.items():
            servers += f"""
  server {{
    listen 127.0.0.1:{port} default_server;
    {self.acme_example("nginx-acme.conf", name)}
    location / {{ return 301 https://$host$request_uri; }}
  }}"""
        self.nginx_number += 1
        servers += f"""
  server {{
    listen 127.0.0.1:{self.nginx_port};
    return 200 "{self.nginx_number}";
  }}"""
        self.sites = []
        path = super().write_nginx_conf(workers)
        path.write_text(path.read_text().rstrip().removesuffix("}") + servers + "\n}\n")
        return path

    def start_nginx(self, workers=1):
        self.https_port = (self.http_ports or self.ports)[self.names[0]]
        return super().start_nginx(workers)

    def nginx_workers(self):
        """Those that still take connections."""
        return {pid for pid, line in children(self.daemons["nginx"].pid).items()
                if line.endswith("worker process")}

    def reload_nginx(self):
        """Until no worker with another configuration takes connections: it would serve
        its first site to those who ask for one that it does not have.  The hooks of edges
        may have it read its configuration at the same time."""
        self.write_nginx_conf()
        self.daemons["nginx"].process.send_signal(1)

        def is_done():
            workers = self.nginx_workers()
            number = self.ask(self.nginx_port, "localhost", "/")[2]
            return (number == str(self.nginx_number) and len(workers) == 1
                    and self.nginx_workers() == workers)
        wait_for("nginx has its new configuration", is_done)

    def served(self, name, host, rsa=False):
        """SHA-256 of the leaf that the edge's web server serves."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if rsa:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
        with socket.create_connection(("127.0.0.1", self.ports[name]), 60) as plain:
            plain.settimeout(60)
            with context.wrap_socket(plain, server_hostname=host.replace("*.", "any.")) as tls:
                return hashlib.sha256(tls.getpeercert(True)).hexdigest()

    def publish(self, *hosts):
        """Have nginx serve host names whose files have just come."""
        self.hosts += hosts
        for host in hosts:
            for name in self.names:
                wait_for(f"{name} has the files of {host}", lambda n=name, h=host: self.live(
                    n, h.replace("*.", "_wildcard.")).exists())
        if "nginx" in self.daemons:
            self.reload_nginx()
        else:
            self.start_nginx()

    def converged(self, resource):
        found = self.json("resource", "show", resource)["convergence"]
        return found["edges"] == len(self.names) and found["percent"] == 100 and found

    def close(self):
        for name, daemon in list(self.daemons.items()):
            if name.startswith("edged-"):
                daemon.stop()
        super().close()

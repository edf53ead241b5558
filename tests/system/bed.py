# SPDX-License-Identifier: Apache-2.0
"""The test bed: a SoftHSM token, keyd, edged and stock nginx on loopback.

Everything is real and lives in one temporary folder; ports are free ones.
Programs come from HOLDFAST_BUILD (default build/release).
"""

import json
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HOLDFAST_BUILD", TOP / "build/release")).resolve()
KEYD = BUILD / "keyd/keyd"
EDGED = BUILD / "edge/edged"
HOLDFAST = BUILD / "tools/holdfast"
PROVIDER = BUILD / "edge/provider/holdfast.so"
MODULE = "/usr/lib/softhsm/libsofthsm2.so"
DOMAIN = "bed.holdfast.test"
CONTEXT_TLS13_SERVER, CONTEXT_TLS12_SERVER_ECDHE, CONTEXT_CSR, CONTEXT_RAW = 1, 2, 3, 4


def wait_for(what, question, seconds=60):
    """Ask until the answer is true; fail with the last answer or error.

    What comes comes in moments; the seconds are for what never does, on a machine that has
    much else to do.
    """
    until = time.monotonic() + seconds
    last = None
    while time.monotonic() < until:
        try:
            last = question()
            if last:
                return last
        except Exception as error:  # noqa: BLE001 (the last one is reported)
            last = error
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} s; last: {last!r}")


def _can_be_had(port):
    """By TCP and UDP."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(type=kind) as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def free_port(*others, given=set()):  # noqa: B006 (of this process)
    """Below those that the kernel gives to clients, and this process's share of them where
    tests run in several: nobody gets it by chance before the daemon that it is for.

    others: it goes with those that are so far above it."""
    share = 20000 // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    first = 12000 + share * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    while True:
        port = random.randrange(first, first + share - max(others, default=0))
        all_of_it = {port, *(port + other for other in others)}
        if not all_of_it & given and all(map(_can_be_had, all_of_it)):
            given |= all_of_it
            return port


def children(pid):
    """Child processes, as {pid: command line}."""
    found = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            # The name before it, in brackets, may hold anything.
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid:
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(
                    b"\0", b" ").decode(errors="replace").strip()
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def threads(pid):
    """What each thread of a process waits for, as far as the kernel tells."""
    lines = []
    for folder in pathlib.Path(f"/proc/{pid}/task").glob("*"):
        try:
            lines.append(" ".join((folder / name).read_text().strip()
                                  for name in ("comm", "wchan", "syscall")))
        except OSError:
            pass
    return "\n".join(lines)


class Daemon:
    """One process with its log in a file."""

    def __init__(self, name, argv, log, env=None):
        self.name, self.argv, self.log, self.env = name, [str(a) for a in argv], log, env
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.env, start_new_session=True)
        return self

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def text(self):
        return pathlib.Path(self.log).read_text(errors="replace")

    def stop(self, sig=signal.SIGTERM, seconds=60):
        """End it; the exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                waits = threads(self.pid)
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"{self.name} did not stop; its threads:\n{waits}\n"
                                     f"log:\n{self.text()[-2000:]}")
        return self.process.returncode

    def kill(self):
        return self.stop(signal.SIGKILL)


class Site:
    """A host name with its certificate and key stub."""

    def __init__(self, host, folder, key):
        self.host, self.folder, self.key = host, folder, key
        self.chain = folder / "fullchain.pem"
        self.stub = folder / "privkey.pem"


class Bed:
    def __init__(self, workers=2, durability="fdatasync", pin=None, keyd=KEYD,
                 where="/tmp"):
        """where: "/dev/shm" for a bed whose token is used for thousands of keys."""
        self.keyd_program = keyd
        # Short: unix socket paths end at 107 octets.
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="hf-", dir=where))
        self.dir.chmod(0o755)
        self.port, self.enroll_port, self.https_port = free_port(), free_port(), free_port()
        self.metrics_port = free_port()
        self.daemons = {}
        self.sites = []
        self.workers, self.durability = workers, durability
        self.env = dict(os.environ, SOFTHSM2_CONF=str(self.dir / "softhsm2.conf"))
        for name in ("LD_PRELOAD", "OPENSSL_CONF", "HOLDFAST_STATE"):
            self.env.pop(name, None)
        (self.dir / "tokens").mkdir()
        (self.dir / "softhsm2.conf").write_text(
            f"directories.tokendir = {self.dir}/tokens\n"
            "objectstore.backend = file\nlog.level = ERROR\n")
        for token in ("custody", "identity"):
            subprocess.run([TOP / "tools/softhsm-token", token, self.dir / f"{token}.pin"],
                           check=True, env=self.env, timeout=60)
        if pin is not None:
            (self.dir / "custody.pin").write_text(pin + "\n")
        self.write_keyd_config()

    # ---- keyd ----

    def write_keyd_config(self, module=MODULE, token="custody", pool_env=("SOFTHSM2_CONF",)):
        (self.dir / "keyd.yaml").write_text(f"""\
domain: {DOMAIN}
listen: 127.0.0.1:{self.port}
enroll_listen: 127.0.0.1:{self.enroll_port}
state_dir: {self.dir}/keyd
pools:
  - name: standard
    module: {module}
    token: {token}
    pin_file: {self.dir}/custody.pin
    workers: {self.workers}
    env: [{", ".join(pool_env)}]
identity:
  module: {MODULE}
  token: identity
  pin_file: {self.dir}/identity.pin
  env: [SOFTHSM2_CONF]
audit:
  durability: {self.durability}
metrics_listen: 127.0.0.1:{self.metrics_port}
""")

    def init(self):
        done = subprocess.run(
            [self.keyd_program, "init", "-c", self.dir / "keyd.yaml", "--operator", "admin",
             "-o", self.dir / "admin.join"],
            env=self.env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start_keyd(self, ready=True):
        keyd = self.daemons.get("keyd")
        if keyd is None:
            keyd = Daemon("keyd", [self.keyd_program, "-c", self.dir / "keyd.yaml"],
                          self.dir / "keyd.log", self.env)
            self.daemons["keyd"] = keyd
        keyd.start()
        wait_for("keyd listens", lambda: self._listens(keyd, self.port))
        # The port for newcomers opens after it.
        wait_for("keyd enrolls", lambda: self._listens(keyd, self.enroll_port))
        if not (self.dir / "admin").exists():
            self.cli("join", self.dir / "admin.join")
        if ready:
            wait_for("the lanes are ready", self.lanes_ready)
        return keyd

    def _listens(self, daemon, port):
        if not daemon.running():
            raise AssertionError(f"{daemon.name} ended: {daemon.text()[-2000:]}")
        with socket.create_connection(("127.0.0.1", port), 10):
            return True

    def lanes(self):
        return self.json("status")["lanes"]

    def lanes_ready(self):
        lanes = self.lanes()
        return len(lanes) == self.workers and all(l["state"] == "ready" for l in lanes)

    def worker(self, lane=0):
        """The pid of a lane's worker, once it has one (pid 0 would be everyone)."""
        def pid():
            found = [l["pid"] for l in self.lanes() if l["lane"] == lane]
            return found[0] if found and found[0] > 1 else None
        return wait_for(f"lane {lane} has a worker", pid)

    def kill_workers(self, lanes=None):
        """kill -9, one after the other."""
        for lane in range(self.workers) if lanes is None else lanes:
            os.kill(self.worker(lane), signal.SIGKILL)

    # ---- the command line ----

    def run(self, *argv, state="admin", timeout=120):
        return subprocess.run([HOLDFAST, "--state", self.dir / state, *map(str, argv)],
                              env=self.env, capture_output=True, text=True, timeout=timeout)

    def cli(self, *argv, **kw):
        done = self.run(*argv, **kw)
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *argv, **kw):
        return json.loads(self.cli("--json", *argv, **kw))

    def make_key(self, label, alg="ec-p256", edge="fra-1"):
        key = self.json("key", "generate", label, "--alg", alg)
        self.cli("key", "grant", label, "operator/admin", "csr")
        if edge:
            self.cli("key", "grant", label, f"edge/{edge}", "tls")
        return key

    # ---- certificates ----

    def ca(self):
        ca = self.dir / "ca.pem"
        if not ca.exists():
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=bed CA",
                 "-keyout", self.dir / "ca.key", "-out", ca],
                check=True, capture_output=True, timeout=60)
        return ca

    def make_site(self, name, alg="ec-p256", edge="fra-1"):
        host = f"{name}.holdfast.test"
        folder = self.dir / "live" / host
        folder.mkdir(parents=True)
        key = self.make_key(name, alg, edge)
        self.cli("key", "csr", name, host, "-o", folder / "csr.pem")
        site = Site(host, folder, key)
        subprocess.run(
            ["openssl", "x509", "-req", "-in", folder / "csr.pem", "-CA", self.ca(),
             "-CAkey", self.dir / "ca.key", "-CAcreateserial", "-days", "2",
             "-copy_extensions", "copy", "-out", site.chain],
            check=True, capture_output=True, timeout=60)
        self.cli("key", "stub", name, "-o", site.stub)
        self.sites.append(site)
        return site

    # ---- the edge ----

    def start_edged(self, name="fra-1"):
        edged = self.daemons.get("edged")
        if edged is None:
            (self.dir / "edged.yaml").write_text(f"""\
state_dir: {self.dir}/edge
sockets:
  - path: {self.dir}/edged.sock
    mode: "0666"
    allow: [www-data]
""")
            self.cli("edge", "invite", name, "-o", self.dir / f"{name}.join")
            done = subprocess.run(
                [EDGED, "join", self.dir / f"{name}.join", "-c", self.dir / "edged.yaml"],
                env=self.env, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stdout + done.stderr
            edged = Daemon("edged", [EDGED, "-c", self.dir / "edged.yaml"],
                           self.dir / "edged.log", self.env)
            self.daemons["edged"] = edged
        edged.start()

        def answers():
            assert edged.running(), edged.text()[-2000:]
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
                s.connect(str(self.dir / "edged.sock"))
                return True
        wait_for("edged listens", answers)
        return edged

    def openssl_conf(self):
        """The shipped configuration with this bed's module and socket."""
        lines = []
        for line in (TOP / "docs/examples/openssl-holdfast.cnf").read_text().splitlines():
            key = line.split("=")[0].strip()
            if key == "[holdfast_provider]":
                line += f"\nmodule = {PROVIDER}"
            elif key == "socket":
                line = f"socket = {self.dir}/edged.sock"
            lines.append(line)
        path = self.dir / "openssl.cnf"
        path.write_text("\n".join(lines) + "\n")
        return path

    def write_nginx_conf(self, workers=2):
        servers = ""
        for site in self.sites:
            servers += f"""
  server {{
    listen 127.0.0.1:{self.https_port} ssl;
    server_name {site.host};
    ssl_certificate {site.chain};
    ssl_certificate_key {site.stub};
    return 200 "$ssl_protocol $ssl_server_name\\n";
  }}"""
        temp = " ".join(f"{kind}_temp_path {self.dir}/ngx-{kind};" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user www-data;" if os.geteuid() == 0 else ""
        conf = self.dir / "nginx.conf"
        conf.write_text(f"""\
{user}
daemon off;
worker_processes {workers};
pid {self.dir}/nginx.pid;
error_log {self.dir}/nginx.error.log info;
env OPENSSL_CONF;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  {temp}
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_ciphers ECDHE+AESGCM;
  ssl_session_tickets off;
  {servers}
}}
""")
        return conf

    def start_nginx(self, workers=2):
        nginx = self.daemons.get("nginx")
        conf = self.write_nginx_conf(workers)
        if nginx is None:
            nginx = Daemon(
                "nginx", ["/usr/sbin/nginx", "-c", conf, "-e", self.dir / "nginx.error.log"],
                self.dir / "nginx.log", dict(self.env, OPENSSL_CONF=str(self.openssl_conf())))
            self.daemons["nginx"] = nginx
        nginx.start()
        wait_for("nginx listens", lambda: self._listens(nginx, self.https_port))
        return nginx

    def nginx_errors(self):
        path = self.dir / "nginx.error.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def handshake(self, site, version=None, timeout=60):
        """One full TLS handshake and request; (protocol, page, leaf DER)."""
        context = ssl.create_default_context(cafile=str(self.ca()))
        if version is not None:
            context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", self.https_port), timeout) as plain:
            plain.settimeout(timeout)
            with context.wrap_socket(plain, server_hostname=site.host) as tls:
                tls.sendall(f"GET / HTTP/1.0\r\nHost: {site.host}\r\n\r\n".encode())
                page = b""
                while chunk := tls.recv(4096):
                    page += chunk
                return tls.version(), page.decode(), tls.getpeercert(True)

    def close(self):
        try:
            for name in ("nginx", "edged", "keyd"):
                if name in self.daemons:
                    self.daemons[name].stop()
            assert not self.refused_calls(), self.refused_calls()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    def refused_calls(self):
        """System calls that keyd's and certd's processes tried and have no need of."""
        paths = [p for p in (self.dir / "keyd.log", self.dir / "certd.log") if p.exists()]
        return [l for path in paths for l in path.read_text(errors="replace").splitlines()
                if "sandbox refused a system call" in l
                or "a system call that its sandbox forbids" in l]

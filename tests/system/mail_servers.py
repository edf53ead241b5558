# SPDX-License-Identifier: Apache-2.0
"""Mail servers for the system tests: aiosmtpd, which does as it is told, and exim, a full MTA.

    smtpd = Smtpd(bed.dir / "smtpd").start()
    smtpd.port, smtpd.ca_file, smtpd.user, smtpd.password_file      for certd.yaml; host localhost
    smtpd.replies["gone@example.net"] = "550 5.1.1 no such user"
    mail = smtpd.wait_for(to="ops@example.net", subject="expires")
    mail.text, mail.html, mail.parsed["List-Unsubscribe"], mail.user, mail.is_encrypted

Both have a certificate for localhost by a CA of their own.  What Smtpd takes is parsed by
Python's email package, and a defect in it fails the test that looks for it.
"""

import email
import email.policy
import os
import pwd
import re
import shutil
import socket
import ssl
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

import certs
from bed import Daemon, free_port, wait_for

USER, PASSWORD = "certd@mail.test", "s3cret, with \\ and \u00e4"
EXIM = "/usr/sbin/exim4"


class Mail:
    """One message as a server got it."""

    def __init__(self, octets, mail_from=None, rcpt=(), user=None, is_encrypted=None,
                 helo=None):
        self.octets, self.mail_from, self.rcpt = octets, mail_from, list(rcpt)
        self.user, self.is_encrypted, self.helo = user, is_encrypted, helo
        self.parsed = email.message_from_bytes(octets, policy=email.policy.default)

    @property
    def subject(self):
        return str(self.parsed["Subject"])

    def _body(self, kind):
        return self.parsed.get_body((kind,)).get_content().replace("\r\n", "\n")

    @property
    def text(self):
        return self._body("plain")

    @property
    def html(self):
        return self._body("html")

    def check(self):
        """It is what RFC 5322 and MIME want, as far as a strict reader can tell."""
        for part in self.parsed.walk():
            assert not part.defects, part.defects
            for name, value in part.items():
                assert not getattr(value, "defects", ()), (name, value, value.defects)
        return self


def _write_tls_files(folder):
    """ca.pem, and server.pem (with its chain) with server.key for localhost."""
    pki = certs.Pki("mail")
    key, leaf = pki.leaf("localhost", "mail.test", days=4000, since=-400)
    (folder / "ca.pem").write_text(certs.pem(pki.root))
    (folder / "server.pem").write_text(certs.pem(leaf) + certs.pem(pki.middle))
    (folder / "server.key").write_text(certs.key_pem(key))


class _Server:
    def __init__(self, folder):
        self.dir = folder
        self.dir.mkdir(parents=True, exist_ok=True)
        self.host, self.port = "localhost", free_port()
        self.ca_file = self.dir / "ca.pem"
        if not self.ca_file.exists():
            _write_tls_files(self.dir)
        self.user, self.password_file = USER, self.dir / "password"
        self.password_file.write_text(PASSWORD + "\n")
        self.password_file.chmod(0o600)


class Smtpd(_Server):
    """aiosmtpd on a thread.  tls: "starttls" (required), "tls" (from the first octet on),
    "none" (not offered).  login: USER and PASSWORD are required.

    replies: by recipient, what RCPT is answered; data_replies: by recipient, what the whole
    message is answered (and it is not kept).
    """

    def __init__(self, folder, tls="starttls", login=True):
        super().__init__(folder)
        self.tls, self.login = tls, login
        self.replies, self.data_replies = {}, {}
        self.greetings = 0  # EHLOs
        self._mails, self._changed = [], threading.Condition()
        self.controller = None

    # ---- its life ----

    def start(self):
        context = None
        if self.tls != "none":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.dir / "server.pem", self.dir / "server.key")
            context.minimum_version = ssl.TLSVersion.TLSv1_2
        starttls = self.tls == "starttls"
        self.controller = Controller(
            self, hostname="127.0.0.1", port=self.port, server_hostname="mail.test",
            ssl_context=context if self.tls == "tls" else None,
            tls_context=context if starttls else None, require_starttls=starttls,
            authenticator=self._authenticate, auth_required=self.login,
            auth_require_tls=starttls, enable_SMTPUTF8=False, ready_timeout=60)
        self.controller.start()
        return self

    def stop(self):
        """What it has taken stays; start() goes on at the same port."""
        if self.controller is not None:
            self.controller.stop()
            self.controller = None

    # ---- aiosmtpd's calls, on its thread ----

    def _authenticate(self, _server, _session, _envelope, _mechanism, data):
        is_right = isinstance(data, LoginPassword) and (
            data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=is_right, handled=False, auth_data=data)

    async def handle_EHLO(self, _server, session, _envelope, hostname, responses):
        session.host_name = hostname
        self.greetings += 1
        return responses

    async def handle_RCPT(self, _server, _session, envelope, address, _options):
        reply = self.replies.get(address, "250 2.1.5 OK")
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, _server, session, envelope):
        for address in envelope.rcpt_tos:
            if address in self.data_replies:
                return self.data_replies[address]
        login = session.auth_data.login.decode() if session.auth_data else None
        mail = Mail(envelope.original_content, envelope.mail_from, envelope.rcpt_tos, login,
                    session.ssl is not None or self.tls == "tls", session.host_name)
        with self._changed:
            self._mails.append(mail)
            self._changed.notify_all()
        return "250 2.0.0 taken"

    # ---- what it has taken ----

    def mails(self, to=None, subject=None):
        """Those to an address (whole) and with a subject (a part of it)."""
        with self._changed:
            return [mail.check() for mail in self._mails
                    if (to is None or to in mail.rcpt)
                    and (subject is None or subject in mail.subject)]

    def wait_for(self, to=None, subject=None, count=1, seconds=60):
        """The last of so many.  Any thread."""
        def is_there():
            return len([m for m in self._mails if (to is None or to in m.rcpt)
                        and (subject is None or subject in m.subject)]) >= count
        with self._changed:
            came = self._changed.wait_for(is_there, seconds)
            had = [(mail.rcpt, mail.subject) for mail in self._mails]
        assert came, f"no {count} to {to} about {subject!r} within {seconds} s; there are {had}"
        return self.mails(to, subject)[-1]

    def clear(self):
        with self._changed:
            self._mails.clear()


def _moment(path):
    """Of a Maildir's file, SECONDS.MMICROSECONDSP..., whose leading zeros nobody promises."""
    seconds, micros = re.match(r"(\d+)\.[HM](\d+)P", path.name).groups()
    return int(seconds), int(micros)


class Exim(_Server):
    """exim4 as a whole MTA of its own: it queues what it takes, and delivers to a Maildir.
    STARTTLS at port, TLS at tls_port, a log-in at both; nobody@ is unknown, later@ is put off.

    Its own user comes through all of folder's parents.
    """

    def __init__(self, folder):
        super().__init__(folder)
        self.tls_port = free_port()
        # Its own user where it is root's, for it does not run as root.
        name = "Debian-exim" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        who = pwd.getpwnam(name)
        for part in ("spool", "log", "mail"):
            (self.dir / part).mkdir(exist_ok=True)
            if os.geteuid() == 0:
                os.chown(self.dir / part, who.pw_uid, who.pw_gid)
        if os.geteuid() == 0:
            shutil.chown(self.dir / "server.key", who.pw_uid, who.pw_gid)
        self.config = self.dir / "exim.conf"
        self.config.write_text(f"""\
exim_user = {who.pw_uid}
exim_group = {who.pw_gid}
deliver_drop_privilege = true
never_users =
primary_hostname = mail.test
qualify_domain = mail.test
local_interfaces = 127.0.0.1
daemon_smtp_ports = {self.port} : {self.tls_port}
tls_on_connect_ports = {self.tls_port}
tls_advertise_hosts = *
tls_certificate = {self.dir}/server.pem
tls_privatekey = {self.dir}/server.key
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
spool_directory = {self.dir}/spool
log_file_path = {self.dir}/log/%slog
pid_file_path = {self.dir}/spool/exim.pid
host_lookup =
rfc1413_hosts =
keep_environment =
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
smtp_accept_max_per_connection = 1000
begin acl
acl_rcpt:
  deny local_parts = nobody
       message = 5.1.1 no such user
  defer local_parts = later
       message = 4.2.0 come again
  accept authenticated = *
  deny message = 5.7.0 authentication required
acl_data:
  require verify = header_syntax
  accept
begin routers
all:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {self.dir}/mail/box
  create_directory
  maildir_format
  envelope_to_add
  return_path_add
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{USER}}}}}\
{{eq{{$auth3}}{{${{readfile{{{self.dir}/secret}}}}}}}}}}}}
  server_set_id = $auth2
""")
        (self.dir / "secret").write_text(PASSWORD)
        self.daemon = Daemon("exim", [EXIM, "-C", self.config, "-bdf", "-q1m"],
                             self.dir / "exim.log")

    def start(self):
        self.daemon.start()

        def listens():
            assert self.daemon.running(), self.daemon.text()[-2000:]
            for port in (self.port, self.tls_port):
                with socket.create_connection(("127.0.0.1", port), 10):
                    pass
            return True
        wait_for("exim listens", listens)
        return self

    def stop(self):
        self.daemon.kill()

    def log(self):
        path = self.dir / "log/mainlog"
        return path.read_text(errors="replace") if path.exists() else ""

    def mails(self, to=None, subject=None):
        """As delivered, the oldest first."""
        box = self.dir / "mail/box/new"
        found = [Mail(path.read_bytes()) for path in sorted(box.glob("*"), key=_moment)]
        return [mail.check() for mail in found
                if (to is None or mail.parsed["Envelope-to"] == to)
                and (subject is None or subject in mail.subject)]

    def wait_for(self, to, subject=None, count=1, seconds=60):
        """The last of so many."""
        wait_for(f"mail to {to} is delivered",
                 lambda: len(self.mails(to, subject)) >= count, seconds)
        return self.mails(to, subject)[-1]

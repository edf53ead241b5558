#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A front before a real pebble: adds what pebble has not, and misbehaves on cue.

    acme_front.py --listen PORT --control PORT --upstream PORT --management PORT \\
        --ca FILE --certificate FILE --key FILE [--challtestsrv PORT]

It passes requests on with their Host header, of which pebble makes its URLs, so the URLs
of answers are the front's and all that is signed stays true.  The control port takes JSON
by POST (plain HTTP, loopback):

    /faults   {"fault": "rate_limited", "on": "new_order", "count": 1, ...}   one more
    /clear    {}                            no more faults
    /settings {"ari": true, "profiles": {"shortlived": "six days"}, "retry_after":
               {"order": 1}, "persist": {"issuer": "ca.example", "resolver":
               "127.0.0.1:5353"}, "ahead": 86400}   merged into what there is; ahead: certd's
                                            clock is that many seconds ahead of pebble's
    /window   {"id": CERTID, "start": RFC 3339, "end": ..., "explanation": URL,
               "retry_after": 60}           what renewalInfo says of one; id "*": of all
    /revoke   {"serial": "1f2e"}            renewalInfo says that the CA has revoked it
    /log      {}                            [{"on", "method", "path", "status"}, ...]
    /replaced {}                            CertIDs that orders have replaced

A fault happens to requests of its kind ("on", see KINDS; "any") until "count" (1; -1: for
ever) are used up, after "skip" have passed.  FAULTS below lists them; the other members are
theirs.
"""

import argparse
import base64
import datetime
import email.utils
import hashlib
import http.client
import json
import os
import random
import signal
import socket
import ssl
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# Where pebble has its resources.
KINDS = {
    "/dir": "directory", "/nonce-plz": "new_nonce", "/sign-me-up": "new_account",
    "/order-plz": "new_order", "/my-account/": "account", "/list-orderz/": "orders",
    "/my-order/": "order", "/authZ/": "authorization", "/chalZ/": "challenge",
    "/finalize-order/": "finalize", "/certZ/": "certificate", "/revoke-cert": "revoke",
    "/rollover-account-key": "key_change", "/renewal-info/": "renewal_info",
}
PERSIST = "dns-persist-01"
lock = threading.Lock()
local = threading.local()
faults, log = [], []
settings = {"ari": False, "profiles": {}, "retry_after": {}, "persist": None, "ahead": 0}
windows, replaced, replaces_of, profile_of = {}, set(), {}, {}
revoked = set()
thumbprints, dns_challenges = {}, {}
own_key = ec.generate_private_key(ec.SECP256R1())
options = None


def kind_of(path):
    for prefix, kind in KINDS.items():
        if path == prefix or (prefix.endswith("/") and path.startswith(prefix)):
            return kind
    return "other"


def octets(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def now():
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None, microsecond=0)


def rfc3339(moment):
    return moment.isoformat() + "Z"


def retry_after(value):
    """Seconds as they are; {"date": 5} and the HTTP date of in five seconds."""
    if isinstance(value, dict):
        return email.utils.formatdate(time.time() + value["date"], usegmt=True)
    return str(value)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = [(k, v) for k, v in headers if k.lower() not in (
            "content-length", "transfer-encoding", "connection")]

    def header(self, name):
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)

    def set(self, name, value):
        self.headers = [(k, v) for k, v in self.headers if k.lower() != name.lower()]
        if value is not None:
            self.headers.append((name, value))

    @property
    def json(self):
        return json.loads(self.body)

    @json.setter
    def json(self, value):
        self.body = json.dumps(value).encode()


def ask(port, method, path, body=None, headers=None):
    """pebble, over a connection that this thread keeps."""
    name = f"connection_{port}"
    for again in (True, False):
        connection = getattr(local, name, None)
        if connection is None:
            connection = http.client.HTTPSConnection(
                "localhost", port, timeout=60,
                context=ssl.create_default_context(cafile=options.ca))
            setattr(local, name, connection)
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return Answer(reply.status, reply.getheaders(), reply.read())
        except (http.client.HTTPException, OSError):
            connection.close()
            setattr(local, name, None)
            if not again:
                raise


def problem(request, status, type_, detail, wait=None):
    """As pebble would say it; an answer to a POST brings a nonce."""
    headers = [("Content-Type", "application/problem+json")]
    if request.method == "POST":
        fresh = ask(options.upstream, "HEAD", "/nonce-plz", None, {"Host": request.host})
        headers.append(("Replay-Nonce", fresh.header("Replay-Nonce")))
    if wait is not None:
        headers.append(("Retry-After", retry_after(wait)))
    return Answer(status, headers, json.dumps({
        "type": f"urn:ietf:params:acme:error:{type_}", "detail": detail,
        "status": status}).encode())


class Request:
    """What came, and what of the JWS a front can read."""

    def __init__(self, method, path, headers, body):
        self.method, self.path, self.body = method, path, body
        self.host = headers["Host"]
        self.headers = {k: v for k, v in headers.items()
                        if k.lower() not in ("connection", "content-length")}
        self.kind = kind_of(path)
        self.protected, self.payload = {}, {}
        if method == "POST":
            try:
                jws = json.loads(body)
                self.protected = json.loads(octets(jws["protected"]))
                self.payload = json.loads(octets(jws["payload"]) or b"{}")
            except (ValueError, KeyError, TypeError):
                pass


# ---- faults: before pebble is asked (request -> Answer or None) ----

class Reset(Exception):
    """End the connection, as one whose peer died."""


class CutBody(Exception):
    def __init__(self, answer):
        self.answer = answer


def fault_status(request, fault):
    """status, type, detail, retry_after, subproblems."""
    answer = problem(request, fault.get("status", 500), fault.get("type", "serverInternal"),
                     fault.get("detail", "the front was told to say so"),
                     fault.get("retry_after"))
    if "subproblems" in fault:
        answer.json = {**answer.json, "subproblems": fault["subproblems"]}
    return answer


def fault_rate_limited(request, fault):
    """retry_after (seconds, or {"date": seconds})."""
    return problem(request, 429, "rateLimited", "too many requests lately",
                   fault.get("retry_after", 1))


def fault_bad_nonce(request, _):
    return problem(request, 400, "badNonce", "the front does not like this nonce")


def fault_slow(_, fault):
    """seconds; then as ever."""
    time.sleep(fault.get("seconds", 1))


def fault_html(_, fault):
    """status."""
    return Answer(fault.get("status", 200), [("Content-Type", "text/html; charset=utf-8")],
                  b"<!DOCTYPE html>\n<html><body>Under <b>maintenance</b></body></html>\n")


def fault_redirect(_, fault):
    """location, status."""
    return Answer(fault.get("status", 302),
                  [("Location", fault.get("location", "https://elsewhere.example/"))], b"")


def fault_reset(_, __):
    raise Reset


def fault_kill(_, fault):
    """pid: the client dies before pebble hears of it."""
    os.kill(fault["pid"], signal.SIGKILL)
    raise Reset


def fault_huge(_, fault):
    """octets, type."""
    return Answer(200, [("Content-Type", fault.get("type", "application/json"))],
                  b'{"x":"' + b"x" * fault.get("octets", 2 << 20) + b'"}')


# ---- faults: what pebble said is spoilt (request, fault, Answer -> Answer) ----

def spoil_kill_after(_, fault, __):
    """pid: the client dies before it hears of what pebble has done."""
    os.kill(fault["pid"], signal.SIGKILL)
    raise Reset


def spoil_cut_json(_, __, answer):
    answer.body = answer.body[:len(answer.body) // 2]
    return answer


def spoil_cut_body(_, __, answer):
    raise CutBody(answer)


def spoil_content_type(_, fault, answer):
    """type."""
    answer.set("Content-Type", fault.get("type", "text/plain"))
    return answer


def spoil_body(_, fault, answer):
    """text."""
    answer.body = fault["text"].encode()
    return answer


def spoil_elsewhere(request, fault, answer):
    """host: all URLs lead there."""
    there = fault.get("host", "elsewhere.example")
    answer.body = answer.body.replace(request.host.encode(), there.encode())
    answer.headers = [(k, v.replace(request.host, there)) for k, v in answer.headers]
    return answer


def spoil_member(_, fault, answer):
    """member, value (missing: it is taken away)."""
    document = answer.json
    document.pop(fault["member"], None)
    if "value" in fault:
        document[fault["member"]] = fault["value"]
    answer.json = document
    return answer


def spoil_header(_, fault, answer):
    """header, value (missing: it is taken away)."""
    answer.set(fault["header"], fault.get("value"))
    return answer


def spoil_order_invalid(_, fault, answer):
    """type, detail, subproblems."""
    answer.json = {**answer.json, "status": "invalid", "error": {
        "type": "urn:ietf:params:acme:error:" + fault.get("type", "unauthorized"),
        "detail": fault.get("detail", "the front was told to refuse this"), "status": 403,
        "subproblems": fault.get("subproblems", [])}}
    return answer


def spoil_processing(_, __, answer):
    """Never ready: for "finalize", "order" or "authorization"."""
    document = {**answer.json, "status": "processing"}
    document.pop("certificate", None)
    answer.json = document
    return answer


def spoil_other_names(_, __, answer):
    answer.json = {**answer.json, "identifiers": [
        {"type": "dns", "value": "somebody.else.example"}]}
    return answer


def certificates_of(answer):
    end = b"-----END CERTIFICATE-----\n"
    return [part + end for part in answer.body.split(end) if part.strip()]


def remade(pem, key=None, from_=None, to=None):
    """That certificate by another CA of the same name, followed by the CA's own."""
    old = x509.load_pem_x509_certificate(pem)
    ca_key = own_key
    ca = (x509.CertificateBuilder().subject_name(old.issuer).issuer_name(old.issuer)
          .public_key(ca_key.public_key()).serial_number(x509.random_serial_number())
          .not_valid_before(now() - datetime.timedelta(days=1000))
          .not_valid_after(now() + datetime.timedelta(days=1000))
          .add_extension(x509.BasicConstraints(True, None), True).sign(ca_key, hashes.SHA256()))
    new = (x509.CertificateBuilder().subject_name(old.subject).issuer_name(old.issuer)
           .public_key(key or old.public_key()).serial_number(x509.random_serial_number())
           .not_valid_before(from_ or old.not_valid_before)
           .not_valid_after(to or old.not_valid_after))
    for extension in old.extensions:
        new = new.add_extension(extension.value, extension.critical)
    return b"".join(c.public_bytes(serialization.Encoding.PEM)
                    for c in (new.sign(ca_key, hashes.SHA256()), ca))


def spoil_wrong_key(_, __, answer):
    """For "certificate": of a key that nobody asked for."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    answer.body = remade(certificates_of(answer)[0], key=key)
    return answer


def spoil_expired(_, __, answer):
    answer.body = remade(certificates_of(answer)[0], from_=now() - datetime.timedelta(days=90),
                         to=now() - datetime.timedelta(days=1))
    return answer


def spoil_leaf_only(_, __, answer):
    answer.body = certificates_of(answer)[0]
    return answer


def spoil_chain_reversed(_, __, answer):
    answer.body = b"".join(reversed(certificates_of(answer)))
    return answer


FAULTS = {name[6:]: value for name, value in list(globals().items())
          if name.startswith(("fault_", "spoil_"))}
INSTEAD = {name[6:] for name in globals() if name.startswith("fault_")}


def fault_for(request):
    with lock:
        for fault in faults:
            if fault["on"] not in ("any", request.kind) or fault["count"] == 0:
                continue
            if fault["skip"] > 0:
                fault["skip"] -= 1
                continue
            fault["count"] -= 1
            return fault
    return None


# ---- what pebble has not ----

def certificate_of(cert_id):
    """The certificate of a CertID (RFC 9773 4.1), and "Valid" or "Revoked"."""
    try:
        key_id, serial = map(octets, cert_id.split("."))
    except ValueError:
        return None
    found = ask(options.management, "GET", "/cert-status-by-serial/%x" % int.from_bytes(
        serial, "big"))
    if found.status != 200:
        return None
    certificate = x509.load_pem_x509_certificate(found.json["Certificate"].encode())
    issuer = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    if issuer.value.key_identifier != key_id:
        return None
    return certificate, found.json["Status"]


def renewal_info(request):
    cert_id = request.path.rpartition("/")[2]
    found = certificate_of(cert_id)
    if found is None:
        return problem(request, 404, "malformed", "there is no such certificate")
    certificate, status = found
    with lock:
        told = windows.get(cert_id, windows.get("*", {}))
    life = certificate.not_valid_after - certificate.not_valid_before
    start = certificate.not_valid_before + life * 2 / 3
    end = start + life / 30
    if status == "Revoked" or certificate.serial_number in revoked:
        start = now() - datetime.timedelta(hours=1)
        end = start + datetime.timedelta(minutes=30)
    document = {"suggestedWindow": {"start": told.get("start", rfc3339(start)),
                                    "end": told.get("end", rfc3339(end))}}
    if told.get("explanation"):
        document["explanationURL"] = told["explanation"]
    return Answer(200, [("Content-Type", "application/json"),
                        ("Retry-After", retry_after(told.get("retry_after", 21600)))],
                  json.dumps(document).encode())


def refuse_order(request):
    """RFC 9773 5, and profiles."""
    old, profile = request.payload.get("replaces"), request.payload.get("profile")
    if settings["profiles"] and profile and profile not in settings["profiles"]:
        return problem(request, 400, "invalidProfile", f'there is no profile "{profile}"')
    if not settings["ari"] or not old:
        return None
    if certificate_of(old) is None:
        return problem(request, 400, "malformed", "replaces: there is no such certificate")
    with lock:
        taken = old in replaced
    if taken:
        return problem(request, 409, "alreadyReplaced", "that one has been replaced already")
    return None


def persist_text(name):
    """TXT records of a name, by one question to the resolver of the settings."""
    host, _, port = settings["persist"]["resolver"].rpartition(":")
    question = b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0"
    asked = random.randrange(65536)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.sendto(struct.pack("!6H", asked, 0x0100, 1, 0, 0, 0) + question +
                 struct.pack("!2H", 16, 1), (host, int(port)))
        reply = s.recv(4096)
    at, texts = 12 + len(question) + 4, []
    for _ in range(struct.unpack_from("!H", reply, 6)[0]):
        while reply[at] and reply[at] < 0xc0:
            at += 1 + reply[at]
        at += 2 if reply[at] else 1
        kind, _, _, length = struct.unpack_from("!HHIH", reply, at)
        at += 10
        end, text = at + length, b""
        while kind == 16 and at < end:
            text += reply[at + 1:at + 1 + reply[at]]
            at += 1 + reply[at]
        at = end
        if kind == 16:
            texts.append(text.decode(errors="replace"))
    return texts


def persist_allows(name, is_wildcard, account):
    for text in persist_text(f"_validation-persist.{name}"):
        domain, *rest = [part.strip() for part in text.split(";")]
        said = dict(part.split("=", 1) for part in rest if "=" in part)
        if domain == settings["persist"]["issuer"] and said.get("accounturi") == account and (
                not is_wildcard or said.get("policy") == "wildcard"):
            return True
    return False


def persist_answer(request):
    """pebble knows dns-01: where the lasting record is right, its own is put there."""
    found = dns_challenges.get(request.path)
    account = request.protected.get("kid")
    thumbprint = thumbprints.get(account)
    if request.payload != {} or found is None or thumbprint is None:
        return
    token, name, is_wildcard = found
    if not persist_allows(name, is_wildcard, account):
        return
    value = base64url(hashlib.sha256(f"{token}.{thumbprint}".encode()).digest())
    to = http.client.HTTPConnection("127.0.0.1", options.challtestsrv, timeout=60)
    to.request("POST", "/set-txt", json.dumps(
        {"host": f"_acme-challenge.{name}.", "value": value}))
    to.getresponse().read()


def remember_account(request, answer):
    jwk = request.protected.get("jwk")
    if answer.status in (200, 201) and jwk:
        text = json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()
        thumbprints[answer.header("Location")] = base64url(hashlib.sha256(text).digest())


def persist_challenge(challenge):
    """dns-01 under another name."""
    challenge = {k: v for k, v in challenge.items() if k != "token"}
    return {**challenge, "type": PERSIST, "issuer-domain-names": [settings["persist"]["issuer"]]}


def later(text):
    """A moment of pebble's, as the client's clock has it."""
    moment = datetime.datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")
    return rfc3339(moment + datetime.timedelta(seconds=settings["ahead"]))


def add_ahead(request, answer):
    """As a CA would answer whose clock is the client's."""
    by = datetime.timedelta(seconds=settings["ahead"])
    if request.kind == "certificate":
        old = x509.load_pem_x509_certificate(certificates_of(answer)[0])
        answer.body = remade(certificates_of(answer)[0], from_=old.not_valid_before + by,
                             to=old.not_valid_after + by)
    elif "expires" in (answer.json if answer.body[:1] == b"{" else {}):
        answer.json = {**answer.json, "expires": later(answer.json["expires"])}


def add(request, answer):
    """What pebble left out of its answer."""
    kind = request.kind
    if answer.status >= 400:
        return answer
    if kind == "directory":
        document = answer.json
        if settings["ari"]:
            document["renewalInfo"] = f"https://{request.host}/renewal-info"
        if settings["profiles"]:
            document["meta"]["profiles"] = settings["profiles"]
        answer.json = document
    elif kind == "new_account":
        remember_account(request, answer)
    elif kind == "new_order":
        order = answer.header("Location").rpartition("/")[2]
        for of, member in ((replaces_of, "replaces"), (profile_of, "profile")):
            if request.payload.get(member):
                of[order] = request.payload[member]
                answer.json = {**answer.json, member: request.payload[member]}
    elif kind == "order":
        order = request.path.rpartition("/")[2]
        for of, member in ((replaces_of, "replaces"), (profile_of, "profile")):
            if order in of:
                answer.json = {**answer.json, member: of[order]}
        if order in replaces_of and answer.json["status"] == "valid":
            with lock:
                replaced.add(replaces_of[order])
    elif kind == "authorization" and settings["persist"]:
        document = answer.json
        for challenge in list(document.get("challenges", [])):
            if challenge["type"] == "dns-01":
                path = "/" + challenge["url"].split("/", 3)[3]
                dns_challenges[path] = (challenge["token"], document["identifier"]["value"],
                                        document.get("wildcard", False))
                document["challenges"].append(persist_challenge(challenge))
        answer.json = document
    if settings["ahead"]:
        add_ahead(request, answer)
    if kind in settings["retry_after"]:
        answer.set("Retry-After", retry_after(settings["retry_after"][kind]))
    return answer


def answer_to(request):
    fault = fault_for(request)
    if fault is not None and fault["fault"] in INSTEAD:
        answer = FAULTS[fault["fault"]](request, fault)
        if answer is not None:
            return answer
        fault = None
    if request.kind == "renewal_info" and settings["ari"]:
        answer = renewal_info(request)
    else:
        answer = refuse_order(request) if request.kind == "new_order" else None
        if request.kind == "challenge" and settings["persist"]:
            persist_answer(request)
        if answer is None:
            answer = add(request, ask(options.upstream, request.method, request.path,
                                      request.body, request.headers))
    if fault is not None and answer.status >= 400:
        # There is nothing to spoil, such as when pebble refuses a nonce: the next time.
        with lock:
            fault["count"] += 1
    elif fault is not None:
        answer = FAULTS[fault["fault"]](request, fault, answer)
    return answer


# ---- HTTP ----

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_):
        pass

    def send(self, answer, length=None):
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()

    def read(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))


class Front(Handler):
    def any(self):
        request = Request(self.command, self.path, self.headers, self.read())
        entry = {"on": request.kind, "method": self.command, "path": self.path, "status": 0,
                 "at": time.monotonic()}
        with lock:
            log.append(entry)
        try:
            answer = answer_to(request)
            entry["status"] = answer.status
            self.send(answer)
        except Reset:
            raw = self.connection
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            raw.close()
        except CutBody as cut:
            self.send(cut.answer, len(cut.answer.body) + 100)
            self.close_connection = True
        except (http.client.HTTPException, OSError) as error:
            self.send(Answer(502, [("Content-Type", "text/plain")],
                             f"pebble does not answer: {error}\n".encode()))

    do_GET = do_POST = do_HEAD = any


class Control(Handler):
    def do_POST(self):
        told = json.loads(self.read() or b"{}")
        answer = {}
        with lock:
            if self.path == "/faults":
                assert told["fault"] in FAULTS, told
                assert told.setdefault("on", "any") in (*KINDS.values(), "any"), told
                told.setdefault("count", 1)
                told.setdefault("skip", 0)
                faults.append(told)
            elif self.path == "/clear":
                faults.clear()
            elif self.path == "/settings":
                assert set(told) <= set(settings), told
                settings.update(told)
            elif self.path == "/window":
                windows[told.pop("id")] = told
            elif self.path == "/revoke":
                revoked.add(int(told["serial"], 16))
            elif self.path == "/replaced":
                answer = sorted(replaced)
            elif self.path == "/log":
                answer = list(log)
            else:
                raise AssertionError(self.path)
        self.send(Answer(200, [("Content-Type", "application/json")],
                         json.dumps(answer).encode()))


class TlsServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    context = None

    def get_request(self):
        plain, address = self.socket.accept()
        return self.context.wrap_socket(plain, server_side=True,
                                        do_handshake_on_connect=False), address

    def handle_error(self, *_):
        """Clients that go away are none."""


class ControlServer(ThreadingHTTPServer):
    daemon_threads = True


def main():
    global options
    parser = argparse.ArgumentParser()
    for name in ("listen", "control", "upstream", "management", "challtestsrv"):
        parser.add_argument(f"--{name}", type=int, default=0)
    for name in ("ca", "certificate", "key"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    TlsServer.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    TlsServer.context.load_cert_chain(options.certificate, options.key)
    front = TlsServer(("127.0.0.1", options.listen), Front)
    control = ControlServer(("127.0.0.1", options.control), Control)
    threading.Thread(target=control.serve_forever, daemon=True).start()
    front.serve_forever()


if __name__ == "__main__":
    main()

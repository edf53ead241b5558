# SPDX-License-Identifier: Apache-2.0
"""Messages and their way to mail servers: composed by mail/, sent by it, read by others.

Real servers: aiosmtpd, and exim as a full MTA (mail_servers.py).
"""

import email
import email.header
import json
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import certs
from bed import BUILD, free_port
from mail_servers import Exim, Mail, Smtpd

MAIL_SEND = BUILD / "mail/mail_send"

PLAIN = {"from_name": "Holdfast", "from": "holdfast@example.com", "to": "ops@example.net",
         "subject": "A certificate expires in 7 days", "text": "Hello.\n",
         "html": "<p>Hello.</p>\n", "date_s": 1767323045, "id": "n-1.7"}


def run(folder, messages, server=None):
    """mail_send's answers."""
    asked = {"messages": messages}
    if server is not None:
        asked["server"] = server
    path = folder / f"asked-{free_port()}.json"
    path.write_text(json.dumps(asked))
    done = subprocess.run([MAIL_SEND, path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert len(answers) == len(messages)
    return answers


def compose(folder, **changes):
    """As others read it."""
    answer = run(folder, [{**PLAIN, **changes}])[0]
    assert answer["why"] == "", answer
    return Mail(answer["octets"].encode("ascii"), rcpt=[changes.get("to", PLAIN["to"])]).check()


def server_of(server, tls="starttls", **changes):
    return {"host": server.host, "port": server.port, "tls": tls, "ca_file": str(server.ca_file),
            "user": server.user, "password_file": str(server.password_file),
            "ehlo": "certd.test", "timeout_ms": 20000, **changes}


def send(folder, server, **changes):
    return run(folder, [{**PLAIN, **changes}], server)[0]


# ---- composed ----

def test_a_message_is_read_as_it_is_meant(tmp_path):
    mail = compose(tmp_path, to_name="Ops, \"all\" of \\them", thread="certificate-12",
                   list_id="notices.example.com",
                   unsubscribe_url="https://certd.example.com/unsubscribe?t=abc,def%20")
    parsed = mail.parsed
    assert parsed["From"].addresses[0].display_name == "Holdfast"
    assert parsed["From"].addresses[0].addr_spec == "holdfast@example.com"
    assert len(parsed["To"].addresses) == 1
    assert parsed["To"].addresses[0].display_name == "Ops, \"all\" of \\them"
    assert parsed["To"].addresses[0].addr_spec == "ops@example.net"
    assert parsed["Date"].datetime.timestamp() == 1767323045
    assert parsed["Subject"] == PLAIN["subject"]
    assert parsed["Message-ID"] == "<n-1.7@example.com>"
    assert parsed["References"] == "<certificate-12@example.com>"
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed["List-Id"] == "<notices.example.com>"
    assert parsed["List-Unsubscribe"] == \
        "<https://certd.example.com/unsubscribe?t=abc,def%20>"
    assert parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert [part.get_content_type() for part in parsed.iter_parts()] == \
        ["text/plain", "text/html"]
    assert mail.text == "Hello.\n"
    assert mail.html == "<p>Hello.</p>\n"


TEXTS = [
    "Zertifikat läuft ab",
    "证书即将过期" * 20,
    "🔐 " * 40 + "end",
    "=?UTF-8?B?QQ==?= is no encoded word",
    "a word that is too long: " + "x" * 300,
    "many blanks   in   a row " + "and more   " * 20 + ".",
    "The certificate of www.example.com and 17 other names of account acme expires soon: " * 3
    + "!",
    "ends with a question?=", "\\ \" <x@example.org>, (comment) ; :",
]


@pytest.mark.parametrize("text", TEXTS)
def test_texts_come_out_as_they_went_in(tmp_path, text):
    mail = compose(tmp_path, subject=text, text=text, html=f"<p>{text}</p>")
    assert mail.subject == text
    assert mail.text == text
    assert mail.html == f"<p>{text}</p>"


@pytest.mark.parametrize("name", [text for text in TEXTS if len(text.encode()) <= 256])
def test_names_come_out_as_they_went_in(tmp_path, name):
    mail = compose(tmp_path, to_name=name, from_name=name)
    raw = email.message_from_bytes(mail.octets)
    for header, address in (("To", "ops@example.net"), ("From", "holdfast@example.com")):
        assert len(mail.parsed[header].addresses) == 1
        assert mail.parsed[header].addresses[0].addr_spec == address
        # Its other parser keeps blanks between encoded words, which RFC 2047 6.2 takes away.
        encoded = raw[header].lstrip().startswith("=?")
        shown = str(email.header.make_header(email.header.decode_header(raw[header]))) \
            if encoded else str(mail.parsed[header].addresses[0].display_name)
        assert shown == (f"{name} <{address}>" if encoded else name)


@pytest.mark.parametrize("address", [
    "first.last+tag@mail.example.com", "!#$%&'*+-/=?^_`{|}~@example.com",
    "\"a b\"@example.com", "\"a@b\\\"c\"@example.com", "a@[192.0.2.1]",
    "x" * 64 + "@" + "y" * 63 + ".example.com"])
def test_addresses_come_out_as_they_went_in(tmp_path, address):
    parsed = compose(tmp_path, to=address, to_name="Somebody").parsed
    assert len(parsed["To"].addresses) == 1
    assert parsed["To"].addresses[0].domain == address.rpartition("@")[2]
    assert parsed["To"].addresses[0].addr_spec == address


def test_bodies_come_out_as_they_went_in(tmp_path):
    body = ("a = b\n.dot\n..\n.\nFrom here on\n>From\n--=_holdfast--\nblanks at the end  \n"
            "\ttab\t\n" + "long " * 400 + "\n" + "ä€🔐" * 200 + "\n\n\nend\n")
    mail = compose(tmp_path, text=body, html=body)
    assert mail.text == body
    assert mail.html == body
    lines = mail.octets.split(b"\r\n")
    assert max(len(line) for line in lines) <= 76
    assert all(b"\r" not in line and b"\n" not in line for line in lines)


INJECTIONS = ["x\r\nBcc: evil@example.org", "x\nBcc: evil@example.org", "x\rBcc: evil@example.org",
              "x\r\n\r\nbody", "x\u0085Bcc: evil@example.org", "x\u2028Bcc: evil@example.org",
              "x\x1b[31m", "x\x0bBcc: e@example.org", "x\x7f", "x\u202ey"]


def test_no_field_can_begin_another(tmp_path):
    fields = ["from_name", "from", "to_name", "to", "subject", "id", "thread", "list_id",
              "unsubscribe_url"]
    messages = [{**PLAIN, field: text} for field in fields for text in INJECTIONS]
    messages += [{**PLAIN, "to": f"ops@example.net{text[1:]}"} for text in INJECTIONS]
    messages += [{**PLAIN, "unsubscribe_url": f"https://example.com/{text}"}
                 for text in INJECTIONS]
    for message, answer in zip(messages, run(tmp_path, messages)):
        assert "octets" not in answer, (message, answer)
        assert answer["why"].startswith("the "), answer


# ---- sent to a server that does as it is told ----

@pytest.fixture(scope="module")
def smtpd(tmp_path_factory):
    server = Smtpd(tmp_path_factory.mktemp("smtpd")).start()
    yield server
    server.stop()


def expect(answer, end, code, *words):
    assert (answer["end"], answer["code"]) == (end, code), answer
    for word in words:
        assert word in answer["why"], answer
    assert len(answer["why"].encode()) <= 200


def test_starttls_and_a_log_in(smtpd, tmp_path):
    answer = send(tmp_path, server_of(smtpd), to="a@example.net", text="ä\n.\n..\n")
    assert answer == {"end": "sent", "code": 250, "why": ""}
    mail = smtpd.wait_for(to="a@example.net", subject="expires in 7")
    assert mail.mail_from == "holdfast@example.com"
    assert mail.rcpt == ["a@example.net"]
    assert mail.user == smtpd.user
    assert mail.is_encrypted
    assert mail.helo == "certd.test"
    assert mail.text == "ä\n.\n..\n"


def test_what_is_taken_is_what_was_composed(smtpd, tmp_path):
    text = "".join(f"{i} .\n.{i}\n" for i in range(5000))
    message = {**PLAIN, "to": "whole@example.net", "text": text}
    composed = run(tmp_path, [message])[0]["octets"].encode()
    expect(run(tmp_path, [message], server_of(smtpd))[0], "sent", 250)
    assert smtpd.wait_for(to="whole@example.net").octets == composed


def test_many_go_over_one_connection(smtpd, tmp_path):
    before = smtpd.greetings
    answers = run(tmp_path, [{**PLAIN, "to": f"n{i}@example.net"} for i in range(20)],
                  server_of(smtpd))
    assert all(answer["end"] == "sent" for answer in answers)
    assert smtpd.wait_for(to="n19@example.net").rcpt == ["n19@example.net"]
    # EHLO again after STARTTLS.
    assert smtpd.greetings - before == 2


def test_a_refused_recipient_does_not_stop_the_others(smtpd, tmp_path):
    smtpd.replies["gone@example.net"] = "550 5.1.1 no such user"
    smtpd.replies["grey@example.net"] = "451 4.7.1 try again later"
    smtpd.data_replies["big@example.net"] = "552 5.3.4 too big"
    smtpd.data_replies["full@example.net"] = "452 4.2.2 full"
    names = ["b1", "gone", "b2", "grey", "b3", "big", "b4", "full", "b5"]
    answers = run(tmp_path, [{**PLAIN, "to": f"{name}@example.net"} for name in names],
                  server_of(smtpd))
    by_name = dict(zip(names, answers))
    expect(by_name["gone"], "permanent", 550, "recipient", "no such user")
    expect(by_name["grey"], "temporary", 451, "recipient", "try again later")
    expect(by_name["big"], "permanent", 552, "message", "too big")
    expect(by_name["full"], "temporary", 452, "message", "full")
    for i in range(1, 6):
        expect(by_name[f"b{i}"], "sent", 250)
        smtpd.wait_for(to=f"b{i}@example.net")


def test_a_wrong_password_is_a_matter_of_configuration(smtpd, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong\n")
    wrong.chmod(0o600)
    expect(send(tmp_path, server_of(smtpd, password_file=str(wrong)), to="w@example.net"),
           "config", 535, "refuses the log-in")
    assert not smtpd.mails(to="w@example.net")


def test_a_server_that_wants_a_log_in_gets_none(smtpd, tmp_path):
    server = server_of(smtpd)
    del server["user"], server["password_file"]
    expect(send(tmp_path, server, to="l@example.net"), "config", 530, "refuses the sender")
    assert not smtpd.mails(to="l@example.net")


def test_a_certificate_that_is_not_trusted_gets_no_password(smtpd, tmp_path):
    other = tmp_path / "other.pem"
    other.write_text(certs.pem(certs.Pki("other").root))
    expect(send(tmp_path, server_of(smtpd, ca_file=str(other))), "config", 220,
           "TLS is not trusted", "certificate")


def test_a_certificate_of_another_name_gets_no_password(smtpd, tmp_path):
    expect(send(tmp_path, server_of(smtpd, host="127.0.0.1")), "config", 220,
           "TLS is not trusted",
           "host name '127.0.0.1'")


def test_the_systems_roots_do_not_trust_it(smtpd, tmp_path):
    server = server_of(smtpd)
    del server["ca_file"]
    expect(send(tmp_path, server), "config", 220, "TLS is not trusted", "certificate")


def test_tls_from_the_first_octet_on(tmp_path):
    server = Smtpd(tmp_path / "smtpd", tls="tls").start()
    try:
        expect(send(tmp_path, server_of(server, "tls")), "sent", 250)
        mail = server.wait_for(to="ops@example.net")
        assert mail.is_encrypted and mail.user == server.user
        other = tmp_path / "other.pem"
        other.write_text(certs.pem(certs.Pki("other").root))
        expect(send(tmp_path, server_of(server, "tls", ca_file=str(other))), "config", 0,
               "TLS is not trusted", "certificate")
    finally:
        server.stop()


def test_a_server_without_starttls_gets_nothing(tmp_path):
    server = Smtpd(tmp_path / "smtpd", tls="none").start()
    try:
        expect(send(tmp_path, server_of(server)), "config", 250, "offers no STARTTLS")
        assert not server.mails()
        expect(send(tmp_path, server_of(server, "none")), "sent", 250)
        assert not server.wait_for(to="ops@example.net").is_encrypted
    finally:
        server.stop()


def test_a_server_that_is_away_is_temporary(tmp_path):
    server = Smtpd(tmp_path / "smtpd").start()
    server.stop()
    expect(send(tmp_path, server_of(server)), "temporary", 0, "was not reached")
    server.start()
    try:
        expect(send(tmp_path, server_of(server)), "sent", 250)
    finally:
        server.stop()


# ---- sent through a full MTA ----

@pytest.fixture(scope="module")
def exim():
    # Not pytest's folder, which exim's user cannot enter.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hf-"))
    folder.chmod(0o755)
    server = Exim(folder / "exim").start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_exim_delivers(exim, tmp_path, tls):
    to = f"{tls}@example.net"
    port = exim.port if tls == "starttls" else exim.tls_port
    answer = send(tmp_path, server_of(exim, tls, port=port), to=to, to_name="Jürgen",
                  subject="Zertifikat läuft ab", text="ä\n.\nFrom me\n")
    assert answer == {"end": "sent", "code": 250, "why": ""}, exim.log()
    mail = exim.wait_for(to)
    assert mail.subject == "Zertifikat läuft ab"
    assert mail.text == "ä\n.\nFrom me\n"
    assert mail.html == PLAIN["html"]
    parsed = mail.parsed
    assert parsed["Message-ID"] == "<n-1.7@example.com>"
    assert parsed["Return-path"] == "<holdfast@example.com>"
    assert parsed["Envelope-to"] == to
    # It made none of its own, so ours was taken for one.
    assert len(parsed.get_all("Date")) == len(parsed.get_all("From")) == 1
    assert "TLS1" in parsed["Received"]


def test_exim_refuses_one_and_takes_the_others(exim, tmp_path):
    names = ["x1", "nobody", "x2", "later", "x3"]
    answers = run(tmp_path, [{**PLAIN, "id": None, "to": f"{name}@example.net"}
                             for name in names], server_of(exim))
    by_name = dict(zip(names, answers))
    expect(by_name["nobody"], "permanent", 550, "no such user")
    expect(by_name["later"], "temporary", 451, "come again")
    for name in ("x1", "x2", "x3"):
        expect(by_name[name], "sent", 250)
        exim.wait_for(f"{name}@example.net")


def test_exim_refuses_a_wrong_password(exim, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong\n")
    wrong.chmod(0o600)
    expect(send(tmp_path, server_of(exim, password_file=str(wrong)), to="w@example.net"),
           "config", 535, "refuses the log-in")
    assert not exim.mails("w@example.net")

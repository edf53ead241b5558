#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A stub of acme-dns' API (github.com/joohoi/acme-dns) before a real named.

POST /register answers an account as acme-dns does; POST /update checks its
credentials and puts the TXT record into named by nsupdate(1), so that who
validates asks the DNS.  As acme-dns it keeps the last two values of a name.

    acme_dns.py --server 127.0.0.1:5353 --zone auth.example.net --key FILE
                [--listen 127.0.0.1:0] [--accounts JSON]

JSON is a file of accounts that are there from the start, as clients keep them:
{"name": {"username": ..., "password": ..., "fulldomain": ..., "subdomain": ...}}.
FILE is nsupdate's, as tsig-keygen(8) writes it.  The first line on stdout is
where it listens: "http://127.0.0.1:41234".  It ends with its stdin.
"""

import argparse
import hmac
import http.server
import json
import re
import subprocess
import sys
import threading
import uuid


class Accounts:
    def __init__(self, args):
        self.args = args
        self.lock = threading.Lock()
        self.accounts = {}  # by user name
        self.values = {}  # by subdomain, the newest last
        if args.accounts:
            with open(args.accounts, encoding="utf-8") as file:
                for account in json.load(file).values():
                    self.accounts[account["username"]] = account

    def register(self):
        subdomain = str(uuid.uuid4())
        account = {
            "username": str(uuid.uuid4()),
            "password": uuid.uuid4().hex + uuid.uuid4().hex[:8],
            "fulldomain": f"{subdomain}.{self.args.zone}",
            "subdomain": subdomain,
            "allowfrom": [],
        }
        with self.lock:
            self.accounts[account["username"]] = account
        return account

    def find(self, user, password):
        account = self.accounts.get(user or "")
        if account and hmac.compare_digest(account["password"], password or ""):
            return account
        return None

    def update(self, subdomain, value):
        host, port = self.args.server.rsplit(":", 1)
        name = f"{subdomain}.{self.args.zone}."
        with self.lock:
            values = [v for v in self.values.get(subdomain, []) if v != value]
            values = (values + [value])[-2:]
            lines = [f"server {host} {port}", f"zone {self.args.zone}.",
                     f"update delete {name} TXT"]
            lines += [f'update add {name} 1 TXT "{v}"' for v in values]
            lines += ["send", ""]
            subprocess.run(["nsupdate", "-k", self.args.key], check=True,
                           input="\n".join(lines), text=True, timeout=20)
            self.values[subdomain] = values


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, code, body):
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        accounts = self.server.accounts
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path == "/register":
            self.answer(201, accounts.register())
            return
        if self.path != "/update":
            self.answer(404, {"error": "not_found"})
            return
        account = accounts.find(self.headers.get("X-Api-User"),
                                self.headers.get("X-Api-Key"))
        try:
            asked = json.loads(body)
            subdomain, txt = asked["subdomain"], asked["txt"]
        except (ValueError, KeyError, TypeError):
            self.answer(400, {"error": "malformed_json_payload"})
            return
        if account is None:
            self.answer(401, {"error": "forbidden"})
        elif subdomain != account["subdomain"]:
            self.answer(401, {"error": "forbidden"})
        elif not re.fullmatch(r"[A-Za-z0-9_-]{43}", txt):
            self.answer(400, {"error": "bad_txt"})
        else:
            accounts.update(subdomain, txt)
            self.answer(200, {"txt": txt})

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--server", required=True)
    parser.add_argument("--zone", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--accounts")
    args = parser.parse_args()
    host, port = args.listen.rsplit(":", 1)
    server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
    server.daemon_threads = True
    server.accounts = Accounts(args)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://{host}:{server.server_address[1]}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()

"""A platform of real processes for ops_live.py: nats-server, the services, and what lies outside of them, faked.

The webhooks and the receiver of replies are one small HTTP server in this process.
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PIPELINE = ["attachment-fetcher", "egress", "webhook-caller", "context-builder", "ingress"]
SERVICES = [*PIPELINE, "console"]
# A picture of one pixel.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
KEY = b"key-of-the-live-check-0123456789"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
TOKEN = "token-of-the-live-check"
# How long the webhook that is down asks not to be called.
REST = 120


class Outside(http.server.BaseHTTPRequestHandler):
    """Webhooks, by the name in their path, a file, and the receiver of replies."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        url = f"http://{self.headers['host']}/picture.png"
        if self.path == "/ok":
            self.answer(200, {"content": "Well.", "attachments": []})
        elif self.path == "/file":
            self.answer(200, {"content": "Look.", "attachments": [{"url": url, "name": "picture.png"}]})
        elif self.path == "/slow":
            time.sleep(10)
            self.answer(200, {"content": "At last."})
        elif self.path == "/refuses":
            self.answer(400, {})
        elif self.path == "/gone":
            self.answer(410, {})
        elif self.path == "/rests":
            self.answer(503, {}, {"retry-after": str(REST)})
        elif self.path == "/fails":
            self.answer(503, {})
        else:
            self.answer(200, {})

    def do_GET(self):
        self.answer(200, PICTURE, {"content-type": "image/png"})

    def answer(self, status, body, headers={}):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class OutsideServer(http.server.ThreadingHTTPServer):
    # Many calls begin at once.
    request_queue_size = 128


class Platform:
    """All of it. Ends with `stop`."""

    def __init__(self, folder):
        self.folder, self.processes = folder, {}
        self.binaries = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
        self.outside = OutsideServer(("127.0.0.1", 0), Outside)
        threading.Thread(target=self.outside.serve_forever, daemon=True).start()
        self.base = f"http://127.0.0.1:{self.outside.server_port}"

    def start(self):
        port = free_port()
        self.nats = f"nats://127.0.0.1:{port}"
        server = os.environ.get("NATS_SERVER_BIN", str(ROOT / ".tools" / "nats-server"))
        self.launch("nats-server", [server, "-js", "-a", "127.0.0.1", "-p", str(port), "-sd", str(self.folder / "nats")], {})
        wait_for("nats-server", lambda: connects(port))
        env = {
            "NATS_URL": self.nats, "ADMIN_LISTEN": "127.0.0.1:0", "HTTP_LISTEN": "127.0.0.1:0", "OUTBOUND_ALLOW": "127.0.0.1",
            "ATTACHMENTS_SECRET": "env:SIGNING", "SIGNING": SECRET, "PUSH": SECRET, "CONSOLE_OPERATOR_TOKEN": "env:TOKEN", "TOKEN": TOKEN,
            "DRAIN_DEADLINE": "5s", "LOG_LEVEL": "warn", "CONNECTION_RATE": "1000", "CONNECTION_BURST": "1000",
        }
        for name in SERVICES:
            self.launch(name, [str(self.binaries / name)], {**env, "ADDRESS_FILE": str(self.folder / f"{name}.json")})
            if name == "attachment-fetcher":
                env["ATTACHMENTS_URL"] = self.url(name, "http", "/files")
        self.configure()
        for name in SERVICES:
            wait_for(f"{name} to be ready", lambda: status(self.url(name, "admin", "/readyz")) == 200)

    def launch(self, name, command, env):
        # Its output is kept for whoever looks for a failure.
        with open(self.folder / f"{name}.log", "wb") as log:
            self.processes[name] = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder, env={"PATH": os.environ["PATH"], **env}
            )

    def url(self, service, port, path):
        """Where a service listens; the port for pushes is bound after that for operators."""
        file = self.folder / f"{service}.json"
        wait_for(f"{service} to listen", lambda: file.exists() and port in json.loads(file.read_text()))
        return f"http://{json.loads(file.read_text())[port]}{path}"

    def configure(self):
        """A bot, a connection and an integration for each webhook."""
        limits = {
            "ok": {"limits": {"per_second": 200, "burst": 200}},
            # Left alone by its breaker, so that its turns are put off one by one.
            "rests": {"limits": {"breaker": {"enabled": False}}, "retry": {"attempts": 5, "max_age": "1h"}},
            "fails": {"retry": {"attempts": 1, "max_age": "1s"}},
        }
        names = ["ok", "file", "slow", "refuses", "gone", "rests", "fails"]
        http = {"secrets": ["env:PUSH"], "callback_url": f"{self.base}/replies", "callback_secret": "env:PUSH"}
        manifest = {
            "integrations": [{"id": name, "url": f"{self.base}/{name}", **limits.get(name, {})} for name in names],
            "bots": [{"id": name, "name": name, "integration": name} for name in names],
            "connections": [{"id": name, "bot": name, "channel": {"http": http}} for name in names],
        }
        path = self.folder / "manifest.json"
        path.write_text(json.dumps(manifest))
        subprocess.run([self.binaries / "chatbot", "--nats-url", self.nats, "apply", "-f", path], check=True,
                       stdout=subprocess.DEVNULL)

    def push(self, bot, conversation, number, with_file=False, key=KEY):
        """Pushes a message as the owner of an HTTP channel; returns the status."""
        message = {"conversation_id": conversation, "user": {"id": conversation}, "text": f"Message {number}"}
        if with_file:
            data = base64.b64encode(PICTURE).decode()
            message["attachments"] = [{"data_base64": data, "name": "a.png", "content_type": "image/png"}]
        body, at = json.dumps(message), str(int(time.time()))
        name = f"{bot}-{conversation}-{number}"
        signature = base64.b64encode(hmac.new(key, f"{name}.{at}.{body}".encode(), hashlib.sha256).digest()).decode()
        return status(self.url("ingress", "http", f"/v1/channels/{bot}/messages"), body.encode(), {
            "content-type": "application/json", "webhook-id": name, "webhook-timestamp": at,
            "webhook-signature": f"v1,{signature}",
        })

    def test_integration(self, name):
        """Asks the console to call a webhook; returns the status."""
        url = self.url("console", "http", f"/v1/integrations/{name}/test")
        return status(url, b'{"message":"Hello!","preview":false}', {"authorization": f"Bearer {TOKEN}"})

    def died(self):
        return [name for name, process in self.processes.items() if process.poll() is not None]

    def stop(self):
        for process in reversed(list(self.processes.values())):
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
        self.outside.shutdown()


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def connects(port):
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def status(url, body=None, headers={}):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as refusal:
        return refusal.code


def wait_for(what, is_there, seconds=60):
    until = time.monotonic() + seconds
    while not is_there():
        if time.monotonic() > until:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.1)

"""A server that answers the official client as Kaggle does, on a free port of this machine."""

import base64
import json
import re
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USER, KEY = "alice_planted", "planted-key-0123456789"
SIGNATURE = "planted-signature"


class FakeKaggle:
    """Takes uploads, lists them, scores them after some looks; `fail` makes a call of it go wrong.

    It is reached as a proxy of `http://localhost`, where the client looks in its LOCALHOST environment: so any port
    will do, and nothing of the client is changed.

    Attributes:
        submissions: as the service lists them, newest first.
        calls: names of the calls it got, in order.
        uploads: bytes of the files it got.
        scored_after: how often a submission is listed as pending.
        fail: (status, body or None, headers) by the name of a call, or a callable that takes the handler.
    """

    def __init__(self):
        self.submissions: list[dict] = []
        self.calls: list[str] = []
        self.uploads: list[bytes] = []
        self.scored_after = 1
        self.outcome = {"status": "COMPLETE", "publicScore": "0.91234", "privateScore": ""}
        self.competition = {"maxDailySubmissions": 5, "isKernelsSubmissionsOnly": False}
        self.create = {"message": "Successfully submitted to Leaf", "ref": 71}
        self.fail: dict = {}
        self._looks: dict[int, int] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def add(self, ref, description="by hand", status="COMPLETE", date=None, **more):
        """A submission from before."""
        date = date or datetime.now(UTC)
        entry = {
            "ref": ref,
            "description": description,
            "status": status,
            "date": f"{date:%Y-%m-%dT%H:%M:%S.000Z}",
        }
        self.submissions.insert(0, entry | {"submittedBy": USER, "publicScore": "0.5"} | more)

    def answer(self, call, body):
        """(status, JSON) of a call of the API."""
        match call:
            case "GetCompetition":
                return 200, {"id": 1, "ref": "leaf", **self.competition}
            case "ListSubmissions":
                return 200, {"submissions": [self._listed(one) for one in self.submissions]}
            case "StartSubmissionUpload":
                address = f"http://storage.test/upload/1?X-Signature={SIGNATURE}"
                return 200, {"token": "blob-token", "createUrl": address}
            case "CreateSubmission":
                assert body["blobFileTokens"] == "blob-token"
                self.add(71 + len(self.uploads) - 1, body["submissionDescription"], "PENDING")
                return 200, self.create
            case _:
                return 404, {"code": 404, "message": f"no {call} here"}

    def _listed(self, one):
        looks = self._looks[one["ref"]] = self._looks.get(one["ref"], 0) + 1
        if one["status"] == "PENDING" and looks > self.scored_after:
            one |= self.outcome
        return one

    def _handler(fake):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                call = self.path.rsplit("/", 1)[-1]
                fake.calls.append(call)
                if call in fake.fail:
                    return fake._go_wrong(self, fake.fail[call])
                basic = base64.b64encode(f"{USER}:{KEY}".encode()).decode()
                if self.headers.get("Authorization") != f"Basic {basic}":
                    return self.reply(401, {"code": 401, "message": "Unauthenticated"})
                self.reply(*fake.answer(call, json.loads(body or b"{}")))

            def do_PUT(self):
                fake.calls.append("upload")
                if "upload" in fake.fail:
                    return fake._go_wrong(self, fake.fail["upload"])
                assert re.search(rf"X-Signature={SIGNATURE}$", self.path)
                fake.uploads.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.reply(200, {})

            def reply(self, status, content, headers=()):
                data = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                for name, value in headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments):
                pass

        return Handler

    def _go_wrong(self, handler, how):
        if callable(how):
            return how(handler)
        status, message = how
        handler.reply(status, {"code": status, "message": message})

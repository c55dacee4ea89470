# SPDX-License-Identifier: Apache-2.0
"""A registry of one layout directory, on loopback, whose network can be bad."""
import http.server
import json
import re
import threading

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Registry(http.server.ThreadingHTTPServer):
    """docker://127.0.0.1:PORT/device:TAG. `refuse`: so many requests are answered 503; `cut`: so many blobs end in their middle."""
    daemon_threads = True

    def __init__(self, layout):
        super().__init__(("127.0.0.1", 0), Handler)
        self.layout, self.lock, self.refuse, self.cut = layout, threading.Lock(), 0, 0
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def reference(self, tag):
        return "docker://127.0.0.1:%d/device:%s" % (self.server_address[1], tag)

    def handle_error(self, request, client_address):
        pass  # the client was killed

    def take(self, what):
        """Whether this one is to go wrong."""
        with self.lock:
            left = getattr(self, what)
            setattr(self, what, max(0, left - 1))
            return left > 0

    def blob(self, digest):
        with open(self.layout + "/blobs/" + digest.replace(":", "/"), "rb") as file:
            return file.read()

    def digest_of(self, tag):
        with open(self.layout + "/index.json", "rb") as file:
            for entry in json.load(file)["manifests"]:
                if entry["annotations"]["org.opencontainers.image.ref.name"] == tag:
                    return entry["digest"]
        return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20

    def log_message(self, *arguments):
        pass

    def answer(self, status, body=b"", cut=False, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut

    def do_GET(self):
        match = re.fullmatch("/v2/device/(manifests|blobs)/([^/?]+)", self.path)
        if self.server.take("refuse"):
            return self.answer(503, Retry_After="0")
        if self.path == "/v2/":
            return self.answer(200, b"{}")
        what, name = match.groups() if match else ("", "")
        digest = name if ":" in name else self.server.digest_of(name)
        try:
            body = self.server.blob(digest)
        except (OSError, AttributeError):
            return self.answer(404)
        if what == "manifests":
            return self.answer(200, body, Content_Type=json.loads(body).get("mediaType", MANIFEST), Docker_Content_Digest=digest)
        begin = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        cut = self.server.take("cut")
        if begin and int(begin[1]) < len(body):
            span = "bytes %s-%d/%d" % (begin[1], len(body) - 1, len(body))
            return self.answer(206, body[int(begin[1]):], cut, Content_Range=span)
        return self.answer(200, body, cut)

    do_HEAD = do_GET

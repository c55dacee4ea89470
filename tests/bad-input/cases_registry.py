# SPDX-License-Identifier: Apache-2.0
"""What only a registry can do wrong: answers that change, lie about themselves or never end (rows 59-78)."""
import contextlib
import http.server
import re
import threading

from builders import *  # pylint: disable=wildcard-import,unused-wildcard-import
from case import MIB, refused, taken
from cases_documents import TAR, is_deployed

WRONG = TAR.replace(b"abc", b"abd")


class Registry(http.server.ThreadingHTTPServer):
    """Serves a layout as docker://127.0.0.1:PORT/bad:bad, where `lie(handler, what, name)` has not answered already."""
    daemon_threads = True

    def __init__(self, layout, lie):
        super().__init__(("127.0.0.1", 0), Handler)
        self.layout, self.lie, self.requests, self.lock = layout, lie, [], threading.Lock()

    def handle_error(self, request, client_address):
        pass  # the client has gone, as it should where answers never end

    def count(self, method, name):
        return self.requests.count((method, name))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20

    def log_message(self, *arguments):
        pass

    def send(self, body, media_type="application/octet-stream", length=None, **headers):
        self.send_response(200)
        if media_type:
            self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
        if length is not None:
            self.close_connection = True
        return True

    def send_without_end(self, media_type="application/octet-stream"):
        """Chunks for as long as somebody takes them, 64 MiB at most: what was taken is what the socket took."""
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(1024):
            self.wfile.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        self.server.requests.append("taken to the end")
        return True

    def top(self):
        with open(self.server.layout.path + "/index.json", "rb") as file:
            return json.load(file)["manifests"][0]

    def do_GET(self):
        match = re.fullmatch("/v2/bad/(manifests|blobs)/([^/?]+)", self.path)
        with self.server.lock:
            self.server.requests.append((self.command, match[2] if match else self.path))
        if self.path == "/v2/":
            return self.send(b"{}", "application/json")
        if not match:
            return self.send_error(404)
        what, name = match.groups()
        if self.server.lie(self, what, name):
            return None
        entry = self.top()
        with open(self.server.layout.path + "/blobs/" + (entry["digest"] if name == "bad" else name).replace(":", "/"), "rb") as file:
            body = file.read()
        return self.send(body, json.loads(body).get("mediaType", MANIFEST) if what == "manifests" else "application/octet-stream")

    do_HEAD = do_GET


def serving(lie, by_digest=None):
    @contextlib.contextmanager
    def serve(layout, device):
        server = Registry(layout, lie)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        device.registry = server
        device.reference = "docker://127.0.0.1:%d/bad%s" % (server.server_address[1], "@" + by_digest if by_digest else ":bad")
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
    return serve


def image(layout):
    layout.image(Layer(TAR))


def honest(handler, what, name):
    return False


LAYER_DIGEST = digest(TAR)


def lie_about_layer(answer):
    return lambda handler, what, name: name == LAYER_DIGEST and handler.command == "GET" and answer(handler)


def asked_for_the_layer(times):
    return lambda device: device.equal(device.registry.count("GET", LAYER_DIGEST), times)


def ended(device):
    assert "taken to the end" not in device.registry.requests, "the answer was read to its end"


taken(59, "registry_that_is_right", image, is_deployed, serve=serving(honest))
refused(59, "registry_gives_other_bytes_twice", image, [LAYER_DIGEST, "the bytes have the digest " + digest(WRONG)], check=asked_for_the_layer(2),
        serve=serving(lie_about_layer(lambda handler: handler.send(WRONG))))
taken(59, "registry_gives_other_bytes_once", image, is_deployed, serve=serving(
    lie_about_layer(lambda handler: handler.server.count("GET", LAYER_DIGEST) == 1 and handler.send(WRONG))))
refused(60, "registry_gives_more", image, [LAYER_DIGEST, "expected %d bytes" % len(TAR)], serve=serving(lie_about_layer(lambda handler: handler.send(TAR + b"x"))))
refused(60, "registry_gives_less", image, [LAYER_DIGEST, "expected %d bytes" % len(TAR)], serve=serving(lie_about_layer(lambda handler: handler.send(TAR[:-512]))))
refused(60, "registry_never_ends", image, [LAYER_DIGEST, "more than the %d bytes expected" % len(TAR)], check=ended,
        serve=serving(lie_about_layer(Handler.send_without_end)))
refused(60, "manifest_never_ends", image, "4194304", check=ended,
        serve=serving(lambda handler, what, name: what == "manifests" and handler.command == "GET" and handler.send_without_end(MANIFEST)))
refused(64, "another_manifest_for_a_digest", image, [digest(b"wanted"), "the registry sent one with the digest " + digest(b"")[:7]],
        serve=serving(lambda handler, what, name: what == "manifests" and handler.send(dump(handler.server.layout.manifest([Layer(BASE)])), MANIFEST), digest(b"wanted")))


def send_top(handler, **headers):
    with open(handler.server.layout.path + "/blobs/" + handler.top()["digest"].replace(":", "/"), "rb") as file:
        return handler.send(file.read(), headers.pop("media_type", MANIFEST), **headers)


def digest_is_that_of_the_bytes(device):
    with open(device.registry.layout.path + "/index.json", "rb") as file:
        device.equal(device.record["manifest_digest"], json.load(file)["manifests"][0]["digest"])
    is_deployed(device)


taken(64, "digest_header_lies", image, digest_is_that_of_the_bytes, serve=serving(
    lambda handler, what, name: what == "manifests" and send_top(handler, Docker_Content_Digest=digest(b"lie"))))
taken(65, "head_and_get_differ", image, digest_is_that_of_the_bytes, serve=serving(
    lambda handler, what, name: what == "manifests" and handler.command == "HEAD" and
    handler.send(b"x" * 7, MANIFEST, Docker_Content_Digest=digest(b"lie"))))


def manifest_was_read_once(device):
    device.equal(sum(1 for entry in device.registry.requests if entry[0] == "GET" and entry[1] in ("bad", device.record["manifest_digest"])), 1)
    is_deployed(device)


taken(65, "manifest_is_read_once", image, manifest_was_read_once, serve=serving(honest))
refused(70, "content_type_of_another", image, "where it came as", serve=serving(
    lambda handler, what, name: what == "manifests" and send_top(handler, media_type="application/vnd.docker.distribution.manifest.v2+json")))
refused(70, "content_type_of_an_index", image, "where it came as", serve=serving(lambda handler, what, name: what == "manifests" and send_top(handler, media_type=INDEX)))
taken(70, "no_content_type", image, is_deployed, serve=serving(lambda handler, what, name: what == "manifests" and send_top(handler, media_type="")))


def index_that_names_itself(layout):
    """As near as one can come: the size is its own, the digest is one that the registry answers with the same bytes."""
    entry = {"mediaType": INDEX, "digest": digest(b"me"), "size": 100, "platform": {"os": "linux", "architecture": ARCHITECTURE}}
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
    entry["size"] = len(dump(document))
    layout.top(document, INDEX)


refused(77, "index_that_names_itself", index_that_names_itself, [digest(b"me")[:19], "the registry sent one with the digest"], serve=serving(
    lambda handler, what, name: what == "manifests" and send_top(handler, media_type=INDEX)))


@contextlib.contextmanager
def with_foreign_urls(layout, device):
    """The urls are the registry's own, and it would have other bytes there."""
    with serving(lambda handler, what, name: False)(layout, device):
        layer = Layer(TAR)
        layer.descriptor["urls"] = ["http://127.0.0.1:%d/foreign" % device.registry.server_address[1]]
        layer.descriptor["mediaType"] = OCI + "layer.nondistributable.v1.tar"
        layout.image(layer)
        yield


def foreign_was_not_asked(device):
    device.equal(device.registry.count("GET", "/foreign"), 0)
    is_deployed(device)


taken(78, "foreign_layer_is_not_fetched_elsewhere", image, foreign_was_not_asked, serve=with_foreign_urls)
VICTIM = b"not to be written to"


@contextlib.contextmanager
def with_planted_link(layout, device):
    """Where the spool file would be, somebody has put a link to another file."""
    link, device.victim = device.sysroot + "/hostapp/tmp/sha256-%s.part" % LAYER_DIGEST[7:], layout.path + "/victim"
    with open(device.victim, "wb") as file_:
        file_.write(VICTIM)
    os.symlink(device.victim, link)
    try:
        yield
        with open(device.victim, "rb") as file_:
            device.equal(file_.read(), VICTIM)
    finally:
        if os.path.lexists(link):
            os.unlink(link)


refused(67, "spool_file_is_a_planted_link", image, ["sha256-" + LAYER_DIGEST[7:]], 1, serve=with_planted_link)

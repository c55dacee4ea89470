# SPDX-License-Identifier: Apache-2.0
"""Rows 59-83: digests, sizes, descriptors; manifests, indexes and configs."""
import base64

from builders import *  # pylint: disable=wildcard-import,unused-wildcard-import
from case import MIB, NOT_FOUND, NO_SPACE, refused, taken

TAR = tar(file(b"f", b"abc"))
A, B = digest(b"a"), digest(b"b")


def with_layer(**descriptor):
    """An image whose last layer is described so."""
    def build(layout):
        layer = Layer(TAR)
        layer.descriptor.update(descriptor)
        layout.image(layer)
    return build


def with_text(change):
    """An image whose manifest is the text that `change` makes of it."""
    def build(layout):
        layout.top(change(dump(layout.manifest([Layer(BASE), Layer(TAR)]))))
    return build


def with_config(change):
    return lambda layout: layout.image(TAR, config=change)


def with_member(name, value):
    """The manifest with one more member in front, as text."""
    return with_text(lambda text: b'{"%s":%s,' % (name, value) + text[1:])


def is_deployed(device):
    device.equal(device.read("f"), b"abc")


# --- E. digests, sizes, descriptors -------------------------------------------------------------------------------


def stored(blob):
    """An image whose last layer is other bytes than its digest says."""
    def build(layout):
        layout.image(Layer(TAR))
        layout.put(blob, digest(TAR))
    return build


refused(59, "blob_of_other_bytes", stored(TAR.replace(b"abc", b"abd")), [digest(TAR), "the bytes have the digest " + digest(TAR.replace(b"abc", b"abd"))])
refused(60, "blob_longer_than_its_size", stored(TAR + b"x"), [digest(TAR), "expected %d bytes, got %d" % (len(TAR), len(TAR) + 1)])
refused(60, "blob_shorter_than_its_size", stored(TAR[:-1]), [digest(TAR), "expected %d bytes, got %d" % (len(TAR), len(TAR) - 1)])
refused(60, "size_longer_than_the_blob", with_layer(size=len(TAR) + 1), "expected %d bytes, got %d" % (len(TAR) + 1, len(TAR)))
refused(60, "size_zero", with_layer(size=0), [digest(TAR), "the bytes have the digest " + digest(b"")])
ACCEPTED = "only sha256 and sha512 are accepted"
HEX = "must end in 64 lower-case hexadecimal digits"
for label, text, says in (
        ("path", "sha256:../../x", HEX), ("path_as_long_as_a_digest", "sha256:" + "../" * 21 + "x", HEX), ("upper_case", "sha256:" + "A" * 64, HEX),
        ("too_short", "sha256:abcd", HEX), ("too_long", "sha256:" + "a" * 65, HEX), ("md5", "md5:" + "a" * 32, ACCEPTED),
        ("sha512_too_short", "sha512:" + "a" * 64, "must end in 128"), ("upper_case_name", "SHA256:" + "a" * 64, ACCEPTED), ("none", "", ACCEPTED),
        ("newline", "sha256:" + "a" * 63 + "\n", r"\x0a")):
    refused(61, "digest_" + label, with_layer(digest=text), ["layers[1]", says])


def index_digest(text):
    def build(layout):
        layout.top({"schemaVersion": 2, "mediaType": INDEX, "manifests": [{"mediaType": MANIFEST, "digest": text, "size": 10}]}, INDEX)
    return build


refused(61, "path_in_index_json", lambda layout: layout.index({"schemaVersion": 2, "manifests": [
    {"mediaType": MANIFEST, "digest": "sha256:../../../../etc/passwd", "size": 10, "annotations": {"org.opencontainers.image.ref.name": "bad"}}]}), HEX)
refused(61, "path_in_diff_ids", with_config(lambda c: c["rootfs"]["diff_ids"].__setitem__(1, "sha256:../../x")), ["config", "diff_ids[1]", HEX])
refused(62, "sha1_in_an_index", index_digest("sha1:" + "a" * 40), ["sha1:", ACCEPTED])
for label, text, says in (("negative", b"-1", "size: -1 is not in"), ("float", b"1.5", "size: not a whole number"), ("huge", b"1e400", "out of range"),
                          ("over_63_bits", b"9223372036854775808", "beyond 2^63-1"), ("text", b'"1024"', "size: not a whole number"), ("null", b"null", "size")):
    refused(63, "size_" + label, with_text(lambda text_, size=text: text_.replace(b'"size": %d}]' % len(TAR), b'"size": %s}]' % size)), ["manifest ", says])
refused(66, "two_sizes_of_one_digest", lambda layout: layout.top(layout.manifest([Layer(BASE), Layer(TAR), Layer(TAR)]) | {"layers": [
    Layer(BASE).descriptor, Layer(TAR).descriptor, Layer(TAR).descriptor | {"size": 5}]}), "has two sizes, %d and 5" % len(TAR))
refused(66, "one_blob_with_two_diff_ids", lambda layout: layout.image(Layer(TAR), Layer(TAR, diff_id=A)), "is two layers with two diff_ids")
for power in (31, 32):
    for more in (-1, 0, 1):
        size = (1 << power) + more
        refused(68, "size_2_to_the_%d%s" % (power, {-1: "_less_one", 0: "", 1: "_and_one"}[more]), with_layer(size=size), "expected %d bytes, got %d" % (size, len(TAR)))
refused(68, "size_2_to_the_50", with_layer(size=1 << 50), ["the image may need", "free"], NO_SPACE)
refused(68, "size_2_to_the_63_less_one", with_layer(size=(1 << 63) - 1), ["the image may need", "free"], NO_SPACE)

# --- F. manifest, index, config -----------------------------------------------------------------------------------

refused(69, "manifest_and_index", with_member(b"manifests", b"[]"), "both a manifest and an index")
refused(69, "manifest_called_index", lambda layout: layout.top(layout.manifest([Layer(BASE)], mediaType=INDEX), INDEX), "the shape of a manifest and the media type of the other")
refused(69, "index_described_as_manifest", lambda layout: layout.top({"schemaVersion": 2, "manifests": []}, MANIFEST), "the shape of an index")
refused(70, "described_as_another_type", lambda layout: layout.top(layout.manifest([Layer(BASE)]), "application/vnd.docker.distribution.manifest.v2+json"), "where it came as")
refused(70, "own_type_is_general", with_text(lambda text: text.replace(MANIFEST.encode(), b"application/json")), "is no manifest's and no index's")
refused(70, "neither_shape", lambda layout: layout.top({"schemaVersion": 2}), "neither a manifest")
refused(71, "key_twice", with_member(b"layers", b"[]"), 'the key "layers" twice')
refused(71, "key_in_capitals", with_member(b"Layers", b"[]"), 'the key "Layers" must be written "layers"')
refused(71, "key_in_capitals_in_a_descriptor", with_layer(Digest=A), 'the key "Digest" must be written "digest"')
refused(71, "key_twice_in_the_config", with_config(lambda c: dump(c)[:-1] + b',"rootfs":{}}'), 'the key "rootfs" twice')
refused(71, "key_in_capitals_in_the_config", with_config(lambda c: c.update(RootFS={})), 'the key "RootFS" must be written "rootfs"')
refused(72, "depth_of_100000", with_member(b"x", b"[" * 10**5 + b"]" * 10**5), "nested deeper than 32")
refused(72, "depth_in_the_config", with_config(lambda c: dump(c)[:-1] + b',"x":' + b"[" * 10**5 + b"]" * 10**5 + b"}"), "nested deeper than 32")
refused(72, "string_of_5_mib", lambda layout: layout.image(TAR, annotations={"x": "x" * (5 * MIB)}), "more than the 4194304 allowed")
refused(72, "config_of_5_mib", with_config(lambda c: c.update(x="x" * (5 * MIB))), "more than the 4194304 allowed")
taken(72, "many_keys", lambda layout: layout.image(TAR, **{"x%06d" % i: 0 for i in range(200000)}), is_deployed)
for label, change, says in (("not_utf8", lambda text: b'{"x":"\xff",' + text[1:], "not JSON"), ("lone_surrogate", lambda text: b'{"x":"\\ud800",' + text[1:], "not JSON"),
                            ("byte_order_mark", lambda text: b"\xef\xbb\xbf" + text, "byte order mark"), ("garbage_behind", lambda text: text + b"x", "not JSON"),
                            ("nan", lambda text: b'{"x":NaN,' + text[1:], "not JSON"), ("comment", lambda text: b"/* */" + text, "not JSON"),
                            ("no_object", lambda text: b"[]", "not an object"), ("empty", lambda text: b"", "not JSON"), ("cut_off", lambda text: text[:-1], "not JSON")):
    refused(73, label, with_text(change), ["manifest sha256:", says])
refused(74, "ten_thousand_layers", lambda layout: layout.top(layout.manifest([Layer(TAR)]) | {"layers": [Layer(TAR).descriptor] * 10000}), "more than the 512 allowed")
refused(74, "no_layers", lambda layout: layout.top(layout.manifest([])), "no layers")
taken(74, "the_same_layer_500_times", lambda layout: layout.image(*[Layer(TAR)] * 500), is_deployed)
refused(75, "one_diff_id_too_few", with_config(lambda c: c["rootfs"]["diff_ids"].pop() and None), "1 entries where the manifest has 2 layers")
refused(75, "one_diff_id_too_many", with_config(lambda c: c["rootfs"]["diff_ids"].append(A)), "3 entries where the manifest has 2 layers")
refused(75, "no_diff_ids", with_config(lambda c: c.pop("rootfs") and None), ["config", '"rootfs" is missing'])
refused(75, "config_is_no_object", with_config(b"null"), ["config", "not an object"])


def index_of(*platforms, decoy=True):
    """An index with an image for each platform. All but the right one (the second) are no images."""
    def build(layout):
        entries = []
        for i, platform_ in enumerate(platforms):
            document = layout.manifest([Layer(BASE), Layer(tar(file(b"f", b"abc" if i == 1 or not decoy else b"decoy")))])
            document["annotations"] = {"n": str(i)}
            entries.append(layout.describe(dump(document), MANIFEST, platform=platform_))
        layout.top({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, INDEX)
    return build


HERE = {"os": "linux", "architecture": ARCHITECTURE}
ELSEWHERE = {"os": "linux", "architecture": "mips"}
taken(76, "first_of_two_for_this_platform", index_of(ELSEWHERE, HERE, HERE), is_deployed)
taken(76, "variants_and_features_that_do_not_fit", index_of(HERE | {"os.features": ["win32k"]}, HERE, HERE | {"variant": "v9"}), is_deployed)
refused(76, "nothing_for_this_platform", index_of(ELSEWHERE, HERE | {"os": "windows"}, HERE | {"variant": "v9"}),
        ["nothing for linux/" + ARCHITECTURE, "there is linux/mips, windows/%s, linux/%s/v9" % (ARCHITECTURE, ARCHITECTURE)], NOT_FOUND)
refused(76, "terminal_codes_in_a_platform", index_of({"os": "\x1b[2J", "architecture": "\u202e"}), r"there is \x1b[2J/\xe2\x80\xae", NOT_FOUND)


def nested(depth):
    def build(layout):
        document, media_type = layout.manifest([Layer(BASE), Layer(TAR)]), MANIFEST
        for _ in range(depth):
            entry = layout.describe(dump(document), media_type, platform=HERE)
            document, media_type = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}, INDEX
        layout.top(document, media_type)
    return build


taken(77, "two_indexes", nested(2), is_deployed)
refused(77, "three_indexes", nested(3), "indexes nested deeper than 2")
refused(77, "fifty_indexes", nested(50), "indexes nested deeper than 2")
refused(78, "data_of_other_bytes", with_layer(data=base64.b64encode(TAR.replace(b"abc", b"abd")).decode()), ["layers[1].data", "does not have the descriptor's digest"])
refused(78, "data_of_another_size", with_layer(data="YWI="), ["layers[1].data", "has 2 bytes where the descriptor says %d" % len(TAR)])
refused(78, "data_not_base64", with_layer(data="?"), ["layers[1].data", "not base64"])
taken(78, "urls_are_not_asked", with_layer(urls=["file:///etc/shadow", "http://127.0.0.1:1/x"]), is_deployed)
refused(79, "artifact_of_another_type", lambda layout: layout.image(TAR, artifactType="application/vnd.example.sbom+json"), 'an artifact of type "application/vnd.example.sbom+json"')
refused(79, "config_of_another_type", lambda layout: layout.top(layout.manifest([Layer(BASE)]) | {"config": layout.describe(b"{}", "application/vnd.oci.empty.v1+json")}),
        'config of type "application/vnd.oci.empty.v1+json" is no image\'s')
taken(79, "artifact_type_of_an_image", lambda layout: layout.image(TAR, artifactType=CONFIG), is_deployed)
HOSTILE_LABELS = {"org.opencontainers.image.version": "../../../../tmp/x;$(reboot)", "containers.bootc": "$(reboot)", "../../x": "`reboot`",
                  "io.hostapp.boot": "/etc/passwd", "ostree.bootable": "../../.."}
VERSION = "org.opencontainers.image.version"


def version_is(expected):
    def check(device):
        device.equal(device.record["version"], expected)
        is_deployed(device)
    return check


def labels(**more):
    return with_config(lambda c: c["config"].update(Labels=more))


taken(80, "labels_that_are_paths_and_commands", labels(**HOSTILE_LABELS), version_is("../../../../tmp/x;$(reboot)"))
taken(80, "annotations_that_are_paths_and_commands", lambda layout: layout.image(TAR, annotations=HOSTILE_LABELS), is_deployed)
taken(80, "terminal_codes_in_the_version", labels(**{VERSION: "\x1b[2J1.0"}), version_is(None))
refused(80, "label_that_is_no_text", labels(**{VERSION: 1}), "config")
taken(81, "process_settings_are_nothing_to_a_system", with_config(lambda c: c["config"].update(
    Env=["PATH=/evil", "LD_PRELOAD=/evil.so"], Cmd=["/evil"], User="4294967296:-1", WorkingDir="../../..", Volumes={"/../../etc": {}, "/": {}})), is_deployed)
refused(82, "schema_1", lambda layout: layout.top({"schemaVersion": 1, "fsLayers": [], "history": []}), "a Docker schema 1 manifest")
refused(82, "schema_1_and_layers", with_member(b"fsLayers", b"[]"), "a Docker schema 1 manifest")
refused(82, "schema_1_by_its_type", lambda layout: layout.top(layout.manifest([Layer(BASE)]), "application/vnd.docker.distribution.manifest.v1+prettyjws"), "Docker schema 1")
refused(82, "schema_3", with_text(lambda text: text.replace(b'"schemaVersion": 2', b'"schemaVersion": 3')), "3 is not in 2..2")


def created(text):
    return with_config(lambda c: c.update(created=text))


taken(83, "created_far_in_the_future", created("9999-12-31T23:59:59Z"), is_deployed)
taken(83, "created_in_the_year_1", created("0001-01-01T00:00:00Z"), is_deployed)
refused(83, "created_is_no_time", created("yesterday"), ['created "yesterday" is no RFC 3339 time', "config"])
refused(83, "created_is_a_number", created(5), "config")
taken(83, "no_version", with_config(lambda c: c.pop("config") and None), version_is(None))
taken(83, "version_of_other_form", labels(**{VERSION: "bookworm-20 (snapshot)"}), version_is("bookworm-20 (snapshot)"))
taken(83, "version_too_long", labels(**{VERSION: "1" * MIB}), version_is(None))
refused(83, "version_of_10_mib", labels(**{VERSION: "1" * (10 * MIB)}), "more than the 4194304 allowed")

# SPDX-License-Identifier: Apache-2.0
"""The harnesses, and which parser each of them covers."""
import glob
import os

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CORPUS, DICT = os.path.join(HERE, "corpus"), os.path.join(HERE, "dict")
NAMES = sorted(os.path.basename(path)[:-len("_fuzz.cc")] for path in glob.glob(os.path.join(HERE, "*_fuzz.cc")))

# (source, harness, what in that file is no parser and is not counted: it opens files, talks to devices, or writes)
PARSERS = [
    ("hostapp/base/clock.cc", "texts", ("SystemClock", "RealClock", "PlausibleNow")),
    ("hostapp/base/hostname.cc", "texts", ()),
    ("hostapp/base/json.cc", "json_documents", ()),
    ("hostapp/base/strings.cc", "texts", ()),
    ("hostapp/base/toml.cc", "kernel_files", ()),
    ("hostapp/boot/check_result.cc", "health", ()),
    ("hostapp/boot/health_options.cc", "health", ()),
    ("hostapp/disk/gpt_growth.cc", "partition_table", ()),
    ("hostapp/layer/boot_files.cc", "kernel_files", ()),
    ("hostapp/layer/compression.cc", "compression", ("PlainSink", "GzipSink", "ZstdSink", "Compress")),
    ("hostapp/layer/layer_rules.cc", "tar_layer", ()),
    ("hostapp/layer/oci_archive.cc", "oci_archive", ("ArchiveDestination", "SplitPath", "SplitAtName", "OpenArchiveForWriting")),
    ("hostapp/layer/pax.cc", "pax", ()),
    ("hostapp/layer/tar_fields.cc", "tar_layer", ()),
    ("hostapp/layer/tar_path.cc", "tar_layer", ()),
    ("hostapp/layer/tar_reader.cc", "tar_layer", ()),
    ("hostapp/lifecycle/settings_text.cc", "device_settings", ()),
    ("hostapp/oci/descriptor.cc", "json_documents", ()),
    ("hostapp/oci/digest.cc", "json_documents", ()),
    ("hostapp/oci/image_config.cc", "json_documents", ()),
    ("hostapp/oci/json_rules.cc", "json_documents", ()),
    ("hostapp/oci/layout_index.cc", "json_documents", ()),
    ("hostapp/oci/manifest.cc", "json_documents", ()),
    ("hostapp/oci/platform_json.cc", "json_documents", ()),
    ("hostapp/oci/reference.cc", "reference", ()),
    ("hostapp/oci/resolve.cc", "oci_archive", ()),
    ("hostapp/registry/auth.cc", "registry_answers", ()),
    ("hostapp/registry/credentials.cc", "registry_settings", ("LoadCredentials",)),
    ("hostapp/registry/http.cc", "registry_answers", ()),
    ("hostapp/registry/registries_conf.cc", "registry_settings", ("AddRules", "LoadOne", "LoadRegistriesConf")),
    ("hostapp/registry/url.cc", "registry_answers", ()),
    ("initramfs/bootsel/cmdline.cc", "cmdline", ()),
    ("initramfs/bootsel/digest.cc", "cmdline", ()),
    ("initramfs/bootsel/ledger.cc", "ledger", ()),
    ("initramfs/bootsel/reset_request.cc", "device_records", ()),
    ("initramfs/helper/json_string.cc", "cmdline", ()),
    ("initramfs/helper/superblock.cc", "cmdline", ()),
    ("ostree-integration/composefs/dump.cc", "composefs_dump", ()),
    ("ostree-integration/composefs/tree_rules.cc", "composefs_dump", ()),
    ("ostree-integration/deploy/kargs.cc", "kernel_files", ("AppendFolder", "ImageKernelArguments")),
    ("ostree-integration/deploy/kernel_image.cc", "kernel_files", ()),
    ("ostree-integration/deploy/loaders/boot_entry.cc", "boot_loaders", ("CheckEntryArguments",)),
    ("ostree-integration/deploy/loaders/efi_boot_options.cc", "boot_loaders",
     ("OptionNumber", "ReadVariable", "MakeMutable", "WriteVariable", "OptionName", "ReadEfiBootVariables", "EnsureEfiBootOptions")),
    ("ostree-integration/deploy/loaders/grub_env.cc", "boot_loaders", ()),
    ("ostree-integration/deploy/loaders/systemd_boot_entry.cc", "boot_loaders", ("SystemdBootConfig",)),
    ("ostree-integration/deploy/loaders/systemd_boot_plan.cc", "boot_loaders", ()),
    ("ostree-integration/deploy/loaders/uboot_env.cc", "boot_loaders", ()),
    ("ostree-integration/deploy/module_list.cc", "kernel_files", ()),
    ("ostree-integration/store/images.cc", "store_objects", ("ListImages", "FindLayer", "ListLayers")),
    ("ostree-integration/store/layer_index.cc", "layer_index", ()),
    ("ostree-integration/store/layer_index_reader.cc", "layer_index", ()),
    ("ostree-integration/store/refs.cc", "store_objects", ("Scan", "ScanRefs", "RemoveRef", "ListRefs")),
    ("ostree-integration/store/tree_reader.cc", "store_objects",
     ("NotFound", "Walk", "FolderEntry", "FileEntry", "ListTree", "OpenFile")),
    ("ostree-integration/sysroot/boot_sets.cc", "device_records",
     ("SetPath", "MeasurePastCache", "BytesBelow", "HasBootSet", "CheckBootSet", "ListBootSets", "BootSetBytes", "RemoveBootSet",
      "LargestBootSet")),
    ("ostree-integration/sysroot/booted.cc", "device_records", ("ReadBooted",)),
    ("ostree-integration/sysroot/contents_list.cc", "device_records", ()),
    ("ostree-integration/sysroot/deployment.cc", "deployment",
     ("NameOf", "SerialOf", "DeploymentFolders", "IsComplete", "HasMark", "ParseRootName", "LoadDeployment", "LoadDeployments",
      "OpenDeploymentDir", "SetMark", "ClearMark", "RetireDeployment", "RemoveDeployment")),
    ("ostree-integration/sysroot/history.cc", "device_records", ("ReadHistory", "RecordHistory")),
    ("ostree-integration/sysroot/open_loader.cc", "device_records", ("ReadLoaderConfig", "WriteLoaderConfig", "OpenLoader", "EntryOf")),
]

# Lines that no input reaches, and why: {source: {the line's text: reason}}.
UNREACHED = {
    "hostapp/base/json.cc": {
        'bool binary(Library::binary_t& /*value*/) { return Fail("binary"); }': "the library's interface has it; JSON has no such value",
    },
    "ostree-integration/deploy/kargs.cc": {
        'if (architecture == "arm64") return "aarch64";': "of another machine than the one that measures",
        'return "";': "of another machine than the one that measures",
    },
}

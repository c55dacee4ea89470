# SPDX-License-Identifier: Apache-2.0
"""Deployments and the ledger that names them."""
import hashlib
import json
import os

import boot_sets
import ledger
import verity
from files import tree_of

FOLDER, LEDGER = "hostapp/deployments", "hostapp/boot-ledger"


def record_of(files, name):
    """For once()."""
    return json.loads(files.read(name))


class Sysroot:
    """`root`, `boot`: files.Folder."""

    def __init__(self, root, boot):
        self.root, self.boot = root, boot

    def serials(self):
        """Of the deployments: folders with a deployment.json."""
        return sorted(int(name) for name in self.root.names(FOLDER)
                      if name.isdigit() and self.root.exists(self.path(name, "deployment.json")))

    @staticmethod
    def path(serial, name):
        return os.path.join(FOLDER, str(serial), name)

    def record(self, serial):
        return self.root.once(record_of, self.path(serial, "deployment.json"))

    def ledger(self):
        """The newest record; None: there is none."""
        return self.root.once(ledger.read, LEDGER)[0] if self.root.exists(LEDGER) else None

    def problem(self, serial, store):
        """Why the deployment cannot be what it was made, or ""."""
        try:
            record = self.record(serial)
            if record["serial"] != serial:
                return "its deployment.json is of %s" % record["serial"]
            if record["root"] == "composefs":
                if self.root.once(verity.digest, self.path(serial, "root.cfs")) != record["composefs_digest"]:
                    return "root.cfs has not the digest of deployment.json"
            elif not self.root.is_folder(self.path(serial, "root/usr")):
                return "its checkout has no usr"
            missing = store.missing(record["commit"], "commit")
            return missing[0] if missing else ""
        except (ValueError, KeyError, TypeError) as error:
            return "deployment.json: %r" % error
        except OSError as error:
            return boot_sets.why(error)

    def check(self, store):
        """I5 of every deployment; I2 of those that the ledger names."""
        for serial in self.serials():
            problem = self.problem(serial, store)
            if problem:
                yield "I5", "deployment %d: %s" % (serial, problem)
        if not self.root.exists(LEDGER):
            if self.serials():
                yield "I1", "deployments, but no boot ledger"
            return
        newest = self.ledger()
        if newest is None:
            yield "I5", "the boot ledger has no valid slot"
            return
        for entry in newest.named():
            for what in self.check_named(entry):
                yield "I2", "deployment %d, which the ledger names: %s" % (entry["serial"], what)

    def check_named(self, entry):
        serial = entry["serial"]
        if serial not in self.serials():
            yield "there is none"
            return
        try:
            record = self.record(serial)
        except ValueError:
            return  # said above
        if record.get("boot_set") != entry["boot_set"]:
            yield "its boot set is %s, the ledger's %s" % (record.get("boot_set"), entry["boot_set"])
        if entry["has_digest"] and record.get("composefs_digest") != entry["digest"]:
            yield "its composefs digest is not the ledger's"
        problem = boot_sets.set_problem(self.boot, record.get("boot_set", ""))
        if problem:
            yield "its boot set: " + problem

    def check_loader(self, loader, whole):
        """I1, I2 and I6. `whole`: the deployments are looked at, too; otherwise only what a loader reads."""
        if loader is None:
            newest = self.ledger() if whole else None
            if newest and newest.default["serial"] and newest.default["serial"] not in self.serials():
                yield "I1", "the default is not there"
            return
        view = boot_sets.LOADERS[loader](self.boot)
        for text in view.counters():
            yield "I6", text
        entries = {serial: problem for serial, problem, _ in view.entries()}
        starts = view.starts()
        if not starts:
            yield "I1", "nothing can be started: %s" % (entries or "no entries")
        for serial, problem in sorted(entries.items()):
            # What a loader would start must be whole for everybody; what it passes over, once the journal is replayed.
            if problem and (whole or serial in starts):
                yield "I2", "entry %d: %s" % (serial, problem)
        for serial in starts if whole else ():
            if serial not in self.serials():
                yield "I2", "the loader would start %d, which is no deployment" % serial

    def facts(self):
        """What may not change: the deployments that boot, and the floor."""
        newest, known = self.ledger(), {}
        for serial in [entry["serial"] for entry in (newest.default, newest.previous)] if newest else []:
            if serial in self.serials():
                known[str(serial)] = "damaged"
                try:
                    boot_set = self.record(serial)["boot_set"]
                except (ValueError, KeyError, TypeError):
                    continue
                parts = {name: value for name, value in tree_of(self.root, self.path(serial, "")).items()
                         if name.split("/")[0] in ("root", "root.cfs", "deployment.json", "contents")}
                parts["boot set"] = tree_of(self.boot, "hostapp/" + boot_set)
                known[str(serial)] = hashlib.sha256(repr(sorted(parts.items(), key=str)).encode()).hexdigest()
        return {"floor": newest.floor if newest else 0, "known": known}

    def outcome(self):
        """What a verb does: {name: what it says}. Of a verb that has ended nothing of it may be lost."""
        found = {"the boot ledger": self.root.once(ledger.read, LEDGER)[0].generation if self.root.exists(LEDGER) else None}
        for serial in self.serials():
            found["deployment %d" % serial] = self.root.names(self.path(serial, ""))
        return found

    def compare(self, before):
        """I3 and I10. What gc may have removed by now is not compared: a `previous` that is no longer one."""
        now = self.facts()
        for serial, digest in before["known"].items():
            if serial in now["known"] and now["known"][serial] != digest:
                yield "I3", "deployment %s is not what it was" % serial
        if now["floor"] < before["floor"]:
            yield "I10", "the downgrade floor fell from %d to %d" % (before["floor"], now["floor"])
        goods = [serial for serial in self.serials() if self.root.exists(self.path(serial, "good"))]
        if before["known"] and not set(before["known"]) & set(now["known"]):
            yield "I3", "none of the deployments that booted before is there: %s, now %s" % (sorted(before["known"]), goods)

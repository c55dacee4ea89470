# SPDX-License-Identifier: Apache-2.0
"""Rows of the suite's table, one JSON object a line, kept as they are made."""
import json


class Rows:
    def __init__(self, path):
        self.path = path

    def add(self, operation, method, points, violations, seconds, control=False, note=None):
        """`control`: a writer that is wrong, in which violations are what is wanted. `note`: a sentence for below the table."""
        if not self.path:
            return
        row = {"operation": operation, "method": method, "points": points, "violations": violations, "seconds": round(seconds, 1),
               "control": control, **({"note": note} if note else {})}
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]

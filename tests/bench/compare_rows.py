# SPDX-License-Identifier: Apache-2.0
"""The rows of `compare`, in the order in which they are run and printed."""
import sys

sys.dont_write_bytecode = True
import rows_device  # noqa: E402
import rows_image  # noqa: E402
import rows_store  # noqa: E402

ORDER = ["import", "floor", "pull", "pull-again", "merge", "deploy", "composefs", "nothing-new", "fsck", "gc", "disk", "helper", "status", "growth",
         "memory"]  # the last one looks back at all others
ALL = {**rows_image.ROWS, **rows_device.ROWS, **rows_store.ROWS}
ROWS = {name: ALL[name] for name in ORDER}

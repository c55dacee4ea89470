# SPDX-License-Identifier: Apache-2.0
"""What a case is: it makes one broken or hostile image and says what is right then.

A case is refused (`exit` and words of the message) or taken (`exit` 0 and a check of what came of it). Its row is its
number in README.md beside this file.
"""
from builders import Layer, tar

CASES = {}

CORRUPT, NOT_FOUND, NO_SPACE, INVALID = 4, 3, 7, 2
MIB = 1 << 20


class Case:
    """`build(layout)` makes the image, or `serve(layout, device)` starts what answers; `check(device)` looks
    afterwards. With `pull` a pull comes first, and `device.dropped` is what it says that no deployment shows."""

    def __init__(self, row, name, build, says=(), exit=0, check=None, serve=None, rss=64 * MIB, cpu=5.0,
                 pull=False):
        self.row, self.name, self.build, self.exit, self.check = row, "%02d_%s" % (row, name), build, exit, check
        self.says = [says] if isinstance(says, str) else list(says)
        self.serve, self.rss, self.cpu = serve, rss, cpu
        self.pull = pull
        assert exit == 0 or self.says, self.name
        assert self.name not in CASES, self.name
        CASES[self.name] = self


def refused(row, name, build, says, exit=CORRUPT, **more):
    Case(row, name, build, says, exit, **more)


def taken(row, name, build, check=None, **more):
    Case(row, name, build, (), 0, check, **more)


def bad_tar(row, name, content, says, **more):
    """A layer that is refused with the layer's digest, the member's name where it has one, and the rule."""
    content = content if callable(content) else (lambda made=content: made)

    def build(layout):
        layer = Layer(content())
        case.says.append(layer.descriptor["digest"])
        layout.image(layer)
    case = Case(row, name, build, says, CORRUPT, **more)


def good_tar(row, name, members, check=None, **more):
    taken(row, name, lambda layout: layout.image(tar(*members)), check, **more)


def bad_layers(row, name, tars, says, **more):
    refused(row, name, lambda layout: layout.image(*tars), says, **more)

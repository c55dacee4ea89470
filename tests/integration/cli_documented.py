#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every verb and flag of --help is in the man page and the completion, and the other way round.

usage: cli_documented.py PROGRAM MAN_PAGE COMPLETION
"""
import re
import subprocess
import sys

program, man_page, completion = sys.argv[1:4]
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def help_of(*verb):
    return subprocess.run([program, *verb, "--help"], capture_output=True, check=True, timeout=30, text=True).stdout


def verbs_in(text):
    _, _, section = text.partition("Subcommands:\n")
    return re.findall(r"^  ([a-z][a-z-]*)", section, re.MULTILINE)


def walk(*verb):
    """Verbs as tuples of words, and all flags, of the program's own help."""
    text = help_of(*verb)
    verbs, flags = ([verb] if verb else []), set(FLAG.findall(text))
    for name in verbs_in(text):
        more, more_flags = walk(*verb, name)
        verbs += more
        flags |= more_flags
    return verbs, flags


def main():
    with open(man_page, encoding="utf-8") as file:
        man = re.sub(r"\\f[A-Z]", " ", file.read().replace("\\-", "-"))
    with open(completion, encoding="utf-8") as file:
        completions = file.read()
    verbs, flags = walk()
    problems = []
    leaves = [verb for verb in verbs if not any(len(other) > len(verb) and other[: len(verb)] == verb for other in verbs)]
    described = set()
    for line in man.partition(".SH VERBS")[2].partition("\n.SH ")[0].split("\n.TP\n")[1:]:
        for part in line.split("\n")[0].split(","):
            words = part.replace("\"", " ").split()
            words = words[1:] if words[0].startswith(".") else words
            verb = []
            for word in words:
                if not re.fullmatch(r"[a-z][a-z-]*", word):
                    break
                verb.append(word)
            described.add(tuple(verb))
    for verb in leaves:
        if verb not in described:
            problems.append("the man page does not describe the verb " + " ".join(verb))
        for word in verb:
            if not re.search(r"(?<![\w-])" + word + r"(?![\w-])", completions):
                problems.append("the completion does not know " + word)
    problems += ["the man page describes a verb that there is not: " + " ".join(v) for v in described - set(leaves)]
    man_flags, completion_flags = set(FLAG.findall(man)), set(FLAG.findall(completions))
    problems += ["the man page lacks " + flag for flag in sorted(flags - man_flags)]
    problems += ["the man page has " + flag + ", the program does not" for flag in sorted(man_flags - flags)]
    problems += ["the completion lacks " + flag for flag in sorted(flags - completion_flags)]
    problems += ["the completion has " + flag + ", the program does not" for flag in sorted(completion_flags - flags)]
    print("\n".join(problems) or "%d verbs and %d flags" % (len(leaves), len(flags)))
    return 1 if problems or not leaves else 0


sys.exit(main())

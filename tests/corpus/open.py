#!/usr/bin/env python3
"""The scoreboard of opening: every file of the corpus with an expected result, through the binary.

    open.py --waxseal BINARY [--corpus DIR] [--only SET] [--json FILE] [--jobs N] [--all]
            [--wycheproof FILE]

Prints one line for each set (how many rows are as expected, and how many OpenSSL 3.0 has as
expected on the same rows, from openssl-baseline.tsv), then every row that differs. Fails when a
row differs without a reason in REASONS, when a set has fewer rows right than OpenSSL among those
that are not excused, or when anything crashes, hangs or takes too much memory.

--json writes every row: set, file, operation, expected, OpenSSL's result, ours, what the program
said, the reason where we differ on purpose. --wycheproof reads the output of the provider's test,
which counts that set.
"""

import argparse
import concurrent.futures
import csv
import json
import os
import re
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True

from harness import aligned
from open_pkits import pkits
from open_sets import all_sets
from opening import Waxseal

BLAKE2 = "the container's MAC is HMAC-BLAKE2b, which no mail program writes"
# (set, start of file, start of operation) → why we differ on purpose.
REASONS = {
    ("openssl", "smime-certs/smec2.pem", "chain"): "a key on K-283, which is no curve of rule 11",
    ("rustcrypto-pkcs12", "example11.pfx", "p12 open"): BLAKE2,
}


def reason(case):
    for (name, file, operation), text in REASONS.items():
        if (case.set == name and case.file.startswith(file)
                and case.operation.startswith(operation)):
            return text
    return None


def baseline(corpus):
    """(set, file, operation) → what OpenSSL made of it."""
    with open(corpus / "openssl-baseline.tsv", newline="") as table:
        return {(row["source"], row["file"], row["operation"]): row["result"]
                for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE)}


def as_expected(result, expected):
    return result in ("ok", "fail") if expected == "nocrash" else result == expected


def row(case, waxseal, peers):
    """One row of the scoreboard."""
    try:
        ours, why = case.run(waxseal)
    except Exception as error:      # a fault of the harness is a failure too
        ours, why = "crash", f"harness: {error!r}"
    peer = case.openssl or peers.get((case.set, case.file, case.operation), "-")
    return {"set": case.set, "file": case.file, "operation": case.operation,
            "expected": case.expected, "openssl": peer, "ours": ours, "why": why,
            "agrees": as_expected(ours, case.expected),
            "openssl-agrees": as_expected(peer, case.expected) if peer != "-" else None,
            "reason": None if as_expected(ours, case.expected) else reason(case)}


def table(rows):
    lines = [("set", "rows", "ours", "of OpenSSL's rows", "OpenSSL", "differs on purpose",
              "wrong", "crash")]
    names = list(dict.fromkeys(r["set"] for r in rows))
    for name in [*names, "all"]:
        mine = [r for r in rows if name in (r["set"], "all")]
        known = [r for r in mine if r["openssl-agrees"] is not None]
        lines.append((name, len(mine), sum(r["agrees"] for r in mine), len(known),
                      sum(r["openssl-agrees"] for r in known),
                      sum(bool(r["reason"]) for r in mine),
                      sum(not r["agrees"] and not r["reason"] for r in mine),
                      sum(r["ours"] == "crash" for r in mine)))
    return "\n".join(aligned(lines))


def failures(rows):
    """Why the run fails; a line for each cause."""
    found = [f"{r['set']}/{r['file']} [{r['operation']}]: expected {r['expected']}, "
             f"got {r['ours']}: {r['why']}"
             for r in rows if r["ours"] == "crash" or not r["agrees"] and not r["reason"]]
    for name in dict.fromkeys(r["set"] for r in rows):
        mine = [r for r in rows if r["set"] == name and r["openssl-agrees"] is not None
                and not r["reason"]]
        ours, theirs = (sum(r[key] for r in mine) for key in ("agrees", "openssl-agrees"))
        if ours < theirs:
            found.append(f"{name}: {ours} right, OpenSSL has {theirs}")
    return found


def on_purpose(rows):
    return [f"{r['set']}/{r['file']} [{r['operation']}]: expected {r['expected']}, "
            f"ours {r['ours']}: {r['reason']}" for r in rows if r["reason"]]


WYCHEPROOF = re.compile(r"(\S+) (\S+\.json): (\d+) tests, (\d+) agreed, (\d+) differ, (\d+) acceptable "
                        r"\((\d+) pass\), not for us (.*)")


def wycheproof(text):
    """The counts that the providers' tests print: a dict for each provider and file."""
    names = ("provider", "file", "tests", "agreed", "differ", "acceptable", "pass", "not-for-us")
    return [dict(zip(names, [m[1], m[2], *map(int, m.groups()[2:7]), m[8]]))
            for m in WYCHEPROOF.finditer(text)]


def main():
    arguments = parse_arguments()
    if not (arguments.corpus / "openssl-baseline.tsv").is_file():
        print(f"scoreboard did NOT run: no corpus at {arguments.corpus}", file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") else 0)
    with tempfile.TemporaryDirectory() as directory:
        sys.exit(run(arguments, Path(directory)))


def run(arguments, directory):
    sets = [*all_sets(arguments.corpus), pkits(arguments.corpus)]
    cases = [case for one in sets if arguments.only in (None, one.name) for case in one.cases]
    if not cases:
        print(f"no such set; known: {', '.join(one.name for one in sets)}", file=sys.stderr)
        return 64
    waxseal, peers = Waxseal(arguments.waxseal, directory), baseline(arguments.corpus)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        rows = list(pool.map(lambda case: row(case, waxseal, peers), cases))
    print(table(rows))
    wrong = failures(rows)
    if arguments.wycheproof:
        wrong += print_wycheproof(arguments.wycheproof.read())
    for title, lines in (("on purpose", on_purpose(rows)), ("failures", wrong)):
        if lines:
            print(f"\n{len(lines)} {title}:\n" + "\n".join(lines))
    if arguments.json:
        json.dump(rows, arguments.json, indent=1)
    return 1 if wrong else 0


PROVIDERS = ("waxseal-provider-aws-lc", "waxseal-provider-rustcrypto")


def print_wycheproof(text):
    wrong = []
    for provider in PROVIDERS:
        counts = [c for c in wycheproof(text) if c["provider"] == provider]
        if not counts:
            wrong.append(f"{provider} printed no counts of Wycheproof")
            continue
        whole = {key: sum(c[key] for c in counts) for key in ("tests", "agreed", "differ",
                                                              "acceptable", "pass")}
        outside = whole["tests"] - whole["agreed"] - whole["differ"] - whole["acceptable"]
        print(f"\nWycheproof, {provider}, {len(counts)} files: {whole['tests']} vectors, "
              f"{whole['agreed']} agreed, {whole['differ']} differ, {whole['acceptable']} "
              f"acceptable ({whole['pass']} pass), {outside} outside rule 11")
        wrong += [f"wycheproof {provider} {c['file']}: {c['differ']} differ"
                  for c in counts if c["differ"]]
    return wrong


def parse_arguments():
    repository = Path(__file__).resolve().parent.parent.parent
    corpus = Path(os.environ.get("WAXSEAL_CORPUS", repository.parent / "shared" / "corpus"))
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waxseal", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, default=corpus)
    parser.add_argument("--only")
    parser.add_argument("--json", type=argparse.FileType("w"))
    parser.add_argument("--wycheproof", type=argparse.FileType("r"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    return parser.parse_args()


if __name__ == "__main__":
    main()

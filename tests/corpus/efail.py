#!/usr/bin/env python3
"""EFAIL and covert content: mails of an attacker who knows no key, made from the ciphertexts of
the corpus and from fresh ones, through `waxseal open`.

    efail.py --waxseal BINARY [--corpus DIR] [--show N]

Prints how many mails of each attack ended in which verdict. The run fails when

    unauthenticated plain text is `valid`, or a changed mail is `valid` or `decrypted`, unless it
    is signed and comes out as its signer wrote it;
    HTML with an external reference, or octets that the encodings forbid, come out of CBC
    without the verdict `suspicious` or a worse one;
    a part that is not the root is decrypted, or its content stands anywhere in what came out;
    a mail that is signed in part, twice, or by somebody else ends with exit code 0;
    a wrong key and a damaged key or content are told apart: by a report, an exit code, a word.

The times of those failures are measured and printed; no time fails the run.
"""

import argparse
import collections
import os
import statistics
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True

import covert
import surgery
from ciphertexts import Ciphertexts
from harness import aligned
from opening import Waxseal

# What the old content or the attacker's own must end in where an attack shows.
REFUSED = {"suspicious", "damaged", "malformed", "invalid", "unsupported", "not-smime"}
UNAUTHENTICATED = {"decrypted-unauthenticated"}


class Tally:
    """Counts by attack and verdict, and what went wrong."""

    def __init__(self):
        self.counts = collections.Counter()
        self.failures = []

    def judge(self, attack, name, done, allowed, secret=None, code=None):
        self.counts[attack, "crash" if done.crash else done.verdict] += 1
        told = f"{attack}: {name}: {done.why}"
        if done.crash:
            self.failures.append(f"{told}: {done.crash}")
        elif done.verdict not in allowed:
            self.failures.append(f"{told}: expected one of {', '.join(sorted(allowed))}")
        if code is not None and done.code != code:
            self.failures.append(f"{told}: exit code {done.code}, not {code}")
        if secret and any(secret in octets for octets in (done.stdout, done.content or b"")):
            self.failures.append(f"{told}: what was encrypted came out")

    def table(self):
        verdicts = sorted({v for _, v in self.counts})
        rows = [("attack", "mails", *verdicts)]
        for attack in dict.fromkeys(a for a, _ in self.counts):
            counts = [self.counts[attack, v] for v in verdicts]
            rows.append((attack, sum(counts), *counts))
        return "\n".join(aligned(rows))


def genuine(tally, waxseal, samples):
    """What nobody changed opens, so that refusals below mean something."""
    for sample in samples:
        done = sample.open(waxseal, sample.octets)
        sample.content = done.content
        if sample.signed:
            allowed = {"valid"}
        elif sample.external:
            allowed = {"suspicious"} if not sample.authenticated else {"decrypted"}
        else:
            allowed = {"decrypted"} if sample.authenticated else UNAUTHENTICATED
        tally.judge("(unchanged)", sample.name, done, allowed)


def changed_blocks(tally, waxseal, samples):
    for sample in samples:
        if sample.authenticated:
            continue

        def attack(name, octets, allowed):
            done = sample.open(waxseal, octets)
            # The header of the signed entity is nobody's; what the signature is over is whole.
            if sample.signed and done.content == sample.content:
                allowed = allowed | {"valid"}
            tally.judge(name, sample.name, done, allowed)

        octets, known = sample.octets, sample.known
        free = REFUSED | UNAUTHENTICATED
        attack("html image around the content", surgery.html_exfiltration(octets, known), REFUSED)
        if sample.html:
            attack("html image inside the content",
                   surgery.image_inside(octets, known), REFUSED)
        attack("first block: other header field",
               surgery.first_block(octets, known, b"X-Was-Changed: 1"), free)
        attack("first block: noise", surgery.first_block(octets, known, bytes(range(128, 144))),
               REFUSED)
        attack("blocks swapped", surgery.swapped(octets), REFUSED if sample.text else free)
        attack("blocks repeated", surgery.repeated(octets), REFUSED if sample.text else free)
        for keep in (0.0, 0.3, 0.6, 0.9):
            attack("truncated", surgery.truncated(octets, keep), free)
        attack("no whole block", surgery.ragged(octets), REFUSED)
        for at in (0.1, 0.3, 0.5, 0.7):
            attack("one bit", surgery.flipped(octets, at), REFUSED if sample.text else free)


def changed_gcm(tally, waxseal, samples):
    for sample in samples:
        if not sample.authenticated:
            continue
        for at in (0.0, 0.5, 0.99):
            tally.judge("GCM: one bit", sample.name,
                        sample.open(waxseal, surgery.flipped(sample.octets, at)), {"damaged"},
                        sample.secret)
        for keep in (0, 1, 4, 8, 12):
            tally.judge("GCM: short tag", sample.name,
                        sample.open(waxseal, surgery.without_tag(sample.octets, keep)),
                        REFUSED, sample.secret)
        for keep in (0, 16, 100):
            tally.judge("GCM: truncated", sample.name,
                        sample.open(waxseal, surgery.shortened(sample.octets, keep)), REFUSED,
                        sample.secret)


def below_the_root(tally, waxseal, samples, people):
    """Direct exfiltration, and decryption oracles: never decrypted, exit code 1."""
    for sample in samples:
        for name, mail in covert.encrypted_below(sample.armoured(), people):
            # The reader has Bob's key too, to whom Mallory encrypts her own.
            done = sample.open_mail(waxseal, mail, "--identity", people.bob.certificate,
                                    "--key", people.bob.key)
            # A message inside an envelope was forwarded by who made the envelope.
            forwarded = {"not-root"} if name == covert.FORWARDED_CLOSED else set()
            tally.judge(name, sample.name, done, {"suspicious"} | forwarded, sample.secret, 1)


def covert_signatures(tally, waxseal, people):
    for name, mail, allowed in covert.signatures(people):
        done = waxseal.open_octets(mail, "--anchor", people.root)
        tally.judge(name, name, done, allowed, code=0 if "valid" in allowed else 1)


def too_much(tally, waxseal, people):
    """What would cost memory or time without bound: opened within bounds, or refused."""
    def judge(name, octets, smime_type, allowed, *arguments):
        mail = covert.mail(covert.entity_of(octets, smime_type))
        tally.judge(name, name, waxseal.open_octets(mail, *arguments), allowed)

    bob = ("--identity", people.bob.certificate, "--key", people.bob.key)
    any_refusal = REFUSED | {"closed", "no-key"}
    judge("(compressed)", surgery.compressed(covert.ENTITY), "compressed-data", {"expanded"})
    for size in (100, 1000):
        judge("compression bomb", surgery.compressed(bytes(size << 20)), "compressed-data",
              any_refusal)
    nested = covert.ENTITY
    for _ in range(60):
        nested = covert.entity_of(surgery.compressed(nested), "compressed-data")
    tally.judge("sixty layers", "compressed", waxseal.open_octets(covert.mail(nested)),
                any_refusal | {"expanded"})
    envelope = people.openssl(covert.ENTITY, "cms", "-encrypt", "-binary", "-aes-256-cbc",
                              "-outform", "DER", people.bob.certificate)
    judge("(900 recipients)", surgery.with_recipients(envelope, 900), "enveloped-data",
          UNAUTHENTICATED, *bob)
    judge("20000 recipients", surgery.with_recipients(envelope, 20000), "enveloped-data",
          any_refusal | UNAUTHENTICATED, *bob)
    password = people.openssl(covert.ENTITY, "cms", "-encrypt", "-binary", "-aes-256-cbc",
                              "-outform", "DER", "-pwri_password", "word")
    word = ("--password-file", waxseal.passphrase("word"))
    judge("(password)", password, "enveloped-data", UNAUTHENTICATED, *word)
    judge("four thousand million rounds", surgery.with_iterations(password, 1 << 32),
          "enveloped-data", any_refusal, *word)


# ---------------------------------------------------------------- one error (rule 8)

def one_error(tally, waxseal, samples):
    """A key or content that is damaged in any way looks like any other; the times are printed."""
    times = collections.defaultdict(list)
    for sample in samples:
        if not sample.rsa:
            continue
        wrong = {
            "noise for a key": surgery.other_key(sample.octets, lambda key: b"\x11" * len(key)),
            "a key of zeros": surgery.other_key(sample.octets, lambda key: bytes(len(key))),
            "a bit of the key": surgery.other_key(
                sample.octets, lambda key: key[:-1] + bytes([key[-1] ^ 1])),
            "a short key": surgery.other_key(sample.octets, lambda key: key[:-1]),
            "the last block": surgery.flipped(sample.octets, 0.999),
        }
        # Padding that happens to be right is 1 in 256: then the content says it.
        seen = {}
        for name, octets in wrong.items():
            runs = [sample.open(waxseal, octets) for _ in range(9)]
            times[name] += [1000 * done.seconds for done in runs]
            done = runs[0]
            tally.judge("damaged key or content", f"{sample.name}: {name}", done,
                        REFUSED | ({"decrypted-unauthenticated"} if name == "the last block"
                                   else set()), sample.secret)
            if done.verdict == "damaged":
                seen.setdefault((done.code, done.stdout, done.stderr), []).append(name)
        if len(seen) > 1:
            tally.failures.append(f"{sample.name}: failures are told apart: {list(seen.values())}")
    rows = [("what is wrong", "runs", "median/ms", "quartile/ms", "quartile/ms")]
    for name, all_times in times.items():
        first, median, third = statistics.quantiles(all_times, n=4)
        rows.append((name, len(all_times), *(f"{t:.1f}" for t in (median, first, third))))
    return "\n".join(aligned(rows))


def main():
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as directory:
        sys.exit(run(arguments, Path(directory)))


def run(arguments, directory):
    waxseal = Waxseal(arguments.waxseal, directory)
    people = covert.People(directory)
    source = Ciphertexts(arguments.corpus, directory, people)
    samples = source.all()
    tally = Tally()
    genuine(tally, waxseal, samples)
    changed_blocks(tally, waxseal, samples)
    changed_gcm(tally, waxseal, samples)
    below_the_root(tally, waxseal, samples, people)
    covert_signatures(tally, waxseal, people)
    too_much(tally, waxseal, people)
    times = one_error(tally, waxseal, samples)
    print(tally.table())
    print(f"\nFailures of key transport and content, by time of the whole process:\n{times}")
    for line in source.missing:
        print(f"NOT run: {line}")
    if tally.failures:
        print(f"\n{len(tally.failures)} failures:")
        print("\n".join(tally.failures[:arguments.show]))
    missing = bool(source.missing and os.environ.get("CI"))
    return 1 if tally.failures or missing else 0


def parse_arguments():
    repository = Path(__file__).resolve().parent.parent.parent
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waxseal", type=Path, required=True)
    corpus = Path(os.environ.get("WAXSEAL_CORPUS", repository.parent / "shared" / "corpus"))
    parser.add_argument("--corpus", type=Path, default=corpus)
    parser.add_argument("--show", type=int, default=60)
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""PKITS: every row of expected.tsv by `waxseal cert verify`, with the whole of certs/ and crls/
as what came along.

Of one end-entity certificate the corpus has the key: its rows are also judged by `waxseal open`, on a
mail.

The expectations are those of OpenSSL's own test (test/pkits-test.pl), which passes all of them:
they are OpenSSL's column too. Its parameters are options of ours.
"""

import csv
import functools
import subprocess

from open_sets import Set, judged_exit
from opening import verified

AT = "2020-01-01T00:00:00Z"     # the certificates are valid from 2010 to 2030
OPTIONS = {"-explicit_policy": "--explicit-policy", "-inhibit_any": "--inhibit-any-policy",
           "-inhibit_map": "--inhibit-policy-mapping"}
SIGNER = "ValidCertificatePathTest1EE.crt"
# Mails whose certificate has another name.
CERTIFICATES = {
    "ValidSignaturesTest1": "ValidCertificatePathTest1",
    "InvalidNameChainingEETest1": "InvalidNameChainingTest1",
    "ValidNameChainingUIDsTest6": "ValidNameUIDsTest6",
    "MissingCRLTest1": "InvalidMissingCRLTest1",
    "AllCertificatesSamePolicyTest1": "ValidCertificatePathTest1",
    "ValidSelfIssuedDNnameConstraintsTest19": "ValidDNnameConstraintsTest19",
    "InvalidSelfIssuedDNnameConstraintsTest20": "InvalidDNnameConstraintsTest20",
    "InvalidonlyContainsUserCertsCRLTest11": "InvalidonlyContainsUserCertsTest11",
    "InvalidonlyContainsCACertsCRLTest12": "InvalidonlyContainsCACertsTest12",
    "ValidonlyContainsCACertsCRLTest13": "ValidonlyContainsCACertsTest13",
}


def pkits(corpus):
    this = Set(corpus, "pkits")
    files = {f.stem.lower(): f for f in (this.home / "certs").iterdir()}
    anchor = this.home / "certs" / "TrustAnchorRootCertificate.crt"
    with open(this.home / "expected.tsv", newline="") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            name = row["file"].removeprefix("Signed").removesuffix(".eml")
            file = files[f"{CERTIFICATES.get(name, name)}EE".lower()]
            arguments = (*options(row["parameters"]), "--anchor", anchor, "--at", AT,
                         "--cert", this.home / "certs", "--crl", this.home / "crls",
                         *(["--allow-weak"] if "DSA" in name else []), file)
            this.add(f"{row['pkits']} {file.name}", row["parameters"], row["expected"],
                     lambda w, arguments=arguments: verdict(
                         w.run("cert", "verify", "--json", *arguments)),
                     openssl=row["expected"])
            if file.name == SIGNER:
                signed(this, corpus, row, anchor)
    return this


def signed(this, corpus, row, anchor):
    """The same path, on a mail that OpenSSL signs with the certificate's key."""
    arguments = (*options(row["parameters"]), "--anchor", anchor, "--at", AT, "--any-signer",
                 "--crl", this.home / "crls", "--cert", this.home / "certs")
    this.add(f"{row['pkits']} mail", row["parameters"], row["expected"],
             lambda w: verified(w.open_octets(mail(corpus, w.directory), *arguments)),
             openssl=row["expected"])


@functools.cache
def mail(corpus, directory):
    home = corpus / "rustcrypto-pkcs12"
    # Without attributes, and so without a signing time that AT would be before.
    done = subprocess.run(
        ["openssl", "cms", "-sign", "-noattr", "-signer", home / SIGNER.replace(".crt", ".pem"),
         "-inkey", home / SIGNER.replace(".crt", ".key"), "-keyform", "DER"],
        input=b"Content-Type: text/plain\r\n\r\nThis is a sample signed message.\r\n",
        capture_output=True, check=True, cwd=directory)
    return b"From: sender@testcertificates.gov\r\n" + done.stdout


def verdict(done):
    if done.crash:
        return "crash", done.crash
    why = done.report.get("code") or done.report.get("state") or done.stderr.strip()[:120]
    return judged_exit(done)[0], str(why)


def options(parameters):
    found, words = [], iter(parameters.split())
    for word in words:
        if word == "-policy":
            found += ["--policy-oid", next(words)]
        else:
            found.append(OPTIONS[word])
    return found

"""The sets of the scoreboard but PKITS: for each file what to do, and what must come of it.

Expected results, keys, passwords and times are those of the sets' MANIFEST.md. The operations
carry the names of openssl-baseline.tsv, so that OpenSSL's result stands beside ours.
"""

import subprocess
from dataclasses import dataclass
from typing import Callable

from opening import decrypted, judged, parsed, verified

AT_2000 = "2000-01-01T00:00:00Z"
NOW = "2026-11-24T12:00:00Z"
SIGNATURE_ONLY = ("--no-trust", "--any-signer", "--allow-weak")


@dataclass
class Case:
    set: str
    file: str
    operation: str
    expected: str                 # ok, fail, nocrash
    run: Callable                 # Waxseal → (ok | fail | crash, why)
    openssl: str = None           # what OpenSSL makes of it, when the baseline does not say


class Set:
    """The cases of one directory of the corpus."""

    def __init__(self, corpus, name):
        self.name, self.home, self.corpus = name, corpus / name, corpus
        self.cases = []

    def add(self, file, operation, expected, run, openssl=None):
        self.cases.append(Case(self.name, file, operation, expected, run, openssl))

    def octets(self, name):
        return (self.home / name).read_bytes()


def rfc4134(corpus):
    this = Set(corpus, "rfc4134")
    content = this.octets("ExContent.bin")
    certificates = [a for f in sorted(this.home.glob("*.cer")) for a in ("--cert", f)]
    anchors = [a for n in ("CarlDSSSelf.cer", "CarlRSASelf.cer")
               for a in ("--anchor", this.home / n)]

    # Its lists of revoked certificates had their day in 1999, and are left aside, as by OpenSSL.
    def signed(name, what, expected_content, *more, at=AT_2000):
        file = this.home / name
        form = ("--form", "eml" if name.endswith(".eml") else "der", *more)
        this.add(name, f"verify sig (noverify) {what}", "ok", lambda w: verified(
            w.open(file, *form, *SIGNATURE_ONLY, *certificates), expected_content))
        this.add(name, f"verify chain attime 2000 {what}", "ok", lambda w: verified(
            w.open(file, *form, "--any-signer", "--allow-weak", *certificates, *anchors,
                   "--at", at), expected_content))

    signed("4.1.bin", "signed DSS", content)
    signed("4.2.bin", "signed RSA", content)
    # It states May 2003 as its signing time: in the year 2000 that was the future (rule 9).
    signed("4.4.bin", "signed, fancy attrs", content, at="2004-01-01T00:00:00Z")
    signed("4.5.bin", "signed all RSA", content)
    signed("4.6.bin", "two signers", content)
    signed("4.7.bin", "SKI signer", content)
    signed("4.10.bin", "signed attrs+receipt", None)
    detached = ("--form", "der", "--content", this.home / "ExContent.bin")
    this.add("4.3.bin", "verify detached DSS", "ok", lambda w: verified(
        w.open(this.home / "4.3.bin", *detached, "--any-signer", "--allow-weak", *certificates,
               *anchors, "--at", AT_2000)))
    for name in ("4.8.eml", "4.9.eml"):
        this.add(name, "verify S/MIME", "ok", lambda w, name=name: verified(
            w.open(this.home / name, "--any-signer", "--allow-weak", *certificates, *anchors,
                   "--at", AT_2000)))
    this.add("4.11.bin", "parse certs-only", "ok", lambda w: judged_certificates(
        w.open(this.home / "4.11.bin", "--form", "der")))
    bob = ("--identity", this.home / "BobRSASignByCarl.cer", "--key",
           this.home / "BobPrivRSAEncrypt.pri", "--allow-weak")
    this.add("5.1.bin", "decrypt 3DES+RSA", "ok", lambda w: decrypted(
        w.open(this.home / "5.1.bin", "--form", "der", *bob), content))
    this.add("5.2.bin", "decrypt RC2-128+RSA, 2 recipients", "ok", lambda w: decrypted(
        w.open(this.home / "5.2.bin", "--form", "der", *bob), content))
    this.add("5.3.eml", "decrypt S/MIME 3DES", "ok", lambda w: decrypted(
        w.open(this.home / "5.3.eml", *bob)))
    this.add("6.0.bin", "digest verify", "ok", lambda w: judged_state(
        w.open(this.home / "6.0.bin", "--form", "der", "--allow-weak"), "expanded"))
    key = "737c791f25ead0e04629254352f7dc6291e5cb26917ada32"
    for name in ("7.1.bin", "7.2.bin"):
        this.add(name, "EncryptedData decrypt (3DES key in RFC sec.7)", "ok",
                 lambda w, name=name: decrypted(w.open(
                     this.home / name, "--form", "der", "--secret-key", key,
                     "--allow-weak"), content))
    return this


def judged_state(done, state):
    return judged(bool(done.layers) and done.layers[0]["state"] == state, done)


def judged_certificates(done, count=None):
    """A certs-only object: present, exit code 0."""
    good = bool(done.layers) and done.layers[0]["kind"] == "certificates" \
        and done.layers[0]["state"] == "present"
    return judged(good, done)


def rfc9216(corpus):
    this = Set(corpus, "rfc9216")
    file = {f.name.split("-")[0] + "-" + f.name.split("-")[1]: f
            for f in sorted(this.home.glob("*.crt"))}

    def chain(section, operation, root, *more):
        this.add(file[section].name, operation, "ok", lambda w: judged_exit(w.run(
            "cert", "verify", "--json", "--anchor", file[root], "--at", NOW,
            *more, file[section])))

    for section in ("4-1", "4-3", "5-1", "5-3"):
        chain(section, "chain to RSA root", "3-1")
    for section in ("7-1", "7-3", "8-1", "8-3"):
        chain(section, "chain to Ed25519 root", "6-1")
    this.add(file["3-3"].name, "Alice via cross-cert to Ed25519 root", "ok",
             lambda w: judged_exit(w.run("cert", "verify", "--json", "--anchor", file["6-1"],
                                         "--at", NOW, "--cert", file["3-3"],
                                         file["4-1"])))
    this.add(file["6-3"].name, "Carlos via cross-cert to RSA root", "ok",
             lambda w: judged_exit(w.run("cert", "verify", "--json", "--anchor", file["3-1"],
                                         "--at", NOW, "--cert", file["6-3"],
                                         file["7-1"])))
    for section, name in ((4, "alice"), (5, "bob"), (7, "carlos"), (8, "dana")):
        p12 = next(this.home.glob(f"{section}-5-*.p12"))
        for operation in ("p12 open", "p12 open -legacy"):
            this.add(p12.name, operation, "ok",
                     lambda w, p12=p12, name=name: container(w, p12, name))
    return this


def judged_exit(done):
    return judged(done.code == 0, done)


def container(waxseal, file, passphrase, expected=None):
    """A PKCS #12 file opens, and shows its certificates."""
    done = waxseal.run("cert", "show", "--json", "--passphrase-file",
                       waxseal.passphrase(passphrase), file)
    return judged(done.code == 0 and bool(done.report.get("list")), done)


def key_container(waxseal, file, certificate, passphrase):
    """A PKCS #12 file with a key and no certificate opens: the key signs or is told apart."""
    with_mail = waxseal.directory / "mail-to-sign"
    with_mail.write_bytes(b"From: a@example.org\r\n\r\nx\r\n")
    done = waxseal.run("open", "--json", "--identity", certificate, "--key", file,
                       "--passphrase-file", waxseal.passphrase(passphrase), with_mail)
    # The mail is no S/MIME; what counts is that the identity was put together.
    return judged(done.report.get("verdict") == "not-smime", done)


def lamps(corpus):
    this = Set(corpus, "lamps-protected-headers")
    anchor = ("--anchor", this.home / "sample-ca.pem", "--at", NOW,)

    def bob(w):
        return ("--identity", this.home / "bob.p12", "--passphrase-file", w.passphrase("bob"),
                "--allow-weak")

    for name in ("smime-multipart-signed", "smime-onepart-signed"):
        this.add(f"{name}.eml", "verify", "ok", lambda w, name=name: verified(
            w.open(this.home / f"{name}.eml", *anchor),
            inner(this, f"{name}.inner")))
    this.add("smime-enc+legacy-disp.eml", "decrypt", "ok", lambda w: decrypted(
        w.open(this.home / "smime-enc+legacy-disp.eml", *bob(w), *anchor),
        inner(this, "smime-enc+legacy-disp.inner")))
    for name in ("smime-sign+enc", "smime-sign+enc+legacy-disp"):
        this.add(f"{name}.eml", "decrypt", "ok", lambda w, name=name: decrypted(
            w.open(this.home / f"{name}.eml", *bob(w), "--no-trust"),
            inner(this, f"{name}.inner.inner")))
        this.add(f"{name}.eml", "decrypt then verify inner", "ok", lambda w, name=name: verified(
            w.open(this.home / f"{name}.eml", *bob(w), *anchor),
            inner(this, f"{name}.inner.inner")))
    this.add("unfortunately-complex.eml", "open (OpenPGP)", "fail", lambda w: judged_not_smime(
        w.open(this.home / "unfortunately-complex.eml")), openssl="fail")
    return this


def judged_not_smime(done):
    return judged(done.verdict != "not-smime" or done.code == 0, done)


def inner(this, name):
    file = this.home / name
    return file.read_bytes() if file.is_file() else None


def openssl(corpus):
    this = Set(corpus, "openssl")
    root = ("--anchor", this.home / "smime-certs/smroot.pem",)

    def der(name, operation, expected, *arguments, judge=verified, form="der"):
        this.add(name, operation, expected, lambda w: judge(
            w.open(this.home / name, "--form", form, "--allow-weak", *arguments)))

    for name in ("bad_signtime_attr", "no_ct_attr", "no_md_attr", "ct_multiple_attr"):
        # Without trust: what must fail it are the attributes.
        der(f"cms_data/{name}.cms", "verify malformed signed attrs", "fail",
            "--no-trust", "--any-signer")
    content = this.octets("smcont.txt")
    this.add("cms_data/ciphertext_from_1_1_1.cms", "decrypt ECDH 3DES-wrap era", "ok",
             lambda w: decrypted(w.open(
                 this.home / "cms_data/ciphertext_from_1_1_1.cms", "--allow-weak", "--identity",
                 this.home / "smime-certs/smec3.pem"), content))
    for kind in ("dh", "ecdh"):
        der(f"cms_data/{kind}-malformed.der", "decrypt malformed (CVE-2026-28389)", "fail",
            "--identity", this.home / f"cms_data/{kind}-cert.pem", "--key",
            this.home / f"cms_data/{kind}-key.pem", judge=decrypted)
    der("cms_data/rsa-malformed.der", "decrypt malformed (CVE-2026-28390)", "nocrash",
        "--identity", this.home / "smime-certs/smrsa1.pem", judge=decrypted)
    der("cms_data/pkcs7-md4.pem", "verify unknown md", "fail", "--no-trust", "--any-signer",
        form="pem")
    der("cms_data/pkcs7-md4-encrypted.pem", "decrypt signedAndEnveloped unknown md", "fail",
        "--identity", this.home / "smime-certs/smrsa1.pem", judge=decrypted, form="pem")
    der("smime-eml/pkcs7-empty-digest-set.eml", "verify empty digestAlgorithms", "fail",
        "--no-trust", "--any-signer", form="eml")
    pkits = corpus / "pkits"
    der("smime-eml/SignedInvalidMappingFromanyPolicyTest7.eml", "verify policy", "fail",
        "--anchor", this.home / "certs/pkitsta.pem", "--any-signer", "--cert", pkits / "certs",
        "--crl", pkits / "crls", "--policy-oid", "2.5.29.32.0", form="eml")
    # The same mail is right in everything but its path.
    der("smime-eml/SignedInvalidMappingFromanyPolicyTest7.eml", "verify sig (noverify)", "ok",
        "--no-trust", "--any-signer", form="eml")
    der("cms-msg/enveloped-content-type-for-aes-gcm.pem", "decrypt AES-GCM in EnvelopedData",
        "fail", "--identity", this.home / "smime-certs/smrsa1.pem", judge=decrypted, form="pem")
    der("cms-msg/missing-kdf.der", "parse missing kdf", "nocrash",
        "--identity", this.home / "smime-certs/smec1.pem", judge=decrypted)
    der("cmsapi_data/encDataWithTooLongIV.pem", "decrypt too-long IV", "fail",
        "--identity", this.home / "smime-certs/smrsa1.pem", judge=decrypted, form="pem")
    this.add("cmsapi_data/cms_pwri_kek_oob.der", "decrypt pwri KEK OOB", "fail",
             lambda w: decrypted(w.open(
                 this.home / "cmsapi_data/cms_pwri_kek_oob.der", "--form", "der", "--allow-weak",
                 "--password-file", w.passphrase("password"))))
    der("pkcs7_data/malformed.pkcs7", "parse pkcs7", "nocrash", judge=parsed, form="auto")
    # smec3 is of another root of the same name.
    for name in ("smrsa1", "smrsa2", "smrsa3", "smec1", "smec2", "smec3"):
        this.add(f"smime-certs/{name}.pem", "chain to smroot.pem",
                 "fail" if name == "smec3" else "ok",
                 lambda w, name=name: judged_exit(w.run(
                     "cert", "verify", "--json", *root, "--at", NOW,
                     this.home / f"smime-certs/{name}.pem")))
    for name in ("bad1", "bad2", "bad3"):
        this.add(f"pkcs12_data/{name}.p12", "p12 open", "fail", lambda w, name=name: container(
            w, this.home / f"pkcs12_data/{name}.p12", ""))
    for file in sorted((this.home / "pkcs12_data").glob("pbmac1*.p12")):
        good = ".good" in file.name or "sha1_hmac" in file.name
        this.add(f"pkcs12_data/{file.name}", "p12 open", "ok" if good else "fail",
                 lambda w, file=file: container(w, file, "1234"))
    return this


def mimekit(corpus):
    this = Set(corpus, "mimekit-smime")
    for file in sorted(this.home.rglob("*.pfx")):
        name = str(file.relative_to(this.home))
        this.add(name, "pfx open no.secret", "ok",
                 lambda w, file=file: container(w, file, "no.secret"))
    mail = this.home / "thunderbird-signed.txt"
    this.add(mail.name, "verify sig", "ok",
             lambda w: verified(w.open(mail, *SIGNATURE_ONLY, "--at", "2013-11-03T00:00:00Z")))
    this.add(mail.name, "verify chain attime 2013-11", "ok", lambda w: verified(w.open(
        mail, "--anchor", this.home / "StartComCertificationAuthority.crt", "--cert",
        this.home / "StartComClass1PrimaryIntermediateClientCA.crt", "--allow-weak",
        "--any-signer", "--at", "2013-11-03T00:00:00Z")))
    return this


def pyca_pkcs7(corpus):
    this = Set(corpus, "cryptography-pkcs7")
    ca = corpus / "cryptography-x509/ca"
    identity = ("--identity", ca / "rsa_ca.pem", "--key", ca / "rsa_key.pem", "--allow-weak")

    def decrypt(name, operation, expected, form="pem"):
        this.add(name, operation, expected, lambda w: decrypted(
            w.open(this.home / name, "--form", form, *identity),
            openssl_decrypts(this.home / name, form, ca) if expected == "ok" else None))

    decrypt("enveloped.pem", "decrypt rsa_ca key", "fail")
    decrypt("enveloped-rsa-oaep.pem", "decrypt rsa_ca key", "ok")
    decrypt("enveloped-triple-des.pem", "decrypt rsa_ca key", "ok")
    decrypt("enveloped-no-content.der", "decrypt (no content)", "fail", "der")
    for name, form, count in (("amazon-roots.der", "der", 2), ("amazon-roots.p7b", "auto", 2),
                              ("isrg.pem", "pem", 1)):
        this.add(name, "list certs", "ok", lambda w, name=name, form=form, count=count: both(
            judged_certificates(w.open(this.home / name, "--form", form)),
            counted(w.run("cert", "show", "--json", this.home / name), count)))
    return this


def openssl_decrypts(file, form, ca):
    """The content, as another program reads it."""
    done = subprocess.run(
        ["openssl", "cms", "-decrypt", "-binary", "-inform", form.upper(), "-in", file, "-recip",
         ca / "rsa_ca.pem", "-inkey", ca / "rsa_key.pem"], capture_output=True)
    return done.stdout if done.returncode == 0 else None


def counted(done, count):
    return judged(done.code == 0 and len(done.report.get("list", [])) == count, done)


def both(one, other):
    return one if one[0] != "ok" else other


PYCA_PASSWORDS = (("no-password", ""), ("-no-pwd", ""), ("java-truststore", ""),
                  ("-pwd", "password"), ("", "cryptography"))


def pyca_pkcs12(corpus):
    this = Set(corpus, "cryptography-pkcs12")
    certificate = this.home / "ca/ca.pem"
    for file in sorted(this.home.glob("*.p12")):
        password = next(p for mark, p in PYCA_PASSWORDS if mark in file.name)
        run = (lambda w, file=file, password=password: container(w, file, password))
        if file.name == "no-cert-key-aes256cbc.p12":
            run = (lambda w, file=file, password=password: key_container(
                w, file, certificate, password))
        this.add(file.name, f"p12 open pw='{password}'", "ok", run)
    return this


RUSTCRYPTO_PASSWORDS = {"example.pfx": ""}
# A MAC with BLAKE2b, and a file with a key and no certificate.
RUSTCRYPTO_UNLIKE = {"example11.pfx": "fail"}


def rustcrypto_pkcs12(corpus):
    this = Set(corpus, "rustcrypto-pkcs12")
    for file in sorted([*this.home.glob("*.p12"), *this.home.glob("*.pfx")]):
        password = RUSTCRYPTO_PASSWORDS.get(
            file.name, "1234" if file.name.startswith("example") else "password")
        run = (lambda w, file=file, password=password: container(w, file, password))
        if file.name == "example16.pfx":
            run = (lambda w, file=file, password=password: key_container(
                w, file, this.home / "cert.pem", password))
        this.add(file.name, "p12 open", "ok", run, openssl=openssl_container(file, password))
    return this


def openssl_container(file, password):
    for legacy in ([], ["-legacy"]):
        done = subprocess.run(["openssl", "pkcs12", "-in", file, "-noout", "-passin",
                               f"pass:{password}", *legacy], capture_output=True)
        if done.returncode == 0:
            return "ok"
    return "fail"


def rustcrypto_cms(corpus):
    this = Set(corpus, "rustcrypto-cms")
    baseline = [
        *(f.name for f in sorted(this.home.glob("1.3.6*.der"))), "apple_mdm_signature_der.bin",
        "authroot.stl", "cms_ber.bin", "cms_der.bin", "compressed_data.bin",
        "digested_data.bin", "encrypted_data.bin", "enveloped_data_kari.bin",
        "enveloped_data_kekri.bin", "enveloped_data_ktri.bin", "enveloped_data_multi.bin",
        "enveloped_data_pwri.bin", *(f.name for f in sorted(this.home.glob("kms*.ber"))),
        "pkits.p7b", "pkits_ee.p7b", "scep_der.bin", "sd.cms"]
    for name in baseline:
        this.add(name, "parse", "ok", lambda w, name=name: parsed(
            w.open(this.home / name, "--no-trust", "--any-signer", "--allow-weak")))
    # No ContentInfo: a SignedData alone.
    this.add("authroot.stl.sd", "parse", "fail", lambda w: parsed(
        w.open(this.home / "authroot.stl.sd", "--no-trust")))
    text = this.octets("data.txt")
    for name in ("compressed_data.bin", "digested_data.bin"):
        this.add(name, "content", "ok", lambda w, name=name: with_text(w.open(
            this.home / name, "--allow-weak"), text), openssl="-")
    for name, key in (("ktri", "rsa2048-priv.der"), ("kari", "p256-priv.der")):
        this.add(f"enveloped_data_{name}.bin", "decrypt", "fail", lambda w, name=name, key=key:
                 decrypted(w.open(this.home / f"enveloped_data_{name}.bin", "--identity",
                                  this.home / "cert.pem", "--allow-weak")))
    return this


def with_text(done, text):
    good = bool(done.layers) and done.layers[0]["state"] == "expanded"
    same = done.content is not None and done.content.strip() == text.strip()
    return judged(good and same, done)


def fuzz(corpus, name):
    this = Set(corpus, name)
    for file in sorted(this.home.iterdir()):
        if file.name == "MANIFEST.md":
            continue
        this.add(file.name, "parse+print", "nocrash", lambda w, file=file: judged(
            True, w.open(file, "--allow-weak", "--no-trust", "--any-signer")))
    return this


def all_sets(corpus):
    return [rfc4134(corpus), rfc9216(corpus), lamps(corpus), openssl(corpus), mimekit(corpus),
            pyca_pkcs7(corpus), pyca_pkcs12(corpus), rustcrypto_cms(corpus),
            rustcrypto_pkcs12(corpus), fuzz(corpus, "openssl-fuzz-cms"),
            fuzz(corpus, "openssl-fuzz-smime")]

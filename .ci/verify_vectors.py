#!/usr/bin/env python3
"""Verifies the golden vectors with tools that this project did not write.

Written from docs/formats.md alone: the form of a statement, the chain of certificates, the
signature, what the payload says of itself. Every good vector must verify, and every bad one must be
refused at the step that its name is about. Cosigned checkpoints lie in the folder cosignature-v1 beside;
they are verified from their specifications alone (C2SP signed-note and tlog-cosignature).

    verify_vectors.py openssl FOLDER    signatures and chains by the openssl command; else only the
                                        standard library
    verify_vectors.py pycose FOLDER     signatures by pycose, chains by cryptography
    verify_vectors.py cwt FOLDER        signatures by cwt, chains by cryptography

Leaves with 1 if a vector was judged wrongly.
"""

import base64
import datetime
import hashlib
import pathlib
import re
import subprocess
import sys
import tempfile

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.timezone.utc)  # all vectors are judged then
STATEMENT_TYPE = "application/reeve-statement+cbor"
CLAIMS = "1.3.6.1.4.1.32473.1.1"
ACTION = "1.3.6.1.4.1.32473.1.2."
# Body of a statement -> the action that its signer needs.
ACTIONS = {0: "1", 1: "1", 2: "6", 3: "2", 4: "3", 5: "4", 9: "1"}
# Those that only a reporting node signs, in its term.
IN_TERM = {0, 1, 9}

# At which step a bad vector must be refused.
STEPS = {
    "form": ["truncated", "bytes_left_over", "without_tag", "long_form_length", "content_type"],
    "chain": ["without_chain", "expired", "not_yet_valid", "revoked", "out_of_area",
              "superior_s_node", "other_federation_s_chain"],
    "key": ["key"],
    "signature": ["altered_payload", "altered_signature"],
    "payload": ["payload_float", "payload_key_twice", "payload_long_form_integer", "version",
                "federation", "issuer", "issued_at", "backdated", "kind", "bulletin_order",
                "bulletin_title"],
    "right": ["not_entitled", "writer", "term"],
}


class Refused(Exception):
    def __init__(self, step, why):
        super().__init__(f"{step}: {why}")
        self.step = step


def require(condition, step, why):
    if not condition:
        raise Refused(step, why)


# --- deterministic CBOR (section Encoding) ---------------------------------------------------------


class Reader:
    """Reads exactly what may be written: shortest forms, definite lengths, ascending integer keys."""

    def __init__(self, data, step):
        self.data, self.at, self.step = data, 0, step

    def take(self, count):
        require(self.at + count <= len(self.data), self.step, "cut short")
        part = self.data[self.at : self.at + count]
        self.at += count
        return part

    def head(self):
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if major == 7:
            require(info in (20, 21), self.step, "a float or another simple value")
            return major, info
        if info < 24:
            return major, info
        require(info <= 27, self.step, "an indefinite length")
        number = int.from_bytes(self.take(1 << (info - 24)), "big")
        least = 24 if info == 24 else 1 << (8 << (info - 25))
        require(number >= least, self.step, "not the shortest form")
        return major, number

    def value(self):
        major, number = self.head()
        if major == 0:
            return number
        if major == 1:
            return -1 - number
        if major == 2:
            return self.take(number)
        if major == 3:
            return self.take(number).decode("utf-8")
        if major == 4:
            return [self.value() for _ in range(number)]
        if major == 5:
            return self.map(number)
        if major == 6:
            return ("tag", number, self.value())
        return number == 21

    def map(self, count):
        found, last = {}, -1
        for _ in range(count):
            key = self.value()
            require(isinstance(key, int) and key > last, self.step, "keys do not ascend")
            found[key] = self.value()
            last = key
        return found


def read(data, step):
    reader = Reader(data, step)
    try:
        value = reader.value()
    except UnicodeDecodeError as error:
        raise Refused(step, "text that is not UTF-8") from error
    require(reader.at == len(data), step, "bytes left over")
    return value


def head(major, number):
    """The head of an item, in the shortest form."""
    if number < 24:
        return bytes([major << 5 | number])
    size = next(size for size in (1, 2, 4, 8) if number < 1 << (8 * size))
    info = {1: 24, 2: 25, 4: 26, 8: 27}[size]
    return bytes([major << 5 | info]) + number.to_bytes(size, "big")


def sig_structure(protected, payload):
    """RFC 9052 section 4.4."""
    parts = [head(2, len(part)) + part for part in (protected, b"", payload)]
    return head(4, 4) + head(3, 10) + b"Signature1" + b"".join(parts)


# --- two sets of tools -----------------------------------------------------------------------------


def run(*command, data=b""):
    return subprocess.run(command, input=data, capture_output=True, check=False)


class Openssl:
    """Certificates and signatures by the openssl command."""

    def __init__(self, folder, lists, now=NOW):
        self.folder, self.lists, self.now = folder, lists, now
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="reeve-vectors-"))

    def close(self):
        for path in self.place.iterdir():
            path.unlink()
        self.place.rmdir()

    def file(self, name, data):
        path = self.place / name
        path.write_bytes(data)
        return str(path)

    def pem(self, certificate):
        return run("openssl", "x509", "-inform", "DER", data=certificate).stdout

    def chain(self, chain):
        leaf = self.file("leaf.pem", self.pem(chain[0]))
        above = b"".join(self.pem(it) for it in chain[1:])
        at = str(int(self.now.timestamp()))
        command = ["openssl", "verify", "-x509_strict", "-attime", at]
        command += ["-CAfile", str(self.folder / "roots.pem")]
        command += ["-untrusted", self.file("above.pem", above)] if above else []
        found = run(*command, leaf)
        require(found.returncode == 0, "chain", found.stderr.decode().strip())
        lists = self.file("lists.pem", b"".join(path.read_bytes() for path in self.lists))
        found = run(*command, "-crl_check", "-CRLfile", lists, leaf)
        require(found.returncode == 0, "chain", found.stderr.decode().strip())

    def begins(self, certificate):
        text = run("openssl", "x509", "-inform", "DER", "-noout", "-startdate",
                   data=certificate).stdout.decode().strip()
        begins = datetime.datetime.strptime(text, "notBefore=%b %d %H:%M:%S %Y GMT")
        return begins.replace(tzinfo=datetime.timezone.utc)

    def public_key(self, certificate):
        key = run("openssl", "x509", "-inform", "DER", "-noout", "-pubkey", data=certificate)
        der = run("openssl", "pkey", "-pubin", "-outform", "DER", data=key.stdout).stdout
        return der[-32:]  # RFC 8410: the key ends the structure

    def name(self, certificate):
        text = run("openssl", "x509", "-inform", "DER", "-noout", "-ext", "subjectAltName",
                   data=certificate).stdout.decode()
        names = re.findall(r"DNS:(\S+)", text)
        require(len(names) == 1, "chain", "not exactly one dNSName")
        return names[0]

    def actions(self, certificate):
        text = run("openssl", "x509", "-inform", "DER", "-noout", "-ext", "certificatePolicies",
                   data=certificate).stdout.decode()
        return {oid[len(ACTION):] for oid in re.findall(r"Policy: (\S+)", text)
                if oid.startswith(ACTION)}

    def claims(self, certificate):
        text = run("openssl", "asn1parse", "-inform", "DER", data=certificate).stdout.decode()
        found = re.search(re.escape(CLAIMS) + r"\n.*OCTET STRING\s+\[HEX DUMP\]:([0-9A-F]+)", text)
        require(found, "chain", "no private extension")
        return inner(bytes.fromhex(found.group(1)))

    def signature(self, cose, protected, payload, signature, certificate):
        key = run("openssl", "x509", "-inform", "DER", "-noout", "-pubkey", data=certificate).stdout
        command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin"]
        command += ["-inkey", self.file("key.pem", key)]
        command += ["-sigfile", self.file("signature", signature)]
        command += ["-in", self.file("signed", sig_structure(protected, payload))]
        found = run(*command)
        require(found.returncode == 0, "signature", "openssl does not verify it")


class Pycose:
    """Certificates by cryptography, signatures by pycose."""

    def __init__(self, folder, lists, now=NOW):
        from cryptography import x509

        self.x509, self.now = x509, now
        self.roots = x509.load_pem_x509_certificates((folder / "roots.pem").read_bytes())
        self.lists = [x509.load_pem_x509_crl(path.read_bytes()) for path in lists]

    def close(self):
        pass

    def load(self, certificate):
        return self.x509.load_der_x509_certificate(certificate)

    def chain(self, chain):
        chain = [self.load(it) for it in chain]
        root = next((it for it in self.roots if it.subject == chain[-1].issuer), None)
        require(root, "chain", "it leads to no root of the federation")
        for child, parent in zip(chain, chain[1:] + [root]):
            self.issued(child, parent)
        for below, certificate in enumerate([*chain[1:], root]):
            constraints = certificate.extensions.get_extension_for_class(
                self.x509.BasicConstraints
            ).value
            require(constraints.ca, "chain", "issued by what is no authority")
            # Authorities below this one; the leaf does not count.
            require(constraints.path_length is None or below <= constraints.path_length, "chain",
                    "too many levels")
            if certificate is not root:
                self.within(certificate, chain[0])
        issuer = (chain[1:] + [root])[0]
        for found in (it for it in self.lists if it.issuer == chain[0].issuer):
            require(found.is_signature_valid(issuer.public_key()), "chain",
                    "the list is not the issuer's")
            revoked = found.get_revoked_certificate_by_serial_number(chain[0].serial_number)
            require(not revoked, "chain", "revoked")

    def issued(self, child, parent):
        from cryptography.exceptions import InvalidSignature

        try:
            child.verify_directly_issued_by(parent)
        except (InvalidSignature, ValueError, TypeError) as error:
            raise Refused("chain", f"not issued by the next above: {error}") from error
        valid = child.not_valid_before_utc <= self.now <= child.not_valid_after_utc
        require(valid, "chain", "expired, or not valid yet")

    def within(self, authority, leaf):
        constraints = authority.extensions.get_extension_for_class(self.x509.NameConstraints)
        require(constraints.critical, "chain", "a constraint that is not critical")
        subtrees = [it.value for it in constraints.value.permitted_subtrees or []]
        name = self.san(leaf)
        inside = any(name == tree or name.endswith(f".{tree}") for tree in subtrees)
        require(inside, "chain", f"{name} is out of area")

    def san(self, certificate):
        names = certificate.extensions.get_extension_for_class(
            self.x509.SubjectAlternativeName
        ).value.get_values_for_type(self.x509.DNSName)
        require(len(names) == 1, "chain", "not exactly one dNSName")
        return names[0]

    def name(self, certificate):
        return self.san(self.load(certificate))

    def begins(self, certificate):
        return self.load(certificate).not_valid_before_utc

    def public_key(self, certificate):
        return self.load(certificate).public_key().public_bytes_raw()

    def actions(self, certificate):
        found = self.load(certificate).extensions.get_extension_for_class(
            self.x509.CertificatePolicies
        ).value
        oids = [it.policy_identifier.dotted_string for it in found]
        return {oid[len(ACTION):] for oid in oids if oid.startswith(ACTION)}

    def claims(self, certificate):
        oid = self.x509.ObjectIdentifier(CLAIMS)
        found = self.load(certificate).extensions.get_extension_for_oid(oid)
        return inner(found.value.value)

    def signature(self, cose, protected, payload, signature, certificate):
        from pycose.keys import OKPKey
        from pycose.messages import Sign1Message

        message = Sign1Message.decode(cose)
        message.key = OKPKey(crv="Ed25519", x=self.public_key(certificate))
        require(message.verify_signature(), "signature", "pycose does not verify it")


class Cwt(Pycose):
    """Certificates by cryptography, signatures by cwt."""

    def signature(self, cose, protected, payload, signature, certificate):
        from cwt import COSE, COSEKey, VerifyError

        key = self.public_key(certificate)
        known = {1: 1, 2: hashlib.sha256(key).digest()[:20], 3: -8, -1: 6, -2: key}
        try:
            found = COSE.new(verify_kid=True).decode(cose, keys=[COSEKey.new(known)])
        except VerifyError as error:
            raise Refused("signature", f"cwt does not verify it: {error}") from error
        require(found == payload, "signature", "cwt reads another payload")


TOOLS = {"openssl": Openssl, "pycose": Pycose, "cwt": Cwt}


def inner(octets):
    """The CBOR inside of the private extension's OCTET STRING (short form of the length)."""
    require(octets[0] == 4 and octets[1] == len(octets) - 2 < 128, "chain", "no OCTET STRING")
    return read(octets[2:], "chain")


# --- a statement (section Statement) ---------------------------------------------------------------


def verify(cose, tools, federation):
    require(len(cose) <= 261_120, "form", "too long")
    found = read(cose, "form")
    require(isinstance(found, tuple) and found[1] == 18, "form", "no COSE_Sign1")
    parts = found[2]
    require(isinstance(parts, list) and len(parts) == 4, "form", "not four parts")
    protected_bytes, unprotected, payload, signature = parts
    protected = read(protected_bytes, "form")
    require(set(protected) == {1, 3, 4, 15, 34} and protected[1] == -8, "form", "other headers")
    require(protected[3] == STATEMENT_TYPE, "form", "another content type")
    require(len(signature) == 64, "form", "no signature of 64 bytes")

    chain = unprotected.get(33, [])
    chain = [chain] if isinstance(chain, bytes) else chain  # RFC 9360: one stands without an array
    require(1 <= len(chain) <= 17, "chain", "none is carried")
    leaf = chain[0]
    tools.chain(chain)
    claims = [tools.claims(certificate) for certificate in chain]
    path = claims[0][2]
    # Nodes and writers are issued by the authority of the identical unit, authorities by the one above.
    authority = claims[0][1] == 0
    issuer = claims[1][2] if len(claims) > 1 else []
    require(issuer == (path[:-1] if authority else path), "chain",
            "issued by the authority of another unit")
    require(authority or tools.name(chain[1]) == tools.name(leaf), "chain",
            "issued under another name")
    require(tools.name(leaf).startswith(".".join(reversed(path)) + "."), "chain",
            "name and extension differ")

    key = tools.public_key(leaf)
    require(protected[4] == hashlib.sha256(key).digest()[:20], "key", "another key")
    require(protected[34] == [-16, hashlib.sha256(leaf).digest()], "key", "another certificate")
    tools.signature(cose, protected_bytes, payload, signature, leaf)

    statement = read(payload, "payload")
    require(statement[0] == 1, "payload", "another version")
    require(statement[1] == federation, "payload", "another federation")
    require(protected[15] == {1: "/".join(statement[2]), 6: statement[6] // 1000}, "payload",
            "the protected header says otherwise")
    require(statement[2] == path, "payload", "another issuer than the leaf's unit")
    require(statement[6] >= tools.begins(leaf).timestamp() * 1000, "payload",
            "dated before its certificate")
    body = statement[8][0]
    require(body in ACTIONS, "payload", "no kind of statement")
    if body == 9:
        bulletin(statement[8][1][0])
    require(claims[0][1] != 2, "right", "signed by a writer")
    for certificate in chain:
        require(ACTIONS[body] in tools.actions(certificate), "right", "no such action")
    require(body not in IN_TERM or statement[3] == claims[0].get(4), "right", "another term")


def bulletin(found):
    """The rules of section Bulletin."""
    title, figures = found[0], found[1]
    require(title.strip() and len(title.encode()) <= 512 and title.isprintable(), "payload", "no title")
    require(1 <= len(figures) <= 256, "payload", "no figure, or too many")
    step = lambda period: (period == "now", period.count("-") == 1 and "W" not in period, "W" in period)
    places = [(figure[0][0], step(figure[0][1]), figure[0][1]) for figure in figures]
    require(all(one < other for one, other in zip(places, places[1:])), "payload", "not in order")
    require(len({figure[0][2] for figure in figures}) == 1, "payload", "more than one class")
    require(all(figure[1] > 0 for figure in figures), "payload", "edition 0")


def judge(path, tools, federation):
    """What is wrong with the verdict; none: it is right."""
    try:
        verify(path.read_bytes(), tools, federation)
        found = None
    except Refused as refused:
        found = refused
    name = path.stem
    if name.startswith("good_"):
        return found and f"{name} was refused: {found}"
    steps = [step for step, names in STEPS.items() if name.removeprefix("bad_") in names]
    if not steps:
        return f"{name}: this script does not know what is wrong with it; add it to STEPS"
    if found is None:
        return f"{name} was accepted"
    return None if found.step == steps[0] else f"{name}: expected {steps[0]}, found {found}"


# --- a cosigned checkpoint (C2SP signed-note, tlog-cosignature) -------------------------------------


def verified_by_openssl(key, message, signature):
    place = pathlib.Path(tempfile.mkdtemp(prefix="reeve-notes-"))
    spki = bytes.fromhex("302a300506032b6570032100") + key  # RFC 8410
    files = {"key": spki, "signature": signature, "signed": message}
    try:
        for name, data in files.items():
            (place / name).write_bytes(data)
        command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER"]
        command += ["-inkey", str(place / "key"), "-sigfile", str(place / "signature")]
        return run(*command, "-in", str(place / "signed")).returncode == 0
    finally:
        for name in files:
            (place / name).unlink()
        place.rmdir()


def verify_note(note, vkey, cosigned):
    """Whether a note is signed by a verifier key: as a ledger's, or as a cosignature."""
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    name, key_id, typed = vkey.strip().split("+", 2)
    typed = base64.b64decode(typed, validate=True)
    expected = hashlib.sha256(name.encode() + b"\n" + typed).digest()[:4]
    require(expected.hex() == key_id and typed[0] == (4 if cosigned else 1), "note", "another key")
    for line in lines.splitlines():
        dash, of, blob = line.split(" ")
        blob = base64.b64decode(blob, validate=True)
        if dash != "\u2014" or of != name or blob[:4] != expected:
            continue
        message, signature = text.encode(), blob[4:]
        if cosigned:
            time, signature = int.from_bytes(blob[4:12], "big"), blob[12:]
            message = f"cosignature/v1\ntime {time}\n{text}".encode()
        require(verified_by_openssl(typed[1:], message, signature), "note", "a signature is wrong")
        return
    require(False, "note", f"not signed by {name}")


def judge_note(path):
    vkey = {name: (path.parent / f"{name}.vkey").read_text() for name in ("ledger", "witness")}
    try:
        verify_note(path.read_text(), vkey["ledger"], False)
    except Refused as refused:
        return f"{path.stem}: {refused}"
    try:
        verify_note(path.read_text(), vkey["witness"], True)
        return None if path.stem.startswith("good_") else f"{path.stem} was accepted"
    except Refused as refused:
        return None if path.stem.startswith("bad_") else f"{path.stem} was refused: {refused}"


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in TOOLS:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[2])
    federation = hashlib.sha256((folder / "roots.cbor").read_bytes()).digest()
    lists = [folder / "revoked.crl.pem"]
    tools = TOOLS[sys.argv[1]](folder, lists)
    vectors = sorted([*folder.glob("good_*.cbor"), *folder.glob("bad_*.cbor")])
    try:
        wrong = [fault for path in vectors if (fault := judge(path, tools, federation))]
    finally:
        tools.close()
    notes = sorted((folder.parent / "cosignature-v1").glob("*.note"))
    wrong += [fault for path in notes if (fault := judge_note(path))]
    print("\n".join(wrong), end="\n" if wrong else "")
    good = sum(path.name.startswith("good_") for path in vectors)
    print(f"{sys.argv[1]}: {good} good and {len(vectors) - good} bad vectors, {len(notes)} notes, "
          f"{len(wrong)} judged wrongly")
    sys.exit(1 if wrong or not good or not notes else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Verifies the published proof bundles with tools that this project did not write.

    verify_bundles.py openssl FOLDER    statements: signatures and chains by the openssl command
    verify_bundles.py pycose FOLDER     the same by pycose and cryptography
    verify_bundles.py cwt FOLDER        the same by cwt and cryptography
    verify_bundles.py aics-tlog FOLDER  ledgers: checkpoints, cosignatures and inclusion proofs by
                                        aics-tlog; and the cosigned checkpoints in cosignature-v1 beside
    verify_bundles.py scitt-cose FOLDER ledgers: COSE receipts by scitt-cose

Written, as verify_vectors.py, from docs/formats.md alone. Each tool sees what its kind of tool can
see: who signed, or what a ledger holds. The good bundle must be accepted by all of them. A bad one must
be refused by those that can see what is wrong with it, and accepted by the others: that every signature
in it is right shows that the lie is in what was signed, which adding up again finds (reeve-audit).

Leaves with 1 if a bundle was judged wrongly.
"""

import base64
import datetime
import hashlib
import pathlib
import sys

import verify_vectors
from verify_vectors import TOOLS, Refused, read, require

# Bad bundle -> who refuses it, and at which step.
STATEMENTS = {
    "forged_certificate": "chain",
    "stale_certificate": "chain",
    "revoked_certificate": "chain",
    # These programs know no witnesses: what was ever revoked counts for nothing to them.
    "exposed_before_witness": "chain",
    "other_federation": "chain",
    "altered_statement": "signature",
}
LEDGERS = {
    "forked_ledger": "fork",
    "moved_entry": "inclusion",
    "altered_statement": "inclusion",
    "altered_checkpoint": "checkpoint",
    "altered_cosignature": "cosignature",
}
RECEIPTS = {
    "moved_entry": "receipt",
    "altered_statement": "receipt",
    "altered_receipt": "receipt",
}
# Only adding up and comparing finds what is wrong with these.
CONTENT = {"wrong_digit", "missing_child", "changed_completeness", "shrunk_roster",
           "swapped_audience", "edition_gap", "told_twice", "left_out", "backdated",
           "unentitled_witness"}


def parts(cose):
    """The four parts of a statement."""
    found = read(cose, "form")
    require(isinstance(found, tuple) and found[1] == 18 and len(found[2]) == 4, "form",
            "no COSE_Sign1")
    return found[2]


def digest(cose):
    """SHA-256 over the statement with an empty unprotected header."""
    protected, _, payload, signature = parts(cose)
    item = lambda data: verify_vectors.head(2, len(data)) + data
    return hashlib.sha256(b"\xd2\x84" + item(protected) + b"\xa0" + item(payload)
                          + item(signature)).digest()


# --- statements ------------------------------------------------------------------------------------


def statements(bundle, tool, federation):
    """Signature and chain of each statement, at the time that it gives itself."""
    lists = sorted(bundle.glob("revocation/*.crl"))
    for path in sorted(bundle.glob("statements/*.cose")):
        cose = path.read_bytes()
        issued = read(parts(cose)[0], "form")[15][6]
        now = datetime.datetime.fromtimestamp(issued, datetime.timezone.utc)
        tools = TOOLS[tool](bundle, lists, now)
        try:
            verify_vectors.verify(cose, tools, federation)
        finally:
            tools.close()


# --- ledgers ---------------------------------------------------------------------------------------


def tlog_proof(text):
    """A C2SP tlog-proof: index, hashes, checkpoint."""
    head, checkpoint = text.split("\n\n", 1)
    lines = head.split("\n")
    require(lines[0] == "c2sp.org/tlog-proof@v1" and lines[1].startswith("index "), "form",
            "no tlog-proof")
    return int(lines[1][6:]), [base64.b64decode(line) for line in lines[2:]], checkpoint


def owners(bundle, ending):
    """Each file of the folder ledger with this ending, and of whose ledger it should be: the statement
    that it is named for, the origin, the certificate."""
    tools = TOOLS["pycose"](bundle, [])
    for path in sorted(bundle.glob(f"ledger/*.{ending}")):
        named = bundle / "statements" / f"{path.stem}.cose"
        if not named.exists():
            continue
        cose = named.read_bytes()
        chain = parts(cose)[1][33]
        leaf = chain if isinstance(chain, bytes) else chain[0]
        term = tools.claims(leaf)[4]
        yield path, cose, f"{tools.name(leaf)}/ledger/{term}", leaf


def witnesses(bundle):
    """The nodes that cosign, by the names under which they do: their keys as the specification has them
    (type 4)."""
    tools = TOOLS["pycose"](bundle, [])
    found = {}
    for path in sorted(bundle.glob("witnesses/*.pem")):
        pem = path.read_text(encoding="utf-8").split("-----END")[0].split("\n", 1)[1]
        leaf = base64.b64decode(pem)
        name = f"{tools.name(leaf)}/witness"
        typed = b"\x04" + tools.public_key(leaf)
        tag = hashlib.sha256(name.encode() + b"\n" + typed).digest()[:4].hex()
        found.setdefault(name, []).append(f"{name}+{tag}+{base64.b64encode(typed).decode()}")
    return found


def cosignatures(note, key, known):
    """Each cosignature of a note by a witness whose key is known."""
    import aics_tlog as tlog

    for line in note.split("\n\n", 1)[1].splitlines():
        name = line.split(" ")[1]
        for vkey in known.get(name, []):
            found = tlog.verify_checkpoint(
                tlog.parse_note(note), key, [tlog.parse_vkey(vkey)], quorum=1)
            require(found.ok, "cosignature", f"{name}: {found.error}")


def receipts(bundle, tool, federation):
    """Each receipt, under the key of its statement's certificate."""
    import scitt_cose
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    seen = 0
    for path, cose, origin, leaf in owners(bundle, "receipt"):
        key = x509.load_der_x509_certificate(leaf).public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        found = scitt_cose.verify_receipt(
            path.read_bytes(), leaf_entry_hex=digest(cose).hex(), log_public_key_pem=key)
        require(found.ok, "receipt", f"{path.stem}: {found.errors}")
        require(found.issuer == origin, "receipt", f"of {found.issuer}, expected {origin}")
        seen += 1
    require(seen, "form", "no receipt")


def ledgers(bundle, tool, federation):
    """Each proof, under the key of its statement's certificate."""
    import aics_tlog as tlog

    tools = TOOLS["pycose"](bundle, [])
    known = witnesses(bundle)
    heads, cosigned = {}, 0
    for path, cose, origin, leaf in owners(bundle, "tlog-proof"):
        index, hashes, checkpoint = tlog_proof(path.read_text(encoding="utf-8"))
        key = tlog.vkey_from_ed25519(origin, tools.public_key(leaf))
        found = tlog.verify_checkpoint(tlog.parse_note(checkpoint), key, expected_origin=origin)
        require(found.ok, "checkpoint", f"{origin}: {found.error}")
        cosignatures(checkpoint, key, known)
        cosigned += "/witness " in checkpoint
        require(
            tlog.verify_leaf_inclusion(digest(cose), index, found.size, hashes, found.root),
            "inclusion", f"{origin}: entry {index} of {found.size} is not {path.stem}")
        other = heads.setdefault((origin, found.size), found.root)
        same = tlog.verify_consistency(found.size, found.size, other, found.root, [])
        require(same, "fork", f"{origin} has two roots of size {found.size}")
    require(heads and cosigned, "form", "no proof, or none that a witness has cosigned")


def judge_note(path):
    """What is wrong with aics-tlog's verdict on a checkpoint that a witness has cosigned."""
    import aics_tlog as tlog

    ledger, witness = [
        tlog.parse_vkey((path.parent / f"{name}.vkey").read_text().strip())
        for name in ("ledger", "witness")
    ]
    try:
        note = tlog.parse_note(path.read_text(encoding="utf-8"))
        found = tlog.verify_checkpoint(note, ledger, [witness], quorum=1)
        accepted, why = found.ok, found.error
    except ValueError as error:
        accepted, why = False, error
    if accepted == path.name.startswith("good_"):
        return None
    return f"{path.name} was {'accepted' if accepted else f'refused: {why}'}"


# --- verdicts --------------------------------------------------------------------------------------


CHECKS = {"aics-tlog": (ledgers, LEDGERS), "scitt-cose": (receipts, RECEIPTS)}
KNOWN = {*STATEMENTS, *LEDGERS, *RECEIPTS, *CONTENT}


def judge(bundle, tool, federation):
    """What is wrong with the verdict; none: it is right."""
    check, table = CHECKS.get(tool, (statements, STATEMENTS))
    try:
        check(bundle, tool, federation)
        found = None
    except Refused as refused:
        found = refused
    name = bundle.name
    wrong = name.removeprefix("bad_")
    if not name.startswith("good_") and wrong not in KNOWN:
        return f"{name}: this script does not know what is wrong with it; add it to its tables"
    expected = None if name.startswith("good_") else table.get(wrong)
    if expected is None:
        return found and f"{name} was refused: {found}"
    if found is None:
        return f"{name} was accepted"
    return None if found.step == expected else f"{name}: expected {expected}, found {found}"


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in [*TOOLS, *CHECKS]:
        sys.exit(__doc__)
    tool, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    good = sorted(folder.glob("good_*"))
    bad = sorted(folder.glob("bad_*"))
    if tool == "openssl":  # one process after the other: only where there is something for it to see
        bad = [bundle for bundle in bad if bundle.name.removeprefix("bad_") in STATEMENTS]
    if not good or not bad:
        sys.exit(f"{folder} holds no bundles to judge")
    # The federation's id is known from elsewhere than the bundle that is judged.
    federation = hashlib.sha256((good[0] / "roots.cbor").read_bytes()).digest()
    wrong = [fault for bundle in [*good, *bad] if (fault := judge(bundle, tool, federation))]
    (_, table), notes = CHECKS.get(tool, (None, STATEMENTS)), []
    if tool == "aics-tlog":
        notes = sorted((folder.parent.parent / "cosignature-v1").glob("*.note"))
        wrong += [fault for path in notes if (fault := judge_note(path))]
        require(notes, "form", "no cosigned checkpoints")
    print("\n".join(wrong), end="\n" if wrong else "")
    print(f"{tool}: {len(good)} good and {len(bad)} bad bundles, {len(table)} of them bad in what it"
          f" can see, {len(notes)} cosigned checkpoints; {len(wrong)} judged wrongly")
    sys.exit(1 if wrong else 0)


main()

#!/usr/bin/env python3
"""Checks what depends on what, from `cargo metadata` alone, without a build.

Only what is really built counts (`cargo tree`), on the platforms that deny.toml names.

1. Crates of this workspace depend on each other only in the directions of docs/ARCHITECTURE.md.
2. reeve-statement and reeve-audit, each alone, pull no async runtime, no automerge, no cedar, no store, no network;
   the core crates pull no runtime, no network and no store.
3. Licences, bans and sources are as deny.toml says (the same file that cargo-deny reads).

Prints every violation and leaves with 1 if there is one. Never touches the network if the
packages are already fetched.
"""

import json
import re
import subprocess
import sys
import tomllib

# Which crate of ours may depend on which (normal, build and test dependencies alike).
ALLOWED = {
    "reeve-statement": set(),
    "reeve-audit": {"reeve-statement"},
    "reeve-crdt": {"reeve-statement"},
    "reeve-policy": {"reeve-statement"},
    "reeve-protocol": {"reeve-statement", "reeve-crdt", "reeve-policy"},
    "reeve": {"reeve-audit", "reeve-statement", "reeve-crdt", "reeve-policy", "reeve-protocol"},
    "reeve-examples": {"reeve-statement", "reeve-crdt", "reeve-policy"},
    "reeve-sim": {"reeve-audit", "reeve-statement", "reeve-crdt", "reeve-policy", "reeve-protocol"},
    "reeve-fuzz": {"reeve", "reeve-statement", "reeve-crdt", "reeve-policy", "reeve-protocol"},
    "reeve-testnet": {
        "reeve-fuzz",
        "reeve-sim",
        "reeve-audit",
        "reeve-statement",
        "reeve-crdt",
        "reeve-policy",
        "reeve-protocol",
        "reeve",
        "reeve-examples",
    },
}
# Tests may look further, where no shipped code does.
ALLOWED_IN_TESTS = {
    "reeve": {"reeve-examples"},
    "reeve-examples": {"reeve"},
    "reeve-protocol": {"reeve-sim"},
}

RUNTIMES = {"tokio", "async-std", "smol", "mio"}
NETWORK = {"libp2p", "axum", "hyper", "quinn", "ureq", "reqwest"}
STORES = {"redb", "sled", "rusqlite", "postgres", "sqlx"}
# What must not be reachable from a crate by normal dependencies, at any depth.
UNREACHABLE = {
    "reeve-statement": RUNTIMES | NETWORK | STORES | {"automerge", "cedar-policy"},
    "reeve-audit": RUNTIMES | NETWORK | STORES | {"automerge", "cedar-policy"},
    "reeve-crdt": RUNTIMES | NETWORK | STORES | {"cedar-policy", "reeve-policy"},
    "reeve-policy": RUNTIMES | NETWORK | STORES | {"automerge", "reeve-crdt"},
    "reeve-protocol": RUNTIMES | NETWORK | STORES,
    "reeve-sim": RUNTIMES | NETWORK | STORES,
}
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


def metadata(target):
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    output = subprocess.run(
        [*command, "--filter-platform", target], check=True, stdout=subprocess.PIPE
    ).stdout
    return json.loads(output)


def built(target):
    """The packages that are really built; the metadata also lists optional ones that are not."""
    command = ["cargo", "tree", "--workspace", "--locked", "--target", target]
    output = subprocess.run(
        [*command, "--prefix", "none", "--format", "{p}"], check=True, stdout=subprocess.PIPE
    ).stdout.decode()
    words = (line.split() for line in output.splitlines())
    return {(line[0], line[1].removeprefix("v")) for line in words if len(line) > 1}


def licence_allowed(expression, allowed):
    """Whether an SPDX expression (or the old "A/B" form) holds under an allow-list."""
    text = expression.replace("/", " OR ")
    tokens = re.findall(r"\(|\)|[^\s()]+(?: WITH [^\s()]+)?", text)

    def either():
        result = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            right = both()
            result = result or right
        return result

    def both():
        result = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            right = one()
            result = result and right
        return result

    def one():
        token = tokens.pop(0)
        if token == "(":
            result = either()
            tokens.pop(0)
            return result
        return token in allowed

    return either()


def directions(ours):
    for package in ours.values():
        name = package["name"]
        if name not in ALLOWED:
            yield f"{name}: a crate that .ci/dependencies.py does not know; add its directions"
            continue
        for dependency in package["dependencies"]:
            other = dependency["name"]
            allowed = ALLOWED[name] | (
                ALLOWED_IN_TESTS.get(name, set()) if dependency["kind"] == "dev" else set()
            )
            if other in ALLOWED and other not in allowed and other != name:
                yield f"{name} must not depend on {other}"


def reachable(start, nodes):
    seen, todo = set(), [start]
    while todo:
        current = todo.pop()
        for edge in nodes[current]["deps"]:
            normal = any(kind["kind"] is None for kind in edge["dep_kinds"])
            if normal and edge["pkg"] in nodes and edge["pkg"] not in seen:
                seen.add(edge["pkg"])
                todo.append(edge["pkg"])
    return seen


def absences(ours, packages, nodes):
    for identity, package in ours.items():
        forbidden = UNREACHABLE.get(package["name"], set())
        names = {packages[found]["name"] for found in reachable(identity, nodes)}
        for name in sorted(names & forbidden):
            yield f"{package['name']} reaches {name} by normal dependencies"


def rules(packages, nodes, deny):
    allowed = set(deny["licenses"]["allow"])
    bans = {ban["crate"]: set(ban.get("wrappers", [])) for ban in deny["bans"]["deny"]}
    for identity in nodes:
        package = packages[identity]
        label = f"{package['name']} {package['version']}"
        licence = package["license"]
        if licence is None:
            yield f"{label}: no licence stated"
        elif not licence_allowed(licence, allowed):
            yield f"{label}: licence {licence} is not in deny.toml"
        if package["source"] not in (None, CRATES_IO):
            yield f"{label}: comes from {package['source']}"
        if package["name"] in bans:
            users = {
                packages[user]["name"]
                for user, node in nodes.items()
                if any(edge["pkg"] == identity for edge in node["deps"])
            }
            for user in sorted(users - bans[package["name"]]):
                yield f"{user} must not depend on {package['name']} (deny.toml)"


def several_versions(packages, nodes):
    versions = {}
    for identity in nodes:
        package = packages[identity]
        versions.setdefault(package["name"], set()).add(package["version"])
    return {name: found for name, found in versions.items() if len(found) > 1}


def main():
    with open("deny.toml", "rb") as file:
        deny = tomllib.load(file)
    faults = set()
    for target in deny["graph"]["targets"]:
        data = metadata(target)
        packages = {package["id"]: package for package in data["packages"]}
        used = built(target)
        nodes = {
            node["id"]: node
            for node in data["resolve"]["nodes"]
            if (packages[node["id"]]["name"], packages[node["id"]]["version"]) in used
        }
        ours = {identity: packages[identity] for identity in data["workspace_members"]}
        faults.update(directions(ours))
        faults.update(absences(ours, packages, nodes))
        faults.update(rules(packages, nodes, deny))
        double = several_versions(packages, nodes)
        print(f"{target}: {len(nodes)} packages, {len(double)} in several versions")
    for name, found in sorted(double.items()):
        print(f"  several versions of {name}: {', '.join(sorted(found))}")
    for fault in sorted(faults):
        print(f"VIOLATION: {fault}")
    print("dependencies: " + (f"{len(faults)} violations" if faults else "as they should be"))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

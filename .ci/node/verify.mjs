// Verifies the published vectors and bundles with @auth0/cose, a third COSE verifier beside pycose and cwt:
// each statement's signature under the key of the first certificate that it carries. What is wrong with
// certificates or with what was signed it does not see, and accepts.
//
//     node verify.mjs FOLDER     FOLDER: policy/statement/testdata/v1
//
// Leaves with 1 if a vector or bundle was judged wrongly.

import { X509Certificate } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Sign1 } from "@auth0/cose";

const X5CHAIN = 33;
const ALTERED = { vectors: ["altered_payload", "altered_signature"], bundles: ["altered_statement"] };

/** Why a statement is refused; none: its signature holds. */
async function refused(path) {
  try {
    const statement = Sign1.decode(readFileSync(path));
    const chain = statement.unprotectedHeaders.get(X5CHAIN);
    const leaf = Array.isArray(chain) ? chain[0] : chain;
    await statement.verify(new X509Certificate(leaf).publicKey);
    return null;
  } catch (error) {
    return String(error.message);
  }
}

const folder = process.argv[2];
const named = (at, prefix) => readdirSync(at).filter((name) => name.startsWith(prefix)).sort();
const wrong = [];
const judge = (name, why, good) => {
  if ((why === null) !== good) wrong.push(`${name} was ${why === null ? "accepted" : `refused: ${why}`}`);
};

const good = named(folder, "good_").filter((name) => name.endsWith(".cbor"));
for (const name of good) judge(name, await refused(join(folder, name)), true);
for (const altered of ALTERED.vectors) {
  judge(`bad_${altered}`, await refused(join(folder, `bad_${altered}.cbor`)), false);
}
const bundles = [...named(join(folder, "bundles"), "good_"), ...named(join(folder, "bundles"), "bad_")];
let statements = 0;
for (const bundle of bundles) {
  const at = join(folder, "bundles", bundle, "statements");
  const faults = [];
  for (const name of readdirSync(at).sort()) {
    const why = await refused(join(at, name));
    statements += 1;
    if (why !== null) faults.push(why);
  }
  judge(bundle, faults[0] ?? null, !ALTERED.bundles.includes(bundle.replace("bad_", "")));
}
if (!good.length || !bundles.length) wrong.push(`${folder} holds nothing to judge`);

for (const fault of wrong) console.log(fault);
console.log(
  `@auth0/cose: ${good.length} good and ${ALTERED.vectors.length} altered vectors, ${bundles.length} ` +
    `bundles with ${statements} statements; ${wrong.length} judged wrongly`,
);
process.exit(wrong.length ? 1 : 0);

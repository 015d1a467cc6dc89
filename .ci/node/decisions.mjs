// Decides again, with @cedar-policy/cedar-wasm, what published statements say was decided: the same engine's
// other build, and rules about declarations and floors that are written here from docs/formats.md alone.
//
//     node decisions.mjs FOLDER     FOLDER: policy/testdata/decisions-v1
//
// Leaves with 1 if a decision was judged wrongly.

import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Sign1 } from "@auth0/cose";
import cedar from "@cedar-policy/cedar-wasm/nodejs";

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const sorted = (names) => [...names].sort();

/** The policies of a set by their @id, each with its text and annotations. */
function policies(text) {
  const parts = cedar.policySetTextToParts(text);
  if (parts.type !== "success") throw new Error(JSON.stringify(parts.errors));
  const found = {};
  for (const policy of parts.policies) {
    const { json } = cedar.policyToJson(policy);
    if (!json?.annotations?.id) throw new Error(`a policy has no @id: ${policy}`);
    found[json.annotations.id] = { text: policy, annotations: json.annotations };
  }
  return found;
}

/** What Cedar says by these policies. */
function evaluate(asked, schema, ids, all) {
  const { principal, action, resource, context, entities } = asked;
  const staticPolicies = Object.fromEntries(ids.map((id) => [id, all[id].text]));
  const answer = cedar.isAuthorized({
    principal, action, resource, context, entities, schema, validateRequest: true,
    policies: { staticPolicies },
  });
  if (answer.type !== "success") throw new Error(JSON.stringify(answer.errors));
  const { decision, diagnostics } = answer.response;
  return {
    permitted: decision === "allow" && !diagnostics.errors.length,
    erred: diagnostics.errors.length > 0,
    determining: sorted(diagnostics.reason),
    ids,
  };
}

/** Relaxations take part under a declaration only, and then in place of what they name. */
function decide(asked, schema, all) {
  const relaxing = Object.keys(all).filter((id) => "supersedes" in all[id].annotations);
  const strict = Object.keys(all).filter((id) => !relaxing.includes(id));
  if (asked.context.response_level === 0 || !relaxing.length) return evaluate(asked, schema, strict, all);
  const relaxed = evaluate(asked, schema, relaxing, all);
  if (relaxed.erred) return relaxed;
  if (!relaxed.permitted) return evaluate(asked, schema, strict, all);
  const gone = relaxed.determining.flatMap((id) => all[id].annotations.supersedes.split(","));
  const names = gone.map((id) => id.trim());
  return evaluate(asked, schema, Object.keys(all).filter((id) => !names.includes(id)), all);
}

/** The least floor: the strictest of the permits that determine, and the indicator's for the recipient's class. */
function floorOf(asked, determining, all) {
  const entity = ({ type, id }) =>
    asked.entities.find(({ uid }) => uid.type === type && uid.id === id).attrs;
  const indicator = entity(asked.resource);
  if (!indicator.personal) return 1;
  const relation = entity(asked.principal).relation.__entity.id;
  const of = { superior: "superior", above: "superior", subordinate: "neighbour", neighbour: "neighbour" };
  const stated = determining.map((id) => Number(all[id].annotations.min_cell));
  return Math.max(1, indicator.floors[of[relation] ?? "public"], ...stated);
}

/** What is wrong with a decision; nothing: decided again it is the same. */
async function faults(at) {
  const read = (name) => readFileSync(join(at, name));
  const told = JSON.parse(read("decision.json"));
  const asked = JSON.parse(read("asked.json"));
  const found = [];
  // The statement names both digests and every policy in its signed payload.
  const payload = Buffer.from(Sign1.decode(read("statement.cose")).payload);
  const names = [Buffer.from(told.policy_set, "hex"), Buffer.from(told.asked, "hex"), ...told.determining];
  if (!names.every((name) => payload.includes(name))) found.push("the statement says otherwise");
  const digests = { "policy.cedar": told.policy_set, "asked.json": told.asked, "schema.cedarschema": asked.schema };
  for (const [name, digest] of Object.entries(digests)) {
    if (sha256(read(name)) !== digest) found.push(`${name} is not what decided`);
  }
  if (found.length) return found;
  const schema = read("schema.cedarschema").toString();
  const all = policies(read("policy.cedar").toString());
  const { permitted, determining, ids } = decide(asked, schema, all);
  if (permitted !== told.permitted) found.push(`told as ${told.permitted}, again it is ${permitted}`);
  if (determining.join() !== told.determining.join()) found.push(`again it is decided by ${determining}`);
  if (permitted && told.conditions.floor < floorOf(asked, determining, all)) found.push("the floor is lower");
  // The file for engines without these rules has the policies that took part, and says the same.
  const effective = policies(read("effective.cedar").toString());
  if (sorted(Object.keys(effective)).join() !== sorted(ids).join()) found.push("other policies took part");
  const plain = evaluate(asked, schema, Object.keys(effective), effective);
  if (plain.permitted !== permitted) found.push("effective.cedar says otherwise");
  return found;
}

const folder = process.argv[2];
const cases = readdirSync(folder).filter((name) => /^(good|bad)_/.test(name)).sort();
const wrong = [];
for (const name of cases) {
  const found = await faults(join(folder, name)).catch((error) => [String(error.message)]);
  if ((found.length === 0) !== name.startsWith("good_")) {
    wrong.push(`${name} was ${found.length ? `refused: ${found.join("; ")}` : "accepted"}`);
  }
}
for (const sort of ["good_", "bad_"]) {
  if (!cases.some((name) => name.startsWith(sort))) wrong.push(`${folder} holds no ${sort}decision`);
}
for (const fault of wrong) console.log(fault);
console.log(`@cedar-policy/cedar-wasm ${cedar.getCedarSDKVersion()}: ${cases.length} decisions; ${wrong.length} judged wrongly`);
process.exit(wrong.length ? 1 : 0);

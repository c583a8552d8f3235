/*
 * Prints the chat page's result for each vector, in the shape of its `expect`:
 *
 *     node delta_vectors.mjs servers/page tests/vectors/deltas.json
 */

import { readFileSync } from "node:fs";
import { load } from "./page_modules.mjs";

const [folder, vectors] = process.argv.slice(2);
const { readDelta, readFailure } = await load(folder, "deltas.js");

function read({ body, events }) {
  if (body !== undefined) return { error: readFailure(body) };
  const found = { text: "", thinking: "", refusal: "", calls: [], finishReason: "", error: "" };
  for (const one of events) {
    const { event, data } = typeof one === "string" ? { data: one } : one;
    const { text, thinking, refusal, calls, finishReason, error } = readDelta(data, event);
    found.text += text;
    found.thinking += thinking;
    found.refusal += refusal;
    found.calls.push(...calls);
    found.finishReason = finishReason || found.finishReason;
    found.error ||= error;
  }
  return found;
}

/** Half a character becomes U+FFFD, as on a page. */
function shown(found) {
  const wellFormed = (_, value) =>
    typeof value === "string" ? value.replace(/\p{Surrogate}/gu, "\ufffd") : value;
  return JSON.parse(JSON.stringify(found, wellFormed));
}

const cases = JSON.parse(readFileSync(vectors));
console.log(JSON.stringify(cases.map((one) => [one.id, shown(read(one))])));

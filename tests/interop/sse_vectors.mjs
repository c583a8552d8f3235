/*
 * Feeds the page's own event stream parser the vectors, cut in every way:
 *
 *     node sse_vectors.mjs servers/page/sse.js tests/vectors/sse.json
 *
 * Prints each case that failed, then "N cases". The exit code is 1 if any failed.
 */

import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";

const [parserPath, vectorsPath] = process.argv.slice(2);
// A browser knows a module by its script tag, an old Node by its file name: .js is not one to it.
const source = readFileSync(parserPath).toString("base64");
const { EventStreamParser } = await import(`data:text/javascript;base64,${source}`);

function* feedings(bytes, splits = []) {
  yield ["whole", [bytes]];
  yield ["bytewise", Array.from(bytes, (byte) => Uint8Array.of(byte))];
  yield ["at its splits", cut(bytes, splits)];
  for (let offset = 0; offset <= bytes.length; offset += 1) {
    yield [`cut at ${offset}`, cut(bytes, [offset])];
  }
}

function cut(bytes, offsets) {
  const places = [0, ...offsets, bytes.length];
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}

function read(pieces, lastEventId) {
  const parser = new EventStreamParser(lastEventId);
  const events = pieces.flatMap((piece) => parser.receiveData(piece));
  return {
    events: events.map(({ event, data, id }) => ({ event, data, id })),
    last_event_id: parser.lastEventId,
    reconnect_ms: parser.reconnectionTime,
  };
}

const cases = JSON.parse(readFileSync(vectorsPath));
for (const { id, input_b64 = "", splits, initial_last_event_id, expect } of cases) {
  // `retry` on an expected event is information only.
  const wanted = { ...expect, events: expect.events.map(({ retry, ...event }) => event) };
  const bytes = Uint8Array.from(Buffer.from(input_b64, "base64"));
  for (const [way, pieces] of feedings(bytes, splits)) {
    const found = read(pieces, initial_last_event_id);
    if (expect.reconnect_ms === "any") found.reconnect_ms = "any";
    if (!isDeepStrictEqual(found, wanted)) {
      console.log(`${id}, ${way}: ${JSON.stringify(found)} is not ${JSON.stringify(wanted)}`);
      process.exitCode = 1;
      break;
    }
  }
}
console.log(`${cases.length} cases`);

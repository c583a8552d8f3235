/*
 * Feeds the vectors to the page's own event stream parser, split in every way:
 *
 *     node sse_vectors.mjs servers/page/sse.js tests/vectors/sse.json
 *
 * Prints each case that failed, then "N cases". The exit code is 1 if any failed. A browser runs the
 * same code, without the lines below "Under Node".
 */

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

function read(EventStreamParser, pieces, lastEventId) {
  const parser = new EventStreamParser(lastEventId);
  const events = pieces.flatMap((piece) => parser.receiveData(piece));
  return {
    events: events.map(({ event, data, id }) => ({ event, data, id })),
    last_event_id: parser.lastEventId,
    reconnect_ms: parser.reconnectionTime,
  };
}

/** A line for each case that failed. */
function* failures(EventStreamParser, cases) {
  for (const { id, input_b64 = "", splits, initial_last_event_id, expect } of cases) {
    // `retry` on an expected event is information only.
    const events = expect.events.map(({ event, data, id }) => ({ event, data, id }));
    const wanted = JSON.stringify({
      events,
      last_event_id: expect.last_event_id,
      reconnect_ms: expect.reconnect_ms,
    });
    const bytes = Uint8Array.from(atob(input_b64), (char) => char.charCodeAt(0));
    for (const [way, pieces] of feedings(bytes, splits)) {
      const found = read(EventStreamParser, pieces, initial_last_event_id);
      if (expect.reconnect_ms === "any") found.reconnect_ms = "any";
      if (JSON.stringify(found) !== wanted) {
        yield `${id}, ${way}: ${JSON.stringify(found)} is not ${wanted}`;
        break;
      }
    }
  }
}

// ---- Under Node

const { readFileSync } = await import("node:fs");
const [parserPath, vectorsPath] = process.argv.slice(2);
// Browsers detect a module by its script tag; old versions of Node need .mjs.
const source = readFileSync(parserPath).toString("base64");
const { EventStreamParser } = await import(`data:text/javascript;base64,${source}`);
const cases = JSON.parse(readFileSync(vectorsPath));
for (const failure of failures(EventStreamParser, cases)) {
  console.log(failure);
  process.exitCode = 1;
}
console.log(`${cases.length} cases`);

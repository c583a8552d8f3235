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
    events,
    last_event_id: parser.lastEventId,
    reconnect_ms: parser.reconnectionTime,
  };
}

/** Whether every event and value is the wanted one. JSON of a long line costs more than to read it. */
function same(found, wanted) {
  const names = ["event", "data", "id"];
  return (
    found.events.length === wanted.events.length &&
    found.events.every((event, at) => names.every((name) => event[name] === wanted.events[at][name])) &&
    found.last_event_id === wanted.last_event_id &&
    [found.reconnect_ms, "any"].includes(wanted.reconnect_ms)
  );
}

/** A line for each case that failed. */
function* failures(EventStreamParser, cases) {
  for (const { id, input_b64 = "", splits, initial_last_event_id, expect } of cases) {
    const bytes = Uint8Array.from(atob(input_b64), (char) => char.charCodeAt(0));
    for (const [way, pieces] of feedings(bytes, splits)) {
      const found = read(EventStreamParser, pieces, initial_last_event_id);
      if (!same(found, expect)) {
        yield `${id}, ${way}: ${JSON.stringify(found)} is not ${JSON.stringify(expect)}`;
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

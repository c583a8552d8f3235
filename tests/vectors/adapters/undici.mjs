// undici (npm): the transform stream below its EventSource.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(import.meta.url);
const { EventSourceStream } = require("undici/lib/web/eventsource/eventsource-stream.js");

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  const data = Buffer.from(asked.bytes, "base64");
  const events = [];
  const eventSourceSettings = { lastEventId: asked.last_event_id, reconnectionTime: 3000 };
  const push = (one) => // null is the end
    one && events.push({ event: one.type, data: one.options.data, id: one.options.lastEventId });
  const stream = new EventSourceStream({ eventSourceSettings, push });
  const places = [0, ...asked.splits, data.length];
  for (let at = 1; at < places.length; at += 1) {
    stream.write(data.subarray(places[at - 1], places[at]));
  }
  await new Promise((done) => stream.end(done));
  console.log(JSON.stringify({ id: asked.id, events }));
}

// undici (npm): the transform stream below its EventSource.
import { createRequire } from "node:module";
import { answerLines, piecesOf } from "./lines.mjs";

const require = createRequire(import.meta.url);
const { EventSourceStream } = require("undici/lib/web/eventsource/eventsource-stream.js");

await answerLines(async (asked) => {
  const events = [];
  const eventSourceSettings = { lastEventId: asked.last_event_id, reconnectionTime: 3000 };
  const push = (one) => // null is the end
    one && events.push({ event: one.type, data: one.options.data, id: one.options.lastEventId });
  const stream = new EventSourceStream({ eventSourceSettings, push });
  for (const piece of piecesOf(asked)) stream.write(piece);
  await new Promise((done) => stream.end(done));
  return { events };
});

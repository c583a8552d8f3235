// eventsource-parser (npm), with the decoder that its documentation shows.
import { createInterface } from "node:readline";
import { createParser } from "eventsource-parser";

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  const data = Buffer.from(asked.bytes, "base64");
  const events = [];
  let lastEventId = asked.last_event_id;
  const parser = createParser({
    onEvent({ event, data, id }) {
      lastEventId = id ?? lastEventId;
      events.push({ event: event ?? "message", data, id: lastEventId });
    },
  });
  const decoder = new TextDecoder();
  const places = [0, ...asked.splits, data.length];
  for (let at = 1; at < places.length; at += 1) {
    parser.feed(decoder.decode(data.subarray(places[at - 1], places[at]), { stream: true }));
  }
  console.log(JSON.stringify({ id: asked.id, events }));
}

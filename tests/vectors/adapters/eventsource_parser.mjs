// eventsource-parser (npm), with the decoder that its documentation shows.
import { createParser } from "eventsource-parser";
import { answerLines, piecesOf } from "./lines.mjs";

await answerLines((asked) => {
  const events = [];
  let lastEventId = asked.last_event_id;
  const parser = createParser({
    onEvent({ event, data, id }) {
      lastEventId = id ?? lastEventId;
      events.push({ event: event ?? "message", data, id: lastEventId });
    },
  });
  const decoder = new TextDecoder();
  for (const piece of piecesOf(asked)) parser.feed(decoder.decode(piece, { stream: true }));
  return { events };
});

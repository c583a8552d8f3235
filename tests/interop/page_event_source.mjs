/*
 * The page's event stream parser (servers/page/sse.js) as an EventSource, under Node:
 *
 *     node page_event_source.mjs servers/page/sse.js http://127.0.0.1:40123
 *
 * It adds what the parser leaves to its caller: to ask, to ask again after a break with the last
 * event ID, and to give up (WHATWG HTML §9.2.3).
 */

import { readFileSync } from "node:fs";
import { drive } from "./event_source_driver.mjs";

const [parserPath, base] = process.argv.slice(2);
// Browsers detect a module by its script tag; old versions of Node need .mjs.
const source = readFileSync(parserPath).toString("base64");
const { EventStreamParser } = await import(`data:text/javascript;base64,${source}`);

class PageEventSource extends EventTarget {
  #url;
  #closing = new AbortController();
  #reconnectionTime = 3000; // milliseconds
  #lastEventId = "";

  constructor(url) {
    super();
    this.#url = url;
    this.#run().catch(() => this.#fail()); // what was thrown while the source was closed
  }

  close() {
    this.#closing.abort();
  }

  async #run() {
    while (!this.#closing.signal.aborted) {
      let response;
      try {
        response = await this.#ask();
      } catch {
        await this.#wait();
        continue;
      }
      // "if res is not 200, or if its Content-Type is not text/event-stream, fail the connection"
      const [kind] = (response.headers.get("content-type") ?? "").split(";");
      if (response.status !== 200 || kind.trim().toLowerCase() !== "text/event-stream") {
        response.body?.cancel();
        return this.#fail();
      }
      await this.#read(response.body).catch(() => {}); // a break is an end, too
      await this.#wait();
    }
  }

  #ask() {
    const headers = { Accept: "text/event-stream", "Cache-Control": "no-cache" };
    // The value of a header holds bytes: those of the id in UTF-8.
    const id = Buffer.from(this.#lastEventId).toString("latin1");
    if (id) headers["Last-Event-ID"] = id;
    return fetch(this.#url, { headers, signal: this.#closing.signal });
  }

  async #read(body) {
    const parser = new EventStreamParser(this.#lastEventId);
    try {
      for await (const piece of body) {
        for (const { event, data, id } of parser.receiveData(piece)) {
          const options = { data, lastEventId: id };
          this.dispatchEvent(Object.assign(new Event(event), options));
        }
      }
    } finally {
      this.#lastEventId = parser.lastEventId;
      this.#reconnectionTime = parser.reconnectionTime ?? this.#reconnectionTime;
    }
  }

  /** "reestablish the connection": an error event, and a wait. */
  async #wait() {
    if (this.#closing.signal.aborted) return;
    this.dispatchEvent(new Event("error"));
    await new Promise((done) => setTimeout(done, this.#reconnectionTime));
  }

  #fail() {
    if (this.#closing.signal.aborted) return;
    this.dispatchEvent(new Event("error"));
    this.close();
  }
}

await drive(PageEventSource, base);
process.exit(); // a source that waits would keep Node alive

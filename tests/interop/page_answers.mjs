/*
 * The chat page's timeouts, and its results for answers of all kinds, under Node:
 *
 *     echo '{"answers":[{"status":200,"type":"text/event-stream","pieces":[[0,"data: …"]]}],"models":[]}'
 *         | node page_answers.mjs servers/page        {"answers":[{"text":"…","ending":"complete",…
 *
 * A piece is [seconds after the previous piece, text]; `then` repeats for ever. A null piece ends
 * the body, and a false one breaks the connection. No real time passes: the clock jumps when nothing
 * else is left to do.
 */

import { readFileSync } from "node:fs";
import { load } from "./page_modules.mjs";

const { CutOffError, NoReplyError, listModels, streamAnswer } = await load(process.argv[2], "openai.js");

// ---- The clock

let now = 0;
let timers = [];
let started = 0;
performance.now = () => now;
globalThis.setTimeout = (call, milliseconds) => {
  started += 1;
  const timer = { call, at: now + milliseconds };
  timers.push(timer);
  return timer;
};
globalThis.clearTimeout = (timer) => {
  timers = timers.filter((one) => one !== timer);
};

const turn = () => new Promise((done) => setImmediate(done));

/** Runs the clock until this promise is settled. */
async function settle(promise) {
  let result;
  promise.then((value) => (result = { value }));
  for (;;) {
    for (let turns = 0; turns < 20 && !result; turns += 1) await turn();
    if (result) return result.value;
    timers.sort((one, other) => one.at - other.at);
    const next = timers.shift();
    if (!next) throw new Error("everybody waits, and nothing will come");
    now = next.at;
    next.call();
  }
}

// ---- The server

function respond(answer, signal) {
  const { status = 200, type = "text/event-stream", pieces = [], then } = answer;
  const body = new ReadableStream({
    cancel() {
      answer.isCancelled = true;
    },
    start(controller) {
      let closed = false;
      signal.addEventListener("abort", () => {
        closed = answer.isCancelled = true;
        controller.error(new DOMException("aborted", "AbortError"));
      });
      const left = [...pieces];
      const next = () => {
        const [seconds, text] = left.shift() ?? then ?? [];
        if (seconds === undefined) return;
        setTimeout(() => {
          if (closed) return;
          if (text === null) return controller.close();
          if (text === false) return controller.error(new TypeError("network error"));
          controller.enqueue(new TextEncoder().encode(text));
          next();
        }, 1000 * seconds);
      };
      next();
    },
  });
  return new Response(body, { status, headers: { "Content-Type": type } });
}

function serve(answer) {
  globalThis.fetch = async (_, { body, headers, signal }) => {
    new Headers(headers); // throws, as `fetch` does, if a field cannot be sent
    answer.asked = body;
    if (answer.pieces) return Promise.resolve(respond(answer, signal));
    if (answer.refused) return Promise.reject(new TypeError("failed to fetch"));
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
    });
  };
}

// ---- The page

async function ask(answer) {
  serve(answer);
  const found = { text: "", thinking: "", refusal: "", calls: 0, ending: "complete" };
  const began = now;
  const before = started;
  const reader = new AbortController();
  if (answer.stop !== undefined) setTimeout(() => reader.abort(), 1000 * answer.stop);
  const messages = [{ role: "user", content: answer.question ?? "hi" }];
  try {
    for await (const delta of streamAnswer({ server: "", messages, fault: answer.fault }, reader.signal, () => {})) {
      found.text += delta.text;
      found.thinking += delta.thinking;
      found.refusal += delta.refusal;
      found.calls += delta.calls.length;
    }
  } catch (error) {
    if (error instanceof CutOffError) found.ending = `${error.how} ${error.seconds}`;
    else if (error instanceof NoReplyError) found.ending = "no reply";
    else found.ending = reader.signal.aborted ? "stopped" : error.message;
  }
  found.isCancelled = Boolean(answer.isCancelled);
  return { ...found, at: (now - began) / 1000, timers: started - before, asked: JSON.parse(answer.asked).messages[0].content };
}

const { answers, models } = JSON.parse(readFileSync(0));
const found = { answers: [], models: [] };
for (const answer of answers) {
  timers = [];
  found.answers.push(await settle(ask(answer)));
}
for (const body of models) {
  globalThis.fetch = async () => new Response(body);
  found.models.push(await listModels("").catch((error) => error.message));
}
console.log(JSON.stringify(found));

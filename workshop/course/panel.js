/*
 * A lesson's live panel: the reader presses Run, the server of this page answers, and each read of
 * the body is shown as it arrives.
 *
 *     fetch -> opened(response) -> received(bytes), received(bytes), ... -> ended(kind)
 *
 * If the server has recorded its answer, the wire pane shows the bytes by layer. Otherwise the bytes
 * are shown as text, and half a character at the end of a read waits for its other half.
 */

import { wirePane } from "/page/wire.js";

const find = (selector) => document.querySelector(selector);
const form = find(".live form");
const button = find(".live form button");
const received = find(".live .came");

// Longer text would make the page slow, and nobody would read it here.
const MAX_SHOWN = 200_000;

const pane = wirePane(find(".live .pane"));
/** @type {AbortController | null} the answer that is running */
let running = null;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (running) running.abort();
  else run();
});

async function run() {
  running = new AbortController();
  button.textContent = "Stop";
  received.textContent = "";
  received.hidden = true;
  const { signal } = running;
  let kind = "complete";
  try {
    await ask(find(".live select").selectedOptions[0], signal);
  } catch (error) {
    kind = signal.aborted ? "stopped" : "cut";
  }
  pane.ended(kind);
  say(`${find(".live .status").textContent}, ${kind === "cut" ? "cut off" : kind}`);
  button.textContent = "Run";
  running = null;
}

/** Resolves when the whole body has arrived. */
async function ask(option, signal) {
  const [method, path] = option.value.split(" ");
  const body = option.dataset.body || undefined;
  const askedAt = performance.now();
  say("asked");
  pane.start();
  const headers = { "X-Wire": "1" };
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { method, headers, body, signal, cache: "no-store" });
  pane.opened(response, askedAt);
  received.hidden = !find(".live .pane").hidden;

  const decoder = new TextDecoder();
  let reads = 0;
  let bytes = 0;
  for await (const piece of pieces(response.body)) {
    const now = performance.now();
    reads += 1;
    bytes += piece.length;
    pane.received(piece, now);
    const text = decoder.decode(piece, { stream: true });
    if (received.textContent.length < MAX_SHOWN) received.append(text);
    const seconds = ((now - askedAt) / 1000).toFixed(2);
    say(`${response.status}: ${bytes} bytes in ${reads} reads, ${seconds} s`);
  }
  pane.closed();
}

/** Iterates a stream, also in browsers that cannot iterate one themselves. */
async function* pieces(stream) {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

function say(text) {
  find(".live .status").textContent = text;
}

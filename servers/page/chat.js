/*
 * The chat page. In come the reader's keys and clicks, and deltas from openai.js, which reads the
 * event stream through sse.js. Out goes text, through message.js.
 *
 *     Enter -> ask() -> streamAnswer() -> delta, delta, delta -> AnswerView -> an ending
 */

import { AnswerView, showQuestion } from "./message.js";
import { CutOffError, streamAnswer } from "./openai.js";
import { WirePane } from "./wire.js";
import { page, words } from "./words.js";

const find = (selector) => document.querySelector(selector);
const conversation = find("#conversation");
const prompt = find("#prompt");
const send = find("#send");
const halt = find("#halt");
const wire = new WirePane(find("#wire"));

/** @type {import("./openai.js").Message[]} the conversation so far */
const messages = [];
/** @type {AbortController | null} the answer that is running */
let running = null;

// ---- One question and its answer

async function ask(question) {
  find("#intro").hidden = true;
  messages.push({ role: "user", content: question });
  showQuestion(conversation, question);
  const view = new AnswerView(conversation);
  following = true;
  setRunning(new AbortController(), words.answering);

  wire.start();
  const [kind, wording] = await receiveAnswer(view, running.signal);
  wire.ended(kind);
  view.end(kind, wording);
  // Stopped or cut, what was said was said. Thoughts are not sent back.
  if (view.text) messages.push({ role: "assistant", content: view.text });
  setRunning(null, wording || words.complete);
}

/** Returns how the answer ended, and the words for that. */
async function receiveAnswer(view, signal) {
  let reason = "stop";
  try {
    for await (const delta of streamAnswer(messages, signal, wire)) {
      view.receive(delta);
      reason = delta.finishReason ?? reason;
    }
  } catch (error) {
    if (signal.aborted) return ["stopped", words.stopped];
    if (error instanceof CutOffError) return ["cut", words.cut];
    return ["error", words.error(error.message)];
  }
  if (reason === "stop") return ["complete", ""];
  if (reason === "length") return ["length", words.length];
  return ["other", words.otherEnd(reason)];
}

function setRunning(controller, news) {
  running = controller;
  // The focus leaves a button before the button goes.
  if ([send, halt].includes(document.activeElement)) prompt.focus();
  send.hidden = controller !== null;
  halt.hidden = controller === null;
  // Not every token: the voice would never stop.
  find("#announcer").textContent = news;
}

// ---- Keys and clicks

find("#composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = prompt.value.trim();
  if (running || question === "") return;
  prompt.value = "";
  ask(question);
});

prompt.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey) return;
  // The input method's own Enter; Safari tells by key code 229.
  if (event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  find("#composer").requestSubmit();
});

halt.addEventListener("click", () => running.abort());

// ---- Follow the text while the reader is at the bottom

let following = true;
let lastScroll = 0;

addEventListener("scroll", () => {
  const { scrollHeight, clientHeight } = document.documentElement;
  const below = scrollHeight - clientHeight - scrollY;
  // Only the reader moves upwards. Downwards, near the end counts: the text is growing.
  following = scrollY < lastScroll ? below < 2 : following || below < 100;
  lastScroll = scrollY;
});

// Who opens the thoughts wants to read them.
conversation.addEventListener("click", (event) => {
  if (event.target.closest("summary")) following = false;
});

// Once a frame after layout, not once a token.
new ResizeObserver(() => {
  if (following) scrollTo(0, document.documentElement.scrollHeight);
  lastScroll = scrollY;
}).observe(conversation);

// ---- The reader's language

if (page.title) document.documentElement.lang = "zh-CN";
for (const element of document.querySelectorAll("[data-word]")) {
  element.textContent = page[element.dataset.word] ?? element.textContent;
}
prompt.placeholder = find("label").textContent;

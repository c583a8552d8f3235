/*
 * The chat page. In come the reader's keys and clicks, and deltas from openai.js, which reads the
 * event stream through sse.js. Out goes text, through message.js.
 *
 *     Enter -> ask() -> streamAnswer() -> delta, delta, delta -> AnswerView -> an ending
 */

import { AnswerView, showQuestion } from "./message.js";
import { CutOffError, streamAnswer } from "./openai.js";
import { page, words } from "./words.js";

const find = (selector) => document.querySelector(selector);
const conversation = find("#conversation");
const prompt = find("#prompt");
const send = find("#send");
const halt = find("#halt");

/** @type {import("./openai.js").Message[]} what the next request will carry */
const messages = [];
/** @type {AbortController | null} the answer that is running */
let running = null;

// ---- One question and its answer

async function ask(question) {
  find("#intro").hidden = true;
  messages.push({ role: "user", content: question });
  showQuestion(conversation, question);
  const view = new AnswerView(conversation);
  start();

  const [kind, wording] = await receiveAnswer(view, running.signal);
  view.end(kind, wording);
  // Stopped or cut, what was said was said. Thoughts are not sent back.
  if (view.text) messages.push({ role: "assistant", content: view.text });
  finish(wording || words.complete);
}

/** Returns how the answer ended, and the words for that. */
async function receiveAnswer(view, signal) {
  let finishReason = "stop";
  try {
    for await (const delta of streamAnswer(messages, signal)) {
      view.receive(delta);
      finishReason = delta.finishReason ?? finishReason;
    }
  } catch (error) {
    if (signal.aborted) return ["stopped", words.stopped];
    if (!(error instanceof CutOffError)) return ["error", words.error(error.message)];
    return ["cut", view.tokens > 0 ? words.cut : words.cutBeforeStart];
  }
  if (finishReason === "stop") return ["complete", ""];
  if (finishReason === "length") return ["length", words.length];
  return ["other", words.otherEnd(finishReason)];
}

function start() {
  running = new AbortController();
  following = true;
  announce(words.answering);
  // The focus leaves the button before the button goes.
  prompt.focus();
  send.hidden = true;
  halt.hidden = false;
}

function finish(announcement) {
  running = null;
  announce(announcement);
  if (document.activeElement === halt) prompt.focus();
  send.hidden = false;
  halt.hidden = true;
}

/** For screen readers: the state only. A live region with every token would never stop. */
function announce(text) {
  find("#announcer").textContent = text;
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
  // This Enter accepts a word of the input method; Safari tells by key code 229.
  if (event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  find("#composer").requestSubmit();
});

halt.addEventListener("click", () => running?.abort());

// ---- The page follows the text while its reader is at the bottom

let following = true;
let lastScroll = 0;

addEventListener("scroll", () => {
  const { scrollHeight, clientHeight } = document.documentElement;
  const below = scrollHeight - clientHeight - scrollY;
  // Only the reader moves upwards. Downwards, near the end counts: the text is growing.
  following = scrollY < lastScroll ? below < 2 : following || below < 60;
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

// ---- The reader's language and address

if (page.title) document.documentElement.lang = "zh-CN";
for (const element of document.querySelectorAll("[data-word]")) {
  element.textContent = page[element.dataset.word] ?? element.textContent;
}
prompt.placeholder = page.label ?? prompt.placeholder;
find("#terminal-line").textContent = `curl -N ${location.origin}/chat/你好`;

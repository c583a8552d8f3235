/*
 * The chat page: what the reader's keys and clicks do.
 *
 *     Enter -> ask() -> openai.js, sse.js -> delta, delta, delta -> message.js, markdown.js -> text
 */

import { AnswerView, copy, receiveAnswer, showQuestion } from "./message.js";
import { followText } from "./scroll.js";
import { settings } from "./settings.js";
import { listChats, removeChat, saveChat } from "./store.js";
import { page, words } from "./words.js";

const find = (selector) => document.querySelector(selector);
const conversation = find("#conversation");
const prompt = find("#prompt");
const [send, halt] = [find("#send"), find("#halt")];
const follow = followText(conversation, find("#pill"));

let chat = newChat();
let running = null; // the AbortController of an answer

// The wire pane is loaded with the first recorded answer. Its calls keep their order.
let pane = null;
const tell = (name, ...values) => pane?.then((loaded) => loaded[name](...values));
const wire = {
  start: () => tell("start"),
  opened(response, askedAt) {
    if (response.headers.get("X-Wire") && !pane) {
      const isWide = matchMedia("(min-width: 80rem)").matches; // room beside the words
      pane = import("./wire.js").then(({ WirePane }) => new WirePane(find("#wire"), isWide));
      tell("start");
    }
    tell("opened", response, askedAt);
  },
  received: (bytes, at) => tell("received", bytes, at),
  ended: (kind) => tell("ended", kind),
};

function newChat() {
  return { id: `${Date.now()}${Math.random()}`, title: "", messages: [] };
}

// ---- One question and its answer

async function ask(question) {
  const asking = chat; // another may be open when the answer ends
  const { messages } = asking;
  find("#intro").hidden = true;
  asking.title ||= question.slice(0, 80);
  messages.push({ role: "user", content: question });
  saveChat(asking);
  showQuestion(conversation, question);
  const view = new AnswerView(conversation);
  follow();
  const controller = new AbortController();
  setRunning(controller, words.answering);

  const { system, ...asked } = settings();
  // Stopped or cut, what was said was said. Thoughts are not sent back.
  asked.messages = [{ role: "system", content: system.trim() }, ...messages]
    .filter(({ content }) => content)
    .map(({ role, content }) => ({ role, content }));
  const ending = await receiveAnswer(view, asked, controller.signal, wire);
  messages.push({ ...view.record, ending });
  if (listChats().some(({ id }) => id === asking.id)) saveChat(asking); // else it was deleted
  if (running === controller) setRunning(null, ending[1] || words.complete);
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

function askAgain() {
  const [question] = chat.messages.splice(-2);
  conversation.lastElementChild.remove();
  conversation.lastElementChild.remove();
  ask(question.content);
}

function open(opened) {
  running?.abort();
  setRunning(null, "");
  chat = opened;
  conversation.replaceChildren();
  find("#intro").hidden = chat.messages.length > 0;
  for (const message of chat.messages) {
    if (message.role === "user") showQuestion(conversation, message.content);
    else new AnswerView(conversation).restore(message);
  }
  wire.start();
  follow();
  prompt.focus();
}

function showHistory() {
  const rows = listChats().map((old) => {
    const row = find("#chat-row").content.cloneNode(true).firstElementChild;
    const [title, remove] = row.children;
    title.textContent = old.title;
    title.addEventListener("click", () => {
      find("#history").hidePopover();
      open(old);
    });
    remove.ariaLabel = `${words.remove}: ${old.title}`;
    remove.addEventListener("click", () => {
      removeChat(old.id);
      if (old.id === chat.id) open(newChat());
      showHistory();
    });
    return row;
  });
  find("#history ul").replaceChildren(...rows);
  find("#history p").hidden = rows.length > 0;
}

// ---- Keys and clicks

find("#composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = prompt.value.trim();
  if (running || question === "") return;
  prompt.value = "";
  ask(question);
});

addEventListener("keydown", (event) => {
  const { key, target, shiftKey } = event;
  // The input method's own Enter and Esc; Safari tells by key code 229.
  if (event.isComposing || event.keyCode === 229) return;
  if (key === "Enter" && target === prompt && !shiftKey) find("#composer").requestSubmit();
  else if (key === "Escape" && running && !find(":popover-open")) running.abort();
  else if (key === "/" && !target.matches("input, textarea, select")) prompt.focus();
  else if (event.altKey && event.code === "KeyN") open(newChat());
  else return;
  event.preventDefault();
});

halt.addEventListener("click", () => running.abort());
find("#new").addEventListener("click", () => open(newChat()));
find("#history").addEventListener("toggle", ({ newState }) => newState === "open" && showHistory());
conversation.addEventListener("click", ({ target }) => {
  if (target.matches(".again") && !running) askAgain();
  const code = target.matches(".copy") && target.closest(".code").querySelector("code");
  if (code) copy(target, code.textContent);
});

// ---- The reader's language

if (page.title) document.documentElement.lang = "zh-CN";
for (const element of document.querySelectorAll("[data-word]")) {
  element.textContent = page[element.dataset.word] ?? element.textContent;
}
prompt.placeholder = find("[for=prompt]").textContent;

/*
 * One message on the page. A question is its text; an answer grows, delta by delta:
 *
 *     {thinking: "A greeting…"}  ->  <details class="thinking">, open while it thinks
 *     {text: "**你好**"}         ->  <div class="answer">, as Markdown
 *     the end                    ->  <p class="ending"> says how, if it was not a normal stop
 *
 * Text is shown once a frame, however many tokens that brought.
 */

import { CutOffError, NoReplyError, streamAnswer } from "./openai.js";
import { MarkdownView } from "./render.js";
import { words } from "./words.js";

const SILENCE = 5; // seconds without a token, and the reader is told

export function showQuestion(conversation, question) {
  const message = copyTemplate("#user-message");
  message.ariaLabel = words.you;
  message.append(question);
  conversation.append(message);
}

/** Shows an answer while it arrives. Resolves to how it ended: its kind, and words. */
export async function receiveAnswer(view, asked, signal, wire) {
  wire.start();
  const ending = await receiveDeltas(view, asked, signal, {
    opened(response, askedAt) {
      view.opened(response);
      wire.opened(response, askedAt);
    },
    received: (bytes, at) => wire.received(bytes, at),
  });
  view.end(...ending);
  wire.ended(ending[0]);
  return ending;
}

async function receiveDeltas(view, asked, signal, observer) {
  let reason = "stop";
  try {
    for await (const delta of streamAnswer(asked, signal, observer)) {
      view.receive(delta);
      reason = delta.finishReason ?? reason;
    }
  } catch (error) {
    if (signal.aborted) return ["stopped", words.stopped];
    if (error instanceof CutOffError) return ["cut", words.cut];
    const isSilent = error instanceof NoReplyError;
    return ["error", words.error(isSilent ? words.noReply(asked.server) : error.message)];
  }
  if (reason === "stop") return ["complete", ""];
  if (reason === "length") return ["length", words.length];
  return ["other", words.otherEnd(reason)];
}

export class AnswerView {
  text = "";
  thinking = "";
  seconds = "0"; // of thinking
  #message = copyTemplate("#assistant-message");
  #details = this.#find(".thinking");
  #summary = this.#find("summary");
  #stats = this.#find(".stats");
  #thought = new MarkdownView(this.#find(".thought"));
  #answer = new MarkdownView(this.#find(".answer"));
  #userToggled = false;
  #asked = performance.now();
  #firstToken = 0;
  #lastToken = 0;
  #tokens = 0;
  #requestId = "";
  #frame = 0;
  #clock = setInterval(() => this.#tellSilence(), 1000);

  constructor(conversation) {
    this.#message.ariaLabel = words.model;
    this.#find(".again").textContent = words.again;
    const button = this.#find(".copy-answer");
    button.textContent = words.copy;
    button.addEventListener("click", () => copy(button, this.text));
    // Not `toggle`: it fires for our own opening too.
    this.#summary.addEventListener("click", () => (this.#userToggled = true));
    conversation.append(this.#message);
  }

  opened(response) {
    this.#requestId = response.headers.get("X-Request-Id") ?? "–";
    this.#showStats();
  }

  receive(delta) {
    if (!delta.thinking && !delta.text) return;
    this.#lastToken = performance.now();
    this.#firstToken ||= this.#lastToken;
    this.#tokens += 1;
    if (delta.thinking) this.#addThinking(delta.thinking);
    if (delta.text) this.#addText(delta.text);
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#thought.show();
      this.#answer.show();
      this.#showStats();
    });
  }

  /** `kind` is "complete", "stopped", …; `wording` is what the reader sees. */
  end(kind, wording) {
    cancelAnimationFrame(this.#frame);
    clearInterval(this.#clock);
    this.#endThinking();
    this.#answer.end();
    this.#showStats();
    this.#find(".ending").textContent = wording;
    this.#find(".copy-answer").hidden = this.text === "";
    Object.assign(this.#message.dataset, { ending: kind, state: "done" });
    this.#message.ariaBusy = "false";
  }

  /** What `restore` shows again. */
  get record() {
    const { text: content, thinking, seconds } = this;
    return { role: "assistant", content, thinking, seconds, stats: this.#stats.textContent };
  }

  restore({ content, thinking, seconds, stats, ending }) {
    if (thinking) this.#addThinking(thinking);
    if (content) this.#addText(content);
    this.end(...ending);
    this.#summary.textContent = words.thought(seconds);
    this.#stats.textContent = stats;
  }

  #addThinking(piece) {
    if (this.#details.hidden) {
      this.#details.hidden = false;
      this.#details.open = true;
      this.#summary.textContent = words.thinking;
      this.#message.dataset.phase = "thinking";
    }
    this.thinking += piece;
    this.#thought.append(piece);
  }

  #addText(piece) {
    if (this.text === "") {
      this.#endThinking();
      if (!this.#userToggled) this.#details.open = false;
    }
    this.text += piece;
    this.#answer.append(piece);
  }

  /** At the answer's first word, or at an end without one: then the thoughts stay open. */
  #endThinking() {
    if (this.#message.dataset.phase !== "thinking") return;
    this.#message.dataset.phase = "answering";
    this.seconds = ((performance.now() - this.#firstToken) / 1000).toFixed(1);
    this.#summary.textContent = words.thought(this.seconds);
    this.#thought.end();
  }

  #showStats() {
    const stats = [this.#requestId];
    if (this.#tokens) {
      // n tokens have n - 1 gaps, perhaps of 0.
      const rate = (this.#tokens - 1) / ((this.#lastToken - this.#firstToken) / 1000);
      if (rate < Infinity) stats.unshift(words.rate(Math.round(rate)));
      const wait = (this.#firstToken - this.#asked) / 1000;
      stats.unshift(words.firstToken(wait.toFixed(2)), words.tokens(this.#tokens));
    }
    this.#stats.textContent = stats.join(" · ");
  }

  #tellSilence() {
    const seconds = Math.round((performance.now() - (this.#lastToken || this.#asked)) / 1000);
    if (seconds < SILENCE) return;
    // Without a head the request may still wait to leave.
    this.#stats.textContent = words.silence(seconds) + (this.#requestId ? "" : words.connections);
  }

  #find(selector) {
    return this.#message.querySelector(selector);
  }
}

/** To the clipboard, if that is permitted. */
export async function copy(button, text) {
  await navigator.clipboard.writeText(text);
  button.textContent = words.copied;
  setTimeout(() => (button.textContent = words.copy), 1500);
}

function copyTemplate(selector) {
  return document.querySelector(selector).content.cloneNode(true).firstElementChild;
}

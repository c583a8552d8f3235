/*
 * One message on the page. A question is its text; an answer grows, delta by delta:
 *
 *     {thinking: "A greeting…"}  ->  <details class="thinking">, open while it thinks
 *     {text: "你好"}             ->  <div class="answer">
 *     the end                    ->  <p class="ending"> says how, if it was not a normal stop
 *
 * and <p class="stats"> counts along. Text nodes only: nothing a model writes becomes markup.
 */

import { words } from "./words.js";

/** @param {HTMLElement} conversation @param {string} question */
export function showQuestion(conversation, question) {
  const message = copyTemplate("#user-message");
  message.ariaLabel = words.you;
  message.append(question);
  conversation.append(message);
}

export class AnswerView {
  /** What the model has said, without its thoughts. */
  text = "";
  #message = copyTemplate("#assistant-message");
  #thinking = this.#message.querySelector(".thinking");
  #summary = this.#message.querySelector("summary");
  // One text node each: an emoji that two deltas share is whole again in it.
  #thought = addTextNode(this.#message.querySelector(".thought"));
  #answer = addTextNode(this.#message.querySelector(".answer"));
  #userToggled = false;
  #asked = performance.now();
  #firstToken = 0;
  #tokens = 0;

  constructor(conversation) {
    this.#message.ariaLabel = words.model;
    // Not `toggle`: that event also fires when we open or close it ourselves.
    this.#summary.addEventListener("click", () => (this.#userToggled = true));
    conversation.append(this.#message);
  }

  /** @param {import("./openai.js").Delta} delta */
  receive(delta) {
    if (!delta.thinking && !delta.text) return;
    this.#firstToken ||= performance.now();
    this.#tokens += 1;
    if (delta.thinking) this.#addThinking(delta.thinking);
    if (delta.text) this.#addText(delta.text);
    this.#showStats();
  }

  /** @param {string} kind "complete", "stopped", … @param {string} wording what the reader sees */
  end(kind, wording) {
    this.#endThinking();
    this.#message.querySelector(".ending").textContent = wording;
    this.#message.dataset.ending = kind;
    this.#message.dataset.state = "done";
    this.#message.ariaBusy = "false";
  }

  #addThinking(piece) {
    if (this.#thinking.hidden) {
      this.#thinking.hidden = false;
      this.#thinking.open = true;
      this.#summary.textContent = words.thinking;
      this.#message.dataset.phase = "thinking";
    }
    this.#thought.appendData(piece);
  }

  // The place to render Markdown, from `this.text`.
  #addText(piece) {
    if (this.text === "") {
      this.#endThinking();
      if (!this.#userToggled) this.#thinking.open = false;
    }
    this.text += piece;
    this.#answer.appendData(piece);
  }

  /** At the answer's first word, or at an end without one: then the thoughts stay open. */
  #endThinking() {
    if (this.#message.dataset.phase !== "thinking") return;
    this.#message.dataset.phase = "answering";
    this.#summary.textContent = words.thought(secondsSince(this.#firstToken).toFixed(1));
  }

  #showStats() {
    const wait = (this.#firstToken - this.#asked) / 1000;
    const stats = [words.firstToken(wait.toFixed(2)), words.tokens(this.#tokens)];
    // n tokens have n - 1 gaps.
    const rate = (this.#tokens - 1) / secondsSince(this.#firstToken);
    if (this.#tokens > 1) stats.push(words.rate(rate.toFixed(1)));
    this.#message.querySelector(".stats").textContent = stats.join(" · ");
  }
}

function copyTemplate(selector) {
  return document.querySelector(selector).content.cloneNode(true).firstElementChild;
}

function addTextNode(element) {
  return element.appendChild(document.createTextNode(""));
}

function secondsSince(time) {
  return (performance.now() - time) / 1000;
}

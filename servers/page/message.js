/*
 * One message on the page. A question is its text; an answer grows, delta by delta:
 *
 *     {thinking: "They greet me…"}  ->  <details class="thinking">, open while it thinks
 *     {text: "你好"}                ->  <div class="answer">
 *     the end                       ->  <p class="ending"> says how, if it was not a normal stop
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
  /** What the model has said so far, without its thoughts. */
  text = "";
  /** Deltas that carried something. */
  tokens = 0;
  #message = copyTemplate("#assistant-message");
  #thinking = this.#message.querySelector(".thinking");
  #summary = this.#thinking.querySelector("summary");
  // One text node each: an emoji that two deltas share is whole again in it.
  #thoughtNode = appendTextNode(this.#thinking.querySelector(".thought"));
  #answerNode = appendTextNode(this.#message.querySelector(".answer"));
  #userToggled = false;
  #asked = performance.now();
  #firstToken = 0;
  #lastToken = 0;

  /** @param {HTMLElement} conversation the element that gets the answer, empty and streaming */
  constructor(conversation) {
    this.#message.ariaLabel = words.model;
    // A click, not `toggle`: that event also fires when we open or close it ourselves.
    this.#summary.addEventListener("click", () => (this.#userToggled = true));
    conversation.append(this.#message);
  }

  /** @param {import("./openai.js").Delta} delta */
  receive(delta) {
    if (!delta.thinking && !delta.text) return;
    this.#lastToken = performance.now();
    this.#firstToken ||= this.#lastToken;
    this.tokens += 1;
    if (delta.thinking) this.#addThinking(delta.thinking);
    if (delta.text) this.#addText(delta.text);
    this.#showStats();
  }

  /**
   * @param {"complete" | "stopped" | "cut" | "length" | "other" | "error"} kind
   * @param {string} wording what to say about it; empty for a normal stop
   */
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
    this.#thoughtNode.appendData(piece);
  }

  // The place to render Markdown, from `this.text`. Today it is plain text.
  #addText(piece) {
    if (this.text === "") {
      this.#endThinking();
      if (!this.#userToggled) this.#thinking.open = false;
    }
    this.text += piece;
    this.#answerNode.appendData(piece);
  }

  /** At the answer's first word, or at an end without one: then the thoughts stay open. */
  #endThinking() {
    if (this.#message.dataset.phase !== "thinking") return;
    this.#message.dataset.phase = "answering";
    this.#summary.textContent = words.thought(seconds(performance.now() - this.#firstToken, 1));
  }

  #showStats() {
    const parts = [
      words.firstToken(seconds(this.#firstToken - this.#asked, 2)),
      words.tokens(this.tokens),
    ];
    // n tokens have n - 1 gaps; in one read, none that can be measured.
    const gaps = (this.#lastToken - this.#firstToken) / 1000;
    if (gaps > 0) parts.push(words.rate(((this.tokens - 1) / gaps).toFixed(1)));
    this.#message.querySelector(".stats").textContent = parts.join(" · ");
  }
}

function copyTemplate(selector) {
  return document.querySelector(selector).content.cloneNode(true).firstElementChild;
}

function appendTextNode(element) {
  return element.appendChild(document.createTextNode(""));
}

function seconds(milliseconds, digits) {
  return (milliseconds / 1000).toFixed(digits);
}

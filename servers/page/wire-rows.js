/*
 * One row for each send of the server, with each of its bytes once:
 *
 *     #7  612.3 ms  +50.1  byte 1,203, 257 B  read 6 at 613.0 ms
 *     ⟦c6 fb\r\n⟨e7 data: {"id":…"content":"你"}…\n\n⟩\r\n⟧
 *
 * ⟦ ⟧ are the borders of a chunk, ⟨ ⟩ of an event; ⚠ stands where an event goes on in the next
 * chunk. The borders of sends, chunks, events and reads need not meet.
 */

import { words } from "./wire-words.js";

/** The layers, from the outside in. */
export const LAYERS = ["head", "chunk", "sse", "json", "text", "beat", "bad"];

const LABELS = {
  head: ["head"],
  chunk: ["chunk-size", "chunk-ext", "CRLF", "last-chunk", "trailer"],
  json: ["json"],
  text: ["token", "data"],
  beat: ["comment"],
  bad: ["after-end", "unreadable", "unfinished"],
};

/** @param {string} label of a span: protocol/anatomy.py has them all */
export function layerOf(label) {
  return LAYERS.find((layer) => LABELS[layer]?.includes(label)) ?? "sse";
}

export function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const MAX_SHOWN = 1500; // bytes of one span

export class Rows {
  /** How many are shown no more. */
  folded = 0;
  #list;
  #max;
  #rows = [];
  #last = { at: 0, body: 0 };
  #reads = [{ end: 0, at: 0 }]; // where each ended in the body

  /** @param {HTMLElement} list @param {number} [max] rows that stay */
  constructor(list, max = 40) {
    this.#list = list;
    this.#max = max;
  }

  /** @param {object} sent the event's data @param {boolean} isFirst with the first token */
  add(sent, isFirst) {
    const bytes = Uint8Array.from(atob(sent.bytes), (letter) => letter.charCodeAt(0));
    const [gap, start] = [sent.at - this.#last.at, this.#last.body];
    const row = { ...sent, bytes, isFirst, gap, start, spans: [] };
    this.#last = row;
    this.#rows.push(row);
    if (this.#rows.length > this.#max) {
      this.#rows.shift().element?.remove();
      this.folded += 1;
    }
  }

  /** Names for bytes, of earlier rows too: a line is understood when it has ended. */
  name(spans) {
    for (const [label, start, end, ...numbers] of spans) {
      for (const row of this.#rows.filter((row) => row.offset < end && start < row.size)) {
        row.spans.push([label, Math.max(start, row.offset), Math.min(end, row.size), ...numbers]);
        row.isDrawn = false;
      }
    }
  }

  /** The page has read so much more of the body. */
  read(size, at) {
    this.#reads.push({ end: this.#reads.at(-1).end + size, at });
  }

  draw() {
    const { scrollTop, scrollHeight, clientHeight } = this.#list;
    let before = { event: 0, label: "" };
    for (const row of this.#rows) {
      // Until the page has read its last byte, more reads may come.
      if (!row.isDrawn || (row.body > row.start && !row.isRead)) {
        const element = make("li", "", this.#drawFacts(row), drawBytes(row, before));
        if (row.element) row.element.replaceWith(element);
        else this.#list.append(element);
        Object.assign(row, { element, isDrawn: true });
      }
      before = row.after;
    }
    // Only while the reader is at the end.
    if (scrollHeight - scrollTop - clientHeight < 40) this.#list.scrollTop = scrollHeight * 2;
  }

  #drawFacts(row) {
    const { at, gap, offset, size, start, body } = row;
    const facts = [`${at.toFixed(1)} ms`, `+${gap.toFixed(1)}`, words.place(offset, size - offset)];
    // From the end, where the rows are.
    const count = this.#reads.length;
    const first = this.#reads.findLastIndex((read) => read.end <= start) + 1;
    const next = this.#reads.findLastIndex((read) => read.end < body) + 1;
    row.isRead = next < count;
    const last = Math.min(next, count - 1);
    if (body > start && first < count) facts.push(words.read(first, last, this.#reads[last].at));
    const line = make("p", "", make("strong", "", `#${row.sends}`));
    line.append(...facts.map((fact) => make("span", "", fact)));
    if (row.isFirst) line.append(make("em", "", words.first));
    if (row.spans.some(([label]) => label === "comment")) line.append(make("em", "", words.beat));
    return line;
  }
}

function drawBytes(row, before) {
  const code = make("code");
  let place = row.offset;
  for (const span of [...row.spans.sort((a, b) => a[1] - b[1]), ["", row.size, row.size]]) {
    // What has no name yet stands there without.
    if (place < span[1]) code.append(drawSpan(row, ["", place, span[1]], before));
    if (span[1] < span[2]) code.append(drawSpan(row, span, before));
    before = { event: span[4] || before.event, label: span[0] || before.label };
    place = span[2];
  }
  row.after = before;
  return code;
}

function drawSpan({ offset, bytes }, [label, start, end, chunk, event, token], before) {
  const own = bytes.subarray(start - offset, end - offset);
  const part = make("span", label && layerOf(label), show(own));
  part.title = `${label} ${start}–${end - 1}`;
  if (token) part.title += ` · token ${token} · ${hex(own)}`;
  const inSizeLine = /chunk/.test(before.label);
  if (/chunk/.test(label) && !inSizeLine) part.dataset.open = `⟦${chunk ? `c${chunk}` : ""} `;
  if (label === "CRLF" && !inSizeLine) part.dataset.close = "⟧";
  if (event && event !== before.event) part.dataset.open = `⟨e${event} `;
  else if (event && before.label === "CRLF") part.dataset.torn = `⚠ …e${event} `;
  if (event && label === "blank-line") part.dataset.close = "⟩";
  return part;
}

function show(bytes) {
  const shown = bytes.subarray(0, MAX_SHOWN);
  const more = bytes.length - shown.length;
  let text = `‹${hex(shown)}›`; // half a character is none
  try {
    text = utf8.decode(shown).replaceAll("\r", "\\r").replaceAll("\n", "\\n");
  } catch {}
  return more ? `${text} … +${more}` : text;
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/*
 * The gap chart: how long each piece came after the one before. Up: sent by the server; down:
 * received by the page. A steady model draws a comb; a proxy that gathers pieces leaves the upper
 * half as it is, and the lower one falls into a few tall bars.
 */

import { make } from "./wire-rows.js";
import { words } from "./wire-words.js";

const WIDTH = 600;
const HALF = 40;
const MAX_TIMES = 20_000;

export function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

export class GapChart {
  #paths = ["first", "sent", "received"].map((name) => svg("path", { class: name }));
  #caption = make("figcaption");
  element = make("figure");

  constructor() {
    const viewBox = `0 0 ${WIDTH} ${2 * HALF}`;
    const chart = svg("svg", { viewBox, preserveAspectRatio: "none", "aria-hidden": "true" });
    chart.append(svg("path", { d: `M0 ${HALF}h${WIDTH}` }), ...this.#paths);
    this.element.append(chart, this.#caption); // which says it in words
  }

  /** Push times to `sent` and `received`: milliseconds since the request. */
  clear() {
    Object.assign(this, { sent: [], received: [], firstToken: 0 });
  }

  draw() {
    const both = [this.sent, this.received];
    for (const times of both) times.splice(0, times.length - MAX_TIMES);
    const end = Math.max(1, ...both.map((times) => times.at(-1) ?? 0));
    const [up, down] = both.map((times) => largestGaps(times, end));
    const [sent, received] = [Math.max(...up), Math.max(...down)];
    const scale = HALF / Math.max(sent, received, 1);
    const first = `M${(this.firstToken / end) * WIDTH} 0v${2 * HALF}`;
    const lines = [first, bars(up, -scale), bars(down, scale)];
    lines.forEach((line, index) => this.#paths[index].setAttribute("d", line));
    this.#caption.textContent = words.gaps(sent, received, this.firstToken, end);
  }
}

/** In each column of the chart, the largest gap that ends there. */
function largestGaps(times, end) {
  const gaps = Array(WIDTH + 1).fill(0);
  times.forEach((time, index) => {
    const column = Math.round((Math.max(0, time) / end) * WIDTH);
    gaps[column] = Math.max(gaps[column], time - (times[index - 1] ?? time), 0.5);
  });
  return gaps;
}

function bars(gaps, scale) {
  return gaps.map((gap, x) => (gap ? `M${x} ${HALF}v${gap * scale}` : "")).join("");
}

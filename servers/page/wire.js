/*
 * The wire pane: the bytes of the running answer, which no chat page shows. The server records
 * what it sends and tells it as an event stream; the page adds when it got each read.
 *
 *     start() -> opened(response, askedAt) -> received(bytes, at) … -> ended(kind)
 *                GET /wire/{id} -> sent, sent, sent … done
 *
 * Drawn ten times a second, however much came. It brings its style sheet along, and works in any
 * page that has the colours of style.css.
 */

import { readEvents } from "./sse.js";
import { GapChart, svg } from "./wire-gaps.js";
import { LAYERS, Rows, layerOf, make } from "./wire-rows.js";
import { words } from "./wire-words.js";

const style = { rel: "stylesheet", href: new URL("wire.css", import.meta.url) };
document.head.append(Object.assign(make("link"), style));

const MAX_KEPT = 2 ** 24; // characters of the export: some 20,000 tokens

export class WirePane {
  #element;
  #details = make("details");
  #cost = make("p", "cost");
  #bar = svg("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" });
  #legend = make("ul");
  #counts = make("p");
  #chart = new GapChart();
  #note = make("p");
  #list = make("ol");
  #rows;
  #answer;
  #frame = 0;
  #drawnAt = 0;

  /**
   * @param {HTMLElement} element an empty one, hidden until there is something to show
   * @param {boolean} isOpen at first; the reader opens and closes it
   */
  constructor(element, isOpen = true) {
    this.#element = element;
    for (const layer of LAYERS) {
      this.#bar.append(svg("rect", { class: layer, height: 1 }));
      this.#legend.append(make("li", "", make("b", layer, words[layer]), make("span")));
    }
    this.#list.tabIndex = 0;
    this.#list.ariaLabel = words.sends;
    const save = make("button", "", words.save);
    save.addEventListener("click", () => this.#save());
    const title = make("summary", "", make("h2", "", words.title));
    this.#details.append(title, this.#cost, this.#bar, this.#legend, this.#counts);
    this.#details.append(this.#chart.element, this.#note, this.#list, save);
    this.#details.open = isOpen;
    this.#details.addEventListener("toggle", () => this.#follow());
    document.addEventListener("visibilitychange", () => this.#follow());
    element.classList.add("wire");
    element.append(this.#details);
    this.start();
  }

  /** A new answer begins. */
  start() {
    this.#answer?.reading.abort();
    this.#element.hidden = true;
    this.#list.replaceChildren();
    this.#rows = new Rows(this.#list);
    this.#chart.clear();
    const bytes = Object.fromEntries(LAYERS.map((layer) => [layer, 0]));
    this.#answer = { reading: new AbortController(), lines: [], kept: 0, bytes, notes: {} };
  }

  /** @param {Response} response @param {number} askedAt performance.now() of the request */
  opened(response, askedAt) {
    const path = response.headers.get("X-Wire");
    if (!path) return;
    Object.assign(this.#answer, { url: new URL(path, response.url), askedAt });
    this.#element.hidden = false;
    this.#follow();
  }

  /** @param {Uint8Array} bytes one read of the body @param {number} at performance.now() */
  received(bytes, at) {
    if (!this.#answer.url) return;
    const time = at - this.#answer.askedAt;
    this.#keep("read", `{"at":${time.toFixed(3)},"size":${bytes.length}}`);
    this.#rows.read(bytes.length, time);
    this.#chart.received.push(time);
    this.#drawSoon();
  }

  /** @param {string} kind how the answer ended, to the page */
  ended(kind) {
    this.#answer.notes.page = words.page(kind);
    this.#drawSoon();
  }

  /** Read the recording, once somebody looks: it takes one of the browser's six connections. */
  async #follow() {
    const answer = this.#answer;
    if (!answer.url || answer.isRead || !this.#details.open || document.hidden) return;
    answer.isRead = true;
    const { signal } = answer.reading;
    try {
      const response = await fetch(answer.url, { signal });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      for await (const { event, data } of readEvents(response.body)) {
        if (signal.aborted) return;
        this.#keep(event, data);
        this.#receive(event, JSON.parse(data));
      }
    } catch (error) {
      answer.notes.failure = `${words.failure}: ${error.message}`;
    }
    if (!signal.aborted) this.#drawSoon();
  }

  #receive(event, told) {
    const { bytes, notes } = this.#answer;
    this.#drawSoon();
    if (event === "missing") {
      notes.missing = words.missing(told.sends);
      return;
    }
    const isFirst = told.text > 0 && !this.#answer.total?.text;
    this.#answer.total = told;
    if (isFirst) this.#chart.firstToken = told.at;
    if (event === "sent") this.#rows.add(told, isFirst);
    if (event === "sent" && told.body) this.#chart.sent.push(told.at);
    this.#rows.name(told.spans);
    for (const [label, start, end] of told.spans) bytes[layerOf(label)] += end - start;
    if (event === "done") notes.server = words.done(told.how, told.at);
    notes.error = told.error;
  }

  #drawSoon() {
    this.#frame ||= requestAnimationFrame((now) => this.#draw(now));
  }

  #draw(now) {
    this.#frame = 0;
    if (now - this.#drawnAt < 100) return this.#drawSoon(); // ten times a second is live enough
    this.#drawnAt = now;
    const { total, bytes, notes } = this.#answer;
    if (!total) return;
    this.#cost.textContent = total.text ? words.cost(total.text, total.size) : "";
    this.#counts.textContent = words.counts(total);
    let x = 0;
    LAYERS.forEach((layer, index) => {
      const width = bytes[layer] / total.size;
      const [rect, item] = [this.#bar.children[index], this.#legend.children[index]];
      rect.setAttribute("x", x);
      rect.setAttribute("width", width);
      x += width;
      item.hidden = !width;
      item.lastChild.textContent = words.bytes(bytes[layer]);
    });
    this.#rows.draw();
    notes.folded = this.#rows.folded && words.folded(this.#rows.folded);
    this.#note.textContent = Object.values(notes).filter(Boolean).join(" · ");
    this.#chart.draw();
  }

  /** For the export: JSON lines, in the order in which the page heard of them. */
  #keep(type, json) {
    const answer = this.#answer;
    if (answer.kept > MAX_KEPT) return;
    answer.kept += json.length;
    const isFull = answer.kept > MAX_KEPT;
    answer.lines.push(isFull ? '{"type":"full"}\n' : `{"type":"${type}",${json.slice(1)}\n`);
  }

  #save() {
    const link = make("a");
    link.href = URL.createObjectURL(new Blob(this.#answer.lines));
    link.download = `${this.#answer.url.pathname.slice("/wire/".length)}.jsonl`;
    link.click();
    URL.revokeObjectURL(link.href);
  }
}

/*
 * The browser's own EventSource, without any help: when it loses its connection, it waits as long as
 * `retry` said, and asks again with the id of the last event that it dispatched.
 *
 *     error, readyState CONNECTING    the connection is lost, it will ask again     ✂
 *     open                            a new connection                              a new colour
 *     error, readyState CLOSED        204: it will not ask again                    the end
 *
 * A second EventSource gets the same answer over one connection, to compare.
 */

const COLOURS = 6;
const ENOUGH = 4; // connections without ids, which would go on for ever

const find = (id) => document.getElementById(id);
const make = (name, className, text) =>
  Object.assign(document.createElement(name), { className, textContent: text });

/** The answer on the page: its words, its seams and its connections. */
class Seam {
  #source;
  #asked = "";
  #lastEventId = "";
  #row = null;
  #words = 0;
  #connections = 0;
  #text = "";
  #whole;

  constructor(question, ids, cuts) {
    find("answer").replaceChildren();
    find("connections").replaceChildren();
    find("verdict").textContent = "";
    find("cut").disabled = false;
    const text = encodeURIComponent(question);
    const query = cuts ? `?fault=${ids ? "rst*3@25" : "rst@25"}` : "";
    this.ids = ids;
    this.#whole = wholeAnswer(`/chat/${text}`);
    this.#source = new EventSource(`/${ids ? "resuming" : "forgetful"}/${text}${query}`);
    this.#source.onopen = () => this.#opened();
    this.#source.onerror = () => this.#lost();
    for (const kind of ["thinking", "message", "done"]) {
      this.#source.addEventListener(kind, (event) => this.#received(event));
    }
  }

  stop() {
    this.#source.close();
    find("cut").disabled = true;
  }

  #opened() {
    this.#connections += 1;
    this.#words = 0;
    this.#row = make("tr", this.#colour, "");
    const cells = [this.#connections, this.#asked || "–", 0, "…"];
    this.#row.append(...cells.map((text) => make("td", "", text)));
    find("connections").append(this.#row);
  }

  get #colour() {
    return `c${(this.#connections - 1) % COLOURS}`;
  }

  #received(event) {
    this.#lastEventId = event.lastEventId;
    if (event.type === "done") return this.#note("done: the answer is whole");
    const { text } = JSON.parse(event.data);
    const word = make("span", `${this.#colour} ${event.type}`, text);
    word.title = event.lastEventId ? `id: ${event.lastEventId}` : "no id";
    find("answer").append(word);
    this.#text += text;
    this.#words += 1;
    this.#row.cells[2].textContent = this.#words;
  }

  #lost() {
    if (this.#source.readyState === EventSource.CLOSED) return this.#ended();
    if (this.#row === null) return; // it was cut before it was open
    const cut = this.#row.cells[3].textContent === "…"; // else the answer was complete, and the browser asks again
    if (cut) this.#note("✂ cut");
    this.#asked = this.#lastEventId;
    this.#row = null;
    find("answer").append(make("b", "seam", `${cut ? "✂" : "↻"} ${this.#asked || "no id"} `));
    if (!this.ids && this.#connections === ENOUGH) {
      this.stop();
      this.#say("Stopped by this page: the client would ask for ever, and the model start again each time.");
    }
  }

  #note(text) {
    this.#row.cells[3].textContent = text;
  }

  async #ended() {
    this.stop();
    const row = make("tr", "", "");
    const cells = ["", this.#asked, 0, "204: it will not ask again"];
    row.append(...cells.map((text) => make("td", "", text)));
    find("connections").append(row);
    const same = this.#text === (await this.#whole);
    this.#say(`${this.#connections} connections, one answer. The same as in one piece: ${same ? "yes" : "no"}`);
  }

  #say(text) {
    find("verdict").textContent = text;
  }
}

/** The same answer, over a connection that the server does not cut. */
function wholeAnswer(url) {
  return new Promise((resolve) => {
    const source = new EventSource(url);
    let text = "";
    const add = (event) => (text += JSON.parse(event.data).text);
    source.addEventListener("thinking", add);
    source.addEventListener("message", add);
    source.addEventListener("done", () => {
      source.close();
      resolve(text);
    });
  });
}

let seam = null;
find("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  seam?.stop();
  seam = new Seam(find("question").value, find("ids").checked, find("cuts").checked);
});
find("cut").addEventListener("click", () => fetch("/cut", { method: "POST" }));

/*
 * The wire pane: the bytes of the running answer, which no chat page shows. The server records
 * what it sends, and reports it as an event stream; the page adds the time of each read.
 *
 *     start() -> opened(response, askedAt) -> received(bytes, at) … closed() -> ended(ending)
 *                GET /wire/{id} -> sent, sent, sent … done
 *
 * The pane is drawn ten times a second. It loads its own style sheet, and works in any page
 * that has the colours of style.css.
 */

import { make } from "./dom.js";
import { readEvents } from "./sse.js";
import { gapChart } from "./wire-gaps.js";
import { LAYERS, layerOf } from "./wire-bytes.js";
import { sendRows } from "./wire-rows.js";
import { recordReads } from "./wire-verdict.js";
import { say, words } from "./words.js";

const href = new URL("wire.css", import.meta.url);
document.head.append(make("link", { rel: "stylesheet", href }));

const NOTHING = { sends: 0, chunks: 0, events: 0, tokens: 0, size: 0, text: 0 };
const MAX_LINES = 50_000; // lines of the export: about 20,000 tokens

/**
 * @param {HTMLElement} element an empty one, hidden until there is something to show
 * @param {boolean} isOpen at first; the reader opens and closes it
 */
export function wirePane(element, isOpen = true) {
	const cost = make("p", "cost");
	const bar = make("div", "bytes", ...LAYERS.map((layer) => make("i", layer)));
	const entries = LAYERS.map((layer) => make("li", {}, make("b", layer, words[layer]), make("span")));
	const legend = make("ul", {}, ...entries);
	const counts = make("p");
	const chart = gapChart();
	const note = make("p");
	const rows = sendRows();
	const title = make("summary", {}, make("h2", {}, words.wire));
	const save = make("button", { onclick: exportLines }, words.save);
	const details = make("details", { open: isOpen, ontoggle: follow }, title, cost, bar, legend);
	details.append(counts, chart.element, note, rows.element, save);
	let [frame, drawnAt] = [0, 0];
	let answer = null;

	document.addEventListener("visibilitychange", follow);
	element.classList.add("wire");
	element.append(details);
	start();

	/** A new answer begins. */
	function start() {
		answer?.reading.abort();
		element.hidden = true;
		rows.clear();
		chart.clear();
		const bytes = Object.fromEntries(LAYERS.map((layer) => [layer, 0]));
		answer = { reading: new AbortController(), lines: [], bytes, notes: {}, total: NOTHING };
		drawSoon();
	}

	/** @param {Response} response @param {number} askedAt performance.now() of the request */
	function opened(response, askedAt) {
		const path = response.headers.get("X-Wire");
		if (!path) return;
		const reads = recordReads(response, askedAt);
		const judge = response.headers.get("X-Wire-Verdict");
		Object.assign(answer, { url: new URL(path, response.url), askedAt, reads, judge });
		element.hidden = false;
		follow();
	}

	/** @param {Uint8Array} bytes one read of the body @param {number} at performance.now() */
	function received(bytes, at) {
		if (!answer.url) return;
		const time = at - answer.askedAt;
		keep("read", `{"at":${time.toFixed(3)},"size":${bytes.length}}`);
		rows.read(bytes.length, time);
		chart.received(time);
		answer.reads.received(bytes, at);
		drawSoon();
	}

	/** The body has a clean end. */
	function closed() {
		answer.reads?.closed();
	}

	/**
	 * @param {string} ending how the answer ended for the page, in words
	 * @param {string} kind the same as one word: "complete", "cut", "stopped", …
	 */
	async function ended(ending, kind = ending) {
		const { judge, notes, reads } = answer;
		notes.page = say("page", ending);
		drawSoon();
		if (!judge || kind === "stopped") return;
		const verdict = await reads.judge(judge, kind === "cut");
		notes.verdict = verdict && say("verdict", verdict);
		drawSoon();
	}

	/** Read the recording only while the pane is open: it takes one of six connections. */
	async function follow() {
		const followed = answer;
		if (!followed.url || followed.isRead || !details.open || document.hidden) return;
		followed.isRead = true;
		const { signal } = followed.reading;
		try {
			const response = await fetch(followed.url, { signal });
			if (!response.ok) throw new Error(`HTTP ${response.status}`);
			for await (const { event, data } of readEvents(response.body)) {
				if (signal.aborted) return;
				keep(event, data);
				receive(event, JSON.parse(data));
			}
		} catch (error) {
			followed.notes.failure = say("failure", error.message);
		}
		if (!signal.aborted) drawSoon();
	}

	function receive(event, told) {
		const { bytes, notes, total } = answer;
		drawSoon();
		if (event === "missing") {
			notes.missing = say("missing", told.sends);
			return;
		}
		const isFirst = told.text > 0 && !total.text;
		answer.total = told;
		if (isFirst) chart.firstToken(told.at);
		if (event === "sent") rows.add(told, isFirst);
		if (event === "sent" && told.body) chart.sent(told.at);
		rows.name(told.spans);
		for (const [label, start, end] of told.spans) bytes[layerOf(label)] += end - start;
		if (event === "done") notes.server = say("done", told.how, Math.round(told.at));
		notes.error = told.error;
	}

	function drawSoon() {
		frame ||= requestAnimationFrame(draw);
	}

	function draw(now) {
		frame = 0;
		if (now - drawnAt < 100) return drawSoon(); // ten times a second is enough
		drawnAt = now;
		const { bytes, notes } = answer;
		const { sends, chunks, events, tokens, size, text } = answer.total;
		cost.textContent = text ? say("cost", text, size, Math.round(size / text)) : "";
		counts.textContent = say("counts", sends, chunks, events, tokens);
		LAYERS.forEach((layer, index) => {
			const item = legend.children[index];
			item.hidden = !bytes[layer];
			item.lastChild.textContent = say("bytes", bytes[layer]);
			bar.children[index].style.flexGrow = bytes[layer];
		});
		const { folded, areWaiting } = rows.draw();
		if (areWaiting) drawSoon();
		notes.folded = folded && say("folded", folded);
		note.textContent = Object.values(notes).filter(Boolean).join(" · ");
		chart.draw();
	}

	/** For the export: JSON lines, in the order in which the page received them. */
	function keep(type, json) {
		const { lines } = answer;
		if (lines.length < MAX_LINES) lines.push(`{"type":"${type}",${json.slice(1)}\n`);
		else lines[MAX_LINES] = '{"type":"full"}\n';
	}

	function exportLines() {
		const href = URL.createObjectURL(new Blob(answer.lines));
		make("a", { href, download: `${answer.url.pathname.slice("/wire/".length)}.jsonl` }).click();
		URL.revokeObjectURL(href);
	}

	return { start, opened, received, closed, ended };
}

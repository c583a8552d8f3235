/*
 * The viewer: a recording of a connection, read by read, as fast as it happened or step by step.
 *
 *     viewer(element, {
 *         reads: [{at: 503.4, sender: "server", connection: 0, offset: 155,
 *                  bytes: "MTkN…", end: "", spans: [["chunk-size", 155, 157, 1, 0, 0], …]}, …],
 *         exchanges: [{method: "GET", url: "http://…", report: {verdicts: […], counts: {…}, …}}, …],
 *     }, navigator.language)
 *
 * It parses nothing: spans come with the recording (workshop/xray/recordings/page.py), each within the bytes of
 * its read. `position` is the number of reads that are shown. Each byte is shown once, with its
 * layer (wire-bytes.js), or in hex.
 */

import { make } from "./dom.js";
import { asText, drawBytes, hex, LAYERS, pass, START } from "./wire-bytes.js";
import { viewerWords } from "./viewer-words.js";

const MAX_ROWS = 200; // rows in the document
const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 100];
const WIDTH = 1000; // of the time line, in its own units
const HEIGHT = 40;
const BAD = /^(?!live$|unsure$)/; // codes of verdicts that are faults

/** Times are milliseconds since the recording began. */
export function viewer(element, { reads, exchanges }, language = "en") {
	const words = viewerWords(language);
	const format = new Intl.NumberFormat(/^zh/i.test(language) ? "zh-CN" : "en", {
		maximumFractionDigits: 1,
	}).format;
	const milliseconds = (at) => `${format(at)} ms`;
	const hasConnections = reads.some(({ connection }) => connection !== reads[0].connection);
	const rows = describe(reads);

	const list = make("ol");
	const section = make("section", { tabIndex: 0, ariaLabel: words.reads }, list);
	const note = make("p", { hidden: true });
	const output = make("output");
	const slider = make("input", {
		type: "range",
		max: reads.length,
		ariaLabel: words.slider,
		oninput: () => go(slider.valueAsNumber),
	});
	const playButton = make("button", { type: "button", className: "play", onclick: toggle });
	const speed = make("select", { ariaLabel: words.speed, onchange: () => timer && schedule() });
	speed.append(...SPEEDS.map((each) => new Option(`×${each}`, each, each === 1, each === 1)));
	const hexButton = button("hex", words.hex, words.hex, () => setHex(!isHex));
	const controls = make(
		"div",
		{ className: "controls", role: "group", ariaLabel: words.controls },
		button("first", "|◀", words.first, () => go(0)),
		button("back", "◁", words.back, () => go(position - 1)),
		playButton,
		button("forward", "▷", words.forward, () => go(position + 1)),
		button("last", "▶|", words.last, () => go(reads.length)),
		speed,
		hexButton,
		output,
	);
	const line = timeLine(reads);
	const end = reads.length ? reads[reads.length - 1].at : 0;
	const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => make("span", {}, milliseconds(Math.round(end * share))));
	const axis = make("p", { className: "axis", ariaHidden: "true" }, ...ticks);
	const legend = make("ul", {}, ...LAYERS.map((layer) => make("li", {}, make("b", layer, words[layer]))));
	let position, shown, isHex, timer;

	element.classList.add("wire", "viewer");
	element.append(...exchanges.slice(0, 20).map(drawExchange), line.element, axis, slider, controls, note);
	element.append(section, legend, make("p", "keys", words.keys));
	element.ownerDocument.addEventListener("keydown", press);
	setHex(false);
	go(reads.length);

	function button(className, text, label, onclick) {
		return make("button", { type: "button", className, textContent: text, ariaLabel: label, title: label, onclick });
	}

	/** @param {number} next how many reads to show. It stops the playback. */
	function go(next) {
		stop();
		show(next);
	}

	function show(next) {
		position = Math.max(0, Math.min(next, reads.length));
		const first = Math.max(0, position - MAX_ROWS);
		for (const [index, row] of shown) {
			if (index >= first && index < position) continue;
			row.remove();
			shown.delete(index);
		}
		const known = list.firstElementChild;
		for (let index = first; index < position; index += 1) {
			if (shown.has(index)) continue;
			const row = drawRow(index);
			// Rows are consecutive, so new rows come before all others or after all others.
			list.insertBefore(row, known && index < Number(known.value) - 1 ? known : null);
			shown.set(index, row);
		}
		list.querySelector("[aria-current]")?.removeAttribute("aria-current");
		shown.get(position - 1)?.setAttribute("aria-current", "step");
		section.scrollTop = 0; // its end: wire.css lays it out from there
		note.hidden = !first;
		note.textContent = words.earlier(format(first));
		slider.value = position;
		const at = position && reads[position - 1].at;
		const text = position ? words.position(format(position), format(reads.length), milliseconds(at)) : words.start(format(reads.length));
		output.textContent = slider.ariaValueText = text;
		line.move(position ? at : -1);
	}

	// ---- Playback

	function toggle() {
		if (timer || !reads.length) return stop();
		if (position === reads.length) show(0);
		schedule();
	}

	/** Wait for the next read as long as in the recording, divided by the speed. */
	function schedule() {
		clearTimeout(timer);
		const last = position ? reads[position - 1].at : reads[0]?.at;
		const gap = position < reads.length ? (reads[position].at - last) / Number(speed.value) : 0;
		timer = setTimeout(next, Math.min(gap, 2 ** 31 - 1));
		setPlaying(true);
	}

	/** Show all reads that are due, because a timer is only exact to some milliseconds. */
	function next() {
		const due = reads[position].at + 4 * Number(speed.value);
		let end = position + 1;
		while (end < reads.length && reads[end].at <= due) end += 1;
		show(end);
		if (position < reads.length) schedule();
		else stop();
	}

	function stop() {
		clearTimeout(timer);
		timer = 0;
		setPlaying(false);
	}

	function setPlaying(isPlaying) {
		playButton.textContent = isPlaying ? words.pause : words.play;
		playButton.classList.toggle("playing", isPlaying);
	}

	function setHex(value) {
		isHex = value;
		hexButton.ariaPressed = String(isHex);
		list.replaceChildren();
		shown = new Map(); // rows by the index of their read
		if (position !== undefined) show(position);
	}

	function press(event) {
		if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("select")) return;
		const isControl = event.target.closest("button, input");
		const steps = { ArrowRight: position + 1, ArrowLeft: position - 1, Home: 0, End: reads.length };
		if (event.key === " " && !isControl) toggle();
		else if (event.key in steps && event.target !== slider) go(steps[event.key]);
		else return;
		event.preventDefault();
	}

	// ---- Rows

	function drawExchange({ method, url, report, plain }) {
		const block = make("header", {}, make("h2", {}, words.exchange(method, url)));
		for (const { code, say, cure } of report?.verdicts ?? []) {
			const isBad = BAD.test(code);
			const verdict = make("p", isBad ? "verdict faulty" : "verdict", make("b", {}, code), ` ${say}`);
			if (cure && isBad) verdict.append(make("div", "remedy", make("b", {}, words.cure), " ", ...withCode(cure)));
			block.append(verdict);
		}
		if (report) {
			const facts = [words.counts(report.counts)];
			if (report.ttft_ms !== null) facts.push(words.ttft(milliseconds(report.ttft_ms)));
			block.append(make("p", {}, facts.join(" · ")));
		}
		if (plain) block.append(make("details", {}, make("summary", {}, words.plain), make("pre", {}, plain)));
		return block;
	}

	function drawRow(index) {
		const { at, sender, connection, offset, end, spans } = reads[index];
		const { bytes, before, gap } = rows[index];
		const facts = [milliseconds(at), `+${format(gap)}`, words[sender]];
		if (hasConnections) facts.push(words.connection(connection));
		if (bytes.length) facts.push(words.place(format(offset), format(bytes.length)));
		const head = make("p", {}, make("strong", {}, `#${index + 1}`), ...facts.map((fact) => make("span", {}, fact)));
		if (end) head.append(make("em", end === "fin" ? "" : "bad", words[end]));
		const row = make("li", { className: sender, value: index + 1 }, head);
		if (bytes.length) row.append(drawBytes(bytes, offset, spans, before, isHex ? asHex : asText));
		return row;
	}

	return { go, toggle };
}

/** `code` in a sentence becomes an element. */
const withCode = (text) =>
	text.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));

const asHex = (bytes) => `${hex(bytes)} `;

/** The bytes of each read, what came before its first span, and the gap to the read before. */
function describe(reads) {
	const befores = new Map();
	return reads.map(({ at, sender, connection, bytes, spans }, index) => {
		const direction = `${sender} ${connection}`;
		const before = befores.get(direction) ?? START;
		befores.set(direction, spans.reduce(pass, before));
		return {
			bytes: Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0)),
			before,
			gap: index ? at - reads[index - 1].at : 0,
		};
	});
}

/** A bar for each read of the server at its time, as high as the read is large. */
function timeLine(reads) {
	const end = Math.max(1, ...reads.slice(-1).map(({ at }) => at));
	const x = (at) => ((at / end) * WIDTH).toFixed(1);
	const bars = reads.map(({ at, sender, bytes }) => {
		const height = Math.min(HEIGHT, 6 + 2.5 * Math.log2(1 + bytes.length));
		return sender === "server" ? `M${x(at)} ${HEIGHT}v${-height.toFixed(1)}` : `M${x(at)} 0v8`;
	});
	const element = document.createElementNS("http://www.w3.org/2000/svg", "svg");
	element.setAttribute("viewBox", `-2 0 ${WIDTH + 4} ${HEIGHT}`);
	element.setAttribute("preserveAspectRatio", "none");
	element.setAttribute("aria-hidden", "true");
	const [all, head] = ["sent", "first"].map((name) => {
		const path = document.createElementNS(element.namespaceURI, "path");
		path.setAttribute("class", name);
		element.append(path);
		return path;
	});
	all.setAttribute("d", bars.join(""));
	return { element, move: (at) => head.setAttribute("d", at < 0 ? "" : `M${x(at)} 0v${HEIGHT}`) };
}

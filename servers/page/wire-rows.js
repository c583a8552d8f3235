/*
 * One row for each send of the server, with each of its bytes once:
 *
 *     #7  612.3 ms  +50.1  byte 1,203, 257 B  read 6 at 613.0 ms
 *     ⟦c6 fb\r\n⟨e7 data: {"id":…"content":"你"}…\n\n⟩\r\n⟧
 *
 * ⟦ ⟧ are the borders of a chunk, ⟨ ⟩ of an event; ⚠ marks an event that continues in the
 * next chunk. The borders of sends, chunks, events and reads need not match.
 */

import { make } from "./dom.js";
import { say, words } from "./words.js";

/** The layers, from the outside in, with the names that protocol/anatomy.py gives their bytes. */
const LABELS = {
	head: /head/,
	chunk: /chunk|CRLF|trailer/,
	sse: /BOM|field|:|space|line/,
	json: /json/,
	text: /token|data/,
	beat: /comment/,
	bad: /un|after/,
};
export const LAYERS = Object.keys(LABELS);

export const layerOf = (label) => LAYERS.find((layer) => LABELS[layer].test(label));

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const MAX_ROWS = 40; // rows that are kept
const AT_ONCE = 4; // rows that are drawn in one go
const MAX_SHOWN = 1500; // bytes shown of one span

/** Scrolls with the last row while the reader is at the end. */
export function sendRows() {
	const list = make("ol");
	const element = make("section", { tabIndex: 0, ariaLabel: words.sends }, list);
	let rows, folded, reads;

	function clear() {
		list.replaceChildren();
		rows = [];
		folded = 0;
		reads = [{ end: 0, at: 0 }]; // where each read ended in the body
	}

	/** @param {object} sent the event's data @param {boolean} isFirst with the first token */
	function add(sent, isFirst) {
		const last = rows.at(-1) ?? { at: 0, body: 0 };
		rows.push({ ...sent, isFirst, gap: sent.at - last.at, start: last.body, spans: [] });
		if (rows.length <= MAX_ROWS) return;
		rows.shift().element?.remove();
		folded += 1;
	}

	/** Names for bytes, of earlier rows too, because a line is parsed when it has ended. */
	function name(spans) {
		for (const [label, start, end, ...numbers] of spans) {
			for (const row of rows.filter((row) => row.offset < end && start < row.size)) {
				row.spans.push([label, Math.max(start, row.offset), Math.min(end, row.size), ...numbers]);
				row.spans.sort((one, other) => one[1] - other[1]);
				row.isDrawn = false;
			}
		}
	}

	/** The page has read so much more of the body. */
	function read(size, at) {
		reads.push({ end: reads.at(-1).end + size, at });
	}

	/** Draws the newest rows first. Returns whether others wait, and how many were evicted. */
	function draw() {
		let before = { label: "", event: 0 };
		for (const row of rows) {
			row.before = before;
			before = row.spans.reduce(pass, before);
		}
		let drawn = 0;
		let next = null;
		for (const row of rows.toReversed()) {
			const isStale = !row.isDrawn || (!row.isRead && row.reads < reads.length);
			if (isStale && (drawn += 1) <= AT_ONCE) {
				row.element?.remove();
				row.element = make("li", {}, drawFacts(row), drawBytes(row));
				list.insertBefore(row.element, next);
				Object.assign(row, { isDrawn: true, reads: reads.length });
			}
			next = row.element ?? next;
		}
		return { folded, areWaiting: drawn > AT_ONCE };
	}

	function drawFacts(row) {
		const { at, gap, offset, size, start, body } = row;
		const facts = [`${at.toFixed(1)} ms`, `+${gap.toFixed(1)}`, say("place", offset, size - offset)];
		// From the end, where the kept rows are.
		const first = reads.findLastIndex((read) => read.end <= start) + 1;
		const next = reads.findLastIndex((read) => read.end < body) + 1;
		const last = Math.min(next, reads.length - 1);
		row.isRead = body === start || next < reads.length; // otherwise more reads may come
		if (body > start && first <= last) {
			const which = first < last ? `${first}–${last}` : first;
			facts.push(say("read", which, reads[last].at));
		}
		const line = make("p", {}, make("strong", {}, `#${row.sends}`));
		line.append(...facts.map((fact) => make("span", {}, fact)));
		if (row.isFirst) line.append(make("em", {}, words.first));
		if (row.spans.some(([label]) => label === "comment")) line.append(make("em", {}, words.beat));
		return line;
	}

	return { element, clear, add, name, read, draw };
}

/** State between two spans: the last label, and the number of the last event. */
function pass(before, [label, , , , event]) {
	return { label: label || before.label, event: event || before.event };
}

function drawBytes(row) {
	const code = make("code");
	const bytes = Uint8Array.from(atob(row.bytes), (letter) => letter.charCodeAt(0));
	let { before, offset: place } = row;
	for (const span of [...row.spans, ["", row.size, row.size]]) {
		for (const part of [["", place, span[1]], span]) {
			// Bytes without a name yet are shown without one.
			const own = bytes.subarray(part[1] - row.offset, part[2] - row.offset);
			if (own.length) code.append(drawSpan(own, part, before));
		}
		before = pass(before, span);
		place = span[2];
	}
	return code;
}

function drawSpan(bytes, [label, start, end, chunk, event, token], before) {
	const part = make("span", label && layerOf(label), show(bytes));
	part.title = `${label} ${start}–${end - 1}`;
	if (token) part.title += ` · token ${token} · ${hex(bytes)}`;
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
	let text = `‹${hex(shown)}›`; // half a character cannot be shown
	try {
		text = utf8.decode(shown).replaceAll("\r", "\\r").replaceAll("\n", "\\n");
	} catch {}
	return more ? `${text} … +${more}` : text;
}

function hex(bytes) {
	return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

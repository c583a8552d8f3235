/*
 * One row for each send of the server, with each of its bytes once:
 *
 *     #7  612.3 ms  +50.1  byte 1,203, 257 B  read 6 at 613.0 ms
 *     ⟦c6 fb\r\n⟨e7 data: {"id":…"content":"你"}…\n\n⟩\r\n⟧
 *
 * The marks are those of wire-bytes.js. The borders of sends, chunks, events and reads need not match.
 */

import { make } from "./dom.js";
import { drawBytes, pass, START } from "./wire-bytes.js";
import { say, words } from "./words.js";

const MAX_ROWS = 40; // rows that are kept
const AT_ONCE = 4; // rows that are drawn in one go

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

	/** Names bytes, also those of earlier rows, because a line is parsed only when it has ended. */
	function name(spans) {
		for (const [label, start, end, ...numbers] of spans) {
			for (const row of rows.filter((row) => row.offset < end && start < row.size)) {
				row.spans.push([label, Math.max(start, row.offset), Math.min(end, row.size), ...numbers]);
				row.spans.sort((one, other) => one[1] - other[1]);
				row.isDrawn = false;
			}
		}
	}

	/** The page has read this many further bytes of the body. */
	function read(size, at) {
		reads.push({ end: reads.at(-1).end + size, at });
	}

	/** Draws the newest rows first. Returns whether rows wait, and how many were evicted. */
	function draw() {
		let before = START;
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
				row.element = make("li", {}, drawFacts(row), drawRow(row));
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
		// Search from the end, where the kept rows are.
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

function drawRow({ bytes, offset, spans, before }) {
	const own = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
	return drawBytes(own, offset, spans, before);
}

/*
 * Draws one row of the viewer, at one of three depths:
 *
 *     story   612 ms  [chunk 0xed = 237 B] [event 7] [JSON 230 B] "wire"          a line for each token
 *     bytes   #7  612.3 ms  +50.1  byte 1,203, 257 B  read 6 at 613.0 ms          a row for each read,
 *             ⟦chunk 6 fb\r\n⟨event 7 data: {"id":…"content":"你"}…\n\n⟩\r\n⟧               with all its bytes
 *     hex     the same bytes in hexadecimal
 */

import { make } from "../dom.js";
import { asText, drawBytes, firstLine, hex } from "./bytes.js";
import { pass } from "./recording.js";
import { drawStory } from "./story.js";

const MAX_SPANS = 300; // of one row that are drawn; buttons lead to the others
const LINE = 24; // pixels, about

const asHex = (bytes) => `${hex(bytes)} `;

/** `page` is what the page knows (wire/page.js); then a row is a write, otherwise it is a read. */
export function rowDrawer(recording, words, page) {
	const windows = new Map(); // row -> the first of its spans that is drawn, if the reader chose it

	/** Pixels, before a row was drawn. @param {number} typical the height of a row that was drawn, or 0 */
	function guess(index, depth, typical) {
		if (depth === "story") return typical || LINE;
		const letters = recording.sizeOf(index) * (depth === "hex" ? 3 : 1.2);
		return LINE * (1.5 + Math.ceil(letters / 70));
	}

	/** If this changes, a row is drawn again. */
	function keyOf(index, depth) {
		if (depth !== "story") return `${recording.versionOf(index)} ${windows.get(index)} ${page?.readOf(index)?.number}`;
		// Only the last line grows.
		return index + 1 === recording.lines.length ? `${recording.versionOf(recording.length - 1)} ${recording.length}` : "";
	}

	function line(index) {
		const line = recording.line(index);
		const { at, sender, end, bytes } = recording.row(line.row);
		const row = make("li", sender, make("span", "at", words.ms(Math.round(at))));
		row.dataset.line = index;
		if (line.parts.length) {
			const before = index && recording.lines.row[index - 1] >= 0 ? recording.line(index - 1) : null;
			row.append(...drawStory(line, before, words));
		} else if (sender === "client" && bytes.length) {
			row.append(
				make("span", "head chip", `[${words.requestPart(words.number(bytes.length))}]`),
				make("span", "said", firstLine(bytes)),
			);
		} else if (bytes.length) {
			row.append(make("span", "said", asText(bytes.subarray(0, 200))));
		}
		if (end) row.append(make("span", "chip", `[${words.endPart}]`), drawEnd(end));
		return row;
	}

	function drawEnd(end) {
		return make("em", end === "fin" || end === "done" ? "" : "bad", words.ending(end));
	}

	/** @param {number} chosen the line that is selected: its bytes are drawn */
	function row(index, isHex, chosen) {
		const { at, sender, connection, offset, bytes, end, span, spans, before } = recording.row(index);
		const gap = index ? at - recording.at(index - 1) : 0;
		const facts = [words.ms(at), `+${words.number(gap)}`];
		if (!page) facts.push(words[sender]);
		else if (sender === "client") facts.push(words.request);
		if (connection) facts.push(words.connection(connection));
		if (bytes.length) facts.push(words.place(words.number(offset), words.number(bytes.length)));
		const read = page?.readOf(index);
		if (read) facts.push(words.read(words.number(read.number), words.ms(read.at)));
		const number = page ? index : index + 1; // the request is not a write
		const head = make("p", {}, make("strong", {}, `#${number}`), ...facts.map((fact) => make("span", {}, fact)));
		if (end) head.append(drawEnd(end));
		if (spans.some(([label]) => label === "comment")) head.append(make("em", {}, words.beatMark));
		if (spans.some(([, , , , , token]) => token === 1)) head.append(make("em", {}, words.first));
		const row = make("li", { className: sender, value: index + 1 }, head);
		if (!bytes.length) return row;
		const show = isHex ? asHex : undefined;
		if (spans.length <= MAX_SPANS) {
			row.append(drawBytes(bytes, offset, spans, before, words, show, (number) => recording.lineOfSpan(span + number)));
		} else {
			row.append(...drawWindow(index, chosen, show));
		}
		return row;
	}

	/** A part of a row with very many spans. */
	function drawWindow(index, chosen, show) {
		const { offset, bytes, span, spans, before } = recording.row(index);
		const { row: rows, span: firsts } = recording.lines;
		const place = rows[chosen] === index ? Math.max(0, firsts[chosen] - span - 10) : 0;
		const first = Math.min(windows.get(index) ?? place, spans.length - 1);
		const own = spans.slice(first, first + MAX_SPANS);
		const start = first ? own[0][1] : offset;
		const end = first + MAX_SPANS < spans.length ? own.at(-1)[2] : offset + bytes.length;
		const part = bytes.subarray(start - offset, end - offset);
		const state = spans.slice(0, first).reduce(pass, before);
		const drawn = drawBytes(part, start, own, state, words, show, (number) => recording.lineOfSpan(span + first + number));
		const parts = [drawn];
		if (first) parts.unshift(more(index, Math.max(0, first - MAX_SPANS), first));
		const rest = spans.length - first - own.length;
		if (rest) parts.push(more(index, first + MAX_SPANS, rest));
		return parts;
	}

	function more(index, first, count) {
		const button = make("button", { type: "button", className: "more" }, words.more(words.number(count)));
		button.onclick = () => {
			windows.set(index, first);
			button.dispatchEvent(new CustomEvent("more", { bubbles: true }));
		};
		return button;
	}

	return { guess, keyOf, line, row };
}

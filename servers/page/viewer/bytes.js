/*
 * The bytes of one read or send, each once, with the borders of chunks and events:
 *
 *     ⟦chunk 6 fb\r\n⟨event 7 data: {"id":…"content":"你"}…\n\n⟩\r\n⟧
 *
 * ⟦ ⟧ are the borders of a chunk, ⟨ ⟩ of an event; ⚠ marks an event that continues in the
 * next chunk. A span is [label, start, end, chunk, event, token], as protocol/anatomy.py names it.
 */

import { make } from "../dom.js";
import { pass } from "./recording.js";

/** The layers, from the outside in, with the names that protocol/anatomy.py gives their bytes. */
const LABELS = {
	head: /head/,
	chunk: /chunk|CRLF|trailer/,
	sse: /BOM|field|:|space|line/,
	json: /json/,
	text: /token|data|coded/,
	beat: /comment/,
	bad: /un|after/,
};
export const LAYERS = Object.keys(LABELS);

export const layerOf = (label) => LAYERS.find((layer) => LABELS[layer].test(label));

const MAX_SHOWN = 1500; // bytes shown of one span
const MAX_LINE = 200; // bytes shown of a request's line

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * @param {Uint8Array} bytes
 * @param {number} offset of the first one
 * @param {Array} spans in order; bytes without a span are shown without a name
 * @param {object} before what `pass` has made of all spans before
 * @param {object} words of the reader's language
 * @param {Function} show turns the bytes of a span into a text
 * @param {Function} lineOf the line of the span with this number, to light all of its bytes
 */
export function drawBytes(bytes, offset, spans, before, words, show = shorten, lineOf = () => -1) {
	const code = make("code");
	const end = offset + bytes.length;
	let place = offset;
	[...spans, ["", end, end]].forEach((span, number) => {
		for (const part of [["", place, span[1]], span]) {
			const own = bytes.subarray(part[1] - offset, part[2] - offset);
			if (!own.length) continue;
			const element = drawSpan(own, part, before, words, show);
			if (part === span) element.dataset.line = lineOf(number);
			code.append(element);
		}
		before = pass(before, span);
		place = span[2];
	});
	return code;
}

function drawSpan(bytes, [label, start, end, chunk, event, token], before, words, show) {
	const part = make("span", label && layerOf(label), show(bytes));
	part.title = `${label} ${start}–${end - 1}`;
	if (token) part.title += ` · token ${token} · ${hex(bytes)}`;
	const inSizeLine = /chunk/.test(before.label);
	if (/chunk/.test(label) && !inSizeLine) part.dataset.open = `⟦${chunk ? words.chunkNumber(chunk) : ""} `;
	if (label === "CRLF" && !inSizeLine) part.dataset.close = "⟧";
	if (event && event !== before.event) part.dataset.open = `⟨${words.eventPart(event)} `;
	else if (event && before.label === "CRLF") part.dataset.torn = `⚠ …${words.eventPart(event)} `;
	if (event && label === "blank-line") part.dataset.close = "⟩";
	return part;
}

function shorten(bytes) {
	const more = bytes.length - MAX_SHOWN;
	return asText(bytes.subarray(0, MAX_SHOWN)) + (more > 0 ? ` … +${more}` : "");
}

/** A text with its line ends; bytes that are only a part of a character are shown in hex. */
export function asText(bytes) {
	try {
		return utf8.decode(bytes).replaceAll("\r", "\\r").replaceAll("\n", "\\n");
	} catch {
		return `‹${hex(bytes)}›`;
	}
}

/** The first line, if it is short. So a text that follows is not cut inside a character. */
export function firstLine(bytes) {
	const end = bytes.indexOf(13);
	return asText(bytes.subarray(0, end < 0 ? MAX_LINE : Math.min(end, MAX_LINE)));
}

export function hex(bytes) {
	return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/*
 * The story of a recording: a line for each token, with its chunk, its event, its JSON and its
 * text, in this order. Parts that repeat are folded:
 *
 *     612 ms  [chunk 0xed = 237 B] [event 7] [JSON 230 B] "wire"
 *     912 ms  [chunk 0xe1 = 225 B] [event 9] [JSON 218 B] {… "finish_reason":"stop" …}
 */

import { make } from "../dom.js";
import { asText, layerOf } from "./bytes.js";

const MAX_TEXT = 300; // characters of a line's text

const lenient = new TextDecoder();
const isOf = (label) => (part) => part.label === label;
const sizeOf = (parts) => parts.reduce((sum, { bytes }) => sum + bytes.length, 0);

/** All bytes of these parts of a line, joined. */
export function joined(parts) {
	const bytes = new Uint8Array(sizeOf(parts));
	let place = 0;
	for (const part of parts) {
		bytes.set(part.bytes, place);
		place += part.bytes.length;
	}
	return bytes;
}

/** The text of a line's token, without JSON's escapes. */
export function tokenText({ parts }) {
	const raw = lenient.decode(joined(parts.filter(({ token }) => token)));
	try {
		return JSON.parse(`"${raw}"`);
	} catch {
		return raw; // half an escape
	}
}

/** The data of the line's event, as text. */
const dataOf = ({ parts }) => lenient.decode(joined(parts.filter(({ label }) => /json|token|field-value/.test(label))));

/**
 * What a line says, as chips and a text.
 *
 * @param {object} line of a recording
 * @param {object?} before the line before it, whose JSON shows what repeats
 * @returns {Array} of [layer, text]; the text of a chip has brackets
 */
export function tell(line, before, words) {
	const { parts } = line;
	const said = [];
	const chip = (layer, text) => said.push([layer, `[${text}]`]);
	const kinds = new Set(parts.map(({ label }) => layerOf(label)));
	if (parts.some(isOf("head"))) {
		const text = lenient.decode(joined(parts.filter(isOf("head"))));
		chip("head", words.headPart(words.number(sizeOf(parts))));
		return [...said, ["", text.slice(0, text.search(/\r|\n|$/))]];
	}
	if (parts.some(isOf("last-chunk"))) {
		chip("chunk", words.lastChunk);
		return [...said, ["", words.lastChunkMeans]];
	}
	const sizes = parts.filter(isOf("chunk-size"));
	for (const { bytes } of sizes) {
		const hex = lenient.decode(bytes);
		chip("chunk", words.chunkPart(hex, words.number(parseInt(hex, 16))));
	}
	if (!sizes.length && parts.some(({ chunk }) => chunk)) chip("chunk", words.sameChunk);
	if (sizes.length > 1) said.push(["bad", words.torn]);
	const event = parts.find((part) => part.event)?.event;
	if (event) {
		chip("sse", words.eventPart(event));
		if (kinds.has("json")) chip("json", words.jsonPart(words.number(sizeOf(parts.filter(({ label }) => /json|token/.test(label))))));
		if (line.token) said.push(["text", `"${shown(tokenText(line))}"`]);
		else said.push(["json", unfolded(dataOf(line), before?.parts.length ? dataOf(before) : "")]);
		return said;
	}
	const rest = parts.filter(({ label }) => !/chunk|CRLF|end-of-line|blank/.test(label));
	for (const { label, bytes } of rest) {
		const layer = layerOf(label);
		chip(layer, label === "comment" ? words.beatMark : words.bytesPart(label, words.number(bytes.length)));
		said.push([layer, shown(asText(bytes.subarray(0, MAX_TEXT)))]);
	}
	return said;
}

const shown = (text) => {
	const flat = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("\\\\", "\\");
	return flat.length > MAX_TEXT ? `${flat.slice(0, MAX_TEXT)}…` : flat;
};

/** JSON without what it shares with the JSON before it: `{… "finish_reason":"stop" …}`. */
export function unfolded(text, before) {
	if (!text.startsWith("{")) return shown(text);
	const least = Math.min(text.length, before.length);
	let start = 0;
	while (start < least && text[start] === before[start]) start += 1;
	let end = 0;
	while (end < least - start && text.at(-1 - end) === before.at(-1 - end)) end += 1;
	// Not in the middle of a member.
	const from = Math.max(text.lastIndexOf(",", start) + 1, text.lastIndexOf("{", start) + 1, 1);
	const comma = text.indexOf(",", Math.max(text.length - end, from));
	const to = comma < 0 ? text.length - 1 : comma;
	const [open, close] = [from > 1 ? "{… " : "{", to < text.length - 1 ? " …}" : "}"];
	return start ? open + shown(text.slice(from, to)) + close : `{${shown(text.slice(1, 80))} …}`;
}

/** The line as elements. */
export function drawStory(line, before, words) {
	return tell(line, before, words).map(([layer, text]) => {
		const isChip = text.startsWith("[");
		return make("span", `${layer} ${isChip ? "chip" : "said"}`, text);
	});
}

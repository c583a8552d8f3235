/*
 * The journey of one token, from the model to the eye:
 *
 *     yielded -> event -> chunk -> write at ms -> read at ms -> painted
 *
 * Only recorded steps are shown. For example, a client's recording does not have the server's
 * writes, or the times at which a page painted.
 */

import { make } from "../dom.js";
import { joined, tokenText } from "./story.js";

/**
 * @param {object} recording
 * @param {number} index of a line
 * @param {object?} page what the page knows: `readOf(row, token)`, `paintedAt(token)`
 * @returns {Array} of [name, what or when, more about it]
 */
export function journeyOf(recording, index, page, words) {
	const line = recording.line(index);
	const { parts, token, lastRow } = line;
	const sizeOf = (isIt) => words.size(joined(parts.filter(isIt)).length);
	const steps = [];
	if (token) {
		const of = words.tokenNumber(words.number(token));
		steps.push([words.yielded, JSON.stringify(tokenText(line)), `${of} · ${sizeOf((part) => part.token)}`]);
	}
	const event = parts.find((part) => part.event)?.event;
	if (event) steps.push([words.eventStep, words.number(event), sizeOf((part) => part.event)]);
	const size = parts.find(({ label }) => label === "chunk-size");
	const chunk = parts.find((part) => part.chunk)?.chunk;
	if (chunk) {
		const hex = size && new TextDecoder().decode(size.bytes);
		const told = hex ? `0x${hex} = ${words.size(parseInt(hex, 16))}` : words.sameChunk;
		steps.push([words.chunkStep, words.number(chunk), told]);
	} else if (event) {
		steps.push([words.chunkStep, "–", words.noChunk]);
	}
	const at = recording.at(lastRow);
	if (!page) {
		steps.push([words.readStep, words.ms(at), words.readNumber(words.number(lastRow + 1))]);
		return steps;
	}
	if (recording.isServer(lastRow)) steps.push([words.writeStep, words.ms(at), words.writeNumber(words.number(lastRow))]);
	const read = page.readOf(lastRow, token);
	if (read) steps.push([words.readStep, words.ms(read.at), words.readNumber(words.number(read.number))]);
	else if (event) steps.push([words.readStep, words.notYet, ""]);
	const painted = token && page.paintedAt(token);
	if (painted) steps.push([words.paintStep, words.ms(painted), words.after(words.ms(painted - at))]);
	else if (token) steps.push([words.paintStep, words.notYet, ""]);
	return steps;
}

/** The journey as a list; it is hidden while nothing is selected. */
export function journeyCard(words) {
	const list = make("ol");
	const element = make("section", { className: "journey", hidden: true, ariaLabel: words.journey }, list);
	return {
		element,
		show(steps) {
			element.hidden = !steps.length;
			list.replaceChildren(...steps.map(([name, told, more]) => make("li", {}, make("b", {}, name), make("span", {}, told), make("small", {}, more))));
		},
	};
}

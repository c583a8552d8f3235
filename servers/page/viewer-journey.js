/*
 * The journey of one token, from the model to the eye:
 *
 *     yielded -> event -> chunk -> write at ms -> read at ms -> painted
 *
 * Only what was seen is shown: a recording of a client has no writes, and no page that paints.
 */

import { make } from "./dom.js";
import { joined, tokenText } from "./viewer-story.js";

/**
 * @param {object} recording
 * @param {number} index of a line
 * @param {object?} page what the page knows: `readOf(row, token)`, `paintedAt(token)`
 * @returns {Array} of [name, text]
 */
export function journeyOf(recording, index, page, words) {
	const line = recording.line(index);
	const { parts, token, lastRow } = line;
	const steps = [];
	if (token) {
		const size = joined(parts.filter((part) => part.token)).length;
		steps.push([words.yielded, words.yieldedAs(words.number(token), JSON.stringify(tokenText(line)), size)]);
	}
	const event = parts.find((part) => part.event)?.event;
	if (event) {
		const size = joined(parts.filter((part) => part.event)).length;
		steps.push([words.eventStep, words.eventAs(words.number(event), words.number(size))]);
	}
	const size = parts.find(({ label }) => label === "chunk-size");
	const chunk = parts.find((part) => part.chunk)?.chunk;
	if (size) {
		const bytes = parseInt(new TextDecoder().decode(size.bytes), 16);
		steps.push([words.chunkStep, words.chunkAs(words.number(chunk), words.number(bytes))]);
	} else if (event) {
		steps.push([words.chunkStep, chunk ? `${words.number(chunk)} (${words.sameChunk})` : words.noChunk]);
	}
	const at = recording.at(lastRow);
	if (!page) {
		steps.push([words.readStep, words.stepAt(words.number(lastRow + 1), words.ms(at))]);
		return steps;
	}
	steps.push([words.writeStep, words.stepAt(words.number(lastRow), words.ms(at))]);
	const read = page.readOf(lastRow, token);
	steps.push([words.readStep, read ? words.stepAt(words.number(read.number), words.ms(read.at)) : words.notYet]);
	if (!token) return steps;
	const painted = page.paintedAt(token);
	steps.push([words.paintStep, painted ? words.paintAt(words.ms(painted)) : words.notYet]);
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
			list.replaceChildren(...steps.map(([name, text]) => make("li", {}, make("b", {}, name), make("span", {}, text))));
		},
	};
}

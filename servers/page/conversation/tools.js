/*
 * The tool calls of an answer, as cards. The arguments of a call arrive piece by piece:
 *
 *     {index: 0, id: "call_1", name: "get_weather"}, {index: 0, arguments: "{\"ci"}, …
 *
 * This page runs no tools: the reader types the result, and the model goes on with it.
 */

import { make } from "../dom.js";
import { markdownView } from "../markdown/render.js";
import { say, words } from "../words/words.js";

const MAX_CALLS = 100; // of one answer
const FENCE = "`".repeat(30); // longer than any in the arguments

/**
 * @param {HTMLElement} box for the cards
 * @param {object[]} calls {id, name, arguments, result}; `receive` adds to them
 */
export function toolCards(box, calls) {
	const cards = [];
	const places = []; // the `index` of each call

	function receive(pieces) {
		for (const piece of pieces) {
			let place = places.lastIndexOf(piece.index);
			// Some servers number each call 0, and give each an id of its own.
			if (place >= 0 && piece.id && calls[place].id && piece.id !== calls[place].id) place = -1;
			if (place < 0 && calls.length === MAX_CALLS) continue;
			if (place < 0) {
				place = places.push(piece.index) - 1;
				calls.push({ id: "", name: "", arguments: "" });
			}
			const call = calls[place];
			call.id ||= piece.id;
			call.name ||= piece.name;
			call.arguments += piece.arguments;
		}
	}

	/** Shows what has been received. Returns the element of the last letter. */
	function show() {
		let last = null;
		calls.forEach((call, index) => {
			cards[index] ??= toolCard(call, box);
			last = cards[index].grow();
		});
		return last;
	}

	/** The calls are complete: asks for the results that are missing. */
	function end() {
		show();
		for (const card of cards) card.end();
	}

	return { receive, show, end };
}

function toolCard(call, box) {
	const name = make("code");
	const text = make("div", "markdown");
	const card = make("details", { className: "tool", open: true }, make("summary", {}, words.call, " ", name), text);
	const view = markdownView(text);
	let shown = 0;
	view.append(`${FENCE}json\n`);
	box.append(card);

	function grow() {
		name.textContent = call.name;
		view.append(call.arguments.slice(shown));
		shown = call.arguments.length;
		return view.show();
	}

	function end() {
		view.end();
		if (call.result !== undefined) return card.append(make("p", "result", say("result", call.result)));
		const input = make("input", { ariaLabel: say("resultOf", call.name), autocomplete: "off" });
		input.placeholder = input.ariaLabel;
		const form = make("form", {}, input, make("button", {}, words.give));
		form.onsubmit = (event) => {
			event.preventDefault();
			call.result = input.value;
			form.replaceWith(make("p", "result", say("result", call.result)));
			box.dispatchEvent(new CustomEvent("result", { bubbles: true }));
		};
		card.append(form);
	}

	return { grow, end };
}

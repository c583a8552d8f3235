/*
 * The gap chart: how long each piece came after the one before. Up: sent by the server; down:
 * received by the page. A steady model draws a comb; a proxy that gathers pieces leaves the upper
 * half as it is, and the lower one falls into a few tall bars.
 */

import { make } from "./dom.js";
import { say } from "./words.js";

const WIDTH = 600;
const HALF = 40;
const MAX_TIMES = 20_000;

function svg(tag, attributes, ...children) {
	const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
	element.append(...children);
	return element;
}

/** Times are milliseconds since the request. */
export function gapChart() {
	const lines = ["axis", "first", "sent", "received"].map((name) => svg("path", { class: name }));
	const viewBox = `0 0 ${WIDTH} ${2 * HALF}`;
	const box = { viewBox, preserveAspectRatio: "none", "aria-hidden": "true" };
	const caption = make("figcaption"); // says it in words
	let times, first;

	function draw() {
		for (const each of times) each.splice(0, each.length - MAX_TIMES);
		const end = Math.max(1, ...times.map((each) => each.at(-1) ?? 0));
		const [up, down] = times.map((each) => largestGaps(each, end));
		const [sent, received] = [Math.max(...up), Math.max(...down)];
		const scale = HALF / Math.max(sent, received, 1);
		const marks = [`M0 ${HALF}h${WIDTH}`, `M${(first / end) * WIDTH} 0v${2 * HALF}`];
		const drawn = [...marks, bars(up, -scale), bars(down, scale)];
		drawn.forEach((d, index) => lines[index].setAttribute("d", d));
		caption.textContent = say("gaps", ...[sent, received, first, end].map(Math.round));
	}

	return {
		element: make("figure", {}, svg("svg", box, ...lines), caption),
		clear: () => ([times, first] = [[[], []], 0]),
		sent: (at) => times[0].push(at),
		received: (at) => times[1].push(at),
		firstToken: (at) => (first = at),
		draw,
	};
}

/** In each column of the chart, the largest gap that ends there. */
function largestGaps(times, end) {
	const gaps = Array(WIDTH + 1).fill(0);
	times.forEach((time, index) => {
		const column = Math.round((time / end) * WIDTH);
		gaps[column] = Math.max(gaps[column], time - (times[index - 1] ?? time), 0.5);
	});
	return gaps;
}

function bars(gaps, scale) {
	return gaps.map((gap, x) => (gap ? `M${x} ${HALF}v${gap * scale}` : "")).join("");
}

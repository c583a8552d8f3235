/*
 * The gap chart: the time from each piece to the next. Up: sent by the server; down:
 * received by the page. A steady model draws a comb. A proxy that buffers does not change the upper
 * half, but turns the lower half into a few tall bars.
 */

import { make } from "./dom.js";
import { say } from "./words.js";

const WIDTH = 600;
const HALF = 40;

function svg(tag, attributes, ...children) {
	const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
	element.append(...children);
	return element;
}

/** Times are milliseconds since the request. */
export function gapChart() {
	const lines = ["first", "sent", "received"].map((name) => svg("path", { class: name }));
	const chart = svg("svg", { preserveAspectRatio: "none", "aria-hidden": "true" }, ...lines);
	const caption = make("figcaption"); // describes the chart in words
	let gaps; // the largest gap in each column, sent and received
	let span; // width of all columns, in milliseconds
	let latest, first;

	function clear() {
		gaps = [0, 1].map(() => Array(WIDTH).fill(0));
		[span, latest, first] = [1000, [0, 0], 0];
	}

	function add(side, time) {
		// When all columns are used, merge them in pairs.
		for (; time >= span; span *= 2) {
			gaps = gaps.map((all) => all.map((_, x) => Math.max(all[2 * x] ?? 0, all[2 * x + 1] ?? 0)));
		}
		const column = Math.floor((time / span) * WIDTH);
		gaps[side][column] = Math.max(gaps[side][column], time - (latest[side] || time), 0.5);
		latest[side] = time;
	}

	function draw() {
		const end = Math.max(1, ...latest);
		const [x, width] = [first, end].map((time) => (time / span) * WIDTH);
		const [sent, received] = gaps.map((all) => Math.max(...all));
		const scale = HALF / Math.max(sent, received, 1);
		const drawn = [`M${x} 0v${2 * HALF}`, bars(gaps[0], -scale), bars(gaps[1], scale)];
		drawn.forEach((d, index) => lines[index].setAttribute("d", d));
		chart.setAttribute("viewBox", `0 0 ${width} ${2 * HALF}`);
		caption.textContent = say("gaps", ...[sent, received, first, end].map(Math.round));
	}

	return {
		element: make("figure", {}, chart, caption),
		clear,
		sent: (at) => add(0, at),
		received: (at) => add(1, at),
		firstToken: (at) => (first = at),
		draw,
	};
}

function bars(gaps, scale) {
	return gaps.map((gap, x) => (gap ? `M${x} ${HALF}v${gap * scale}` : "")).join("");
}

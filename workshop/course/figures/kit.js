/*
 * The frame of a figure in the browser: a form, a run, a picture, one sentence.
 *
 *     submit -> begin(run) -> POST /course/run/NAME -> show(run, report)… -> end(run) -> verdict
 *
 * A figure's own module gives the three functions. The words are in the page (`data-words`), so that
 * they are in its language. Nothing is ever parsed as HTML.
 */

import { readEvents } from "/page/sse.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} name the figure's name
 * @param {object} parts
 *   prepare(form): once, before any run; begin(run): prepares the stage; show(run, report): draws
 *   one report; end(run): returns the verdict, as text. `run` has: stage, form, values (of the
 *   form), say(key, values)
 */
export function figure(name, parts) {
	for (const element of document.querySelectorAll(`.figure[data-figure="${name}"]`)) {
		attach(element, name, parts);
	}
}

function attach(element, name, { prepare = () => {}, begin, show, end }) {
	const form = element.querySelector("form");
	const button = form.querySelector("button");
	const [stage, verdict] = [".stage", ".verdict"].map((each) => element.querySelector(each));
	const words = JSON.parse(element.dataset.words);
	const say = (key, values = {}) =>
		words[key].replace(/\{(\w+)\}/g, (whole, value) => values[value] ?? whole);
	let running = null;
	form.hidden = false;
	prepare(form);

	form.addEventListener("submit", async (event) => {
		event.preventDefault();
		if (running) return running.abort();
		running = new AbortController();
		stage.hidden = verdict.hidden = false;
		stage.replaceChildren();
		verdict.textContent = say("running");
		button.textContent = say("stop");
		element.dataset.state = "running";
		const values = valuesOf(form);
		const run = { element, stage, form, values, say, tell: (text) => (verdict.textContent = text) };
		let told;
		let isSeen = false;
		try {
			begin(run);
			for await (const report of reports(name, values, running.signal)) {
				if (report.failed) throw new Error("the run failed");
				show(run, report);
				if (!isSeen) verdict.scrollIntoView({ block: "nearest" }); // the picture is above it
				isSeen = true;
			}
			told = end(run);
		} catch {
			told = say(running.signal.aborted ? "stopped" : "failed");
		}
		verdict.textContent = told;
		button.textContent = say("again");
		running = null;
		element.dataset.state = "done";
	});
}

/** The fields of a form by their names. A slider's value is a number. */
function valuesOf(form) {
	const values = Object.fromEntries(new FormData(form));
	for (const slider of form.querySelectorAll("[type=range]")) {
		values[slider.name] = slider.valueAsNumber;
	}
	return values;
}

/** Yields the reports of one run. */
async function* reports(name, values, signal) {
	const response = await post(name, values, signal);
	for await (const { data } of readEvents(response.body)) yield JSON.parse(data);
}

/** @returns {Promise<Response>} one whose status is 200 */
export async function post(name, values, signal) {
	const response = await fetch(`/course/run/${name}`, {
		method: "POST",
		headers: { "Content-Type": "application/json" },
		body: JSON.stringify(values),
		signal,
	});
	if (!response.ok) throw new Error(`HTTP ${response.status}`);
	return response;
}

/** Makes an element with a class and children, which are elements or text. */
export function make(tag, className = "", ...children) {
	const element = document.createElement(tag);
	element.className = className;
	element.append(...children);
	return element;
}

/** The bytes of a base64 string. */
export function bytesOf(base64) {
	return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** A row of chips: [label, text, hex] of each. */
export function chips(row) {
	const items = row.map(([label, text, hex]) =>
		make("li", label, make("b", "", text), make("small", "", label), make("i", "", hex)),
	);
	return make("ol", "chips", ...items);
}

/**
 * Lanes of time, one below the other.
 *
 * @param {string[]} names the name of each lane
 * @param {number} seconds the time at the right end
 * @returns {{element: HTMLElement, mark: function}} mark(lane, at, kind, title): "dot", "ring",
 *   "cross" or "end" at a time, in seconds
 */
export function lanes(names, seconds) {
	const rows = names.map((name) => {
		const svg = shape("svg", { height: 30, role: "img", "aria-label": name });
		svg.append(shape("line", { x1: 0, x2: "100%", y1: 15, y2: 15 }));
		return svg;
	});
	const element = make("div", "lanes");
	names.forEach((name, index) => {
		element.append(make("div", "lane", make("span", "", name), rows[index]));
	});
	element.append(make("div", "lane", make("span"), axis(seconds)));

	function mark(lane, at, kind, title) {
		const x = `${Math.min(100, (100 * at) / seconds)}%`;
		const isRound = kind === "dot" || kind === "ring";
		const sign = isRound
			? shape("circle", { class: kind, cx: x, cy: 15, r: 5 })
			: shape("text", { class: kind, x, y: 20 });
		if (!isRound) sign.append({ cross: "✕", end: "■" }[kind]);
		const about = shape("title");
		about.append(title);
		sign.append(about);
		rows[lane].append(sign);
	}
	return { element, mark };
}

/** The axis of time under a picture, from 0 to these seconds. */
export function axis(seconds) {
	const element = shape("svg", { class: "axis", height: 16, "aria-hidden": true });
	for (let part = 0; part <= 4; part += 1) {
		const tick = shape("text", { x: `${(100 * part) / 4}%`, y: 12 });
		tick.append(`${Number(((seconds * part) / 4).toPrecision(2))} s`);
		element.append(tick);
	}
	return element;
}

export function shape(tag, attributes = {}) {
	const element = document.createElementNS(SVG, tag);
	for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
	return element;
}

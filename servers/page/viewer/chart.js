/*
 * The gap chart: the time from each piece to the next. Above: sent by the server; below: received. A
 * steady model draws a comb. A proxy that buffers does not change the upper half, but turns the lower
 * half into a few tall bars; the sentence under the chart says so (meaning.js).
 */

import { make } from "../dom.js";
import { gapStatistics, meaningOf } from "./meaning.js";

const WIDTH = 600; // columns
const HALF = 40;

function svg(tag, attributes, ...children) {
	const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
	element.append(...children);
	return element;
}

/** Times are milliseconds since the request. `pick(time)` is called where the reader clicks. */
export function gapChart(words, { hasSent, pick }) {
	const names = ["sent", "received", "first", "now", "lit"];
	const lines = Object.fromEntries(names.map((name) => [name, svg("path", { class: name })]));
	const middle = svg("path", { class: "axis" });
	const chart = svg("svg", { preserveAspectRatio: "none", "aria-hidden": "true" }, middle, ...Object.values(lines));
	const title = make("figcaption", "title", hasSent ? words.gaps : words.gapsRead);
	const most = make("p", "scale", make("span"), make("span"));
	const times = make("p", "times", make("span"), make("span"), make("span"));
	const value = make("output");
	const meaning = make("p", "meaning");
	const plot = make("div", "plot", chart, most);
	plot.onpointermove = (event) => (value.textContent = valueAt(timeOf(event)));
	plot.onpointerleave = () => (value.textContent = "");
	plot.onclick = (event) => pick(timeOf(event));
	const element = make("figure", {}, title, plot, times, meaning, value);
	const sides = [side(), side()]; // sent, received
	let [span, first, now, lit] = [1000, NaN, NaN, NaN]; // span: the time of all columns

	function side() {
		return { gaps: new Float64Array(WIDTH), latest: NaN, statistics: gapStatistics() };
	}

	function add(number, time) {
		// When all columns are used, merge them in pairs.
		for (; time >= span; span *= 2) {
			for (const { gaps } of sides) {
				for (let x = 0; x < WIDTH; x += 1) gaps[x] = Math.max(gaps[2 * x] || 0, gaps[2 * x + 1] || 0);
			}
		}
		const { gaps, latest, statistics } = sides[number];
		const gap = time - latest;
		if (gap >= 0) statistics.add(gap);
		const column = Math.max(0, Math.floor((time / span) * WIDTH));
		gaps[column] = Math.max(gaps[column], gap || 0, 0.01);
		sides[number].latest = time;
	}

	const endOf = () => Math.max(1, ...sides.map(({ latest }) => latest || 0));
	const columnOf = (time) => (time / span) * WIDTH;

	function timeOf({ clientX }) {
		const { left, width } = plot.getBoundingClientRect();
		return ((clientX - left) / width) * endOf();
	}

	/** The pieces nearest to this time, and the gaps before them. */
	function valueAt(time) {
		const place = columnOf(time);
		const told = [];
		sides.forEach(({ gaps }, number) => {
			let best = -Infinity;
			for (let x = 0; x < WIDTH; x += 1) if (gaps[x] && Math.abs(x - place) < Math.abs(best - place)) best = x;
			if (best < 0) return;
			const at = words.ms(Math.round((best / WIDTH) * span));
			told.push(words.value(number ? words.received : words.sent, at, words.ms(gaps[best])));
		});
		return told.join(" · ");
	}

	function draw() {
		const end = endOf();
		const largest = Math.max(1, ...sides.map(({ statistics }) => statistics.most));
		const zero = hasSent ? HALF : 0;
		const height = hasSent ? 2 * HALF : HALF;
		const scale = (height - zero) / largest;
		lines.sent.setAttribute("d", bars(sides[0].gaps, zero, -scale));
		lines.received.setAttribute("d", bars(sides[1].gaps, zero, scale));
		middle.setAttribute("d", `M0 ${zero}h${WIDTH}`);
		for (const [name, time] of Object.entries({ first, now, lit })) {
			lines[name].setAttribute("d", time >= 0 ? `M${columnOf(time)} 0v${height}` : "");
		}
		chart.setAttribute("viewBox", `0 0 ${columnOf(end)} ${height}`);
		const [above, below] = most.children;
		const atMost = ({ statistics: { most } }) => {
			const time = words.ms(most < 100 ? most : Math.round(most));
			return words.atMost(time.replace(" ", "\u00a0")); // the unit stays on the line of its number
		};
		above.textContent = hasSent ? atMost(sides[0]) : "";
		below.textContent = atMost(sides[1]);
		const [begin, mark, last] = times.children;
		begin.textContent = words.ms(0);
		mark.textContent = first >= 0 ? words[hasSent ? "firstSent" : "firstAt"](words.ms(Math.round(first))) : "";
		mark.style.insetInlineStart = `clamp(4em, ${(100 * first) / end}%, 100% - 19em)`;
		last.textContent = words.ms(Math.round(end));
		const [sent, received] = sides.map(({ statistics }) => statistics);
		const [name, ...values] = meaningOf(hasSent ? sent : null, received);
		const shown = values.map(["buffered", "together"].includes(name) ? (pieces) => words.number(Math.round(pieces)) : (time) => words.ms(Math.round(time)));
		meaning.textContent = values.length ? words[name](...shown) : words[name];
	}

	return {
		element,
		draw,
		sent: (at) => add(0, at),
		received: (at) => add(1, at),
		firstToken: (at) => (first = at),
		/** Marks a moment: where the reader is in time, and where the token is that is lit. */
		mark(at, litAt) {
			[now, lit] = [at, litAt];
		},
	};
}

function bars(gaps, zero, scale) {
	let path = "";
	for (let x = 0; x < WIDTH; x += 1) {
		if (gaps[x]) path += `M${x + 0.5} ${zero}v${(Math.sign(scale) * Math.max(1, gaps[x] * Math.abs(scale))).toFixed(2)}`;
	}
	return path;
}

/*
 * The viewer: a recording of a connection, as fast as it happened or step by step, at three depths.
 *
 *     const view = viewer(element, recording, {language: navigator.language});
 *     view.update()      after the recording has grown
 *
 * A recording (recording.js) is made from a file, as in x-ray's exported page, or grows while an
 * answer runs, as in the wire pane of the chat page. The viewer parses nothing: the labels come with
 * the recording. Each byte is shown once.
 */

import { make } from "../dom.js";
import { gapChart } from "./chart.js";
import { rowDrawer } from "./draw.js";
import { firstIndex } from "./columns.js";
import { drawExchange } from "./exchange.js";
import { saveButtons } from "./export.js";
import { journeyCard, journeyOf } from "./journey.js";
import { layerBar } from "./layers.js";
import { litLines } from "./lit.js";
import { virtualList } from "./rows.js";
import { timeControls } from "./time.js";
import { viewerWords } from "./words.js";

const MAX_EXCHANGES = 20; // whose reports are shown
const DEPTHS = ["story", "bytes", "hex"];

/**
 * Times are milliseconds since the recording began.
 *
 * @param {HTMLElement} element becomes the viewer
 * @param {object} recording
 * @param {object} options
 *     language: as navigator.language
 *     page: what the page knows of the answer (wire/page.js); then a row is a write of the server
 *     lit: called with the line that is lit, or -1, and whether it was selected
 *     keys: whose keys are the viewer's
 *     depth: at first, "story", "bytes" or "hex"
 */
export function viewer(element, recording, options = {}) {
	const { language = "en", page = null, lit = () => {}, keys = element } = options;
	const words = viewerWords(language);
	const { lines, tokens } = recording;
	const drawer = rowDrawer(recording, words, page);
	let depth;
	let [charted, reads] = [0, 0]; // rows and reads in the chart

	const time = timeControls(recording, words, { show: draw, left: deselect, isWrite: Boolean(page) });
	const list = virtualList({
		label: words.rows,
		count: () => (depth === "story" ? recording.lineOfRow(time.position) : time.position),
		guess: (index, typical) => drawer.guess(index, depth, typical),
		keyOf: (index) => `${drawer.keyOf(index, depth)} ${depth === "story" ? "" : keyOfMarks(index)}`,
		draw: drawRow,
		scrolled(...how) {
			time.scrolled(...how);
			list.follow(time.isAtEnd);
		},
	});
	const chart = gapChart(words, { hasSent: Boolean(page), pick: (at) => select(lineAt(at)) });
	const marks = litLines(list.element, changed);
	const journey = journeyCard(words);
	const layers = layerBar(words);
	const jumps = make("div", { className: "jumps", role: "group", ariaLabel: words.jumps });
	const depths = make("div", { className: "depths", role: "group", ariaLabel: words.depth });

	jumps.append(
		button(words.request, () => select(0)),
		button(words.headJump, () => select(firstAnswered())),
		button(words.firstToken, () => select(firstToken())),
		button(words.endJump, () => (time.toEnd(), select(lines.length - 1))),
	);
	depths.append(...DEPTHS.map((each) => button(words[each], () => setDepth(each))));
	element.classList.add("viewer");
	element.append(
		...recording.exchanges.slice(0, MAX_EXCHANGES).map((exchange) => drawExchange(exchange, words)),
		layers.element,
		chart.element,
		time.slider,
		time.steps,
		make("div", "tools", jumps, depths),
		make("p", "lead", page ? words.leadWord : words.lead),
		make("div", "frame", list.element, time.fresh),
		journey.element,
		make("div", "foot", make("p", "keys", words.keys), saveButtons(recording, words, page)),
	);
	keys.addEventListener("keydown", press);
	list.element.addEventListener("pointerover", ({ target }) => light(marks.lineOf(target)));
	list.element.addEventListener("pointerleave", () => light(-1));
	list.element.addEventListener("click", ({ target }) => select(marks.lineOf(target)));
	list.element.addEventListener("more", list.draw);
	setDepth(options.depth ?? "story");
	update();

	function button(text, onclick) {
		return make("button", { type: "button", onclick }, text);
	}

	// ---- Drawing

	/** Draws what is new. */
	function update() {
		for (; charted < recording.length; charted += 1) chartRow(charted);
		for (; reads < (page?.reads() ?? 0); reads += 1) chart.received(page.readAt(reads));
		if (tokens.length) chart.firstToken(timeOf(firstToken()));
		layers.show(recording);
		if (!time.update()) draw();
	}

	function chartRow(row) {
		if (!recording.isBody(row)) return;
		if (page) chart.sent(recording.at(row));
		else chart.received(recording.at(row));
	}

	/** The list is drawn last: it measures its rows, and any later change would cost a second layout. */
	function draw() {
		changed();
		list.follow(time.isAtEnd);
		list.draw();
	}

	/** Shows what depends on the marks and on the time. */
	function changed() {
		const { lit, selected } = marks;
		const line = lit >= 0 ? lit : selected;
		const now = time.isLive || !time.place ? NaN : recording.at(time.place - 1);
		chart.mark(now, line >= 0 ? timeOf(line) : NaN);
		chart.draw();
		journey.show(selected >= 0 ? journeyOf(recording, selected, page, words) : []);
		element.toggleAttribute("data-journey", !journey.element.hidden);
	}

	function drawRow(index) {
		const row = depth === "story" ? drawer.line(index) : drawer.row(index, depth === "hex", marks.selected);
		if (depth !== "story" && index === time.place - 1) row.ariaCurrent = "step";
		marks.mark(row);
		return row;
	}

	function keyOfMarks(row) {
		const isSelected = lines.row[marks.selected] === row;
		return `${isSelected ? marks.selected : ""} ${row === time.place - 1}`;
	}

	function setDepth(next) {
		depth = element.dataset.depth = next;
		DEPTHS.forEach((each, index) => (depths.children[index].ariaPressed = String(each === next)));
		list.clear();
		draw();
		if (marks.selected >= 0) show(marks.selected);
	}

	// ---- Lines

	function timeOf(line) {
		return recording.at(lines.row[line]);
	}

	function firstToken() {
		return tokens.length ? tokens.line[0] : -1;
	}

	/** The first line of the server. */
	function firstAnswered() {
		let line = 0;
		while (line < lines.length && !recording.isServer(lines.row[line])) line += 1;
		return line < lines.length ? line : -1;
	}

	/** The line of what came last before this time. */
	function lineAt(at) {
		let row = recording.length - 1;
		while (row > 0 && recording.at(row) > at) row -= 1;
		return Math.min(recording.lineOfRow(row), lines.length - 1);
	}

	/** @param {boolean} isBrought the line is brought into sight, unless the answer is running */
	function light(line, isBrought = false) {
		if (line === marks.lit) return;
		marks.light(line);
		if (line >= 0 && isBrought && recording.isOver && lines.row[line] < time.position) {
			time.hold();
			show(line);
		}
		lit(line, false);
	}

	/** Selects a line and brings it into sight; the time stands still, unless it is the last line. */
	function select(line) {
		if (!(line >= 0)) return;
		const row = lines.row[line];
		const isLast = line === lines.length - 1;
		if (!isLast) time.hold();
		if (row >= time.position) time.go(row + 1);
		time.choose(isLast && time.isLive ? -1 : row);
		marks.select(line);
		show(line);
		lit(line, true);
	}

	function deselect() {
		time.choose(-1);
		marks.select(-1);
		lit(-1, true);
	}

	function show(line) {
		list.follow(false);
		list.show(depth === "story" ? line : lines.row[line]);
		marks.mark();
	}

	/** Walks to the next line with a token, or to the one before. */
	function walk(step) {
		const next = firstIndex(0, tokens.length, (index) => tokens.line[index] >= marks.selected);
		const isToken = tokens.line[next] === marks.selected;
		const index = marks.selected < 0 ? 0 : next + (step > 0 ? Number(isToken) : -1);
		if (index >= 0 && index < tokens.length) select(tokens.line[index]);
	}

	function press(event) {
		if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("select, textarea")) return;
		const actions = {
			ArrowRight: () => walk(1),
			ArrowLeft: () => walk(-1),
			Home: () => time.go(0),
			End: time.toEnd,
			...(marks.selected >= 0 && { Escape: deselect }),
		};
		if (event.key === " " && !event.target.closest("button, input, summary")) time.toggle();
		else if (event.key in actions && event.target !== time.slider) actions[event.key]();
		else return;
		event.preventDefault();
		event.stopPropagation(); // in the chat, Esc stops an answer
	}

	return { update, light, select, element: list.element, get depth() { return depth; } };
}

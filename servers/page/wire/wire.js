/*
 * The wire pane: the bytes of this page's answers, which other chat pages hide. The server records
 * what it sends, and reports it as an event stream; the page adds the time of each read (log.js).
 * The viewer shows both, the same one as in x-ray's exported page.
 *
 *     const pane = wirePane(element, log);     loads its style sheets; works in any page that has the
 *     pane.show(true)                          colours of style.css
 *
 * Recordings are fetched only while the pane is open, because each takes one of six connections. A
 * word of an answer under the pointer lights its line of the recording, and the other way round.
 */

import { make } from "../dom.js";
import { newRecording } from "../viewer/recording.js";
import { viewer } from "../viewer/viewer.js";
import { viewerWords } from "../viewer/words.js";
import { locale } from "../words/language.js";
import { follow } from "./follow.js";
import { wireLog } from "./log.js";
import { pageOf, requestOf } from "./page.js";
import { judge } from "./verdict.js";
import { answerWords } from "./shown.js";

const BETWEEN_DRAWS = 100; // milliseconds: ten times a second is enough
const MAX_KEPT = 48 << 20; // bytes of the recordings of all answers

/** When the page shows another answer, and what is said if it has no recording. */
const MOMENTS = { start: "waiting", opened: "unrecorded", clear: "", shown: "" };

// Without its style sheets the pane is not shown: nothing jumps when they come.
await Promise.all(
	["../viewer/viewer.css", "wire.css"].map((name) => {
		const styles = make("link", { rel: "stylesheet", href: new URL(name, import.meta.url) });
		document.head.append(styles);
		return new Promise((done) => (styles.onload = styles.onerror = done));
	}),
);

/** What x-ray says, in the language of the page. */
async function sentenceOf(verdict) {
	const { inChinese } = locale === "zh-CN" ? await import("./chinese-verdicts.js") : {};
	return inChinese?.(verdict) || verdict.say;
}

/**
 * @param {HTMLElement} element the pane's box; what is in it is shown while there is no answer
 * @param {object} log the notes of the page, taken since before the pane was loaded
 * @param {number} maxKept bytes of the recordings that are kept, without the last one
 */
export function wirePane(element, log = wireLog(), maxKept = MAX_KEPT) {
	const words = viewerWords(locale);
	const choice = make("select", { ariaLabel: words.answers, hidden: true });
	const header = make("header", {}, make("h2", {}, words.wire), choice);
	const legend = make("div", "idle", ...element.childNodes);
	const lead = make("p", { className: "lead", hidden: true });
	const note = make("p", { className: "note", role: "status" });
	const kept = new Map(); // answer -> {recording, reading, failure, verdict}
	let box = make("div");
	let [answer, view] = [null, null];
	let depth = "story";
	let isOpen = true;
	let [frame, drawnAt] = [0, 0];

	const texts = answerWords((line, isChosen) => (isChosen ? view.select(line) : view.light(line, true)));
	choice.onchange = () => choose(log.answers[choice.selectedIndex]);
	document.addEventListener("visibilitychange", read);
	document.addEventListener("pointermove", ({ target, clientX, clientY }) => point(target, clientX, clientY, false));
	document.addEventListener("click", ({ target, clientX, clientY }) => {
		if (getSelection().isCollapsed) point(target, clientX, clientY, true);
	});
	element.classList.add("wire");
	element.replaceChildren(header, lead, legend, box, note);
	log.watch(heard);
	choose(log.current);

	function heard(what) {
		if (what in MOMENTS) choose(log.current, words[MOMENTS[what]]);
		else if (what === "ended") ask();
		drawSoon();
	}

	/** Shows an answer's recording; without one this sentence, or what was in the box at first. */
	function choose(next, sentence = "") {
		depth = view?.depth ?? depth;
		answer = next ?? null;
		const old = box;
		old.replaceWith((box = make("div")));
		lead.hidden = Boolean(answer) || !sentence;
		lead.textContent = sentence;
		legend.hidden = Boolean(answer || sentence);
		header.hidden = !legend.hidden && !log.answers.length;
		view = null;
		texts.choose(answer, null);
		if (!answer) return;
		const { recording } = (kept.get(answer) ?? keep(answer));
		const lit = (line, isChosen) => texts.light(recording.lines.token[line] ?? 0, isChosen);
		view = viewer(box, recording, { language: locale, page: pageOf(answer, recording), lit, depth });
		texts.choose(answer, recording);
		read();
		ask();
		drawSoon();
	}

	/** A new recording. The oldest ones are evicted to keep the limit. */
	function keep(next) {
		const recording = newRecording();
		recording.url = next.url;
		recording.add({ at: 0, sender: "client", bytes: requestOf(next), spans: [] });
		let size = 0;
		for (const [old, { recording }] of [...kept].reverse()) {
			size += recording.size;
			if (size > maxKept || !log.answers.includes(old)) kept.delete(old);
		}
		const state = { recording, reading: null, failure: "", verdict: "" };
		kept.set(next, state);
		return state;
	}

	/** Reads on, while the pane is open. */
	async function read() {
		const state = kept.get(answer);
		if (!state || !isOpen || document.hidden || state.reading || state.recording.isOver) return;
		const { recording } = state;
		state.reading = new AbortController();
		state.failure = "";
		try {
			await follow(answer.recording, recording, state.reading.signal, drawSoon);
		} catch (error) {
			if (error.name !== "AbortError") {
				const rows = recording.length - 1;
				state.failure = rows ? words.cutShort(error.message, rows) : words.failure(error.message);
			}
		}
		state.reading = null;
		drawSoon();
	}

	/** Asks x-ray, once an answer has ended. */
	async function ask() {
		const state = kept.get(answer);
		if (!state || !isOpen || !answer.ending || state.isJudged) return;
		state.isJudged = true;
		const verdict = await judge(answer);
		state.verdict = verdict && (await sentenceOf(verdict));
		drawSoon();
	}

	function drawSoon() {
		if (isOpen) frame ||= requestAnimationFrame(draw);
	}

	function draw(now) {
		frame = 0;
		if (now - drawnAt < BETWEEN_DRAWS) return drawSoon();
		drawnAt = now;
		const isMany = log.answers.length > 1;
		choice.hidden = !isMany;
		if (isMany) drawChoice();
		const state = kept.get(answer);
		if (!state) {
			note.textContent = "";
			return;
		}
		view.update();
		const told = notesOf(state).filter(Boolean).join(" · ");
		if (note.textContent !== told) note.textContent = told; // a screen reader says what has changed
	}

	function drawChoice() {
		if (choice.length !== log.answers.length) {
			choice.replaceChildren(...log.answers.map((_, index) => new Option(words.answer(index + 1, ""))));
		}
		log.answers.forEach(({ text }, index) => {
			const start = text.slice(0, 40);
			if (choice[index].title !== start) {
				choice[index].title = start;
				choice[index].text = words.answer(index + 1, start);
			}
		});
		choice.selectedIndex = log.answers.indexOf(answer);
	}

	function notesOf({ recording, failure, verdict }) {
		const { totals, missing, isOver } = recording;
		const last = isOver && recording.row(recording.length - 1);
		return [
			totals && words.totals(totals),
			answer.ending && words.pageSays(answer.ending.wording.replace(/[.。]$/, "")),
			last && words.serverSays(words.ending(last.end), words.ms(last.at)),
			missing.sends && words.missing(missing.sends, words.number(missing.bytes)),
			failure,
			verdict && words.verdict(verdict),
		];
	}

	/** The pointer is on the page. On an answer it lights or selects a line; another answer is chosen. */
	function point(target, x, y, isChosen) {
		if (!isOpen) return;
		const article = target.closest?.("article");
		const other = log.answers.find((each) => each.article && each.article === article);
		if (isChosen && other && other !== answer && texts.isWord(target)) choose(other);
		if (!view || (other && other !== answer)) return;
		if (texts.point(target, x, y, isChosen) && isChosen) view.element.focus({ preventScroll: true });
	}

	/** The page's toggle: while closed, the pane reads and draws nothing. */
	function show(value) {
		isOpen = value;
		if (!isOpen) {
			for (const { reading } of kept.values()) reading?.abort();
			texts.light(0);
			return;
		}
		read();
		ask();
		drawSoon();
	}

	const tell = (what) => [what, (...values) => log.tell(what, ...values)];
	const notes = ["start", "shown", "opened", "received", "delta", "painted", "closed", "ended"].map(tell);
	return { show, ...Object.fromEntries(notes) };
}

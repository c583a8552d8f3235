/*
 * The time of a recording: how many rows are shown, and when the next one comes. The recording goes on
 * while the reader looks at an earlier moment; "63 new" leads back to the present.
 *
 *     live (follows the end) -- pause, step, slide, scroll up --> still -- End, "63 new" --> live
 *
 * If a line is selected, its row is the place that the slider shows, and from which steps and playback go on.
 */

import { make } from "../dom.js";

const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 100];

/**
 * `show(position)` draws the first rows; `left()` is called when the reader leaves the selected line;
 * `isWrite`: a row is a write, otherwise a read.
 */
export function timeControls(recording, words, { show, left, isWrite }) {
	const slider = make("input", { type: "range", min: 0, max: 0, ariaLabel: words.slider });
	slider.oninput = () => go(slider.valueAsNumber);
	const playButton = make("button", { type: "button", className: "play", onclick: toggle });
	const speed = make("select", { ariaLabel: words.speed, onchange: () => timer && schedule() });
	speed.append(...SPEEDS.map((each) => new Option(`×${each}`, each, each === 1, each === 1)));
	const output = make("output");
	const fresh = make("button", { type: "button", className: "fresh", hidden: true, onclick: toEnd });
	const steps = make(
		"div",
		{ className: "controls", role: "group", ariaLabel: words.controls },
		step("◁", words.back, () => go(place() - 1)),
		playButton,
		step("▷", words.forward, () => go(place() + 1)),
		speed,
		output,
	);
	let [position, seen, timer] = [0, 0, 0];
	let chosen = 0; // the place of the selected line, or 0
	let isLive = true;
	let isStill = false; // the reader looks at an earlier row of those that are shown
	let wasLive = false; // before that

	function step(textContent, label, onclick) {
		return make("button", { type: "button", textContent, ariaLabel: label, title: label, onclick });
	}

	const place = () => chosen || position;

	function leave() {
		if (!chosen) return;
		chosen = 0;
		left();
	}

	/** Stops at a moment: `next` rows are shown. At the end it follows. */
	function go(next) {
		leave();
		stop();
		isStill = wasLive = false;
		isLive = next >= recording.length;
		move(next);
	}

	function toEnd() {
		go(recording.length);
	}

	function move(next) {
		position = Math.max(0, Math.min(next, recording.length));
		if (isLive || position > seen) seen = position;
		update();
		show(position);
	}

	/** Call this when the recording may have grown. Returns whether it has called `show`. */
	function update() {
		const { length } = recording;
		if (isLive && position < length) {
			move(length);
			return true;
		}
		slider.max = length;
		slider.value = place();
		const [shown, all] = [words.number(place()), words.number(length)];
		const text = place()
			? words.position(isWrite, shown, all, words.ms(recording.at(place() - 1)))
			: words.start(isWrite, all);
		output.textContent = slider.ariaValueText = text;
		fresh.hidden = isLive || Boolean(timer) || length <= seen;
		fresh.textContent = words.fresh(words.number(length - seen));
		playButton.textContent = timer || (isLive && !recording.isOver) ? words.pause : words.play;
		return false;
	}

	// ---- Playback

	function toggle() {
		if (timer) return stop();
		if (isLive && !recording.isOver) {
			isLive = false; // now it stands still
			seen = position;
			return update();
		}
		const from = place() < recording.length ? place() : 0;
		leave();
		isLive = isStill = wasLive = false;
		move(from);
		schedule();
	}

	/** Wait for the next row as long as in the recording, divided by the speed. */
	function schedule() {
		clearTimeout(timer);
		if (position >= recording.length) return stop();
		const last = recording.at(Math.max(0, position - 1));
		const gap = (recording.at(position) - last) / Number(speed.value);
		timer = setTimeout(next, Math.min(Math.max(gap, 0), 2 ** 31 - 1));
		update();
	}

	/** Show all rows that are due, because a timer is only exact to some milliseconds. */
	function next() {
		const due = recording.at(position) + 4 * Number(speed.value);
		let end = position + 1;
		while (end < recording.length && recording.at(end) <= due) end += 1;
		isLive = end >= recording.length;
		move(end);
		if (isLive) stop();
		else schedule();
	}

	function stop() {
		clearTimeout(timer);
		timer = 0;
		update();
	}

	/** The reader looks at an earlier row: nothing moves. */
	function hold() {
		wasLive ||= isLive;
		isStill = true;
		if (isLive) [isLive, seen] = [false, position];
		update();
	}

	/** The reader scrolls: up pauses, down to the end goes on. */
	function scrolled(isAtEnd, isUp) {
		if (isUp) return hold();
		if (!isAtEnd || !isStill || timer || chosen) return;
		if (wasLive) toEnd();
		else isStill = false;
	}

	return {
		slider,
		steps,
		fresh,
		go,
		toEnd,
		toggle,
		update,
		get position() { return position; },
		get place() { return place(); },
		/** A line of this row is selected; -1: none is. Playback stops. */
		choose(row) {
			chosen = row + 1;
			stop();
		},
		get isLive() { return isLive; },
		/** Whether the last of the shown rows is to be in sight. */
		get isAtEnd() { return !isStill; },
		hold,
		scrolled,
	};
}

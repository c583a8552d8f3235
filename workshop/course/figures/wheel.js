/*
 * Lesson 12: the slots of the wheel, each with its streams, and what the loop does in a second.
 *
 *     1,000 streams      20,000 tokens/s      200 wake-ups/s      100 tokens at each
 */

import { figure, make, shape } from "./kit.js";

const GAP = 0.05; // seconds between two tokens of a stream
const TRUTH = { 1: "20", 100: "200", 1000: "200" };
const SLOTS = 10;

figure("wheel", {
	begin(run) {
		const streams = Number(run.values.streams);
		const counts = Array.from({ length: SLOTS }, (_, slot) =>
			Math.floor(streams / SLOTS) + (slot < streams % SLOTS ? 1 : 0),
		);
		run.rows = { tokens: make("b"), wakes: make("b"), together: make("b"), late: make("b") };
		const list = make("ul");
		for (const [key, value] of Object.entries(run.rows)) {
			value.textContent = "…";
			list.append(make("li", "", value, ` ${run.say(key)}`));
		}
		run.wheel = wheel(counts);
		run.stage.append(make("div", "turning", run.wheel, list));
	},

	show(run, report) {
		const { rows, wheel: drawn } = run;
		if (report.late !== undefined) {
			rows.late.textContent = `${report.late.toFixed(1)} ms`;
			run.result = report;
			return;
		}
		const { seconds, tokens, wakes } = report;
		const show = (number) => Math.round(number).toLocaleString(document.documentElement.lang);
		rows.tokens.textContent = show(tokens / seconds);
		rows.wakes.textContent = show(wakes / seconds);
		rows.together.textContent = show(tokens / Math.max(1, wakes));
		// The hand goes around once in the time between two tokens of a stream; slowed down here.
		drawn.dataset.slot = Math.round(seconds / GAP / 2) % SLOTS;
		[...drawn.querySelectorAll("circle")].forEach((circle, slot) => {
			circle.classList.toggle("now", slot === Number(drawn.dataset.slot));
		});
	},

	end({ say, values, result }) {
		const told = say(`told.${values.streams}`, { processor: result.processor.toFixed(0) });
		return `${say(TRUTH[values.streams] === values.guess ? "yes" : "no")}${told}`;
	},
});

function wheel(counts) {
	const svg = shape("svg", { viewBox: "0 0 220 220", width: 220, height: 220, "aria-hidden": true });
	counts.forEach((count, slot) => {
		const angle = (2 * Math.PI * slot) / counts.length - Math.PI / 2;
		const [x, y] = [110 + 82 * Math.cos(angle), 110 + 82 * Math.sin(angle)];
		const label = shape("text", { x, y: y + 4.5 });
		label.append(count || "");
		svg.append(shape("circle", { cx: x, cy: y, r: 21 }), label);
	});
	return svg;
}

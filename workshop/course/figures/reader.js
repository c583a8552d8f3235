/*
 * Lesson 8: how much the model has made, and how much you have read, over six seconds. The slider
 * moves your speed while it runs.
 *
 *     ▒▒ made, and waiting      ▓▓ read
 */

import { figure, make, post, shape } from "./kit.js";

const TICKS = 60;
const LEAST = 40; // tokens at the top of the picture, or more if more were made
const HEIGHT = 140;

figure("reader", {
	prepare(form) {
		const slider = form.querySelector("[name=rate]");
		const shown = slider.parentElement.querySelector("output");
		slider.addEventListener("input", () => (shown.value = slider.value));
		// A run has no name until it begins.
		slider.addEventListener("input", () => {
			if (form.dataset.key) change(form.dataset.key, slider.valueAsNumber);
		});
	},

	begin(run) {
		run.values.key = run.form.dataset.key = crypto.randomUUID();
		run.chart = shape("svg", { height: HEIGHT, role: "img", "aria-label": run.say("chart") });
		run.counts = make("p", "counts");
		run.history = [];
		run.stage.append(make("div", "flow", run.chart), run.counts);
	},

	show(run, { tick, made, read }) {
		run.history.push({ tick, made, read });
		const scale = HEIGHT / Math.max(LEAST, made * 1.1);
		run.chart.replaceChildren(...run.history.flatMap((each) => bars(each, scale)));
		run.last = { made, read, waiting: made - read };
		run.counts.textContent = run.say("counts", run.last);
	},

	end({ say, values, last, form }) {
		delete form.dataset.key;
		return `${say(values.guess === "ahead" ? "yes" : "no")}${say("told", last)}`;
	},
});

function bars({ tick, made, read }, scale) {
	const x = { x: `${((tick - 1) * 100) / TICKS}%`, width: "1.5%" };
	const [top, low] = [made * scale, read * scale];
	return [
		shape("rect", { class: "read", ...x, y: HEIGHT - low, height: low }),
		shape("rect", { class: "waiting", ...x, y: HEIGHT - top, height: Math.max(0, top - low) }),
	];
}

/** Only the last change counts: one that is still on its way is forgotten. */
let changing = new AbortController();
function change(key, rate) {
	changing.abort();
	changing = new AbortController();
	post("reader", { key, rate, change: true }, changing.signal).catch(() => {});
}

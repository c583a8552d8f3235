/*
 * Lesson 8: how much the model has made, and how much you have read, over six seconds. The slider
 * moves your speed while it runs.
 *
 *     ▒▒ made, and on the way      ▓▓ read
 */

import { axis, figure, make, post, shape } from "./kit.js";

const TICKS = 60;
const SECONDS = 6;
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
		const legend = ["waiting", "read"].map((name) => make("li", name, run.say(name)));
		run.stage.append(make("div", "flow", make("ul", "", ...legend), run.chart, axis(SECONDS)), run.counts);
	},

	show(run, { tick, made, read }) {
		run.history.push({ tick, made, read });
		const most = Math.max(LEAST, Math.ceil(made * 1.1));
		const top = shape("text", { x: 0, y: 12 });
		top.append(run.say("most", { most }));
		run.chart.replaceChildren(top, ...run.history.flatMap((each) => bars(each, HEIGHT / most)));
		run.last = { made, read, waiting: made - read };
		run.counts.textContent = run.say("counts", run.last);
	},

	end({ say, values, last, form }) {
		delete form.dataset.key;
		const truth = last.waiting ? "ahead" : "same";
		return `${say(values.guess === truth ? "yes" : "no")}${say(`told.${truth}`, last)}`;
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

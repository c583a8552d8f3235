/*
 * Lesson 4: the same bytes in two pieces. The reader moves the cut, and the chat page's own parser
 * decodes both pieces each time.
 *
 *     event: word\nid: 21\ndata: {"text":"  |  🌊"}\n\n …       1 event, then 2 more
 */

import { EventStreamParser } from "/page/sse.js";
import { cutBytes } from "./bytes.js";
import { bytesOf, figure, make } from "./kit.js";

figure("cut", {
	begin() {},

	show(run, { body }) {
		const { say } = run;
		const bytes = bytesOf(body);
		const slider = Object.assign(make("input"), { type: "range", min: 0, max: bytes.length });
		slider.value = bytes.indexOf(0xf0) + 2; // inside 🌊, whose first byte is f0
		const box = make("pre", "bytes", make("span", "piece"), make("span", "rest"));
		const counts = make("p", "counts");
		const list = make("ol", "events");
		const label = make("label", "slider", say("cut"), slider);
		run.stage.append(label, box, counts, list);

		const draw = () => {
			const at = Number(slider.value);
			const { first, second, waits } = decode(bytes, at);
			const told = say("counts", { first: first.length, second: second.length });
			slider.setAttribute("aria-valuetext", told);
			counts.textContent = told + (waits ? ` ${say("inside")}` : "");
			run.total = first.length + second.length;
			list.replaceChildren(
				...first.map(({ data }) => make("li", "came", data)),
				...second.map(({ data }) => make("li", "", data)),
			);
		};
		cutBytes(box, slider, bytes);
		slider.addEventListener("input", draw);
		draw();
		slider.focus();
	},

	end({ say, total, values }) {
		return say(values.guess === "same" ? "right" : "wrong", { total });
	},
});

/** The events of each piece, and whether the cut is inside a character. */
function decode(bytes, at) {
	const parser = new EventStreamParser();
	const first = parser.receiveData(bytes.subarray(0, at));
	const second = parser.receiveData(bytes.subarray(at));
	const waits = at < bytes.length && (bytes[at] & 0xc0) === 0x80;
	return { first, second, waits };
}

/*
 * Lesson 11: the reader cuts the answer at a byte. Which id does the client send, and does a word
 * come twice, or never?
 *
 *     connection 1                       one two ✂
 *     connection 2   Last-Event-ID: 0-2  three four
 */

import { bytesOf, figure, make, visible } from "./kit.js";

figure("seam", {
	/** The bytes in the form follow the slider, before anything runs. */
	prepare(form) {
		const slider = form.querySelector("[name=at]");
		const box = form.querySelector(".bytes");
		const bytes = bytesOf(box.dataset.bytes);
		const [piece, rest] = box.children;
		slider.addEventListener("input", () => {
			piece.textContent = visible(bytes.subarray(0, slider.value));
			rest.textContent = visible(bytes.subarray(slider.value));
		});
	},

	begin(run) {
		run.text = "";
		run.list = make("ol", "connections");
		run.stage.append(run.list);
	},

	show(run, { number, asked, text, cut }) {
		run.asked = asked;
		run.text += text;
		const id = make("code", "", asked && `Last-Event-ID: ${asked}`);
		const words = make("b", "", text + (cut ? " ✂" : ""));
		run.list.append(make("li", "", make("span", "", run.say("connection", { number })), id, words));
	},

	end({ say, values, asked, text }) {
		const told = asked ? say("told", { id: asked, text }) : say("told.none", { text });
		return `${say(values.guess === (asked || "none") ? "yes" : "no")}${told}`;
	},
});

/*
 * Lesson 11: the reader cuts the answer at a byte. Which id does the client send, and does a word
 * come twice, or never?
 *
 *     connection 1                       one two ✂
 *     connection 2   Last-Event-ID: 0-2  three four
 */

import { cutBytes } from "./bytes.js";
import { bytesOf, figure, make } from "./kit.js";

figure("seam", {
	/** The bytes in the form follow the cut, before anything runs. */
	prepare(form) {
		const box = form.querySelector(".bytes");
		cutBytes(box, form.querySelector("[name=at]"), bytesOf(box.dataset.bytes));
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

/*
 * Lesson 3: the chunk of a word. The reader says which number is in front of it.
 *
 *     3 \r\n 你 \r\n 0 \r\n \r\n        the bytes that a server has sent
 */

import { chips, figure } from "./kit.js";

figure("chunk", {
	begin(run) {
		run.report = null;
	},

	show(run, report) {
		run.report = report;
		run.stage.replaceChildren(chips(report.chips));
	},

	end({ report, say, values }) {
		const { word, guess } = values;
		// Zeros in front are allowed, and letters may be large: "0A" is the size of ten bytes.
		const isRight = guess.trim().toLowerCase().replace(/^0+(?=.)/, "") === report.size;
		return say(isRight ? "right" : "wrong", { ...report, word, guess });
	},
});

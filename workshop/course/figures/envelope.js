/*
 * Lesson 5: the event that carries one token. The reader says how many bytes it has.
 *
 *     data: {"id":… "content":" 你 "} … \n\n      most of it is the envelope
 */

import { chips, figure } from "./kit.js";

figure("envelope", {
	begin() {},

	show(run, report) {
		run.report = report;
		run.stage.replaceChildren(chips(report.chips));
	},

	end({ say, values, report }) {
		if (!report.text) return say("nothing");
		const times = Math.round(report.bytes / report.text);
		return say("told", { ...report, guess: values.guess, times });
	},
});

/*
 * Lesson 10: each token of the sentence, and what an eavesdropper says about its length.
 *
 *     5        ␣read        64 B record
 *     the guess, the token, and the length of its record on the network
 */

import { chips, figure } from "./kit.js";

figure("listener", {
	begin() {},

	show(run, report) {
		run.report = report;
		const row = report.rows.map(([bytes, guess, token]) => {
			return [run.say("record", { bytes }), String(guess), token];
		});
		run.stage.replaceChildren(chips(row));
	},

	end({ say, values, report }) {
		const { right, all } = report;
		const truth = right === all ? "all" : right ? "some" : "none";
		return `${say(truth === values.guess ? "yes" : "no")}${say("told", { right, all })}`;
	},
});

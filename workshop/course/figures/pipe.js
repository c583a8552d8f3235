/*
 * Lesson 1: when a program printed each token, and when the reader of its pipe got it.
 *
 *     the program prints   ●  ●  ●  ●  ●
 *     you get                          ●
 */

import { figure, lanes } from "./kit.js";

const SECONDS = 1.2;
const TRUTH = { print: "one", flush: "five" };

figure("pipe", {
	begin(run) {
		run.lanes = lanes([run.say("program"), run.say("you")], SECONDS);
		run.stage.append(run.lanes.element);
	},

	show(run, report) {
		const { lane, at } = report;
		if (lane === undefined) return;
		run.lanes.mark(lane, at, "dot", run.say(lane ? "read" : "printed", report));
	},

	end({ say, values }) {
		const { how, guess } = values;
		return `${say(TRUTH[how] === guess ? "yes" : "no")}${say(`told.${how}`)}`;
	},
});

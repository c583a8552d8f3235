/*
 * Lesson 9: when the server wrote each event, and when you got it through the hop.
 *
 *     server wrote   ●  ●  ●  ●
 *     you got                    ●●●● ■      ■ the body is complete   ✕ it was cut off
 */

import { figure, lanes } from "./kit.js";

const SECONDS = 1.8;
const TRUTH = {
	none: "live",
	buffer: "end",
	rechunk: "lumps",
	lag: "late",
	gzip: "end",
	truncate: "cut",
};

figure("hop", {
	begin(run) {
		run.lanes = lanes([run.say("server"), run.say("you")], SECONDS);
		run.stage.append(run.lanes.element);
	},

	show(run, report) {
		if (report.lane !== undefined) {
			run.lanes.mark(report.lane, report.at, "dot", run.say("event", report));
			return;
		}
		const [kind, key] = report.complete ? ["end", "complete"] : ["cross", "cut"];
		run.lanes.mark(1, report.end + 0.06, kind, run.say(key));
		run.result = report;
	},

	end({ say, values, result }) {
		const { mode, guess } = values;
		const held = result.held.toFixed(2);
		const told = say(`told.${mode}`, { held, events: result.events });
		return `${say(TRUTH[mode] === guess ? "yes" : "no")}${told}`;
	},
});

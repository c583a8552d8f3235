/*
 * Lesson 7: the client's lane and the server's lane. When does the server know that nobody reads?
 *
 *     you      ○   ✕            ○ a token was read   ✕ you disconnect
 *     server   ●      ● ■       ● a token is written   ■ the server stops its model
 */

import { figure, lanes } from "./kit.js";

const SECONDS = 2.1;
const TRUTH = { fin: "never", close: "next-write", rst: "at-once" };

figure("leaving", {
	begin(run) {
		run.lanes = lanes([run.say("client"), run.say("server")], SECONDS);
		run.stage.append(run.lanes.element);
	},

	show(run, report) {
		const { lane, at, kind, key, number } = report;
		if (!lane) run.result = report;
		else run.lanes.mark(lane === "client" ? 0 : 1, at, kind, run.say(key, { number }));
	},

	end({ say, values }) {
		const { how, guess } = values;
		return `${say(TRUTH[how] === guess ? "yes" : "no")}${say(`told.${how}`)}`;
	},
});

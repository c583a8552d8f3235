/*
 * The strip over the composer: what the next question is asked with. Each of its buttons opens a
 * menu (menus.js), which is loaded when a menu is first opened.
 *
 *     Model sim-1 ⌄   Speed default ⌄   Fault rst, event 5 ⌄ ✕
 */

import { find } from "./dom.js";
import { choose, onChoice } from "./settings.js";
import { say, words } from "./words/words.js";

export function showStrip() {
	const strip = find(".strip");
	const heal = find("#heal");

	onChoice(({ server, model, pace, fault }) => {
		find("#model").textContent = model;
		find("#pace").textContent = pace || words.asStarted;
		find("#fault").textContent = faultName(fault);
		heal.hidden = !fault;
		strip.classList.toggle("faulty", Boolean(fault));
		strip.classList.toggle("elsewhere", Boolean(server));
	});
	heal.onclick = () => {
		choose({ fault: "" });
		find("[popovertarget=faults]").focus();
	};
	for (const name of ["models", "paces", "faults"]) {
		find(`#${name}`).addEventListener("beforetoggle", async ({ newState }) => {
			if (newState !== "open") return;
			const menus = await import("./menus.js");
			menus[name](find(`#${name}`));
		});
	}
}

/** "rst@5" as a reader says it. */
export function faultName(fault) {
	const [name, position] = fault.split("@");
	if (!name) return words.noFault;
	return position ? say("faultAt", name, position) : name;
}

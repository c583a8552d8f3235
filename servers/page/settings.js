/*
 * What the next question is asked with: {server, model, pace, fault, system}, each a text. All but
 * the fault are saved, because a fault that the reader has forgotten looks like a broken server.
 */

import { find } from "./dom.js";
import { load, save } from "./store.js";

export const PACES = ["", "instant", "default", "human", "slow", "fast-api", "reasoning", "overloaded"];

const form = find("#settings");
const { server, system } = form.elements;
const chosen = { server: "", model: "sim-1", pace: "", fault: "", system: "" };
const listeners = [];

// Any page of this origin may have written there: a text field accepts only text, and a list
// accepts only its own entries.
const kept = Object(load("settings"));
for (const name of ["server", "model", "pace", "system"]) {
	if (typeof kept[name] === "string") chosen[name] = kept[name];
}
if (!PACES.includes(chosen.pace)) chosen.pace = "";
server.value = chosen.server;
if (server.selectedIndex < 0) server.value = chosen.server = "";
system.value = chosen.system;

export function settings() {
	const { fault, pace, ...rest } = chosen;
	// The proxy does not know the settings of the simulated LLM.
	return { ...rest, fault: rest.server ? "" : fault, pace: rest.server ? "" : pace };
}

/** @param {object} changes some of the settings */
export function choose(changes) {
	Object.assign(chosen, changes);
	const { fault, ...lasting } = chosen;
	save("settings", lasting);
	for (const listener of listeners) listener(chosen);
}

/** Calls this with all settings, now and after each change. */
export function onChoice(listener) {
	listeners.push(listener);
	listener(chosen);
}

form.onsubmit = (event) => {
	event.preventDefault();
	form.hidePopover();
};
form.onchange = () => choose({ server: server.value, system: system.value });

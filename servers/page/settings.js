/*
 * What the next question is asked with: {server, model, pace, fault, system}, each a text. All but
 * the fault are saved, because a fault that the reader has forgotten looks like a broken server.
 *
 *     lend({model: "echo", pace: "slow"})     for one conversation: not saved
 *     choose({pace: ""})                      from now on, also in that conversation
 *     lend({})                                what had been chosen is back
 *
 * And the language of the page: as the browser's, until the reader chooses one.
 */

import { find } from "./dom.js";
import { load, save } from "./store.js";
import { chooseLanguage, chosenLanguage, shown } from "./words/language.js";

export const PACES = ["", "instant", "default", "human", "slow", "fast-api", "reasoning", "overloaded"];

const form = find("#settings");
const { server, system, language } = form.elements;
let lent = {};
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
language.value = chosenLanguage();

const current = () => ({ ...chosen, ...lent });

export function settings() {
	const { fault, pace, ...rest } = current();
	// The proxy does not know the settings of the simulated LLM.
	return { ...rest, fault: rest.server ? "" : fault, pace: rest.server ? "" : pace };
}

/** @param {object} changes some of the settings */
export function choose(changes) {
	Object.assign(chosen, changes);
	for (const name of Object.keys(changes)) delete lent[name];
	const { fault, ...lasting } = chosen;
	save("settings", lasting);
	tell();
}

/** Has these settings in place of the chosen ones, until the next call: lend({}) takes them back. */
export function lend(changes) {
	lent = { ...changes };
	tell();
}

function tell() {
	for (const listener of listeners) listener(current());
}

/** Calls this with all settings, now and after each change. */
export function onChoice(listener) {
	listeners.push(listener);
	listener(current());
}

form.onsubmit = (event) => {
	event.preventDefault();
	form.hidePopover();
};
form.onchange = ({ target }) => {
	if (target === language) chooseLanguage(language.value);
	else choose({ [target.name]: target.value });
};
// The words of the page are loaded once.
form.ontoggle = ({ newState }) => newState === "closed" && chosenLanguage() !== shown && location.reload();

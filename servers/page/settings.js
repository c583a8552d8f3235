/*
 * The settings: a form that is saved. The server lists the choices.
 */

import { listFaults, listModels } from "./openai.js";
import { load, save } from "./store.js";
import { noReply } from "./words.js";

const form = document.querySelector("#settings");
const { server, model, fault, pace, note } = form.elements;

// A text field accepts only text, and a list accepts only its own entries.
const kept = Object(load("settings"));
model.add(new Option(typeof kept.model === "string" ? kept.model : "sim-1"));
for (const field of form.elements) {
	if (!field.name || typeof kept[field.name] !== "string") continue;
	field.value = kept[field.name];
	if (field.selectedIndex < 0) field.selectedIndex = 0;
}
switchFields();

export function settings() {
	return Object.fromEntries(new FormData(form));
}

/** The proxy does not know the settings of the simulated LLM. */
function switchFields() {
	fault.disabled = pace.disabled = server.value !== "";
}

async function fill() {
	try {
		const names = await listModels(server.value);
		const chosen = names.includes(model.value) ? model.value : names[0];
		model.replaceChildren(...names.map((name) => new Option(name, name, false, name === chosen)));
		note.value = "";
	} catch {
		note.value = noReply(server.value);
	}
	const { list } = fault;
	if (!list.options.length) {
		list.append(...(await listFaults()).map(([name, line]) => new Option(line, name)));
	}
}

form.ontoggle = ({ newState }) => newState === "open" && fill();
form.onsubmit = (event) => {
	event.preventDefault();
	form.hidePopover();
};
form.onchange = async ({ target }) => {
	switchFields();
	if (target === server) await fill();
	save("settings", settings());
};

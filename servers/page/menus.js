/*
 * The menus of the strip: each is a list of radio buttons, so that the arrow keys choose. The server
 * says which models and faults there are.
 *
 *     (•) sim-1     thinks, then answers, in two languages
 *     ( ) echo      says what you say
 */

import { find, make } from "./dom.js";
import { taughtFaults } from "./faults/faults.js";
import { listModels } from "./openai.js";
import { choose, PACES, settings } from "./settings.js";
import { noReply, words } from "./words/words.js";

export async function models(menu) {
	const { server, model } = settings();
	let names = [model];
	let note = "";
	try {
		names = await listModels(server);
	} catch {
		note = noReply(server);
	}
	const options = names.map((name) => option("model", name, name, words.models[name.split(":")[0]]));
	show(menu, words.modelTitle, ...options, make("p", "alarm", note));
}

export function paces(menu) {
	const options = PACES.map((pace) => option("pace", pace, pace || words.asStarted, words.paces[pace]));
	show(menu, words.paceTitle, ...options);
}

function show(menu, title, ...content) {
	menu.replaceChildren(make("h2", {}, title), ...content);
	const chosen = settings();
	for (const input of menu.querySelectorAll("input[type=radio]")) {
		input.checked = input.value === chosen[input.name];
		input.onchange = () => choose({ [input.name]: input.value });
	}
	// A click chooses and closes; the arrow keys only choose.
	menu.onclick = ({ target, detail }) => detail && target.closest("label") && menu.hidePopover();
	menu.onkeydown = closeOnEnter;
	focusChosen(menu);
}

/** The focus goes back to the button, which must not get this key too. */
function closeOnEnter(event) {
	if (event.key !== "Enter" || event.target.matches("summary")) return;
	event.preventDefault();
	event.target.dispatchEvent(new Event("change")); // a number that was typed is taken
	event.currentTarget.hidePopover();
}

function option(name, value, title, line = "") {
	const input = make("input", { type: "radio", name, value });
	return make("label", "option", input, make("b", {}, title), make("span", {}, ...codes(line)));
}

const focusChosen = (menu) => (find("input:checked", menu) ?? find("input", menu))?.focus();

/** Text between backticks becomes code. */
export function codes(line) {
	return line.split("`").map((text, index) => (index % 2 ? make("code", {}, text) : text));
}

// ---- The faults

/** All faults in their groups, one of them open; and where the chosen one happens. */
export async function faults(menu) {
	let taught;
	try {
		taught = await taughtFaults();
	} catch {
		return show(menu, words.faultTitle, make("p", "alarm", noReply("")));
	}
	const [chosen, at] = settings().fault.split("@");
	const number = make("input", { type: "number", min: 1, max: 999, inputMode: "numeric" });
	const [before, after] = words.atEvent.split("{}");
	const place = make("label", "place", before, number, after);
	const close = make("button", { type: "button", className: "close" }, words.close);
	const none = option("fault", "", words.noFault, words.noFaultLine);
	const groups = Object.keys(words.groups).map((group) => {
		const own = taught.filter((fault) => fault.group === group);
		const options = own.map(({ name, description }) => option("fault", name, name, description));
		const [title, line] = words.groups[group];
		const summary = make("summary", {}, make("b", {}, title), make("span", {}, line));
		const open = own.some(({ name }) => name === chosen);
		return make("details", { name: "group", open }, summary, ...options);
	});
	const foot = make("footer", {}, place, close);
	menu.replaceChildren(make("h2", {}, words.faultTitle), none, ...groups, foot);
	for (const input of menu.querySelectorAll("input[type=radio]")) {
		input.checked = input.value === chosen;
		input.onchange = take;
	}
	number.value = at ?? "";
	number.onchange = take;
	close.onclick = () => menu.hidePopover();
	menu.onclick = null;
	menu.onkeydown = closeOnEnter;
	showPlace();
	focusChosen(menu);

	/** Only a fault that has a usual place can have another one. */
	function showPlace() {
		const name = find("input:checked", menu)?.value;
		const position = taught.find((fault) => fault.name === name)?.position;
		place.hidden = !position;
		number.placeholder = position?.number ?? "";
	}

	function take() {
		showPlace();
		const name = find("input:checked", menu)?.value ?? "";
		const isAt = name && !place.hidden && number.checkValidity() && number.value;
		choose({ fault: isAt ? `${name}@${number.value}` : name });
	}
}


/*
 * One line above the composer, for what the reader must know: a full storage, a copy, a conversation
 * that is not there. It may have a button, and the reader can dismiss it.
 */

import { find, make } from "../dom.js";
import { words } from "../words/words.js";

const line = make("p", { id: "notice", role: "status", hidden: true });
find("#composer").prepend(line);

/** Without a text the line is hidden. `act` is called when the button is clicked. */
export function notify(text = "", label = "", act = () => {}) {
	line.hidden = !text;
	const dismiss = make("button", { type: "button", ariaLabel: words.dismiss }, "✕");
	dismiss.onclick = () => notify();
	const button = make("button", { type: "button" }, label);
	button.onclick = () => {
		notify();
		act();
	};
	line.replaceChildren(text, ...(label ? [button] : []), dismiss);
}

/*
 * A question that the reader edits, in its place. Enter sends it, Shift Enter breaks a line, Esc
 * leaves it as it was.
 */

import { find, make } from "../dom.js";
import { words } from "../words/words.js";

/** @param {Function} send gets the new text */
export function editQuestion(article, send) {
	const question = find(".question", article);
	const text = make("textarea", { ariaLabel: words.edit, dir: "auto", value: question.textContent });
	const cancel = make("button", { type: "button", onclick: leave }, words.cancel);
	const form = make("form", "editing", text, make("div", {}, cancel, make("button", {}, words.send)));
	form.onsubmit = (event) => {
		event.preventDefault();
		if (text.value.trim()) send(text.value.trim());
	};
	text.onkeydown = (event) => {
		if (event.isComposing || event.keyCode === 229) return;
		if (event.key === "Enter" && !event.shiftKey) form.requestSubmit();
		else if (event.key === "Escape") leave();
		else return;
		event.preventDefault();
		event.stopPropagation();
	};
	function leave() {
		article.classList.remove("edited");
		form.remove();
		find(".edit", article).focus();
	}
	article.classList.add("edited"); // hides the question and its buttons
	article.append(form);
	text.focus();
}

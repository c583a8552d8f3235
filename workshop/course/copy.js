/*
 * Two things for each box of code: a button that copies it, and the keyboard.
 *
 *     $ curl -N http://localhost:8000/      the button copies: curl -N http://localhost:8000/
 *     data: {"text":"Hello"}                (of a transcript only the commands, without the prompt)
 *
 * A box that is wider than its window gets into the tab order, so that the arrow keys can scroll it.
 * This is a classic script: a page that was opened from a folder may not load modules.
 */

"use strict";

{
	/** What the button copies: the commands of a transcript, the whole of any other box. */
	function commandsOf(text) {
		const lines = text.split("\n");
		const commands = [];
		let continues = false;
		for (const line of lines) {
			if (line.startsWith("$ ")) commands.push(line.slice(2));
			else if (continues) commands.push(line);
			continues = (line.startsWith("$ ") || continues) && line.endsWith("\\");
		}
		return commands.join("\n");
	}

	function addButton(box, words) {
		const button = document.createElement("button");
		button.type = "button";
		button.className = "copy";
		button.textContent = words.copyLabel;
		button.addEventListener("click", async () => {
			const text = box.querySelector("code").textContent;
			const isTranscript = box.classList.contains("console");
			let told = words.copyDone;
			try {
				await navigator.clipboard.writeText(isTranscript ? commandsOf(text) : text.trimEnd());
			} catch {
				told = words.copyFailed;
			}
			button.textContent = told;
			// The next look at the button is the next time that somebody points at its box.
			box.parentElement.addEventListener("pointerleave", reset, { once: true });
			button.addEventListener("blur", reset, { once: true });
		});
		const reset = () => (button.textContent = words.copyLabel);
		const frame = document.createElement("div");
		frame.className = "box";
		box.replaceWith(frame);
		frame.append(box, button);
	}

	globalThis.commandsOf = commandsOf;

	if (globalThis.document) {
		const words = document.querySelector(".find").dataset;
		if (navigator.clipboard) {
			for (const box of document.querySelectorAll("article > pre, .excerpt > pre")) {
				addButton(box, words);
			}
		}
		const observer = new ResizeObserver((boxes) => {
			for (const { target } of boxes) {
				if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
				else target.removeAttribute("tabindex");
			}
		});
		for (const box of document.querySelectorAll("main :is(pre, .table)")) observer.observe(box);
	}
}

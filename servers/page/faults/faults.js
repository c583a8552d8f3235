/*
 * What the server tells about its faults (servers/llm/teaching.py), in the order of a picker:
 *
 *     {name: "rst", description: "The server sends RST…", group: "cut", lesson: "An answer is…",
 *      position: {unit: "event", number: 3}, clients: {"curl -N": "exit code 56", …}}
 */

import { isChinese } from "../words/language.js";

let asked = null;

/** @throws {TypeError} no reply; then the next call asks again */
export function taughtFaults() {
	asked ??= ask().catch((error) => {
		asked = null;
		throw error;
	});
	return asked;
}

async function ask() {
	const response = await fetch("/faults", { headers: { Accept: "application/json" } });
	const { order, faults } = await response.json();
	const { sentences } = isChinese ? await import("../words/chinese-faults.js") : { sentences: {} };
	return order.map((name) => {
		const fault = faults.find((each) => each.name === name);
		const [description, lesson] = sentences[name] ?? [fault.description, fault.lesson];
		return { ...fault, description, lesson };
	});
}

/*
 * What x-ray says about a request and its response: its verdicts, what cures them, and the counts.
 */

import { make } from "../dom.js";

const GOOD = /^(?:live|unsure)$/; // codes of verdicts that are not faults

export function drawExchange({ method, url, report, plain }, words) {
	const block = make("header", {}, make("h2", {}, words.exchange(method, url)));
	for (const { code, say, cure } of report?.verdicts ?? []) {
		const isBad = !GOOD.test(code);
		const verdict = make("p", isBad ? "verdict faulty" : "verdict", make("b", {}, code), ` ${say}`);
		if (cure && isBad) verdict.append(make("div", "remedy", make("b", {}, words.cure), " ", ...withCode(cure)));
		block.append(verdict);
	}
	if (report) {
		const facts = [words.counts(report.counts)];
		if (report.ttft_ms !== null) facts.push(words.ttft(words.ms(report.ttft_ms)));
		block.append(make("p", {}, facts.join(" · ")));
	}
	if (plain) block.append(make("details", {}, make("summary", {}, words.plain), make("pre", { tabIndex: 0 }, plain)));
	return block;
}

/** `code` in a sentence becomes an element. */
const withCode = (text) => text.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));

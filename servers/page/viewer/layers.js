/*
 * What the bytes are: a bar and its legend. The bar has a part for each layer. The more bytes a
 * layer has, the longer is its part.
 */

import { make } from "../dom.js";
import { LAYERS, layerOf } from "./bytes.js";

export function layerBar(words) {
	const cost = make("p", "cost");
	const bar = make("div", { className: "layers", ariaHidden: "true" }, ...LAYERS.map((layer) => make("i", layer)));
	const entries = LAYERS.map((layer) => make("li", layer, make("i"), make("b", {}, words[layer]), make("span")));
	const legend = make("ul", { className: "legend", ariaLabel: words.layers }, ...entries);

	return {
		element: make("div", {}, cost, bar, legend),
		show({ sizes }) {
			const bytes = Object.fromEntries(LAYERS.map((layer) => [layer, 0]));
			let [all, text] = [0, 0];
			for (const [label, size] of sizes) {
				bytes[layerOf(label)] += size;
				all += size;
				if (label === "token" || label === "data") text += size;
			}
			cost.textContent = text ? words.cost(words.number(text), words.number(all), Math.round(all / text)) : "";
			LAYERS.forEach((layer, index) => {
				entries[index].hidden = !bytes[layer];
				entries[index].lastChild.textContent = `${words.number(bytes[layer])} B`;
				bar.children[index].hidden = !bytes[layer];
				bar.children[index].style.flexGrow = bytes[layer];
			});
		},
	};
}

/*
 * Makes elements by name and fills them with text: nothing is ever parsed as HTML.
 */

export const find = (selector, root = document) => root.querySelector(selector);

/** @param {object | string} properties a string is the class */
export function make(tag, properties = {}, ...children) {
	if (typeof properties === "string") properties = { className: properties };
	const element = Object.assign(document.createElement(tag), properties);
	element.append(...children);
	return element;
}

/*
 * The language of the pages: the browser's on the first visit, then the one that the reader chose.
 *
 *     /course/x.html          English, for a browser that prefers Chinese: goes to zh-CN/x.html
 *     <a hreflang="zh-CN">    the switch: the same place of the page, and remembered from now on
 *
 * Only the pages of the project's own language send a reader on. An address in another language was
 * chosen by whoever wrote it. This is a classic script in the head: it runs before the page is shown.
 */

"use strict";

{
	/** The first of the wanted languages that the pages have; "zh-TW" is content with "zh-CN". */
	function best(wanted, available) {
		for (const language of wanted) {
			const same = (other) => other.split("-")[0] === language.toLowerCase().split("-")[0];
			const found = available.find(same);
			if (found) return found;
		}
		return available[0];
	}

	Object.assign(globalThis, { best });

	if (globalThis.document) {
		const KEY = "workshop.language";
		const here = document.documentElement.lang;
		const others = [...document.querySelectorAll("link[rel=alternate][hreflang]")];
		const remember = (language) => {
			try {
				localStorage[KEY] = language;
			} catch {
				// this browser keeps nothing: the next page asks again
			}
		};
		let kept;
		try {
			kept = localStorage[KEY];
		} catch {
			kept = undefined;
		}
		const original = document.currentScript.dataset.original;
		const available = [original, here, ...others.map((link) => link.hreflang)];
		const wanted = best(kept ? [kept] : navigator.languages, available);
		if (!kept) remember(wanted);
		const target = others.find((link) => link.hreflang === wanted);
		if (here === original && target) location.replace(target.href + location.hash);

		/** The anchor that the reader has come to, or the last heading above the window's middle. */
		const place = () => {
			const top = (element) => element.getBoundingClientRect().top;
			const target = document.querySelector(":target");
			if (target && top(target) >= 0 && top(target) < innerHeight) return target.id;
			const headings = [...document.querySelectorAll("main :is(h2, h3, section)[id]")];
			const above = headings.filter((each) => top(each) < innerHeight / 2);
			return scrollY ? (above.at(-1)?.id ?? "") : "";
		};

		addEventListener("click", (event) => {
			const link = event.target.closest?.("a[href]");
			if (!link || link.origin !== location.origin) return;
			const other = others.find((each) => each.href === link.href.split("#")[0]);
			if (!other) return;
			remember(other.hreflang);
			if (link.hreflang) link.hash = place();
		});
	}
}

/*
 * Character references: `&copy;`, `&#169;` and `&#xa9;` are ©.
 *
 * CommonMark 0.31.2 §2.5. HTML has 2,125 names; this file knows the 252 of HTML 4 and `apos`. Any
 * other name stays as written.
 */

// A code point in hexadecimal digits, its name, and the names of those that follow it.
const NAMES = `
	22 quot, 26 amp apos, 3c lt, 3e gt
	a0 nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr
	b0 deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12
	be frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute
	ca Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml
	d7 times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc
	e3 atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml
	f0 eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml
	fd yacute thorn yuml, 152 OElig oelig, 160 Scaron scaron, 178 Yuml, 192 fnof, 2c6 circ
	2dc tilde
	391 Alpha Beta Gamma Delta Epsilon Zeta Eta Theta Iota Kappa Lambda Mu Nu Xi Omicron
	3a0 Pi Rho, 3a3 Sigma Tau Upsilon Phi Chi Psi Omega
	3b1 alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron
	3c0 pi rho sigmaf sigma tau upsilon phi chi psi omega, 3d1 thetasym upsih, 3d6 piv
	2002 ensp emsp, 2009 thinsp, 200c zwnj zwj lrm rlm, 2013 ndash mdash, 2018 lsquo rsquo sbquo
	201c ldquo rdquo bdquo, 2020 dagger Dagger bull, 2026 hellip, 2030 permil, 2032 prime Prime
	2039 lsaquo rsaquo, 203e oline, 2044 frasl, 20ac euro, 2111 image, 2118 weierp, 211c real
	2122 trade, 2135 alefsym, 2190 larr uarr rarr darr harr, 21b5 crarr
	21d0 lArr uArr rArr dArr hArr, 2200 forall, 2202 part exist, 2205 empty
	2207 nabla isin notin, 220b ni, 220f prod, 2211 sum minus, 2217 lowast, 221a radic
	221d prop infin, 2220 ang, 2227 and or cap cup int, 2234 there4, 223c sim, 2245 cong
	2248 asymp, 2260 ne equiv, 2264 le ge, 2282 sub sup nsub, 2286 sube supe, 2295 oplus
	2297 otimes, 22a5 perp, 22c5 sdot, 2308 lceil rceil lfloor rfloor, 2329 lang rang, 25ca loz
	2660 spades, 2663 clubs, 2665 hearts diams
`;

const named = new Map();
for (const run of NAMES.trim().split(/,|\n/)) {
	const [first, ...names] = run.trim().split(" ");
	names.forEach((name, index) => named.set(name, String.fromCodePoint(parseInt(first, 16) + index)));
}

/** The source of a pattern that matches a possible reference. */
export const REFERENCE = String.raw`&(?:#[xX][0-9a-fA-F]{1,6}|#[0-9]{1,7}|[a-zA-Z][a-zA-Z0-9]{1,31});`;

/** The character of a reference; an unknown one stays as it is. */
export function characterOf(reference) {
	if (reference[1] !== "#") return named.get(reference.slice(1, -1)) ?? reference;
	const digits = reference.slice(2, -1);
	const code = /^x/i.test(digits) ? parseInt(digits.slice(1), 16) : parseInt(digits, 10);
	// "Invalid Unicode code points will be replaced by […] U+FFFD", and so is U+0000.
	const isCharacter = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000);
	return String.fromCodePoint(isCharacter ? code : 0xfffd);
}

/*
 * Colours for code: keywords, comments and literals of most languages, told apart by one pattern.
 *
 *     return "a" # b    ->    <b>return</b> <u>"a"</u> <i># b</i>
 *
 * A language decides how its comments look; without one, as in a program's output, nothing is
 * coloured. Code comes in parts (parts.js). A comment or string that is open at the end of a part
 * goes on in the next one: `open` is what will end it.
 *
 * It is a guess, not a parser: HTML and JavaScript's regular expressions are not coloured.
 */

const KEYWORDS = new Set(
	`abstract and as assert async await bool break case catch char class const continue crate def
	default defer del delete do done double elif else end enum esac except export extends extern false
	fi final finally float fn for from func function go global if impl implements import in instanceof
	int interface is lambda let local long loop match mod module mut namespace new nil nonlocal not
	null or package pass private protected pub public raise ref return self short static str string
	struct super switch template then this throw throws trait true try type typedef typeof undefined
	union unsafe unsigned until use using val var void volatile where while with yield False None True
	ALTER AND AS BY CREATE DELETE DISTINCT DROP FROM GROUP HAVING IN INSERT INTO JOIN KEY LEFT LIMIT
	NOT NULL ON OR ORDER PRIMARY SELECT SET TABLE UNION UPDATE VALUES WHERE`.split(/\s+/),
);

const HASH = "(?<![^\\s;])#[^\\n]*";
const SLASHES = "//[^\\n]*|/\\*";
const COMMENTS = {
	[HASH]: "bash console dockerfile ini makefile perl py python r rb ruby sh shell toml yaml yml zsh",
	[SLASHES]:
		"c cc cpp cs csharp css dart go h hpp java javascript js json jsonc jsx kotlin php proto rs rust scala scss swift ts tsx typescript zig",
	"--[^\\n]*": "haskell hs lua sql",
};
const OPENINGS = { "/*": "*/", '"""': '"""', "'''": "'''", "`": "`" };

const LITERALS = [
	"\"\"\"|'''|`", // these may have many lines
	'"(?:\\\\[^]|[^"\\\\\\n])*"?',
	"(?<![\\w<&])'(?:\\\\[^]|[^'\\\\\\n])*'", // not in don't, nor a lifetime: &'a str
	"\\b\\d[\\w.]*",
].join("|");

const patterns = new Map();
for (const [comment, languages] of Object.entries(COMMENTS)) {
	const pattern = new RegExp(`(${comment})|(${LITERALS})|[$\\p{L}_][\\w-]*`, "gu");
	for (const language of languages.split(" ")) patterns.set(language, pattern);
}

/**
 * @param {string} text a part of the code
 * @param {string} open what ends the comment or text that the part before it left open, or ""
 * @returns {[Array, string]} strings and {tag, children}, and what this part leaves open
 */
export function colored(text, language, open = "") {
	const pattern = patterns.get(language.toLowerCase());
	if (!pattern) return [[text], ""];
	const nodes = [];
	let place = 0;
	const add = (tag, end) => {
		const piece = text.slice(place, end);
		if (piece) nodes.push(tag ? { tag, children: [piece] } : piece);
		place = end;
	};
	/** Up to what ends a comment or text of many lines. */
	const addUntil = (tag, ending, from) => {
		const found = text.indexOf(ending, from);
		open = found < 0 ? ending : "";
		add(tag, found < 0 ? text.length : found + ending.length);
	};
	if (open) addUntil(open === "*/" ? "i" : "u", open, 0);
	for (let found; ; ) {
		pattern.lastIndex = place;
		while ((found = pattern.exec(text)) && !found[1] && !found[2] && !KEYWORDS.has(found[0]));
		if (!found) break;
		const [token, comment] = found;
		const tag = comment ? "i" : found[2] ? "u" : "b";
		add("", found.index);
		if (OPENINGS[token]) addUntil(tag, OPENINGS[token], place + token.length);
		else add(tag, place + token.length);
	}
	add("", text.length);
	return [nodes, open];
}

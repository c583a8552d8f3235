/*
 * The faults in Chinese: what each does, and its lesson. The server tells them in English
 * (servers/llm/faults, servers/llm/teaching.py).
 */

const whole = "只有收到 finish_reason（或 response.completed），回答才算完整。";
const timeout = "长时间收不到 token 的客户端应当放弃等待。";
const noError = "错误事件结束回答：客户端要报告它，并关闭连接。";
const unreadable = "读不懂回答的某一部分时，客户端要报告错误，而不是跳过。";
const anywhere = "两次读取可能把事件从任何位置切开，哪怕是在一个字符中间。";
const lineEnds = "一行可以用 CR、LF 或 CRLF 结束（WHATWG HTML §9.2.6）。";
const noData = "没有 data 行的一段不是事件：跳过它。";
const retried = "暂时失败的请求（408、409、429、500 及以上）应当重试。";
const notRetried = "被拒绝的请求（400、401、403、404、413、422）不要原样重发。";
const retryAfter = "再次请求之前，至少要等 Retry-After 所说的时间。";

const status = (code, meaning, lesson) => [code, [`不给回答，只给一个 JSON 错误：${code} ${meaning}。`, lesson]];

/** By name: [what it does, the lesson]. */
export const sentences = {
	rst: ["服务器在两个块之间发送 RST。", whole],
	"rst-mid-event": ["服务器发送一个完整的块，里面只有半个事件，然后发送 RST。", whole],
	"rst-mid-chunk": ["服务器只发出 chunk-size 所说的一半字节，然后发送 RST。", whole],
	fin: ["服务器在两个块之间发送 FIN，缺少最后一块。", whole],
	"fin-mid-event": ["服务器发送一个完整的块，里面只有半个事件，然后发送 FIN。", whole],
	"fin-mid-chunk": ["服务器只发出 chunk-size 所说的一半字节，然后发送 FIN。", whole],
	"no-last-chunk": [
		"服务器发送完整的回答和 [DONE]，然后发送 FIN，没有 `0\\r\\n\\r\\n`。",
		"[DONE] 已经结束了回答，但分块编码的正文还是被截断了。",
	],
	"no-head": ["服务器在响应的第一个字节之前就发送 FIN。", retried],
	"clean-cut": ["响应在中途正常结束，没有 finish_reason 和 [DONE]。看上去像是成功了。", whole],
	"no-done": [
		"响应正常结束，但没有最后的事件 [DONE]。",
		"finish_reason 表示回答完整；[DONE] 只表示后面没有事件。",
	],
	"bare-json": ["服务器把错误写成一行 JSON，前面没有 `data:`，然后正常结束。", noError],
	"json-200": ["服务器不给回答，只给状态码 200 和一个 JSON 错误。", whole],
	"html-200": ["服务器不给回答，只给状态码 200 和一个 HTML 页面，像登录页那样。", whole],
	duplicate: ["同一个事件发送两次。", "事件没有 id，就没有人能看出它来了两次。"],
	"after-end": [
		"服务器在正文结束之后继续发送字节，连接保持打开。",
		"最后一块结束正文；后面的字节不属于任何响应。",
	],
	stall: ["服务器不再发送任何内容，连心跳也没有。连接保持打开。", timeout],
	"stall-heartbeat": ["服务器每秒只发送一条注释，连接看起来还活着。", timeout],
	drip: ["从这个事件起，服务器每秒发送一个字节。", timeout],
	"half-chunk": ["服务器只发出 chunk-size 所说的一半字节。连接保持打开。", timeout],
	hang: ["服务器一个字节的响应也不发送。连接保持打开。", timeout],
	"open-after-finish": ["服务器发送完整的回答和 finish_reason，但没有 [DONE]。连接保持打开。", timeout],
	"open-after-done": [
		"完整的回答和 [DONE] 都到了，但没有最后一块：连接保持打开。",
		"`data: [DONE]` 结束回答，无论连接是否结束。",
	],
	"bad-chunk-size": ["chunk-size 不是数字，而是 `xyz`。", unreadable],
	"length-and-chunked": [
		"头部同时有 `Content-Length: 5` 和 `Transfer-Encoding: chunked`。",
		"头部写着两种长度，请求走私就从这里开始：应当拒绝。",
	],
	"broken-json": ["事件的 JSON 缺少最后一个字符。", unreadable],
	"invalid-utf8": [
		"事件的文字里有字节 FF，UTF-8 里不会出现这个字节。",
		"不是 UTF-8 的字节变成 U+FFFD；流继续。",
	],
	"giant-line": [
		"事件里有一行 4 MiB，大部分是 JSON 记号之间的空格。",
		"客户端要限制行的长度，读取所花的时间应当与长度成正比。",
	],
	...Object.fromEntries([
		status(400, "请求无效", notRetried),
		status(401, "未授权", notRetried),
		status(403, "禁止访问", notRetried),
		status(404, "找不到", notRetried),
		status(408, "请求超时", retried),
		status(409, "冲突", retried),
		status(413, "请求正文过大", notRetried),
		status(422, "无法处理", notRetried),
		status(429, "请求过多，带 Retry-After", retryAfter),
		status(500, "服务器内部错误", retried),
		status(502, "网关错误", retried),
		status(503, "服务不可用，带 Retry-After", retryAfter),
		status(504, "网关超时", retried),
	]),
	"error-nested": ['服务器发送错误事件 {"error":{…}}，然后发送 FIN。', noError],
	"error-flat": ['服务器发送错误事件 {"code":…,"message":…}，然后发送 FIN。', noError],
	"error-string": ['服务器发送只有一个字符串的错误事件 {"error":"…"}，然后发送 FIN。', noError],
	"error-open": ['错误事件 {"error":{…}}，然后沉默：连接保持打开。', noError],
	"split-utf8-chunks": ["从这个事件起，每个多字节字符被切到两个块里。", anywhere],
	"split-utf8-segments": ["从这个事件起，每次只写一个字节，字符和行被切到多个 TCP 报文段里。", anywhere],
	cr: ["从这个事件起，行尾是 CR。", lineEnds],
	crlf: ["从这个事件起，行尾是 CRLF。", lineEnds],
	bom: ["第一个事件之前有一个字节顺序标记。", "最开头的一个字节顺序标记不属于正文的文字。"],
	comments: [
		"从这里起，每个事件之前有一条注释，像心跳那样。",
		"以冒号开头的行是注释，要忽略（WHATWG HTML §9.2.6）。",
	],
	"id-comment": ["带 `id:` 的事件后面跟着注释和空行，有些解析器会弄错。", noData],
	retry: ["事件之前有一段，里面只有 `retry:` 行。", noData],
	"empty-data": [
		"事件之前有另一个数据为空的事件。",
		"数据为空的事件没有内容：解析 JSON 之前跳过它。",
	],
	"keepalive-event": [
		"服务器发送类型为 `keepalive` 的事件，像 /v1/responses 长时间沉默时那样。",
		"类型未知或没有 choices 的事件要忽略：API 会增加事件类型。",
	],
	"early-hints": ["服务器在响应之前发送 `103 Early Hints`。", "1xx 响应先于真正的响应到来，要跳过它。"],
};

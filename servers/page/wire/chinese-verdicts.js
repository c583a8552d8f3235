/*
 * What x-ray says of an answer, in Chinese. The server sends each verdict as a sentence in English, with
 * its code and its facts (workshop/xray/judge/verdicts.py):
 *
 *     {"code": "idle-timeout", "facts": {"seconds": 15}, …}   ->   沉默 15 秒之后，连接被关闭。
 *
 * Details that the server gives only as English text are left out: the rows of the pane show them.
 */

const SENTENCES = {
	live: "回答边生成边到达。",
	"not-a-stream": "这不是流：状态码 {status}。",
	"framing-error": "有字节违反了格式的规则。",
	"cut-application": "回答以一个错误事件结束：{error}",
	rewritten: "途中有一跳改动了事件。",
	retried: "回答有一部分到达了两次。",
	"bad-events": "有的事件写法不对，客户端会读错。",
	"idle-timeout": "沉默 {seconds} 秒之后，连接被关闭。",
	"lifetime-timeout": "提问 {seconds} 秒之后，回答被切断，虽然文字还在到达。",
	"cut-clean": "响应在 {events} 个事件之后正常结束，回答却没有结束：看起来像是完整的。",
	"cut-transport": "响应没有结束，连接就断开了，此前有 {events} 个事件。",
	"finished-not-closed": "回答已经结束，响应却在 {seconds} 秒里没有结束。",
	"stall-behind-heartbeats": "{seconds} 秒没有文字，只有 {heartbeats} 次心跳。",
	deaf: "头部和 {events} 个事件之后，{seconds} 秒没有任何内容，也没有结束。",
	vanished: "{events} 个事件之后，{seconds} 秒没有任何内容：既没有文字，也没有结束。",
	measured: "流带有 {field}：途中有一跳先读完了整个正文，才发出头部。",
	"compressed-unflushed": "文字经过压缩（{coding}），没有及时刷新，所以很晚才能读到。",
	"buffered-whole": "提问 {seconds} 秒之后，{amount} 份内容一次到齐。",
	"buffered-blocks": "文字分成 {blocks} 大块到达，每块至多 {block} 字节。",
	coalesced: "每 {period_ms} 毫秒有约 {events} 个事件一起到达。",
	"one-behind": "每个事件都要等下一个到达才能读到。",
	"burst-after-stall": "{seconds} 秒没有内容，然后一次到达 {tokens} 个 token。",
	"head-held": "头部在提问 {head_ms} 毫秒之后才和正文一起到达：在此之前，客户端分不清是模型慢还是连接断了。",
	"torn-characters": "有字符被切坏了。",
	nagle: "{events} 个事件分两次到达，相隔 40 毫秒：小的写入在等确认。",
	"length-limit": "回答到了 token 数的上限。",
	http10: "响应是 HTTP/1.0：正文即使被截断，看起来也是完整的。",
	"until-close": "正文没有长度，也不分块：即使被截断，看起来也是完整的。",
	"method-gated": "只有一种请求方法会缓冲。",
	"type-gated": "只有一种内容类型会缓冲。",
	unsure: "从这个回答看不出什么：请再要一个有一百个以上 token 的回答。",
};

/** The sentence for a verdict, or "" if its code is not known here. */
export function inChinese({ code, facts }) {
	return (SENTENCES[code] ?? "").replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? "?");
}

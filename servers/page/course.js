/*
 * Links to the course, on a server that has it: `workshop` serves it, `servers.chat` alone does not.
 * The server says so in <html data-course>.
 */

const LESSONS = [
	"01_generator_basics",
	"02_async_generator",
	"03_http_chunked",
	"04_sse_protocol",
	"05_openai_stream",
	"06_complete_chat",
	"07_leaving",
	"08_back_pressure",
	"09_proxies_and_buffering",
	"10_tls",
	"11_reconnect_and_resume",
	"12_ten_thousand_streams",
];

/** The address of a lesson, by its number from 1 on; "" if this server has no course. */
export function lessonHref(number) {
	if (!("course" in document.documentElement.dataset)) return "";
	return `/course/workshop/${LESSONS[number - 1]}/README.md.html`;
}

"""The Chinese is set as Chinese is: what a pattern can see of its punctuation, spaces and words.

    长度按字节计,用十六进制写。          >    长度按字节计，用十六进制写。
    用curl发送                          >    用 curl 发送
    "你好"和「世界」                    >    “你好”和“世界”

The tests read the Chinese pages, outside their fences, and the texts in the files of `WORDS`: those
of the course's pages, the chat page and the viewer. (The two catalogues are read by
test_language.py. What the simulated model says is not read: it has a space before an emoji.) What
stands in `code` is not judged, but the space beside it is.

    python -m tests.test_chinese PATH          what is found in one file
    python -m tests.test_chinese --draw 7      60 sentences, to be read with fresh eyes
"""

import ast
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from markdown_it import MarkdownIt

from tests import catalogue
from workshop.course.in_step import MARK, pairs

ROOT = Path(__file__).parent.parent
HAN = r"[\u3400-\u9fff]"
WIDE = r"[，。；：？！、（）《》“”]"


class Habit(NamedTuple):
    pattern: re.Pattern[str]
    instead: str


def habit(pattern: str, instead: str) -> Habit:
    return Habit(re.compile(pattern.replace("HAN", HAN).replace("WIDE", WIDE)), instead)


HABITS = {
    "half": habit(
        r"HAN ?[,;:!?]|HAN\.(?![\w.])|[,;:!?] ?HAN|\((?=[^()]*HAN)|HAN ?\(|\) ?HAN",
        "full-width punctuation: ，。；：？！（）",
    ),
    "space": habit(r"HAN[A-Za-z0-9`$@]|[A-Za-z0-9`%]HAN", "a space between Han and Latin or code"),
    "no space": habit(
        r"(?<=[^|>\s]) +(?=WIDE)|(?<=WIDE) +(?=[^|\s])|HAN +HAN|HAN ——|—— HAN",
        "no space beside full-width punctuation, or between Han",
    ),
    "quotes": habit(r"[「」『』]|(?<!\w)[\"'](?=[^\"']*HAN)|HAN[\"']", "“…”"),
    "dots": habit(r"HAN\.{2,}|(?<!…)…(?!…)|。。", "……"),
    "wide Latin": habit(r"[Ａ-Ｚａ-ｚ０-９\u3000]", "half-width letters and digits"),
    "verb": habit(
        r"进行(?:了|着|过)?(?:一次|一个)?(?:检查|发送|读取|写入|处理|测试|比较|解析|修改|连接|传输|翻译)",
        "the verb itself",
    ),
}

TERMS = {
    r"令牌(?!桶)|词元": "token",
    r"反压|回压|背压力": "背压",
    r"服务端(?:发送)?事件|服务器推送事件": "服务器发送事件",
    r"数据块|区块|分片传输": "块",
    r"心跳包|保活": "心跳",
    r"半关(?!闭)": "半关闭",
    r"反代(?!理)": "反向代理",
    r"请求走私攻击": "请求走私",
    r"报头|首部|头字段|消息头": "标头 (a header field), 头部 (the head)",
    r"消息体|报文体|响应体|请求体": "正文",
    r"套接口": "套接字",
    r"首个 token|首 token(?! 延迟)|首字": "第一个 token, 首 token 延迟 (TTFT)",
    r"名额|槽位|空位(?!置)": "位置 (in a batch), 时间片 (of the wheel)",
    r"负载均衡(?!器|：|：?\*|（)(?=会|把|将)": "负载均衡器",
}
"""A word that is written in one way only: {other ways: the way}. See the glossary."""

BENT = [  # the habit, a line that has it, the same line as it should be
    ("half", "块,事件", "块，事件"),
    ("half", "结束.", "结束。"),
    ("half", "见 `a`: 这里", "见 `a`：这里"),
    ("half", "分块(chunked)", "分块（chunked）"),
    ("half", "分块 (RFC 的)", "分块（RFC 的）"),
    ("space", "用curl", "用 curl"),
    ("space", "第3课", "第 3 课"),
    ("space", "的`yield`处", "的 `yield` 处"),
    ("space", "见[RFC](https://a.b)的", "见 [RFC](https://a.b) 的"),
    ("space", "**块**的**SSE**", "**块**的 **SSE**"),
    ("no space", "你好， 世界", "你好，世界"),
    ("no space", "用 `a` ，再", "用 `a`，再"),
    ("no space", "你 好", "你好"),
    ("quotes", '说"你好"', "说“你好”"),
    ("quotes", "说「你好」", "说“你好”"),
    ("dots", "等等...", "等等……"),
    ("dots", "等等…", "等等……"),
    ("wide Latin", "ＳＳＥ", "SSE"),
    ("bold", "**意外：**没有", "**意外**：没有"),
    ("verb", "进行检查", "检查"),
]


def prose(text: str) -> Iterator[tuple[int, str]]:
    """(number, line) of a page, without fences, marks and the targets of links. `Code` is short."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced and not MARK.match(line):
            yield number, plain(line)


def plain(line: str) -> str:
    line = re.sub(r"(`+).+?\1", "`code`", line)
    line = re.sub(r"[A-Za-z_.]+\([A-Za-z0-9_.,:\[\] ]*\)", "`code`", line)  # a call
    line = re.sub(r"\]\([^)]*\)", "", line).replace("[", "").replace("*", "")
    line = re.sub(r"<?https?://[^\s>）]+>?", "URL", line)
    return re.sub(r"^\s*(?:#+|-|\d+\.|>) +", "", line)


def found(text: str) -> Iterator[tuple[int, str]]:
    """(line, what is wrong) of a page or a message."""
    before = ""
    for number, line in prose(text):
        for name, (pattern, instead) in HABITS.items():
            for match in pattern.finditer(line):
                near = line[max(0, match.start() - 8) : match.end() + 8]
                yield number, f"{name}: {near!r}: {instead}"
        for other, term in TERMS.items():
            for written in re.findall(other, line):
                yield number, f"term: {written!r}: {term}"
        raw = text.splitlines()[number - 1]
        if re.search(HAN, before) and re.match(r"\s*(?!\d+\. |<!--|```)[^\s|#>\-]", raw):
            yield number, "line: a line break inside a paragraph shows as a space: join the lines"
        if "**" in bold(raw):
            yield number, f"bold: {raw:.40}…: Markdown does not see this ** as bold"
        before = raw if not raw.startswith(("|", "#")) else ""


# ---- The texts of a program


def words(name: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each Chinese text in a file of Python or JavaScript, or of a page of HTML.
    Values have become `x`."""
    source = (ROOT / name).read_text(encoding="utf-8")
    found = python_texts(source) if name.endswith(".py") else script_texts(source)
    for line, text in found:
        if re.search(HAN, text):
            yield line, re.sub(r"▮|\{[a-z]*\}|\{\".*\}", "`x`", text)


def python_texts(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def script_texts(source: str) -> Iterator[tuple[int, str]]:
    """Text between quotes or tags. A text inside a value, `${yes ? "是" : "否"}`, is read first."""
    source = re.sub(r"/\*.*?\*/|(?<![:\w])//[^\n]*", kept_lines, source, flags=re.S)
    while value := re.search(r"\$\{[^{}]*\}", source):
        line = source.count("\n", 0, value.start())
        yield from ((line + more, text) for more, text in script_texts(value[0][2:-1]))
        source = source[: value.start()] + "▮" + source[value.end() :]
    for match in re.finditer(r"([\"'`])((?:(?!\1)[^\\\n]|\\.)*)\1|(?<!=)>([^<>]+)<", source):
        yield source.count("\n", 0, match.start()) + 1, match[2] or match[3] or ""


def kept_lines(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def bold(line: str) -> str:
    """What Markdown leaves as text: `**` beside Chinese punctuation may be two asterisks."""
    tokens = PARSER.parseInline(line)[0].children or []
    return "".join(token.content for token in tokens if token.type == "text")


PARSER = MarkdownIt("commonmark")

PAGES = list(pairs())
WORDS = [
    path.relative_to(ROOT).as_posix()
    for folder, pattern in [
        ("servers/page", "*.js"),
        ("servers/page", "*.html"),
        ("workshop", "*.js"),
        ("workshop", "*.html"),
        ("workshop/course/words", "chinese*.py"),
    ]
    for path in sorted((ROOT / folder).rglob(pattern))
    if path.stem != "english" and re.search(HAN, path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("page", PAGES)
def test_page(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert [f"{page}:{line}: {what}" for line, what in found(text)] == []


@pytest.mark.parametrize("name", WORDS)
def test_words(name: str) -> None:
    assert list(faults(name)) == []


@pytest.mark.parametrize(("name", "bent", "right"), BENT)
def test_a_habit_is_found(name: str, bent: str, right: str) -> None:
    assert [what.partition(":")[0] for _, what in found(bent)][:1] == [name]
    assert list(found(right)) == []


def test_a_line_break_inside_a_paragraph_is_found() -> None:
    (problem,) = found("一段话\n又一行\n\n- 一项\n- 又一项\n\n| 表 |\n|---|\n| 格 |\n")
    assert problem[0] == 2


def test_a_word_is_written_in_one_way() -> None:
    assert [what for _, what in found("一个令牌")] == ["term: '令牌': token"]


def test_the_texts_of_a_script_are_found() -> None:
    source = """// 注释
    a: "第一，", /* 也是
    注释 */ b: (n) => `共 ${n > 1 ? `${n} 个` : "一个"}，`,
    <b>正文</b>"""
    assert [(line, text) for line, text in script_texts(source) if re.search(HAN, text)] == [
        (3, "▮ 个"),
        (3, "一个"),
        (2, "第一，"),
        (3, "共 ▮，"),
        (4, "正文"),
    ]


def drawn(seed: int, count: int = 60) -> list[str]:
    """Chinese sentences, drawn at random from the pages, the catalogues and the programs. The aim:
    at most 3 of 60 sound translated."""
    texts = [
        (f"{name}:{line}", text)
        for name in (*PAGES, *WORDS)
        for line, text in (
            enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1)
            if name.endswith(".md")
            else words(name)
        )
    ]
    for name in catalogue.SOURCES:
        for message in catalogue.read(name):
            text = (
                message.string if isinstance(message.string, str) else "".join(message.string or ())
            )
            texts.append((name, " ".join(text.split())))
    sentences = [
        f"{place}: {sentence}"
        for place, text in texts
        for sentence in re.split(r"(?<=[。！？])|\s\|\s", text)
        if len(re.findall(HAN, sentence)) > 7
    ]
    return random.Random(seed).sample(sentences, count)


def faults(name: str) -> Iterator[str]:
    """What is wrong with a page, or with the texts of a program."""
    if name.endswith(".md"):
        for line, what in found((ROOT / name).read_text(encoding="utf-8")):
            yield f"{name}:{line}: {what}"
    else:
        for line, text in words(name):
            yield from (f"{name}:{line}: {what}" for _, what in found(text))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--draw"]:
        print(*drawn(int(sys.argv[2])), sep="\n")
    else:
        for name in sys.argv[1:]:
            print(*faults(name), sep="\n")

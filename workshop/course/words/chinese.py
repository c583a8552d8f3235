"""The words of the pages in Chinese, by the keys of `english.py`."""

from .chinese_figures import FIGURES

__all__ = ["WORDS"]

FRAME = {
    "language": "简体中文",
    "title": "流式回答的每一个字节",
    "skip": "跳到正文",
    "lessons": "课程",
    "menu": "目录",
    "contents": "目录",
    "source": "源代码",
    "order": "阅读顺序",
    "questions": "常见问题",
    "glossary": "术语表",
    "chat": "聊天页面",
    "places": "位置",
    "neighbours": "上一页和下一页",
    "on-this-page": "本页内容",
    "passed": "已通过",
    "passed-count": "{all} 个练习，已通过 {number} 个",
    "minutes": "{number} 分钟",
    "minutes-title": "阅读所需的时间，不含练习",
}

SEARCH = {
    "search.label": "搜索课程和源代码",
    "search.placeholder": "搜索",
    "search.none": "没有同时包含这些词的内容。",
    "search.failed": "索引加载失败。",
    "search.count": "{number} 条结果",
    "copy.label": "复制",
    "copy.done": "已复制",
    "copy.failed": "复制失败",
}

CONTENTS = {
    "contents.lead": (
        "从 yield 到像素。一共十二课，每课一个想法、一个可以运行的程序、一些可以细看的字节，"
        "还有一个能自动检查的练习。"
    ),
    "contents.start": "从第 {number} 课开始",
    "contents.continue": "继续第 {number} 课",
    "contents.source": "阅读源代码",
    "contents.more": "更多内容",
    "contents.hint": (
        "workshop check 通过了一个练习，这里就会打上对勾。旁边的分钟数是阅读一课的时间，"
        "练习还要更久。"
    ),
}

SOURCE = {
    "source.lead": "本项目的所有文件。Python 文件左边是说明，右边是代码。",
    "source.top": "最上层",
    "source.folder": "{files} 个文件，{lines} 行",
    "source.lines": "{number} 行",
    "excerpt.line": "，第 {number} 行",
    "excerpt.lines": "，第 {first}–{last} 行",
    "source.uses": "用到",
    "source.used-by": "用到它的",
    "source.tests": "测试的是",
    "source.tested-by": "测试它的",
    "source.read-in": "讲到它的",
    "source.part-of": "属于",
    "source.lesson": "第 {number} 课",
}

MISSING = {
    "missing.title": "没有这个页面",
    "missing.text": "课程里没有这个地址。也许文件移动了，或者改了名字。",
    "missing.near": "名字相近的页面",
    "missing.home": "所有课程",
}

WORDS = FRAME | SEARCH | CONTENTS | SOURCE | MISSING | FIGURES

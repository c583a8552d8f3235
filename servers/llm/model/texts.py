"""The texts of the simulated model.

    TEXTS       short answers about how answers are streamed
    TORTURE     Markdown that a page or a terminal must survive, cut anywhere while it streams
    LOREM       words for an answer of any length: lorem(3) is "Lorem", " ipsum", " dolor"

Characters that an editor hides or moves (zero width, line separators, combining marks) are written
as escapes in this file.
"""

from functools import lru_cache
from itertools import chain, cycle, islice

from .tokens import tokenize

__all__ = ["LOREM", "MAX_LOREM", "TEXTS", "TORTURE", "lorem"]

TEXTS = [
    """\
## Why I slow down when you do 🐢

Read more slowly than I speak, and my words pile up on the way:

1. your receive buffer fills, and TCP tells me that your *window* is 0,
2. my send buffer fills, and a `send()` would block,
3. I make **no further token** until you have caught up.

This is *back-pressure*. 慢慢读，我等你。 🍵
""",
    """\
## What *Stop* sends: nothing ✋

HTTP/1.1 has no word for *stop*. Your client closes the connection, and I find out by writing:

1. the first token into the closed socket is answered with `RST`,
2. the second fails: `EPIPE`,
3. my generator is closed, and its `finally` runs.

A token that nobody reads costs as much as any other. 没人听，就不说了。 🤫
""",
    """\
## Half a character ✂️

A read may end anywhere, also inside `你` (`e4 bd a0`):

| read | bytes | a decoder without memory | one with |
|---|---|---|---|
| 1 | `e4 bd` | � | waits |
| 2 | `a0` | � | 你 |

Python's is `codecs.getincrementaldecoder`, a browser's is `TextDecoder` with `{stream: true}`.
半个字，不是字。 🧩
""",
    """\
## One word at a time 🌊

A language model makes **one token at a time**. It could wait until it has them all; instead each
token leaves the moment it exists:

1. the model yields a token,
2. it becomes a `data:` line,
3. the line becomes a *chunk*,
4. your screen shows it. ✨

你现在看到的每一个字，都是这样一块一块到达的。 👩🏽‍🚀
""",
    """\
## What `你好` costs on the wire 🔍

你好 is two characters, and **six bytes** in UTF-8:

| character | bytes |
|---|---|
| 你 | `e4 bd a0` |
| 好 | `e5 a5 bd` |

A chunk's size counts *bytes*, in hexadecimal: `6`, not `2`. 数错了，连接就乱了。 😵‍💫
""",
    """\
## Who is holding my stream? 🕵️

If the words come *all at once*, somebody between us keeps them:

- nginx that buffers: `X-Accel-Buffering: no`
- a compressor that waits for more: a flush after each event
- a pipe on your own machine: `curl -N`

流式输出，一路上每一站都要放行。 🚦
""",
]

LONG_LINE = "/0123456789-abcdefghijklmnopqrstuvwxyz:~" * 100  # 4,000 characters

TORTURE = (
    """\
A heading of the other kind
===========================

And one *more*
--------------

# One #
###### Six
####### Seven is text, and so is #this

## Emphasis

*one* **two** ***three*** _one_ __two__ **two with *one* in it** *one with **two** in it*
in*tra*word, snake_case_name stays, 2*3*4, **你好**世界, ~~gone~~, `code with **stars**`,
`` a ` in code ``, \\*not emphasis\\*, a * alone, **never closed, and a hard\\
line break.

## Tables

| left | centre | right |
|:---|:---:|---:|
| `a \\| b` | \\| | **1** |
| 你好，世界 | 👩🏽‍🚀 | `` ` `` |
| too few |
| one | two | three | four are too many |

| no | body |
|---|---|

| not | a table, for no row of dashes follows |

## Lists

- one
  1. one, one
     - one, one, one
       1. one, one, one, one

          a paragraph, four deep

          ```sh
          curl -N http://localhost:8000/    # a fence, four deep
          ```
  2. one, two
- [ ] to do
- [x] done, with `code`
* another list
7. begins at seven
8. eight
- - - a list in a list in a list

***

## Code

```python title="a long info string" highlight={1,3-5} { } ; # and more of it, up to here
async def words() -> AsyncGenerator[str, None]:
    yield "``` is no end here"
```

~~~
``` is text in a fence of tildes
~~~

````markdown
```python
print("a fence in a fence")
```
````

\ta block of code, by a tab
\t\tand one more tab

    a block of code, by four spaces: **no emphasis**, &amp; no entity

> ```js
> const open = "this fence is never closed; the end of the quotation closes it";

## Quotations

> one
> > two
> > - a list in it
> >   1. and one in that
>
> # a heading in it
lazy, and therefore not in the heading

> | a table | in it |
> |---|---|
> | `x` | y |

## Links and pictures

[inline](https://example.org/a_(b)?c=d&e=f "a title"), [by reference][there], [there],
<https://example.org/>, https://example.org/bare, ![a picture](https://example.invalid/x.png),
[![a picture in a link](https://example.invalid/y.png)](https://example.org/), [not defined][no],
[cut in the middle](https://example.org/

A footnote, perhaps.[^1]

[^1]: Or only text in brackets.

[there]: https://example.org/reference "its title"

## What must not run

[run me](javascript:alert(1)), [me](JaVaScRiPt:alert(2)), [me](javascript&#58;alert(3)),
[me](vbscript:alert(4)), [me](data:text/html,<script>alert(5)</script>), <javascript:alert(6)>,
![me](javascript:alert(7)), [me](https://example.org/ "\\" onmouseover=alert(8) x=\\"")

<script>alert("text, to be seen")</script>

<img src="x" onerror="alert(9)"> <b>bold?</b> <!-- a comment --> <a href="javascript:alert(10)">

</div></main></body></html>

&lt;b&gt; &amp;amp; &copy; &#x1F30A; &nbsp; &#0; & < > " '

A terminal's colours: \x1b[31mred?\x1b[0m

## Characters

A family 👨‍👩‍👧‍👦, a couple 👩‍❤️‍💋‍👨, flags 🇩🇪🇫🇷🇯🇵 🏳️‍🌈 🏴\
\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f, skin tones 👍🏻👍🏼👍🏽👍🏾👍🏿,
a keycap 1️⃣, a heart as text \u2764\ufe0e and as an emoji \u2764\ufe0f.

Right to left: مرحبا بالعالم (3 كلمات, `code`), שלום עולם 123, and English again. **مهم** — *חשוב*.
A direction that is forced: \u202edesrever\u202c, and one that is kept apart: \u2067שלום\u2069.

Accents that are characters of their own: e\u0301 n\u0303 a\u0323\u0302\u0301, and too many of them:
Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324\u031ea\u0349\u034e\u031f\u0320\
\u0315\u0358\u0321l\u0322\u0338\u0357\u0350\u0346\u031f\u0325g\u0337\u0321\u0355\u0349\u032co.

中文没有空格所以整行没有可以断开的地方只有标点，浏览器自己决定在哪里换行。日本語の文章も同じです。\
ภาษาไทยไม่มีช่องว่าง हिन्दी की मात्राएँ 한국어 \u1112\u1161\u11ab

Nothing between these: a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg. A space that holds:\u00a0here.
One line to Markdown,\u2028although it holds a line separator,\u0085a next line,\u2029and a third.

## A long line

"""
    + LONG_LINE
    + """

## The end

If you can read this as a paragraph below a heading, nothing above swallowed it. 🏁
"""
)

LOREM = (
    "Lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut "
    "labore et dolore magna aliqua ut enim ad minim veniam quis nostrud exercitation ullamco "
    "laboris nisi ut aliquip ex ea commodo consequat duis aute irure dolor in reprehenderit in "
    "voluptate velit esse cillum dolore eu fugiat nulla pariatur excepteur sint occaecat "
    "cupidatat non proident sunt in culpa qui officia deserunt mollit anim id est laborum"
)

FIRST, *OTHERS = tokenize(LOREM)

MAX_LOREM = 100_000
"""Largest number of tokens of `lorem`. At 1,000 tokens a second, they take 100 seconds."""


@lru_cache(maxsize=16)
def lorem(count: int) -> tuple[str, ...]:
    """Return an answer of exactly this many tokens: words, each with the space before it.

    The last 16 lengths are cached. All of them share the same strings.

    Args:
        count: Number of tokens, from 0 to `MAX_LOREM`.

    Raises:
        ValueError: The count is outside this range.
    """
    if not 0 <= count <= MAX_LOREM:
        raise ValueError(f"lorem makes from 0 to {MAX_LOREM:,} tokens, not {count:,}")
    return tuple(islice(chain([FIRST], cycle([*OTHERS, " lorem"])), count))

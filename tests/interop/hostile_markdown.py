"""Markdown and HTML that try to run a script, to load a file, or to end their element early.

An attacker could make a model write each of them. On the page, all of it must become text, or a
visible link to http, https or mailto.
"""

__all__ = ["HOSTILE"]

HOSTILE = [
    # HTML
    "<script>alert(1)</script>",
    "<ScRiPt src=//example.invalid/x.js></sCrIpT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    '<img src="x" onerror="alert(1)">',
    "<img src=x onerror=alert(1)//",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<math><mi href='javascript:alert(1)'>x</mi></math>",
    "<iframe src=javascript:alert(1)></iframe><iframe srcdoc='<script>alert(1)</script>'>",
    "<object data=data:text/html,x></object><embed src=//example.invalid/>",
    "<a href='javascript:alert(1)'>x</a><a href=//example.invalid/ onclick=alert(1)>y</a>",
    "<form action=javascript:alert(1)><button>x</button><input autofocus onfocus=alert(1)>",
    "<style>@import '//example.invalid/x.css'</style><link rel=stylesheet href=//example.invalid/>",
    "<meta http-equiv=refresh content='0;url=//example.invalid/'><base href=//example.invalid/>",
    "<body onload=alert(1)><details open ontoggle=alert(1)><video><source onerror=alert(1)>",
    "<!-- a comment --><!--><script>alert(1)</script>--><![CDATA[<script>alert(1)</script>]]>",
    "</article></section></main></body></html><h1>outside</h1>",
    "<template><script>alert(1)</script></template><noscript><p title='</noscript><img src=x>'>",
    "<plaintext><textarea></textarea><title></title><xmp>",
    # addresses
    "[x](javascript:alert(1)) ![x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1)) [x](  javascript:alert(1))",
    "[x](javascript&#58;alert(1)) [x](&#106;avascript:alert(1)) [x](java&#x09;script:alert(1))",
    "[x](java\tscript:alert(1)) [x](java\nscript:alert(1)) [x](\x01javascript:alert(1))",
    "[x](javascript\\:alert(1)) [x](\\javascript:alert(1)) [x](<javascript:alert(1)>)",
    "[x](javascript&colon;alert(1)) [x](javascript&Tab;:alert(1)) [x](javascript%3Aalert(1))",
    "[x](vbscript:alert(1)) [x](livescript:x) [x](mocha:x) [x](view-source:x) [x](blob:x)",
    "[x](data:text/html;base64,PHNjcmlwdD4=) ![x](data:image/svg+xml,<svg onload=alert(1)>)",
    "[x](file:///etc/passwd) [x](//example.invalid/) [x](\\\\example.invalid\\x) [x](about:blank)",
    "<javascript:alert(1)> <JAVASCRIPT:alert(1)> <data:text/html,x> <vbscript:x>",
    "[x]: javascript:alert(1)\n\n[x] [y][x]",
    '[x](https://example.org/ "\\" onmouseover=alert(1) x=\\"")',
    '[x](https://example.org/"onmouseover="alert(1)) https://example.org/"onmouseover="alert(1)',
    "[x](https://example.org/'onclick='alert(1)) [x](https://example.org/<script>)",
    # nested and broken
    "[a [b](javascript:x)](https://example.org/) [![x](javascript:x)](javascript:y)",
    "[![x](https://example.invalid/1.png)](https://example.org/)[x](https://a.org/)](javascript:z)",
    "`<script>`alert(1)`</script>` ``<img src=x onerror=alert(1)>",
    "```html\n<script>alert(1)</script>\n",
    '```"><script>alert(1)</script>\nx\n```',
    "| <script> | [x](javascript:alert(1)) |\n|---|---|\n| <img src=x onerror=alert(1)> | \\| |",
    "- <script>\n  - [x](javascript:alert(1))\n> <svg onload=alert(1)>\n# <iframe>",
    "**<b onclick=alert(1)>** *<i>* ~~<s>~~ \\<script> &lt;script&gt; &#60;script&#62;",
    "[constructor](__proto__) __proto__ [toString](valueOf) - [x] hasOwnProperty",
    "\u202e[x](https://example.org/)\u202c \u2067x\u2069 \ufeff<\u200bscript>",
]

"""The words of the figures in Chinese, by the keys of `figures.py`."""

__all__ = ["FIGURES"]

KIT = {
    "figure.kit.label": "一个实验",
    "figure.kit.run": "看看",
    "figure.kit.again": "再来一次",
    "figure.kit.stop": "停止",
    "figure.kit.running": "……",
    "figure.kit.stopped": "已停止。",
    "figure.kit.yes": "你猜对了。",
    "figure.kit.no": "和你猜的不一样。",
    "figure.kit.failed": "实验没有运行。服务器还在吗？",
}

CHUNK = {
    "figure.chunk.question": (
        "服务器把一个词作为一个块发出来。输入这个词，再写下它前面应该是什么数字。"
    ),
    "figure.chunk.word": "词",
    "figure.chunk.guess": "数字",
    "figure.chunk.right": (
        "对：{word} 有 {bytes} 个字节（字符数：{characters}），长度写成十六进制是 {size}。"
    ),
    "figure.chunk.wrong": (
        "不是 {guess}，是 {size}：{word} 有 {bytes} 个字节（字符数：{characters}）。"
        "长度数的是字节，用十六进制写。"
    ),
    "figure.chunk.still": "“你”的块，以及正文的结尾：长度数的是字节，用十六进制写。",
}

CUT = {
    "figure.cut.question": (
        "一个事件流分成两段到达。第一段在哪里结束由你决定：可以在一行中间，也可以在一个字符中间。"
    ),
    "figure.cut.guess": "和一次全部到达相比，这两段给出的事件",
    "figure.cut.guess.more": "更多",
    "figure.cut.guess.same": "一样多",
    "figure.cut.guess.fewer": "更少",
    "figure.cut.cut": "移动切口：拖这里，用方向键，或者直接在字节上拖",
    "figure.cut.counts": "第一段的事件：{first} 个。第二段的事件：{second} 个。",
    "figure.cut.inside": "切口在一个字符中间：解析器会等它剩下的字节。",
    "figure.cut.right": "对：不管切在哪里，都是 {total} 个事件。",
    "figure.cut.wrong": "一样多：不管切在哪里，都是 {total} 个事件。",
    "figure.cut.still": (
        "切口在 🌊 的四个字节中间：第一段给出一个事件，第二段给出另外两个。"
        "不管切在哪里，总数都不变。"
    ),
}

LEAVING = {
    "figure.leaving.question": (
        "服务器每 0.3 秒给你发一个 token。收到第一个之后你断开连接。服务器什么时候知道？"
    ),
    "figure.leaving.how": "你",
    "figure.leaving.how.fin": "发送 FIN，继续读",
    "figure.leaving.how.close": "关闭连接",
    "figure.leaving.how.rst": "重置连接（RST）",
    "figure.leaving.guess": "服务器知道",
    "figure.leaving.guess.at-once": "立刻",
    "figure.leaving.guess.next-write": "下一次写入时",
    "figure.leaving.guess.never": "不会知道：它发完所有 token",
    "figure.leaving.client": "你",
    "figure.leaving.server": "服务器",
    "figure.leaving.read": "你读到第 {number} 个 token",
    "figure.leaving.write": "服务器写第 {number} 个 token",
    "figure.leaving.stopped": "服务器让模型停下",
    "figure.leaving.finished": "回答完整",
    "figure.leaving.told.fin": ("FIN 只说明你不再发送。服务器看不出你还读不读，所以全部发完。"),
    "figure.leaving.told.close": (
        "你的 FIN 没有告诉服务器你不再读了。它的下一次写入成功了，你的内核回了一个 RST，"
        "服务器的内核马上报告了这件事。"
    ),
    "figure.leaving.told.rst": "RST 的意思不会弄错：服务器没有再写，就停下了。",
    "figure.leaving.still": (
        "你在第 1 个 token 之后关闭连接（✕）。服务器写第 2 个 token，收到 RST，让模型停下（■）。"
    ),
}

READER = {
    "figure.reader.question": (
        "模型每秒能产生 50 个 token，你读得没那么快。六秒之后，它产生了多少？"
        "运行时可以改变你的速度。"
    ),
    "figure.reader.rate": "你的速度，每秒 token 数：",
    "figure.reader.guess": "模型产生了",
    "figure.reader.guess.all": "300 个：它不等",
    "figure.reader.guess.ahead": "比你读到的多一些",
    "figure.reader.guess.same": "和你读到的一样多",
    "figure.reader.chart": "六秒里的 token：已读的和在等的",
    "figure.reader.counts": "产生 {made} · 读到 {read} · 在路上 {waiting}",
    "figure.reader.waiting": "已产生，还在路上",
    "figure.reader.read": "你已读到",
    "figure.reader.most": "{most} 个 token",
    "figure.reader.told.same": "模型产生了 {made} 个 token，你全都读到了：现在是你在等。",
    "figure.reader.told.ahead": (
        "模型产生了 {made} 个 token，你读到 {read} 个。另外 {waiting} 个在两个内核的缓冲区里。"
        "缓冲区满了，模型就等你。"
    ),
    "figure.reader.still": (
        "六秒：读者起先跟得上，后来慢了下来。模型也跟着慢下来，只超前几个 token，"
        "也就是内核缓冲区里的那些。"
    ),
}

HOP = {
    "figure.hop.question": (
        "服务器写十个事件，每 0.15 秒一个。在它和你之间放一跳，这些事件什么时候到达？"
    ),
    "figure.hop.mode": "这一跳",
    "figure.hop.mode.none": "立刻转发",
    "figure.hop.mode.buffer": "先读完整个正文",
    "figure.hop.mode.rechunk": "按 120 字节一块写",
    "figure.hop.mode.lag": "按行读",
    "figure.hop.mode.gzip": "压缩，但不刷新",
    "figure.hop.mode.truncate": "150 字节之后关闭",
    "figure.hop.guess": "你收到",
    "figure.hop.guess.live": "每个事件立刻到",
    "figure.hop.guess.late": "每个事件和下一个一起到",
    "figure.hop.guess.lumps": "几个几个地到",
    "figure.hop.guess.end": "最后全部一起到",
    "figure.hop.guess.cut": "只有前面几个",
    "figure.hop.server": "服务器写",
    "figure.hop.you": "你收到",
    "figure.hop.event": "第 {number} 个事件",
    "figure.hop.complete": "正文完整",
    "figure.hop.cut": "被截断：没有最后一块",
    "figure.hop.told.none": "这一跳平均把一个事件扣住 {held} 秒：这里没有缓冲。",
    "figure.hop.told.buffer": "这一跳平均把一个事件扣住 {held} 秒。在它的上游一侧，流没有毛病。",
    "figure.hop.told.rechunk": "这一跳平均把一个事件扣住 {held} 秒：一块满了它才写。",
    "figure.hop.told.lag": "这一跳平均把一个事件扣住 {held} 秒：等到下一个事件来。",
    "figure.hop.told.gzip": (
        "这一跳平均把一个事件扣住 {held} 秒。事件都在压缩程序里，它在等更多的字节。"
    ),
    "figure.hop.told.truncate": ("你收到 {events} 个事件，没有最后一块：所以你知道正文被截断了。"),
    "figure.hop.still": ("先读完整个正文的一跳：服务器按时写了每个事件，你最后才一起收到。"),
}

SEAM = {
    "figure.seam.question": (
        "一个回答正在路上，一共四个词。随便在哪里切断：客户端会再问一次，并说明自己已经有了什么。"
    ),
    "figure.seam.at": "移动切口：拖这里，用方向键，或者直接在字节上拖",
    "figure.seam.guess": "客户端接着发送 Last-Event-ID：",
    "figure.seam.none": "没有",
    "figure.seam.connection": "第 {number} 个连接",
    "figure.seam.told": (
        "{id} 是空行已经到达的最后一个事件。那半个事件被丢掉，又重新发送，"
        "所以每个词恰好出现一次：“{text}”。"
    ),
    "figure.seam.told.none": ("没有一个事件是完整的，客户端没有 ID，回答从头开始：“{text}”。"),
    "figure.seam.still": (
        "切口在第三个事件中间，在它的 ID 之后。这个事件不完整，所以客户端发送第二个事件的 ID。"
    ),
}

WHEEL = {
    "figure.wheel.question": (
        "每个流每秒发送 20 个 token，全部由一个循环产生，每个时间片 5 毫秒。这个循环多久醒一次？"
    ),
    "figure.wheel.streams": "流的数量",
    "figure.wheel.streams.1": "1",
    "figure.wheel.streams.100": "100",
    "figure.wheel.streams.1000": "1,000",
    "figure.wheel.guess": "它醒来",
    "figure.wheel.guess.20": "每秒 20 次",
    "figure.wheel.guess.200": "每秒 200 次",
    "figure.wheel.guess.20000": "每秒 20,000 次",
    "figure.wheel.tokens": "每秒 token 数",
    "figure.wheel.wakes": "每秒唤醒次数",
    "figure.wheel.together": "每次唤醒的 token 数",
    "figure.wheel.late": "迟到时间 p99",
    "figure.wheel.told.1": (
        "每个 token 唤醒一次。一个 token 花了 {processor} 微秒的处理器时间，大部分花在唤醒上。"
    ),
    "figure.wheel.told.100": (
        "每个时间片最多唤醒一次，一秒有 200 个时间片。"
        "一个 token 花了 {processor} 微秒的处理器时间。"
    ),
    "figure.wheel.told.1000": (
        "和 100 个流相比，流是十倍，唤醒的次数却没有增加：一秒只有 200 个时间片。"
        "一个 token 花了 {processor} 微秒的处理器时间。"
    ),
    "figure.wheel.still": (
        "轮子上有 100 个流：一格是一个 5 毫秒的时间片，里面有十个 token 到点。"
        "循环每秒醒 200 次，每次产生十个 token。"
    ),
}

PIPE = {
    "figure.pipe.question": ("一个程序向管道打印五个 token，每 0.2 秒一个。读者分几段收到它们？"),
    "figure.pipe.how": "程序调用",
    "figure.pipe.how.print": "print(token)",
    "figure.pipe.how.flush": "print(token, flush=True)",
    "figure.pipe.guess": "读者收到",
    "figure.pipe.guess.one": "一段，在最后",
    "figure.pipe.guess.five": "五段，每段都及时",
    "figure.pipe.program": "程序打印",
    "figure.pipe.you": "你收到",
    "figure.pipe.printed": "打印第 {number} 个 token",
    "figure.pipe.read": "一次读到 {bytes} 个字节",
    "figure.pipe.told.print": "程序按时产生了每个 token。输出在缓冲区里等着，直到程序结束。",
    "figure.pipe.told.flush": "每个 token 之后的刷新把缓冲区清空。",
    "figure.pipe.still": "不刷新的话，程序结束时，读者一次收到全部 28 个字节。",
}

ENVELOPE = {
    "figure.envelope.question": (
        "你用 POST /v1/chat/completions 提问，模型重复你的词。服务器为第一个 token 发送多少字节？"
    ),
    "figure.envelope.word": "词",
    "figure.envelope.guess": "字节数",
    "figure.envelope.told": (
        "你猜的是 {guess}。“{token}”有 {text} 个字节，装它的事件有 {bytes} 个字节：{times} 倍。"
    ),
    "figure.envelope.nothing": "这个回答里没有 token。",
    "figure.envelope.still": "一个三个字节的 token，装在 JSON 里，装在事件里。",
}

LISTENER = {
    "figure.listener.question": (
        "服务器通过 TLS 一个 token 一个 token 地发送你的句子。网络上的监听者只看得到加密的记录。"
        "它知道多少个 token 的长度？"
    ),
    "figure.listener.sentence": "句子",
    "figure.listener.guess": "监听者知道",
    "figure.listener.guess.none": "一个也不知道",
    "figure.listener.guess.some": "一部分",
    "figure.listener.guess.all": "全部",
    "figure.listener.record": "发送 {bytes} 字节",
    "figure.listener.told": (
        "{all} 个长度里 {right} 个是对的。TLS 藏得住字节，藏不住字节的数目："
        "每个 token 外面的字节数都一样。"
    ),
    "figure.listener.still": (
        "每个记录的长度，监听者由此算出的 token 长度，以及它读不到的 token。"
    ),
}

FIGURES = PIPE | ENVELOPE | LISTENER | KIT | CHUNK | CUT | LEAVING | READER | HOP | SEAM | WHEEL

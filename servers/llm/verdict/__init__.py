"""A verdict on the client: its reaction to each fault, and the reaction that would be right.

client                                      simulated LLM
POST /v1/chat/completions            ->     fault 503*1
                                     <-     503 Service Unavailable, Retry-After: 1
POST /v1/chat/completions            ->     after 0.01 s:  `retry-after-ignored`

rules.py      what a client must do with each fault; each rule has a name and a cure
exchange.py   one request: when it came, which fault it got, when the client was gone
watching.py   the clients, each with its requests
attempts.py   which requests are attempts at the same question
judging.py    from what was seen to findings
routes.py     GET /verdict, and what a client tells about itself
"""

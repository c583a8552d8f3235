"""The annotated source as pages, at `/course/` and as files.

weave.py     splits a Python file into prose and code
tree.py      the files that have a page
links.py     the targets of links, and of words such as "RFC 9112 §7.1"
colours.py   code as lines of HTML
prose.py     Markdown, docstrings and comments as HTML
shell.py     the frame of every page
source.py    the page of a module
pages.py     all pages
routes.py    the handlers of /course/
build.py     `workshop course`
in_step.py   the Chinese pages, compared with the English ones
"""

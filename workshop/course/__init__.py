"""The annotated source as pages, at `/course/` and as files.

weave.py     splits a Python file into prose and code
tree.py      the files that have a page
links.py     the targets of links, and of words such as "RFC 9112 §7.1"
colours.py   code as lines of HTML
prose.py     Markdown, docstrings and comments as HTML
figures/     what a reader can try in a lesson: real servers answer it
words/       every word of the frame, a table for each language
shell.py     the frame of every page
contents.py  the list of lessons, and the list of files
source.py    the page of a module
search.py    the index of the search; search.js searches it in the browser
pages.py     all pages
routes.py    the handlers of /course/
build.py     `workshop course`
in_step.py   the Chinese pages, compared with the English ones
terms.py     hints for the terms in English comments
"""

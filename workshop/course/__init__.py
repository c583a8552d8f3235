"""The annotated source as pages, at `/course/` and as files.

weave.py     a Python file, taken apart into prose and code
tree.py      the files that have a page
links.py     what leads where
colours.py   code as lines of HTML
prose.py     Markdown, docstrings and comments as HTML
shell.py     what all pages share
source.py    the page of a module
pages.py     all pages
routes.py    the handlers of /course/
build.py     `workshop course`
"""

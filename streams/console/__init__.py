"""The console: pages for the people who ask "what happened to my visits?". Read-only, rendered here, no script.

`app.py` has the routes and what they ask, `pages.py` how a page is made, `words.toml` every text in both languages.
"""

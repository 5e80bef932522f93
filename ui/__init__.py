"""The faces for people and programs: REST, the live stream, the web page. No logic of their own.

operator.py   one thread that speaks the protocol for everybody here; `fleet.py` is its pure core: what is known of
              every reactor, and whom to watch where
accounts.py   who may come in: people with passwords, programs with tokens
rest/         FastAPI under /api; `views.py` is what it shows, `problems.py` how it refuses
page/         the page: plain HTML, CSS and JavaScript modules on top of /api
server.py     the process; its event loop is the only one in reactorium
"""

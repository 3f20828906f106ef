"""An empty stage: change this file, build it, publish it, and watch it move."""

import os

from web import Application, e

app = Application("Playground", "#7a3fc0", ["GREETING"])


@app.page("/")
def front(fields):
    """Change me."""
    return f"<h1>{e(os.environ.get('GREETING', 'Hello'))}</h1><p class='lead'>This page is yours to change.</p>"


if __name__ == "__main__":
    app.serve()

"""Takes pretended payments. A version may need settings (the file NEEDS), and is healthy only where it has them."""

import os
import time
from collections import deque

from web import Application, e

app = Application("Payments", "#0f7b5f", ["BANK", "BANK_KEY"], secrets=["BANK_KEY"])
received = deque(maxlen=8)


@app.page("/")
def front(fields):
    """The last payments and a form for another."""
    lines = "".join(
        f"<tr><td>{e(payer)}<td>{e(at)} UTC<td class='number'>{cents / 100:,.2f}" for payer, cents, at in received
    )
    table = f"<table>{lines}</table>" if received else "<p><i>None since this version started.</i></p>"
    return f"""<h1>Payments</h1>
<p class="lead">Through {e(os.environ.get("BANK", "no bank"))}. Nothing here is real money.</p>
<form method="post" action="/pay"><input name="payer" placeholder="Payer" aria-label="Payer" maxlength="40" required>
<input name="amount" placeholder="Amount" aria-label="Amount" inputmode="decimal" required><button>Pay</button></form>
{table}"""


@app.form("/pay")
def pay(fields):
    """Take one payment; an amount that is no number counts as nothing."""
    try:
        cents = round(float(fields.get("amount", "0").replace(",", ".")) * 100)
    except (ValueError, OverflowError):
        return
    if 0 < cents <= 10_000_000:
        payer = fields.get("payer", "").strip()[:40] or "somebody"
        received.appendleft((payer, cents, time.strftime("%H:%M:%S", time.gmtime())))


if __name__ == "__main__":
    app.serve()

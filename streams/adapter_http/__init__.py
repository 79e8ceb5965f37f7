"""The HTTP adapter: a HIS that is not in Python hands visits over by POST, with a token for each facility.

`app.py` has the address and its answers, `body.py` what a request may carry, `errors.py` why one was not taken,
`process.py` the process around it. What a dossier is, and what is durable when, is the SDK's (`events/his/`).
"""

"""The promises in time: clocks as data (`deadline.py`), what events say about them (`facts.py`), Faust (`app.py`)."""

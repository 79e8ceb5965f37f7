"""A BHXH gateway that judges by itself: a product of its own, for tests, demonstrations and training.

It takes what a facility sends over a real socket, verifies signature, envelope and content with its own knowledge, and
answers with the documented codes, including the ways in which the real one fails. It shares no validation or signing
code with the stages that it judges. Start reading at `server.py`; how to use it: `docs/gateway-simulator.md`.
"""

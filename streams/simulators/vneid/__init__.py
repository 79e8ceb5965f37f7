"""The display side of the health book: a subscriber written only from the public contract (`asyncapi.yaml`, registry).

It imports nothing of the product's events, stages and adapters, so that it notices what another subscriber would.
"""

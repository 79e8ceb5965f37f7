"""Finds durable effects in the sources: whatever it cannot tell from a harmless call counts as one.

A helper that only does an effect for its callers (HELPERS) is looked through: the effect is its caller's.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.crashpoints.points import Effect, Site

REPOSITORY = Path(__file__).parents[2]
SOURCES = ("streams/adapters", "streams/runtime", "events", "events/his")

HELPERS: Mapping[str, Effect | None] = {
    "events.his.spool:Spool._transaction": Effect.DISK,
    "streams.adapters.gateway:GatewayClient._post": Effect.POST,
    "streams.adapters.kafka:start": None,
    "streams.adapters.postgres:patiently": None,
}
"""Helpers and what a call of one is; None: only what is handed to it."""

_STATEMENTS = frozenset({"execute", "executemany", "executescript", "fetch", "fetchall", "fetchrow", "fetchval"})
_SENDS = frozenset({"send", "send_and_wait", "send_batch"})
_REQUESTS = frozenset({"post", "put", "patch", "delete", "request"})
_FILES = frozenset({"rename", "unlink", "write_text", "write_bytes", "fsync", "rmtree", "move"})
_WRITES = re.compile(r"\b(insert|update|delete|truncate|create|alter|drop|merge|copy)\b", re.IGNORECASE)
_LOCKS = re.compile(r"\bfor( no key)? update\b", re.IGNORECASE)


def writes(sql: str) -> bool:
    """Whether a statement changes rows."""
    return _WRITES.search(_LOCKS.sub("", sql)) is not None


def effects() -> Iterator[Site]:
    """Every durable effect in SOURCES, once for each function and kind."""
    for folder in SOURCES:
        for path in sorted((REPOSITORY / folder).glob("*.py")):
            module = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
            yield from effects_of(module, path.read_text(encoding="utf-8"))


def effects_of(module: str, source: str) -> list[Site]:
    """The effects in the text of one module."""
    finder = _Finder(module, tree := ast.parse(source))
    finder.visit(tree)
    return list(dict.fromkeys(finder.found))


class _Finder(ast.NodeVisitor):
    """Walks a module and knows in which function it is, and whether in a transaction of it."""

    def __init__(self, module: str, tree: ast.Module) -> None:
        self._module = module
        self._class = ""
        self._function = ""
        self._in_transaction = False
        self._constants = {
            target.id: text
            for node in tree.body
            if isinstance(node, ast.Assign) and (text := _text(node.value, {})) is not None
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        self.found: list[Site] = []

    @property
    def _place(self) -> str:
        return f"{self._module}:{self._class}{self._function or '(import)'}"

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        before, self._class = self._class, f"{self._class}{node.name}."
        self.generic_visit(node)
        self._class = before

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._enter(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._enter(node)

    def _enter(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        before = self._function, self._in_transaction
        self._function = self._function or node.name  # what is nested belongs to the function around it
        self._in_transaction = False
        self.generic_visit(node)
        self._function, self._in_transaction = before

    def visit_With(self, node: ast.With) -> None:
        self._with(node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> None:
        self._with(node)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.visit(item)
        before = self._in_transaction
        opened = {_name(item.context_expr)[1] for item in node.items}
        self._in_transaction = before or not opened.isdisjoint({"transaction", "_transaction"})
        for statement in node.body:
            self.visit(statement)
        self._in_transaction = before

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        effect = self._effect(node)
        if effect is not None and self._place not in HELPERS:
            self.found.append(Site(self._place, effect))

    def _effect(self, call: ast.Call) -> Effect | None:
        receiver, name = _name(call)
        if any(keyword.arg == "transactional_id" for keyword in call.keywords):
            return Effect.FENCE
        if name in _STATEMENTS:
            return self._statement(call, receiver)
        helper = HELPERS.get(f"{self._module}:{self._class}{name}") if receiver == "self" else None
        if helper is not None:
            return helper
        if name == "transaction":
            return Effect.TRANSACTION if "producer" in receiver else Effect.COMMIT
        if name == "commit":
            return Effect.OFFSETS if "consumer" in receiver else Effect.COMMIT
        if name in _SENDS:
            return Effect.SEND
        if name in _REQUESTS and ("http" in receiver or "session" in receiver):
            return Effect.POST
        if name in _FILES or (name == "replace" and len(call.args) == 1 and not call.keywords):
            return Effect.FILE  # `replace` of a text takes two, of a dataclass or an instant names
        return None

    def _statement(self, call: ast.Call, receiver: str) -> Effect | None:
        sql = _text(call.args[0], self._constants) if call.args else ""
        if self._in_transaction or (sql is not None and not writes(sql)):
            return None
        return Effect.DISK if receiver.endswith("_db") else Effect.COMMIT


def _name(node: ast.expr) -> tuple[str, str]:
    """Receiver and name of what is called: (`self._pool`, `execute`)."""
    called = node.func if isinstance(node, ast.Call) else node
    if isinstance(called, ast.Attribute):
        return ast.unparse(called.value), called.attr
    return "", called.id if isinstance(called, ast.Name) else ""


def _text(node: ast.expr, constants: Mapping[str, str]) -> str | None:
    """The text of a literal or of a constant of the module; None when it cannot be read from the source."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else " ? " for part in node.values)
    return None

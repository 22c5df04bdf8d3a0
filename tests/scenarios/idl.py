# SPDX-License-Identifier: MIT
"""A reader of .varlink files, for checking what a daemon really answers against what it promises."""

import re

TOKEN = re.compile(r"\s+|#[^\n]*\n|(->|\[\]|[?(),:]|[A-Za-z][A-Za-z0-9_.\-]*)")


def tokens(text):
    """The words and signs of the text, comments and white space left out."""
    found, position = [], 0
    while position < len(text):
        match = TOKEN.match(text, position)
        assert match, f"not varlink: {text[position:position + 40]!r}"
        if match.group(1):
            found.append(match.group(1))
        position = match.end()
    return found


class Interface:
    """One .varlink file: types, methods as (in, out), errors."""

    def __init__(self, text):
        self.rest = tokens(text)
        self.types, self.methods, self.errors = {}, {}, {}
        assert self.take() == "interface"
        self.name = self.take()
        while self.rest:
            kind, name = self.take(), self.take()
            if kind == "type":
                self.types[name] = self.kind()
            elif kind == "error":
                self.errors[name] = self.kind()
            else:
                assert kind == "method", kind
                given = self.kind()
                assert self.take() == "->"
                self.methods[name] = (given, self.kind())

    def take(self):
        """The next word."""
        return self.rest.pop(0)

    def kind(self):
        """A type: ("maybe", t), ("array", t), ("struct", {name: t}), ("enum", words) or ("name", word)."""
        word = self.take()
        if word == "?":
            return ("maybe", self.kind())
        if word == "[]":
            return ("array", self.kind())
        if word != "(":
            return ("name", word)
        fields, words = {}, []
        while self.rest[0] != ")":
            name = self.take()
            if self.rest[0] == ":":
                self.take()
                fields[name] = self.kind()
            else:
                words.append(name)
            if self.rest[0] == ",":
                self.take()
        self.take()
        return ("enum", words) if words else ("struct", fields)

    def check(self, value, kind, where):
        """Raises AssertionError naming the place where value is not of this kind."""
        shape, what = kind
        if shape == "maybe":
            assert value is not None, f"{where}: an absent field is left out of replies"
            self.check(value, what, where)
        elif shape == "array":
            assert isinstance(value, list), where
            for index, item in enumerate(value):
                self.check(item, what, f"{where}[{index}]")
        elif shape == "enum":
            assert value in what, f"{where}: {value!r} is none of {what}"
        elif shape == "struct":
            assert isinstance(value, dict), where
            unknown = set(value) - set(what)
            assert not unknown, f"{where}: {unknown} not described"
            for name, field in what.items():
                if name in value:
                    self.check(value[name], field, f"{where}.{name}")
                else:
                    assert field[0] == "maybe", f"{where}.{name} is missing"
        elif what in self.types:
            self.check(value, self.types[what], where)
        else:
            types = {"string": str, "int": int, "bool": bool}
            # isinstance() takes True for an int.
            assert type(value) is types[what], f"{where}: {value!r} is no {what}"

"""``/rest/decided_list``: custom lists, named in the path by their id or by their name.

Fields and their meaning are the vendor's documentation's, where nothing else is said.
"""

from __future__ import annotations

import csv
import io
import re

from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.errors import BadField, FieldMissing, NotFound, NothingToChange
from prefect_phantom.adapters.rest.gateway import Gateway
from prefect_phantom.adapters.rest.openapi.operation import Operation
from prefect_phantom.adapters.rest.openapi.schemas import INDEXED, optional
from prefect_phantom.adapters.rest.request.body import UNSTORABLE, read_object
from prefect_phantom.adapters.rest.request.fields import LONGEST_INDEXED, Fields, as_identifier
from prefect_phantom.adapters.rest.responses import answer
from prefect_phantom.adapters.store.case import decided_lists
from prefect_phantom.adapters.store.case.decided_lists import Cell, ListChange, Rows

CHANGEABLE = ("name", "content", "append_rows", "delete_rows", "update_rows")
ROWS = "a list of rows, which are lists of texts, numbers, booleans and nulls"
FORMATS = ("csv", "json")
FORMULA = re.compile(r"\s*[=+@\uff1d\uff0b\uff20\t\r\n-]|\s*\uff0d")
"""How a text begins that spreadsheets calculate, and so may be made to send."""
OTHERWISE = ",;|\t\r\n"
"""What other programs, or those of other countries, take for the end of a cell or a row."""
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
TABLE = {"description": ROWS, "type": ["array", "null"]}
BODY = {"name": optional(INDEXED), "content": TABLE}


@Operation(
    body={**BODY, "name": INDEXED},
    required=["name", "content"],
    sent={"name": "watched", "content": [["192.0.2.1", "seen"]]},
    answer={"success": True, "id": 1},
)
async def create(request: Request) -> Response:
    """Make a list; `name` and `content` are required."""
    fields = Fields(await read_object(request))
    name = _name(fields)
    if name is None:
        raise FieldMissing("name")
    fields.require("content")
    made = await decided_lists.create(Gateway.of(request).database, name, _content(fields) or [])
    return answer({"success": True, "id": made})


@Operation(
    body={
        **BODY,
        "append_rows": TABLE,
        "delete_rows": {"type": ["array", "null"], "items": {"type": "integer"}},
        "update_rows": {"description": "Rows by their numbers", "type": ["object", "null"]},
    },
    sent={"append_rows": [["192.0.2.2", "new"]]},
    answer={"success": True, "id": 1},
)
async def change(request: Request) -> Response:
    """Replace a list, or change some of its rows. Further fields are ignored (our decision)."""
    list_id = await locate(request)
    fields = Fields(await read_object(request))
    wanted = ListChange(
        name=_name(fields),
        content=_content(fields),
        update_rows=_updates(fields),
        delete_rows=_numbers(fields),
        append_rows=_rows(fields, "append_rows") or [],
    )
    if all(fields.body.get(name) is None for name in CHANGEABLE):
        raise NothingToChange("a custom list", CHANGEABLE)
    if wanted.content is not None:
        for name in ("append_rows", "delete_rows", "update_rows"):
            if fields.body.get(name):
                raise BadField(name, fields.body[name], "left out beside content")
    await decided_lists.change(Gateway.of(request).database, list_id, wanted)
    return answer({"success": True, "id": list_id})


@Operation(answer={"success": True, "id": 1})
async def remove(request: Request) -> Response:
    """Delete a list. Tokens may do that, too (vendor's documentation)."""
    list_id = await locate(request)
    await decided_lists.remove(Gateway.of(request).database, list_id)
    return answer({"success": True, "id": list_id})


@Operation(
    query={
        "_output_format": {"enum": list(FORMATS)},
        "_fs": {"description": "Between fields", "type": "string"},
        "_rs": {"description": "After rows", "type": "string"},
    },
    answer="192.0.2.1,seen",
    media_type="text/csv",
)
async def formatted_content(request: Request) -> Response:
    """The rows as CSV, or as JSON with `_output_format=json`.

    A text in CSV that a spreadsheet would take for a formula has an apostrophe before it.

    `_fs` and `_rs` are what stands between fields and after rows (sent by published clients).
    """
    query = request.query_params
    form = query.get("_output_format", "csv").strip("\"'").lower()
    if form not in FORMATS:
        raise BadField("_output_format", form, '"csv" or "json"')
    separator, end = query.get("_fs", ","), query.get("_rs", "\r\n")
    if len(separator) != 1 or separator in '"\r\n':
        raise BadField("_fs", separator, "one character that is neither a quote nor a line end")
    if end not in {"\n", "\r\n", "\r"}:
        raise BadField("_rs", end, "a line end")
    content = await decided_lists.read_content(Gateway.of(request).database, await locate(request))
    if form == "json":
        return answer({"content": content})
    text = io.StringIO()
    rows = ([_harmless(cell, separator) for cell in row] for row in content)
    csv.writer(text, delimiter=separator, lineterminator=end).writerows(rows)
    return Response(text.getvalue(), media_type="text/csv")


async def locate(request: Request) -> int:
    """The id of the list that the path names. Raises `NotFound`."""
    named: str = request.path_params["id"]
    if UNSTORABLE.search(named):
        raise NotFound("Custom list", named)  # PostgreSQL would not even look for it
    return await decided_lists.find(Gateway.of(request).database, named)


def _name(fields: Fields) -> str | None:
    name = fields.filled_text("name", longest=LONGEST_INDEXED)
    if name is not None:
        check_name(name)
    return name


def check_name(name: str) -> None:
    """Raise `BadField` for what no list can be called: digits alone would read as an id."""
    if name.isdecimal() or not name.isprintable():
        raise BadField("name", name, "printable characters, not only digits")


def _content(fields: Fields) -> Rows | None:
    """The rows. A list of values alone is one row."""
    given = fields.body.get("content")
    if isinstance(given, list) and given and not any(isinstance(each, list) for each in given):
        return [_row("content", given)]
    return _rows(fields, "content")


def _rows(fields: Fields, name: str) -> Rows | None:
    """Rows. What stands in the place of one and is a value alone is a row with that value."""
    given = fields.body.get(name)
    if given is None:
        return None
    if not isinstance(given, list):
        raise BadField(name, given, ROWS)
    return [_row(name, each) for each in given]


def _row(name: str, given: object) -> list[Cell]:
    row: list[Cell] = []
    for each in given if isinstance(given, list) else [given]:
        if each is not None and not isinstance(each, str | int | float):
            raise BadField(name, given, ROWS)
        row.append(each)
    return row


def _updates(fields: Fields) -> dict[int, list[Cell]]:
    """Rows by the numbers of those that they replace."""
    updates: dict[int, list[Cell]] = {}
    for text, row in (fields.mapping("update_rows") or {}).items():
        number = as_identifier(text)
        if number is None:
            raise BadField("update_rows", text, "an object with numbers of rows as its keys")
        updates[number] = _row("update_rows", row)
    return updates


def _numbers(fields: Fields) -> list[int]:
    given = fields.body.get("delete_rows")
    if given is None:
        return []
    numbers = [as_identifier(each) for each in given] if isinstance(given, list) else [None]
    if None in numbers:
        raise BadField("delete_rows", given, "a list of numbers of rows")
    return [number for number in numbers if number is not None]


def _harmless(cell: Cell, separator: str) -> Cell:
    if not isinstance(cell, str):
        return cell
    # Who divides by another character sees no quotes of ours, and further cells in a text.
    others = re.escape(OTHERWISE.replace(separator, ""))
    pieces = re.split(f"([{others}])", cell.lstrip())
    pieces[2::2] = map(_no_formula, pieces[2::2])
    begin = cell[: len(cell) - len(cell.lstrip())]
    return _no_formula(begin + "".join(pieces))


def _no_formula(text: str) -> str:
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text.strip(" ")) else text

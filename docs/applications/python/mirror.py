"""Keeps a copy of a tenant's users and groups in SQLite and follows what changes.

It is made to be copied from; docs/applications.md explains each step. It needs Python 3.9 and nothing else.

    TENANT_URL=https://HOST/scim/v2 TOKEN_FILE=/var/run/secrets/contoso/token python3 mirror.py [--until-idle] FILE
"""

import gzip
import http.client
import json
import os
import sqlite3
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

IDS_AT_ONCE = 150  # so many ids fit into one filter, which has 8,192 bytes at most

TABLES = """
    CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, resource TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS groups (id TEXT PRIMARY KEY, resource TEXT NOT NULL); -- without the members
    CREATE TABLE IF NOT EXISTS members (group_id TEXT, member_id TEXT, PRIMARY KEY (group_id, member_id));
    CREATE TABLE IF NOT EXISTS position (position TEXT NOT NULL);
"""


class Gone(Exception):
    """The server cannot tell what changed since a position."""


def ask(path, search=None):
    """Sends a request until it is answered: again while the server is away, too busy or starting."""
    pause = 0.25
    while True:
        with open(os.environ["TOKEN_FILE"], encoding="ascii") as file:  # each time, because Kubernetes replaces it
            headers = {"Authorization": "Bearer " + file.read().strip(), "Accept-Encoding": "gzip"}
        body = None
        if search is not None:
            headers["Content-Type"] = "application/scim+json"
            body = json.dumps(search).encode()
        wait = pause
        try:
            request = urllib.request.Request(os.environ["TENANT_URL"] + path, body, headers)
            with urllib.request.urlopen(request, timeout=60) as answer:
                data = answer.read()
                if answer.headers.get("Content-Encoding") == "gzip":
                    data = gzip.decompress(data)
                return answer.headers, json.loads(data)
        except urllib.error.HTTPError as error:
            if error.code == 410:
                raise Gone from error
            if error.code != 429 and error.code < 500:
                sys.exit(f"{path}: {error.code} {text(error)}")
            after = error.headers.get("Retry-After", "")
            wait = int(after) if after.isdecimal() else pause  # proxies may send a date
            problem = f"{error.code} {text(error)}"
        except (OSError, http.client.HTTPException) as error:
            problem = error
        print(f"ask again in {wait} s: {problem}", file=sys.stderr)
        time.sleep(wait)
        pause = min(2 * pause, 5)


def text(error):
    """Reads why the server refused, if that comes whole."""
    try:
        return error.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as problem:
        return str(problem)


def read_all(db):
    """Replaces the copy by all users and groups.

    The position was taken before the first of them was read, so what changes meanwhile comes again with the changes.
    """
    position = None
    with db:
        for table in ("users", "groups", "members"):
            db.execute(f"DELETE FROM {table}")
        for endpoint in ("/Users", "/Groups"):
            cursor = ""
            while cursor is not None:
                query = {"cursor": cursor, "count": 1000, "excludedAttributes": "groups"}
                headers, page = ask(endpoint + "?" + urllib.parse.urlencode(query))
                if endpoint == "/Users" and cursor == "":  # a later one leaves out what changed since
                    position = headers["Events-Position"]
                keep(db, endpoint, page["Resources"])
                cursor = page.get("nextCursor")
        keep_position(db, position)  # fails where there is none, because the database of the server takes no writes
    users, groups = (db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("users", "groups"))
    print(f"read everything: {users} users and {groups} groups", file=sys.stderr)
    return position


def apply(db, changes, position):
    """Makes of the copy what the changes made of the directory. To apply a change twice does no harm."""
    users, groups, whole = set(), set(), set()  # to be read: users, groups without their members, groups with them
    with db:
        for change in changes:
            kind, id, operation = change["type"], change["id"], change["operation"]
            members = change.get("members", [])
            if kind == "User" and operation == "delete":
                db.execute("DELETE FROM users WHERE id = ?", (id,))
                users.discard(id)
            elif kind == "User":
                users.add(id)
            elif kind == "Group" and operation == "delete":
                db.execute("DELETE FROM groups WHERE id = ?", (id,))
                db.execute("DELETE FROM members WHERE group_id = ?", (id,))
                groups.discard(id)
                whole.discard(id)
            elif kind == "Group" and (operation == "create" or not members and "members" in change.get("attributes", [])):
                whole.add(id)  # too many members came and went for a list of them
            elif kind == "Group":
                groups.add(id)
                for member in members:
                    if member["operation"] == "add":
                        db.execute("INSERT OR IGNORE INTO members VALUES (?, ?)", (id, member["id"]))
                    else:
                        db.execute("DELETE FROM members WHERE group_id = ? AND member_id = ?", (id, member["id"]))
        read(db, "/Users", "groups", users)
        read(db, "/Groups", "members", groups)
        read(db, "/Groups", "groups", whole)
        keep_position(db, position)


def read(db, endpoint, excluded, ids):
    """Reads resources as they are now. One that is not found was deleted since, which a later change tells."""
    ids = list(ids)
    for start in range(0, len(ids), IDS_AT_ONCE):
        _, found = ask(endpoint + "/.search", {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
            "filter": " or ".join(f'id eq "{id}"' for id in ids[start:start + IDS_AT_ONCE]),
            "count": IDS_AT_ONCE,
            "excludedAttributes": [excluded],
        })
        keep(db, endpoint, found["Resources"])


def keep(db, endpoint, resources):
    for resource in resources:
        id, table = resource["id"], endpoint[1:].lower()
        if "members" in resource:
            members = resource.pop("members")
            db.execute("DELETE FROM members WHERE group_id = ?", (id,))
            db.executemany("INSERT OR IGNORE INTO members VALUES (?, ?)", [(id, member["value"]) for member in members])
        db.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", (id, json.dumps(resource)))


def keep_position(db, position):
    """Keeps the position in the transaction of the data that it belongs to."""
    db.execute("DELETE FROM position")
    db.execute("INSERT INTO position VALUES (?)", (position,))


def main():
    if len(sys.argv) < 2 or sys.argv[-1].startswith("--") or not (os.environ.get("TENANT_URL") and os.environ.get("TOKEN_FILE")):
        sys.exit("name a FILE, and set TENANT_URL and TOKEN_FILE")
    until_idle = "--until-idle" in sys.argv
    db = sqlite3.connect(sys.argv[-1])
    db.executescript(TABLES)
    row = db.execute("SELECT position FROM position").fetchone()
    position = row[0] if row else read_all(db)
    while True:
        try:
            query = {"after": position, "wait": 0 if until_idle else 10, "count": 1000}
            _, answer = ask("/Changes?" + urllib.parse.urlencode(query))
        except Gone:
            print("the server cannot tell what changed since", file=sys.stderr)
            position = read_all(db)
            continue
        if answer["position"] != position:
            position = answer["position"]
            apply(db, answer["changes"], position)
        elif until_idle:
            return


main()

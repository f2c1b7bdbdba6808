// Keeps a copy of a tenant's users and groups in a JSON file and follows what changes. It is made to be copied from;
// docs/applications.md explains each step. It needs Node 18 and nothing else.
//
//     TENANT_URL=https://HOST/scim/v2 TOKEN_FILE=/var/run/secrets/contoso/token node mirror.js [--until-idle] FILE

import { existsSync } from "node:fs";
import { open, readFile, rename } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** So many ids fit into one filter, which has 8,192 bytes at most. */
const idsAtOnce = 150;

type Resource = { id: string; members?: { value: string }[]; [attribute: string]: unknown };

/** What the file holds. The position is that of the data beside it, so both are always written together. */
interface Copy {
  position: string;
  users: Record<string, Resource>;
  groups: Record<string, Resource>; // without their members
  members: Record<string, Record<string, true>>; // the ids of a group's members, by its id
}

interface Change {
  type: string;
  id: string;
  operation: "create" | "update" | "delete";
  attributes?: string[];
  members?: { id: string; operation: "add" | "remove" }[];
}

type List = { Resources: Resource[]; nextCursor?: string };
type Changes = { changes: Change[]; position: string; more: boolean };

class Gone extends Error {}

/** Sends a request until it is answered: again while the server is away, too busy or starting. */
async function ask<Answer>(path: string, search?: object): Promise<[Answer, Headers]> {
  for (let pause = 0.25; ; pause = Math.min(2 * pause, 5)) {
    const token = await readFile(process.env.TOKEN_FILE!, "ascii"); // each time, because Kubernetes replaces it
    let [wait, problem]: [number, unknown] = [pause, undefined];
    try {
      const response = await fetch(process.env.TENANT_URL + path, {
        method: search ? "POST" : "GET",
        headers: { Authorization: `Bearer ${token.trim()}`, "Content-Type": "application/scim+json" },
        body: search && JSON.stringify(search),
        signal: AbortSignal.timeout(60_000),
      });
      const text = await response.text();
      if (response.ok) return [JSON.parse(text) as Answer, response.headers];
      if (response.status === 410) throw new Gone("the server cannot tell what changed since");
      if (response.status !== 429 && response.status < 500) {
        console.error(`${path}: ${response.status} ${text}`);
        process.exit(1); // the next start goes on from what the file has
      }
      const after = response.headers.get("Retry-After") ?? "";
      [wait, problem] = [/^\d+$/.test(after) ? Number(after) : pause, `${response.status} ${text}`]; // proxies may send a date
    } catch (error) {
      if (error instanceof Gone) throw error;
      const cause = (error as Error).cause as NodeJS.ErrnoException | undefined; // what fetch says is that it failed
      problem = cause?.message || cause?.code || error;
    }
    console.error(`ask again in ${wait} s: ${problem}`);
    await sleep(wait * 1000);
  }
}

/**
 * Reads all users and groups. The position was taken before the first of them was read, so what changes meanwhile comes again with the changes.
 */
async function readAll(): Promise<Copy> {
  const copy: Copy = { position: "", users: {}, groups: {}, members: {} };
  for (const endpoint of ["/Users", "/Groups"]) {
    let cursor: string | undefined = "";
    do {
      const query: string = new URLSearchParams({ cursor, count: "1000", excludedAttributes: "groups" }).toString();
      const [page, headers]: [List, Headers] = await ask<List>(`${endpoint}?${query}`);
      if (endpoint === "/Users" && cursor === "") copy.position = headers.get("Events-Position") ?? ""; // a later one leaves out what changed since
      keep(copy, endpoint, page.Resources);
      cursor = page.nextCursor;
    } while (cursor);
  }
  if (!copy.position) throw new Error("the server does not say where changes begin, because its database takes no writes");
  await save(copy);
  console.error(`read everything: ${Object.keys(copy.users).length} users and ${Object.keys(copy.groups).length} groups`);
  return copy;
}

/** Makes of the copy what the changes made of the directory. To apply a change twice does no harm. */
async function apply(copy: Copy, changes: Change[], position: string): Promise<void> {
  const [users, groups, whole] = [new Set<string>(), new Set<string>(), new Set<string>()]; // whole: groups to be read with their members
  for (const { type, id, operation, attributes = [], members = [] } of changes) {
    if (type === "User" && operation === "delete") {
      delete copy.users[id];
      users.delete(id);
    } else if (type === "User") {
      users.add(id);
    } else if (type === "Group" && operation === "delete") {
      delete copy.groups[id];
      delete copy.members[id];
      groups.delete(id);
      whole.delete(id);
    } else if (type === "Group" && (operation === "create" || (members.length === 0 && attributes.includes("members")))) {
      whole.add(id); // too many members came and went for a list of them
    } else if (type === "Group") {
      groups.add(id);
      for (const member of members) {
        const ids = (copy.members[id] ??= {});
        if (member.operation === "add") ids[member.id] = true;
        else delete ids[member.id];
      }
    }
  }
  await read(copy, "/Users", "groups", users);
  await read(copy, "/Groups", "members", groups);
  await read(copy, "/Groups", "groups", whole);
  copy.position = position;
  await save(copy);
}

/** Reads resources as they are now. One that is not found was deleted since, which a later change tells. */
async function read(copy: Copy, endpoint: string, excluded: string, ids: Set<string>): Promise<void> {
  const all = [...ids];
  while (all.length > 0) {
    const [found] = await ask<List>(`${endpoint}/.search`, {
      schemas: ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
      filter: all.splice(0, idsAtOnce).map((id) => `id eq "${id}"`).join(" or "),
      count: idsAtOnce,
      excludedAttributes: [excluded],
    });
    keep(copy, endpoint, found.Resources);
  }
}

function keep(copy: Copy, endpoint: string, resources: Resource[]): void {
  for (const { members, ...resource } of resources) {
    if (members) copy.members[resource.id] = Object.fromEntries(members.map(({ value }) => [value, true]));
    (endpoint === "/Users" ? copy.users : copy.groups)[resource.id] = resource as Resource;
  }
}

/** Replaces the file in one step: after a crash it is the former one or this one. */
async function save(copy: Copy): Promise<void> {
  const fresh = await open(`${file}.fresh`, "w");
  await fresh.writeFile(JSON.stringify(copy));
  await fresh.sync();
  await fresh.close();
  await rename(`${file}.fresh`, file);
}

const file = process.argv[process.argv.length - 1]!;
const untilIdle = process.argv.includes("--until-idle");
if (process.argv.length < 3 || file.startsWith("--") || !process.env.TENANT_URL || !process.env.TOKEN_FILE) {
  console.error("name a FILE, and set TENANT_URL and TOKEN_FILE");
  process.exit(1);
}
let copy: Copy = existsSync(file) ? JSON.parse(await readFile(file, "utf8")) : await readAll();
for (;;) {
  try {
    const query = new URLSearchParams({ after: copy.position, wait: untilIdle ? "0" : "10", count: "1000" });
    const [answer] = await ask<Changes>(`/Changes?${query}`);
    if (answer.position !== copy.position) await apply(copy, answer.changes, answer.position);
    else if (untilIdle) break;
  } catch (error) {
    if (!(error instanceof Gone)) throw error;
    console.error(error.message);
    copy = await readAll();
  }
}

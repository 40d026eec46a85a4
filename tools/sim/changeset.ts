/**
 * Write-sets: what a transaction has changed, as a changeset of SQLite's session extension, and the
 * keys of its rows.
 *
 * https://www.sqlite.org/session/sqlite3changeset_start.html; the format of the bytes is described
 * in sqlite3session.c ("CHANGESET/PATCHSET FORMAT").
 */

const TABLE = 0x54
const UPDATE = 23
const INTEGER = 1
const FLOAT = 2
const TEXT = 3
const BLOB = 4

/** The rows that a write-set changes, each as `table key`. */
export function keysIn(changeset: Uint8Array): ReadonlySet<string> {
  const keys = new Set<string>()
  const reader = createReader(changeset)
  let table = ''
  let isKey: readonly boolean[] = []
  while (!reader.isAtEnd()) {
    const kind = reader.byte()
    if (kind === TABLE) {
      const columns = reader.varint()
      isKey = Array.from({ length: columns }, () => reader.byte() !== 0)
      table = reader.name()
      continue
    }
    // Whether it was changed by a trigger or a foreign key.
    reader.byte()
    const first = isKey.map(() => reader.value())
    // An update has the old and the new record. A key column that stays is in the old one only.
    if (kind === UPDATE) isKey.map(() => reader.value())
    keys.add(`${table} ${first.filter((_value, at) => isKey[at]).join('|')}`)
  }
  return keys
}

/** Whether the write-set has rows of one of these tables. */
export function concerns(keys: ReadonlySet<string>, tables: ReadonlySet<string>): boolean {
  return [...keys].some((key) => tables.has(key.slice(0, key.indexOf(' '))))
}

function createReader(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  const byte = (): number => view.getUint8(at++)
  function varint(): number {
    let value = 0
    for (;;) {
      const part = byte()
      value = value * 128 + (part & 0x7f)
      if (part < 0x80) return value
    }
  }
  function text(length: number): string {
    const found = new TextDecoder().decode(bytes.subarray(at, at + length))
    at += length
    return found
  }
  return {
    byte,
    varint,
    isAtEnd: () => at >= bytes.length,
    name(): string {
      const end = bytes.indexOf(0, at)
      const found = text(end - at)
      at = end + 1
      return found
    },
    value(): string {
      const kind = byte()
      if (kind === INTEGER || kind === FLOAT) {
        at += 8
        return kind === INTEGER ? String(view.getBigInt64(at - 8)) : String(view.getFloat64(at - 8))
      }
      if (kind !== TEXT && kind !== BLOB) return ''
      return text(varint())
    },
  }
}

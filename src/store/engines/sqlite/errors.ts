/** Classifies SQLite's errors by result code (https://www.sqlite.org/rescode.html). Pure. */
import { AtollError, messageOf } from '../../../model/errors.ts'
import { EngineError, type EngineErrorKind } from '../engine.ts'

/** Primary result codes that are not `misuse`. */
const KIND_OF_CODE: ReadonlyMap<number, EngineErrorKind> = new Map([
  [5, 'conflict'], // SQLITE_BUSY
  [6, 'conflict'], // SQLITE_LOCKED
  [3, 'away'], // SQLITE_PERM
  [7, 'away'], // SQLITE_NOMEM
  [8, 'away'], // SQLITE_READONLY
  [10, 'away'], // SQLITE_IOERR
  [11, 'away'], // SQLITE_CORRUPT
  [13, 'away'], // SQLITE_FULL
  [14, 'away'], // SQLITE_CANTOPEN
  [15, 'away'], // SQLITE_PROTOCOL
  [22, 'away'], // SQLITE_NOLFS
  [23, 'away'], // SQLITE_AUTH
  [26, 'away'], // SQLITE_NOTADB
])
/** What an operator does about a file that does not work. Nobody else fixes it. */
const FIX_OF_CODE: ReadonlyMap<number, string> = new Map([
  [8, 'let root write atoll.db in stateDir: its file system may be mounted read-only'],
  [10, 'the disk does not work: dmesg says more'],
  [
    11,
    'atoll.db in stateDir is damaged: restore it from a backup (sqlite3 atoll.db .recover shows what is left)',
  ],
  [13, 'the disk is full: free some space'],
  [26, 'atoll.db in stateDir is damaged, or another file: restore it from a backup'],
])
const SQLITE_FULL = 13
const SQLITE_CONSTRAINT_PRIMARYKEY = 1555
const SQLITE_CONSTRAINT_UNIQUE = 2067
const SQLITE_CONSTRAINT_FOREIGNKEY = 787
/** The low byte of an extended result code is the primary one. */
const PRIMARY_CODE_MASK = 0xff

/** Calls `node:sqlite`, and turns its errors into `EngineError`. */
export function classified<Result>(sql: string, call: () => Result): Result {
  try {
    return call()
  } catch (error) {
    throw error instanceof AtollError ? error : engineError(error, sql)
  }
}

function engineError(error: unknown, sql: string): EngineError {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined
  const detail = { engine: 'sqlite', code, sql }
  if (typeof code !== 'number') return new EngineError('misuse', error, detail)
  const duplicate = code === SQLITE_CONSTRAINT_UNIQUE || code === SQLITE_CONSTRAINT_PRIMARYKEY
  if (duplicate) return new EngineError('duplicate', error, detail)
  if (code === SQLITE_CONSTRAINT_FOREIGNKEY) return new EngineError('referenced', error, detail)
  const primary = code & PRIMARY_CODE_MASK
  const fix = FIX_OF_CODE.get(primary)
  const cause =
    fix === undefined
      ? error
      : Object.assign(new Error(`${messageOf(error)} (fix: ${fix})`), { code })
  const kind = KIND_OF_CODE.get(primary) ?? 'misuse'
  return new EngineError(kind, cause, detail, primary === SQLITE_FULL)
}

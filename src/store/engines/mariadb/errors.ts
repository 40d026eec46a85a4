/**
 * Classifies errors of MariaDB and its driver by number and code
 * (https://mariadb.com/kb/en/mariadb-error-codes/). Pure.
 */
import { messageOf } from '../../../model/errors.ts'
import { EngineError, type EngineErrorKind } from '../engine.ts'

/** Server errors that are not `misuse`. */
const KIND_OF_ERRNO: ReadonlyMap<number, EngineErrorKind> = new Map([
  [1022, 'duplicate'], // ER_DUP_KEY
  [1062, 'duplicate'], // ER_DUP_ENTRY
  [1586, 'duplicate'], // ER_DUP_ENTRY_WITH_KEY_NAME
  [1451, 'referenced'], // ER_ROW_IS_REFERENCED_2
  [1452, 'referenced'], // ER_NO_REFERENCED_ROW_2
  [1020, 'conflict'], // ER_CHECKREAD: changed since the snapshot (innodb_snapshot_isolation)
  [1205, 'conflict'], // ER_LOCK_WAIT_TIMEOUT
  [1213, 'conflict'], // ER_LOCK_DEADLOCK: a deadlock, or a certification that Galera lost
  [1317, 'conflict'], // ER_QUERY_INTERRUPTED: also used by Galera to end local transactions
  // ER_TABLE_DEF_CHANGED: a migration came between the snapshot and the statement
  [1412, 'conflict'],
])

/** Server errors that another node may not have. The host changes to another node. */
const NODE_ERRORS: ReadonlySet<number> = new Set([
  1021, // ER_DISK_FULL
  1026, // ER_ERROR_ON_WRITE
  1030, // ER_GET_ERRNO: the storage engine failed
  1037, // ER_OUTOFMEMORY
  1040, // ER_CON_COUNT_ERROR: too many connections
  1041, // ER_OUT_OF_RESOURCES
  1044, // ER_DBACCESS_DENIED_ERROR
  1045, // ER_ACCESS_DENIED_ERROR
  1047, // ER_UNKNOWN_COM_ERROR: Galera's "has not yet prepared node for application use"
  1049, // ER_BAD_DB_ERROR
  1053, // ER_SERVER_SHUTDOWN
  1114, // ER_RECORD_FILE_FULL
  1129, // ER_HOST_IS_BLOCKED
  1130, // ER_HOST_NOT_PRIVILEGED
  1203, // ER_TOO_MANY_USER_CONNECTIONS
  1226, // ER_USER_LIMIT_REACHED
  1290, // ER_OPTION_PREVENTS_STATEMENT: read only
  1836, // ER_READ_ONLY_MODE
  1927, // ER_CONNECTION_KILLED
])

/** Server errors, and failures of its own files, for want of room on its disk. */
const FULL_ERRORS: ReadonlySet<number> = new Set([
  20, // EE_DISKFULL
  28, // ENOSPC
  1021, // ER_DISK_FULL
  1114, // ER_RECORD_FILE_FULL: InnoDB has it for ENOSPC
])
/** ER_GET_ERRNO and ER_ERROR_ON_WRITE have the system's number in their text only. */
const FULL_TEXT = /\berror 28\b|\berrno: 28\b|No space left on device/i

/** Smaller numbers are failures of the server's own files (EE_DISKFULL and others). */
const FIRST_SERVER_ERRNO = 1000

/** ER_LOCK_WAIT_TIMEOUT */
const LOCK_WAIT_TIMEOUT = 1205

/** The meaning of an error from the driver. */
export interface Diagnosis {
  readonly error: EngineError
  /** The node says that it cannot serve anybody. */
  readonly isNodeError: boolean
  /** A node that has left its cluster also returns this error, so the node should be checked. */
  readonly needsCheck: boolean
}

/** Classifies what the driver threw for a statement. */
export function diagnose(error: unknown, sql: string): Diagnosis {
  const { errno, code, fatal } = error as { errno?: unknown; code?: unknown; fatal?: unknown }
  const detail = { engine: 'mariadb', errno, code, sql: sql.slice(0, SHOWN_SQL_CHARACTERS) }
  // The server's numbers are positive, those of the operating system negative.
  if (typeof errno === 'number' && errno > 0) {
    if (NODE_ERRORS.has(errno) || errno < FIRST_SERVER_ERRNO)
      return {
        error: new EngineError('lost', error, detail, isFull(errno, error)),
        isNodeError: true,
        needsCheck: false,
      }
    const trouble = KIND_OF_ERRNO.get(errno) ?? 'misuse'
    return {
      error: new EngineError(trouble, error, detail),
      isNodeError: false,
      needsCheck: errno === LOCK_WAIT_TIMEOUT,
    }
  }
  // An error without a number comes from the network or the protocol. The driver then closes the
  // connection.
  const trouble = fatal === true ? 'lost' : 'misuse'
  return {
    error: new EngineError(trouble, error, detail),
    isNodeError: false,
    needsCheck: false,
  }
}

function isFull(errno: number, error: unknown): boolean {
  return FULL_ERRORS.has(errno) || FULL_TEXT.test(messageOf(error))
}

/** Length of a statement in a log. */
const SHOWN_SQL_CHARACTERS = 500

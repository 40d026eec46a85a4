/**
 * Loaded into a daemon before everything else (`node --import`). SIGKILLs the daemon at its k-th
 * interaction with something outside.
 *
 * Counted are SQLite statements, netlink messages, requests to the Docker Engine (begun, sent,
 * answered), answers of the API, files written and programs started. Counting begins when the file
 * named by ATOLL_DIE_FILE appears, with k in it, and ends when it is removed; `<file>.count` has
 * the number so far.
 */
import childProcess from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import fs from 'node:fs/promises'
import http from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import { RawNetlinkSocket } from 'netlink'
import { hasCode } from '../../src/lib/errno.ts'

const file = process.env['ATOLL_DIE_FILE'] ?? ''
let count = 0

function event(): void {
  const order = read()
  if (order === undefined) {
    count = 0
    return
  }
  count += 1
  writeFileSync(`${file}.count`, String(count))
  if (count !== Number(order)) return
  rmSync(file, { force: true })
  process.kill(process.pid, 'SIGKILL')
}

/** The order, if there is one: it may be withdrawn at any moment. */
function read(): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    // Anything else that was thrown here would be an error of the daemon's own work.
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/** Counts each call of these methods, before and after it. */
function counting(object: object, ...names: readonly string[]): void {
  for (const name of names) {
    const method: unknown = Reflect.get(object, name)
    if (typeof method !== 'function') throw new Error(`nothing to count: ${name}`)
    Reflect.set(object, name, function (this: unknown, ...args: unknown[]) {
      event()
      const result: unknown = Reflect.apply(method, this, args)
      event()
      return result
    })
  }
}

// Not in the processes that the daemon starts, which inherit the option.
if (!process.argv.includes('--part')) {
  counting(DatabaseSync.prototype, 'exec')
  counting(StatementSync.prototype, 'all', 'run')
  counting(RawNetlinkSocket.prototype, 'send')
  counting(http.ServerResponse.prototype, 'end')
  counting(childProcess, 'spawn')
  counting(fs, 'writeFile', 'rename', 'mkdir', 'rm', 'link', 'open')

  const { request } = http
  Reflect.set(http, 'request', (...args: Parameters<typeof request>) => {
    event()
    return request(...args)
      .prependListener('finish', event)
      .prependListener('response', event)
  })
  syncBuiltinESMExports()
}

/**
 * What SQLite promises beyond the port: a private file, commits that survive a crash, and clear
 * errors when it cannot continue.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, open as openFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Tag } from '../../src/model/records.ts'
import { openSqliteStore } from '../../src/store/engines/sqlite/dialect.ts'
import { silentLog } from '../../tools/kit/log.ts'
import * as given from './store/records.ts'

const CHILD = join(import.meta.dirname, 'store/commit-forever.ts')
let directory: string
let file: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-sqlite-'))
  file = join(directory, 'records.db')
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const open = (path = file) => openSqliteStore({ file: path, log: silentLog })

describe('readers', () => {
  const TAG: Tag = {
    account: given.account.id,
    resource: 'i-0123456789abcdef0',
    resourceType: 'instance',
    key: 'Name',
    value: 'web',
  }

  it('wait neither for a transaction under way nor for each other, and see what was committed', async () => {
    await using store = await opened()
    const begun = Promise.withResolvers<void>()
    const end = Promise.withResolvers<void>()
    const writing = store.change(async (tx) => {
      await tx.putTags([TAG])
      begun.resolve()
      await end.promise
    })
    const reading = store.read(async () => {
      begun.resolve()
      await end.promise
    })
    await begun.promise
    const tags = () => store.read((tx) => tx.tags({ account: TAG.account }))
    expect(await tags()).toStrictEqual([])
    end.resolve()
    await Promise.all([writing, reading])
    expect(await tags()).toStrictEqual([TAG])
  })

  it('wait for one another where there are more than connections', async () => {
    await using store = await opened()
    const hosts = await Promise.all(
      Array.from({ length: 50 }, () => store.read((tx) => tx.hosts())),
    )
    expect(new Set(hosts.map((some) => some.length))).toStrictEqual(new Set([1]))
  })

  /** A store with the first records, closed in the end. */
  async function opened() {
    const store = await open()
    await store.migrate()
    await given.settle(store)
    return { ...store, [Symbol.asyncDispose]: () => store.close() }
  }
})

describe('the file', () => {
  it('is its owner’s alone, with what SQLite puts beside it, even if it was not before', async () => {
    await writeFile(file, '')
    await chmod(file, 0o644)
    const store = await open()
    await store.migrate()
    const modes = await Promise.all(
      ['', '-wal', '-shm'].map(async (suffix) =>
        ((await stat(file + suffix)).mode & 0o777).toString(8),
      ),
    )
    expect(modes).toStrictEqual(['600', '600', '600'])
    await store.close()
  })

  it('is not needed for a private store', async () => {
    const store = await open(':memory:')
    await store.migrate()
    await given.settle(store)
    expect(await store.read((tx) => tx.hosts())).toStrictEqual([given.freshHost])
    await store.close()
  })

  it.each([
    ['in a directory that is not there', () => join(directory, 'nowhere', 'records.db')],
    ['that is a directory', () => directory],
  ])('%s is unavailable', async (_what, path) => {
    await expect(open(path())).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it('that is no database is unavailable, and stays as it is', async () => {
    const text = 'this is somebody’s letter and no database. '.repeat(100)
    await writeFile(file, text)
    await expect(open()).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining(file),
      cause: { trouble: 'away' },
    })
    expect((await stat(file)).size).toBe(Buffer.byteLength(text))
  })

  it('that is damaged is unavailable', async () => {
    const store = await open()
    await store.migrate()
    await given.settle(store)
    await store.close()
    await corruptTable('instanceTypes')
    const damaged = await open()
    const reading = damaged.read((tx) => tx.instanceTypes())
    await expect(reading).rejects.toMatchObject({ kind: 'unavailable', trouble: 'away' })
    await damaged.close()
  })

  it('of a newer daemon is refused with the name of what it does not know', async () => {
    const store = await open()
    await store.migrate()
    await store.close()
    const database = new DatabaseSync(file)
    database.exec(`insert into kysely_migration values ('9999-later', '2026-11-22T08:33:27.000Z')`)
    database.close()
    const older = await open()
    await expect(older.migrate()).rejects.toThrow(/9999-later.*newer version/)
    await older.close()
  })
})

/** Destroys the first page of a table, so that the file still opens as a database. */
async function corruptTable(table: string): Promise<void> {
  const database = new DatabaseSync(file)
  const rootPage = database
    .prepare('select rootpage from sqlite_master where name = ?')
    .get(table)?.['rootpage']
  database.close()
  const page = Buffer.alloc(4096, 0x5a)
  const handle = await openFile(file, 'r+')
  await handle.write(page, 0, page.length, (Number(rootPage) - 1) * page.length)
  await handle.close()
}

describe('another process', () => {
  it('that holds the write lock is waited for, without blocking this one or beginning the work', async () => {
    const store = await open()
    await store.migrate()
    const other = new DatabaseSync(file)
    other.exec('begin immediate')
    let begun = false
    const writing = store.change(async (tx) => {
      begun = true
      await tx.insertAccount(given.account)
    })
    let longestTurnMs = 0
    const start = performance.now()
    for (let last = start; last - start < 300; ) {
      await nextTurn()
      const now = performance.now()
      longestTurnMs = Math.max(longestTurnMs, now - last)
      last = now
    }
    expect(begun).toBe(false)
    // Generous, for a busy machine: a blocking wait would last until the other one releases it,
    // that is, for ever.
    expect(longestTurnMs).toBeLessThan(20_000)
    other.exec('rollback')
    await writing
    other.close()
    await store.close()
  })

  it('that reads the file and closes it, as a backup does, leaves the log of this one', async () => {
    const store = await open()
    await store.migrate()
    await given.settle(store)
    // Opens a connection that reads.
    await store.read((tx) => tx.hosts())
    const log = await stat(`${file}-wal`)
    const reading = `import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute('select count(*) from sqlite_master').fetchall()
database.close()`
    const child = spawn('python3', ['-c', reading, file], { stdio: 'inherit' })
    expect(await once(child, 'exit')).toStrictEqual([0, null])
    expect((await stat(`${file}-wal`)).ino).toBe(log.ino)
    await store.close()
  })

  it('that holds it for ever makes the store unavailable', async () => {
    const store = await open()
    await store.migrate()
    const other = new DatabaseSync(file)
    other.exec('begin immediate')
    await expect(given.settle(store)).rejects.toMatchObject({ kind: 'unavailable' })
    other.close()
    await given.settle(store)
    await store.close()
  })
})

// The port cannot drain a host yet, so the operator's own hand does it.
it('a draining host gives no capacity, and keeps draining when it announces itself', async () => {
  const store = await open()
  await store.migrate()
  await given.settle(store)
  const operator = new DatabaseSync(file)
  operator.exec(`update hosts set state = 'draining'`)
  operator.close()
  const result = await store.change(async (tx) => {
    await tx.upsertHost(given.hostRow, 60_000)
    return tx.takeCapacity(given.HOST, 1, 1)
  })
  expect(result).toBe('full')
  await store.close()
})

describe('a crash', () => {
  it('takes back nothing that was committed, and leaves nothing half', async () => {
    const child = spawn(process.execPath, [CHILD, file], { stdio: ['ignore', 'pipe', 'inherit'] })
    let promised = 0
    for await (const line of createInterface(child.stdout)) {
      promised = Number(line)
      if (promised === 200) child.kill('SIGKILL')
    }
    expect(promised).toBeGreaterThanOrEqual(200)
    const store = await open()
    await store.migrate()
    const accounts = await store.read(async (tx) => {
      const all = await tx.accounts()
      for (const { id } of all) expect(await tx.accessKeys(id)).toHaveLength(1)
      return all
    })
    // One more may have been committed before its number was printed.
    expect(accounts.length - promised).toBeOneOf([0, 1])
    expect(accounts.map(({ id }) => Number(id))).toStrictEqual(
      Array.from({ length: accounts.length }, (_, index) => index + 1),
    )
    await store.close()
  })
})

// A file system of its own, in a mount namespace of its own, needs root.
describe.skipIf(process.getuid?.() !== 0)('a full disk', () => {
  it('is unavailable, loses nothing, and is over when there is room again', async () => {
    const disk = join(directory, 'disk')
    await mkdir(disk)
    const script =
      'mount -t tmpfs -o size=2m none "$1" && head -c 300000 /dev/zero > "$1/ballast" && exec "$2" "$3" "$1/records.db" 2000'
    const child = spawn(
      'unshare',
      ['--mount', 'sh', '-c', script, 'sh', disk, process.execPath, CHILD],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    )
    const exited = once(child, 'exit')
    const said: string[] = []
    for await (const line of createInterface(child.stdout)) {
      said.push(line)
      if (line === 'unavailable' && child.pid !== undefined) {
        await rm(`/proc/${child.pid}/root${disk}/ballast`)
        child.stdin.write('go on\n')
      } else if (!/^\d+$/.test(line)) break
    }
    child.kill('SIGKILL')
    await exited
    expect(Number(said.at(-3))).toBeGreaterThan(10)
    expect(said.slice(-2)).toStrictEqual(['unavailable', 'ok'])
  })
})

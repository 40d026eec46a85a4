import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openFenceFiles, parseGuarded } from '../../../src/fence/files.ts'
import { ipv4 } from '../../../src/model/addr.ts'
import { parseHostName } from '../../../src/model/ids.ts'
import { FAILOVER_SETTINGS } from '../../../src/plan/failover/times.ts'
import { GUARDED } from '../../kit/fence-cluster.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fence-files-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const names = ['a', 'b'].flatMap((name) => parseHostName(name) ?? [])
const [host] = names
if (host === undefined) throw new Error('no name')
const ORDERS = {
  ...{ build: '1 /x', host, address: ipv4('10.0.0.1'), port: 8772, watchdog: null },
  key: Buffer.alloc(32, 1).toString('base64'),
  settings: FAILOVER_SETTINGS,
  membership: { version: 3, members: names },
  addresses: new Map(names.map((name) => [name, ipv4('10.0.0.1')] as const)),
}

it('reads what it has written, and a permission of this start of the machine only', () => {
  const files = openFenceFiles(directory)
  expect([files.readOrders(), files.readPermission('b'), files.readGuarded()]).toEqual([
    null,
    null,
    [],
  ])
  files.writeOrders(ORDERS)
  const guarded = [
    { ...GUARDED, containers: ['0a'.repeat(32)], links: [{ name: 'at-h0', network: 7 }] },
  ]
  files.writeGuarded(guarded)
  const permission = { term: 4, grantedAtMs: 12.5, id: '0'.repeat(32) }
  files.writePermission('b', permission)
  const next = openFenceFiles(directory)
  expect(next.readOrders()).toEqual(ORDERS)
  expect(next.readGuarded()).toEqual(guarded)
  expect(next.readPermission('b')).toEqual(permission)
  expect(next.readPermission('another start')).toBe(null)
})

it('takes nothing from a file that is damaged', () => {
  const files = openFenceFiles(directory)
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), fc.string()), (value) => {
      for (const name of ['orders', 'permission', 'guarded'])
        writeFileSync(join(directory, `${name}.json`), JSON.stringify(value))
      expect(files.readOrders()).toBe(null)
      expect(files.readPermission('b')).toBe(null)
      expect(files.readGuarded()).toEqual(Array.isArray(value) && value.length === 0 ? [] : null)
    }),
  )
})

it.each([
  ['a user of the system', { user: 0 }],
  ['a container that is not named as one', { containers: ['..'] }],
  ['a link that is not ours', { links: [{ name: 'eth0', network: null }] }],
  ['an address that is none', { addresses: ['1.2.3'] }],
  ['an instance that is none', { instance: 'i-x' }],
  ['too much', { containers: Array.from({ length: 65 }, () => '0a'.repeat(32)) }],
])('does not stop %s', (_what, change) => {
  expect(parseGuarded([{ ...GUARDED, ...change }])).toBe(null)
})

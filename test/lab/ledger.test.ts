/** The ledger on a disk that is really full: a file system of a few blocks. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createLedger } from '../../src/agent/ledger.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { ipv4 } from '../../src/model/addr.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { wantWith } from '../kit/dns.ts'

let directory = ''

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'atoll-full-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'atoll-test', directory])
})
afterAll(() => {
  execFileSync('umount', [directory])
  rmSync(directory, { recursive: true })
})

it('keeps the last whole want when a disk fills up, and writes the newest when there is room again', async () => {
  const file = join(directory, 'ledger.json')
  const ballast = join(directory, 'ballast')
  const small = wantWith([ipv4('172.31.0.7')])
  const large = wantWith(
    [ipv4('172.31.0.8')],
    Array.from({ length: 200 }, (_, index) => ({
      name: `n${index}`,
      ip: ipv4(`172.31.1.${index}`),
      primary: false,
    })),
  )
  const ledger = createLedger({ file, clock: systemClock, log: silentLog })
  await ledger.accept(small)
  writeFileSync(ballast, Buffer.alloc(52 * 1024))

  expect(await ledger.accept(large)).toEqual(large)
  expect(await createLedger({ file, clock: systemClock, log: silentLog }).load()).toEqual(small)
  expect(readdirSync(directory).toSorted()).toEqual(['ballast', 'ledger.json'])

  rmSync(ballast)
  await ledger.accept(large)
  expect(await createLedger({ file, clock: systemClock, log: silentLog }).load()).toEqual(large)
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

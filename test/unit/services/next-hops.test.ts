/** The program for next hops: what it is called with, again after failures, and after a crash. */
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type Clock, systemClock } from '../../../src/lib/clock.ts'
import { systemRunner } from '../../../src/lib/runner.ts'
import { ipv4 } from '../../../src/model/addr.ts'
import { createNextHops, type NextHops } from '../../../src/services/next-hops.ts'
import { silentLog } from '../../../tools/kit/log.ts'

let dir = ''
const open: NextHops[] = []
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'atoll-next-hops-'))
})
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
  rmSync(dir, { recursive: true })
})

/** A real program that writes down its arguments, and fails while there is a file `fail`. */
async function program(): Promise<string> {
  const path = join(dir, 'hook')
  const script = `#!/bin/sh\necho "$@" >> ${dir}/calls\n[ ! -e ${dir}/fail ]\n`
  await writeFile(path, script, { mode: 0o755 })
  return path
}

async function start(clock: Pick<Clock, 'sleep'> = systemClock): Promise<NextHops> {
  const hook = {
    program: await program(),
    hostAddress: async () => ipv4('192.0.2.7'),
    file: join(dir, 'next-hops.json'),
    run: systemRunner,
  }
  const nextHops = createNextHops(hook, { clock, log: silentLog })
  open.push(nextHops)
  return nextHops
}

const calls = async () =>
  (await readFile(join(dir, 'calls'), 'utf8').catch(() => '')).split('\n').filter(Boolean)
const A = ipv4('203.0.113.1')
const B = ipv4('203.0.113.2')

it('announces what comes, and withdraws what goes', async () => {
  const hops = await start()
  hops.announce(new Set([A, B]))
  await vi.waitFor(async () =>
    expect(await calls()).toEqual(['add 203.0.113.1 192.0.2.7', 'add 203.0.113.2 192.0.2.7']),
  )
  hops.announce(new Set([B]))
  await vi.waitFor(async () => expect((await calls()).at(-1)).toBe('remove 203.0.113.1 192.0.2.7'))
  hops.announce(new Set([B]))
  expect(await calls()).toHaveLength(3)
})

it('calls again after a failure, and goes on with the others meanwhile', async () => {
  await writeFile(join(dir, 'fail'), '')
  const hops = await start({ sleep: (_ms, signal) => systemClock.sleep(10, signal) })
  hops.announce(new Set([A, B]))
  await vi.waitFor(async () => expect((await calls()).length).toBeGreaterThan(3))
  expect(await calls()).toContain('add 203.0.113.2 192.0.2.7')
  rmSync(join(dir, 'fail'))
  await vi.waitFor(async () => {
    const before = (await calls()).length
    await systemClock.sleep(50)
    expect((await calls()).length).toBe(before)
  })
})

it('withdraws after a crash what has left meanwhile, and announces the rest anew', async () => {
  await writeFile(join(dir, 'next-hops.json'), JSON.stringify([A, B]))
  const hops = await start()
  hops.announce(new Set([B]))
  await vi.waitFor(async () =>
    expect(await calls()).toEqual(['remove 203.0.113.1 192.0.2.7', 'add 203.0.113.2 192.0.2.7']),
  )
  await vi.waitFor(async () =>
    expect(JSON.parse(await readFile(join(dir, 'next-hops.json'), 'utf8'))).toEqual([B]),
  )
})

it('ends a call that runs when it is closed', async () => {
  const hops = await start()
  await writeFile(
    join(dir, 'hook'),
    '#!/bin/sh\necho begun >> $(dirname $0)/calls\nexec sleep 60\n',
    {
      mode: 0o755,
    },
  )
  hops.announce(new Set([A]))
  await vi.waitFor(async () => expect(await calls()).toEqual(['begun']))
  const before = performance.now()
  await hops.close()
  expect(performance.now() - before).toBeLessThan(5000)
})

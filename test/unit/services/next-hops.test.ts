/** The program for next hops: what it is called with, again after failures, and after a crash. */
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type Clock, systemClock } from '../../../src/lib/clock.ts'
import { systemRunner } from '../../../src/lib/runner.ts'
import { ipv4 } from '../../../src/model/addr.ts'
import {
  createNextHops,
  type NextHopHook,
  type NextHops,
  withdrawNextHops,
} from '../../../src/services/next-hops.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { SOON } from '../../kit/soon.ts'

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

async function hookOf(more: Partial<NextHopHook> = {}): Promise<NextHopHook> {
  return {
    program: await program(),
    hostAddress: async () => ipv4('192.0.2.7'),
    file: join(dir, 'next-hops.json'),
    run: systemRunner,
    ...more,
  }
}

async function start(
  clock: Pick<Clock, 'sleep'> = systemClock,
  more: Partial<NextHopHook> = {},
): Promise<NextHops> {
  const hook = await hookOf(more)
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
  await vi.waitFor(
    async () =>
      expect(await calls()).toEqual(['add 203.0.113.1 192.0.2.7', 'add 203.0.113.2 192.0.2.7']),
    SOON,
  )
  hops.announce(new Set([B]))
  await vi.waitFor(
    async () => expect((await calls()).at(-1)).toBe('remove 203.0.113.1 192.0.2.7'),
    SOON,
  )
  hops.announce(new Set([B]))
  expect(await calls()).toHaveLength(3)
})

it('calls again after a failure, and goes on with the others meanwhile', async () => {
  await writeFile(join(dir, 'fail'), '')
  const hops = await start({ sleep: (_ms, signal) => systemClock.sleep(10, signal) })
  hops.announce(new Set([A, B]))
  await vi.waitFor(async () => expect((await calls()).length).toBeGreaterThan(3), SOON)
  expect(await calls()).toContain('add 203.0.113.2 192.0.2.7')
  rmSync(join(dir, 'fail'))
  await vi.waitFor(async () => {
    const before = (await calls()).length
    await systemClock.sleep(50)
    expect((await calls()).length).toBe(before)
  }, SOON)
})

it('withdraws after a crash what has left meanwhile, and announces the rest anew', async () => {
  await writeFile(join(dir, 'next-hops.json'), JSON.stringify([A, B]))
  const hops = await start()
  hops.announce(new Set([B]))
  await vi.waitFor(
    async () =>
      expect(await calls()).toEqual(['remove 203.0.113.1 192.0.2.7', 'add 203.0.113.2 192.0.2.7']),
    SOON,
  )
  await vi.waitFor(
    async () =>
      expect(JSON.parse(await readFile(join(dir, 'next-hops.json'), 'utf8'))).toEqual([B]),
    SOON,
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
  await vi.waitFor(async () => expect(await calls()).toEqual(['begun']), SOON)
  const before = performance.now()
  await hops.close()
  expect(performance.now() - before).toBeLessThan(SOON.timeout)
})

/** A limit that a test need not wait for; a program that ends by itself may be slow to begin. */
const soon: NextHopHook['run'] = (program, args, run) =>
  systemRunner(program, args, { ...run, timeoutMs: 300 })
const often = { sleep: (_ms: number, signal: AbortSignal) => systemClock.sleep(10, signal) }

it.each([
  ['prints without end', 'echo begun >> CALLS; cat /dev/zero', 'output limit'],
  ['hangs with a program that it started', 'echo begun >> CALLS; sleep 600; true', 'in time'],
  ['fails, and says why', 'echo begun >> CALLS; echo no session >&2; exit 1', 'no session'],
  ['says a lot', 'echo begun >> CALLS; head -c 90000 /dev/zero | tr "\\0" x >&2; exit 1', 'xxx'],
])('a program that %s is called again, and health says so', async (_what, script, reason) => {
  const path = join(dir, 'bad')
  await writeFile(path, `#!/bin/sh\n${script.replaceAll('CALLS', `${dir}/calls`)}\n`, {
    mode: 0o755,
  })
  const run = reason === 'in time' ? soon : systemRunner
  const hops = await start(often, { program: path, run })
  hops.announce(new Set([A]))
  await vi.waitFor(async () => expect((await calls()).length).toBeGreaterThan(1), SOON)
  const [said = ''] = hops.failing()
  expect(said).toContain(`${path} (network.nextHopHook) fails for ${A}`)
  expect(said).toContain(reason)
  expect(said.length).toBeLessThan(600)
  await writeFile(path, '#!/bin/sh\n', { mode: 0o755 })
  await vi.waitFor(() => expect(hops.failing()).toEqual([]), SOON)
})

it('what a program that hangs has started ends with it', async () => {
  const path = join(dir, 'bad')
  await writeFile(path, `#!/bin/sh\nsleep 600 & echo $! >> ${dir}/calls; wait\n`, { mode: 0o755 })
  const hops = await start(often, { program: path, run: soon })
  hops.announce(new Set([A]))
  await vi.waitFor(async () => expect((await calls()).length).toBeGreaterThan(1), SOON)
  const [first] = await calls()
  await vi.waitFor(() => expect(() => process.kill(Number(first), 0)).toThrow(/ESRCH/), SOON)
})

it('a program that leaves something behind has ended when it exits', async () => {
  const path = join(dir, 'leaving')
  await writeFile(path, `#!/bin/sh\nsleep 30 & echo done >> ${dir}/calls\n`, { mode: 0o755 })
  const hops = await start(often, { program: path })
  hops.announce(new Set([A, B]))
  await vi.waitFor(async () => expect(await calls()).toHaveLength(2), SOON)
  expect(hops.failing()).toEqual([])
})

it.each([
  ['is not there', null],
  ['may not be run', 0o644],
])('a program that %s is called when it can be', async (_what, mode) => {
  const path = join(dir, 'later')
  if (mode !== null) await writeFile(path, '#!/bin/sh\n', { mode })
  const hops = await start(often, { program: path })
  hops.announce(new Set([A]))
  await vi.waitFor(() => expect(hops.failing()).toHaveLength(1), SOON)
  rmSync(path, { force: true })
  await writeFile(path, `#!/bin/sh\necho "$@" >> ${dir}/calls\n`, { mode: 0o755 })
  await vi.waitFor(async () => expect(await calls()).toContain(`add ${A} 192.0.2.7`), SOON)
  await vi.waitFor(() => expect(hops.failing()).toEqual([]), SOON)
})

it('withdraws everything when Atoll is removed, and says what it could not', async () => {
  const file = join(dir, 'next-hops.json')
  await writeFile(file, JSON.stringify([A, B]))
  const hook = await hookOf()
  expect(await withdrawNextHops(hook)).toEqual([`next hop of ${A}`, `next hop of ${B}`])
  expect(await calls()).toEqual([`remove ${A} 192.0.2.7`, `remove ${B} 192.0.2.7`])
  expect(await withdrawNextHops(hook)).toEqual([])
  await writeFile(file, JSON.stringify([A, B]))
  await writeFile(join(dir, 'fail'), '')
  const lines = await withdrawNextHops(hook)
  expect(lines).toHaveLength(2)
  for (const line of lines) expect(line).toMatch(/^not removed: the next hop of .*: exit code 1$/)
  // It is not called for each: it may hang.
  expect(await calls()).toHaveLength(3)
})

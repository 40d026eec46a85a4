/** What is asked of `rbd`, `rados` and `ceph`, and what is made of their exit codes. */
import { expect, it } from 'vitest'
import { createCephPool } from '../../../../src/host/ceph/pool.ts'
import type { Clock } from '../../../../src/lib/clock.ts'
import type { Runner, RunResult } from '../../../../src/lib/runner.ts'
import { GIB } from '../../../../src/model/sizes.ts'
import type { HostFence } from '../../../../src/model/storage.ts'
import { silentLog } from '../../../../tools/kit/log.ts'
import { handClock } from '../../../kit/hand-clock.ts'
import { hostName, numbered } from '../../../kit/records.ts'

const STORAGE = 'rbd-0123456789abcdef'
const CLOUD = '00112233445566aa'
const MARKER = JSON.stringify({ version: 1, cloud: CLOUD, storage: STORAGE })
const place = { storage: STORAGE, volume: numbered('vol', 1) }
const NAME = `p/atoll-${place.volume}`

type Answer = Partial<RunResult>
const done: RunResult = { exitCode: 0, stoppedBy: null, stdout: '', stderr: '' }
const missing: Answer = { exitCode: 2, stderr: 'rbd: error opening image: (2) No such file' }

/** The marker is there. Everything else is answered by `answer`, and written down. */
function poolWith(
  answer: (words: string) => Answer | Error,
  fences: readonly HostFence[] | Error = [],
  clock: Clock = handClock(0),
) {
  const restored: HostFence[] = []
  const asked: string[] = []
  const limits: unknown[] = []
  const run: Runner = async (program, args, options) => {
    const words = [program, ...args.slice(WHO)].join(' ')
    limits.push({ ...options, who: args.slice(0, WHO) })
    if (words.startsWith('rbd image-meta get p/atoll-storage atoll.marker'))
      return { ...done, stdout: MARKER }
    if (words.startsWith('rados')) return { ...done, stdout: LOCK }
    asked.push(words)
    const said = answer(words)
    if (said instanceof Error) throw said
    return { ...done, ...said }
  }
  const pool = createCephPool(
    { pool: 'p', user: 'u', conf: '/c', keyring: '/k', cloud: CLOUD, host: 'a' },
    {
      run,
      clock,
      log: silentLog,
      newId: () => '0123456789abcdef',
      fences: {
        list: async () => {
          if (fences instanceof Error) throw fences
          return [...fences]
        },
        restore: async (one) => void restored.push(one),
      },
    },
  )
  return { pool, asked, limits, restored }
}
const WHO = 6
const OWN = '10.0.0.1'
const LOCK = JSON.stringify({
  lockers: [{ name: 'client.1', cookie: 'a-0123456789abcdef', addr: `${OWN}:0/1` }],
})

it('gives each command a user, a deadline, a process group and our end', async () => {
  const { pool, limits } = poolWith(() => missing)
  await expect(pool.find(place)).rejects.toMatchObject({ kind: 'refused' })
  for (const one of limits)
    expect(one).toMatchObject({
      who: ['--conf', '/c', '--id', 'u', '--keyring', '/k'],
      timeoutMs: expect.any(Number),
      outputLimitBytes: expect.any(Number),
      group: true,
      endsWithUs: true,
    })
})

it('makes a clone of a base, and enlarges it', async () => {
  let made = false
  const { pool, asked } = poolWith((words) => {
    if (words.startsWith('rbd clone')) made = true
    if (!words.startsWith('rbd info')) return {}
    const parent = { pool: 'p', image: 'atoll-base-x' }
    return made ? { stdout: JSON.stringify({ size: 2 ** 20, parent }) } : missing
  })
  await pool.make(place, { base: 'atoll-base-x', sizeBytes: GIB })
  expect(asked).toEqual([
    `rbd info ${NAME} --format json`,
    `rbd clone --rbd-default-clone-format 2 p/atoll-base-x@base ${NAME}`,
    `rbd info ${NAME} --format json`,
    `rbd resize --no-progress --size 1024M ${NAME}`,
  ])
})

it('leaves one alone that is whole, also of another import of its image', async () => {
  const base = (n: number) => `atoll-base-${'a'.repeat(64)}-0000000${n}`
  const { pool, asked } = poolWith(() => ({
    stdout: JSON.stringify({ size: GIB, parent: { pool: 'p', image: base(1) } }),
  }))
  await pool.make(place, { base: base(2), sizeBytes: GIB })
  expect(asked.every((words) => words.startsWith('rbd info'))).toBe(true)
})

it.each([
  ['no JSON', 'Segmentation fault'],
  ['a parent elsewhere', JSON.stringify({ size: 1, parent: { pool: 'q', image: 'x' } })],
])('touches nothing when info is %s', async (_what, stdout) => {
  const { pool, asked } = poolWith(() => ({ stdout }))
  await expect(pool.make(place, { base: 'b', sizeBytes: GIB })).rejects.toMatchObject({
    kind: 'unavailable',
  })
  expect(asked).toHaveLength(1)
})

it.each<[string, Answer | Error, RegExp]>([
  ['silent', { exitCode: null, stoppedBy: 'timeout' }, /does not answer in time/],
  ['endless', { exitCode: null, stoppedBy: 'output limit' }, /output limit/],
  ['not installed', new Error('ENOENT'), /ceph-common/],
  ['of no user', { exitCode: 13, stderr: 'denied' }, /storage\.ceph\.user/],
  ['refusing this host', { exitCode: 108 }, /blocklist/],
  ['open elsewhere', { exitCode: 16 }, /open somewhere/],
])('says what is wrong with a cluster that is %s', async (_what, answer, words) => {
  const { pool } = poolWith(() => answer)
  await expect(pool.remove(place)).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringMatching(words),
  })
})

const fence = (id: string, address = '10.0.0.9'): HostFence => ({
  host: hostName('lost'),
  fence: { storage: STORAGE, address, id, isEnding: false },
})
const other: HostFence = { ...fence('two', 'fd00::9'), host: hostName('other') }
const DAY_MS = 24 * 3_600_000

it('has lost hosts refused for a year, once for each takeover, and again each day', async () => {
  const fences = [fence('one'), other]
  const clock = handClock(0)
  const { pool, asked } = poolWith(() => ({}), fences, clock)
  const refuse = () => pool.refuseLost(STORAGE, true)
  await refuse()
  await refuse()
  expect(asked).toEqual([
    'ceph osd blocklist add 10.0.0.9:0/0 31536000',
    'ceph osd blocklist add [fd00::9]:0/0 31536000',
  ])
  fences[0] = fence('three')
  await refuse()
  expect(asked).toHaveLength(3)
  clock.pass(DAY_MS - 1)
  await refuse()
  expect(asked).toHaveLength(3)
  clock.pass(1)
  await refuse()
  expect(asked).toHaveLength(5)
})

it('is not sure before the cluster has said so', async () => {
  let fails = true
  const { pool, asked } = poolWith(() => (fails ? { exitCode: 1 } : {}), [fence('one')])
  await expect(pool.refuseLost(STORAGE, true)).rejects.toMatchObject({ kind: 'unavailable' })
  fails = false
  await pool.refuseLost(STORAGE, true)
  expect(asked).toHaveLength(2)
})

it.each<[string, HostFence[]]>([
  ['has ended it', []],
  ['comes from elsewhere by now', [fence('two', '10.0.0.8')]],
])('has a host begin anew that %s while it was being refused', async (_what, then) => {
  const fences = [fence('one')]
  const { pool, restored } = poolWith((words) => {
    if (words.startsWith('ceph')) fences.splice(0, 1, ...then)
    return {}
  }, fences)
  await expect(pool.refuseLost(STORAGE, true)).rejects.toThrow('is back')
  expect(restored).toEqual([fence('one')])
})

it('goes on when the host was taken over again while it was being refused', async () => {
  const fences = [fence('one')]
  const { pool, restored } = poolWith((words) => {
    if (words.startsWith('ceph')) fences.splice(0, 1, fence('two'))
    return {}
  }, fences)
  await pool.refuseLost(STORAGE, true)
  expect(restored).toEqual([])
})

it('asks another storage for nothing', async () => {
  const { host, fence: one } = fence('one')
  const elsewhere = { host, fence: { ...one, storage: 'rbd-ffffffffffffffff' } }
  const { pool, asked } = poolWith(() => ({}), [elsewhere])
  await pool.refuseLost(STORAGE, true)
  expect(asked).toEqual([])
})

it('needs the records only where others may have the disk', async () => {
  const { pool } = poolWith(() => ({}), new Error('away'))
  await expect(pool.refuseLost(STORAGE, true)).rejects.toThrow('away')
  await pool.refuseLost(STORAGE, false)
})

const users = (watchers: unknown, lockers: unknown) => (words: string) => {
  if (words === `rbd status ${NAME} --format json`) return { stdout: JSON.stringify({ watchers }) }
  if (words === `rbd lock ls ${NAME} --format json`) return { stdout: JSON.stringify(lockers) }
  return {}
}
const at = (address: string) => ({ address, client: 1, cookie: 1 })

it('has each process elsewhere refused that has a disk open, or its lock', async () => {
  const { pool, asked } = poolWith(
    users(
      [at('10.0.0.9:0/7'), at(`${OWN}:0/8`), at('[fd00::9]:0/9')],
      [{ ...at('10.0.0.9:0/7'), locker: 'client.2' }, at('v1:10.0.0.7:0/10')],
    ),
  )
  await pool.refuseUsers(place)
  expect(asked.slice(2)).toEqual([
    'ceph osd blocklist add 10.0.0.9:0/7 31536000',
    'ceph osd blocklist add [fd00::9]:0/9 31536000',
    'ceph osd blocklist add 10.0.0.7:0/10 31536000',
  ])
})

it.each<[string, unknown, unknown]>([
  ['a user without an address', [{ client: 1 }], []],
  ['a user whose address is none', [at('somewhere')], []],
  ['no list of users', { watcher: at('10.0.0.9:0/7') }, []],
  ['no list of locks', [], { lock: at('10.0.0.9:0/7') }],
])('is not sure who uses a disk when told %s', async (_what, watchers, lockers) => {
  const { pool, asked } = poolWith(users(watchers, lockers))
  await expect(pool.refuseUsers(place)).rejects.toMatchObject({ kind: 'unavailable' })
  expect(asked.filter((words) => words.startsWith('ceph'))).toEqual([])
})

/** Which node is used, when the test decides which are healthy. */
import { afterEach, expect, it } from 'vitest'
import { unavailable } from '../../../../../src/model/errors.ts'
import {
  CHECK_TIMEOUT_MS,
  type Node,
  Nodes,
} from '../../../../../src/store/engines/mariadb/nodes.ts'
import { silentLog } from '../../../../../tools/kit/log.ts'
import { eventually } from '../../../../../tools/kit/netns.ts'
import { fastClock } from '../../../../kit/fast-clock.ts'

const SPEEDUP = 5
const fast = fastClock(SPEEDUP)

/** `hangs`: it passes checks, but no thorough one. */
type Health = 'healthy' | 'spare' | 'refuses' | 'is slow' | 'is silent' | 'hangs'
const opened: Nodes[] = []
afterEach(() => {
  for (const nodes of opened.splice(0)) nodes.close()
})

/** Nodes of this health, numbered by their ports. */
function fixture(...healths: readonly Health[]) {
  const health = [...healths]
  const looks = health.map(() => 0)
  const left: number[] = []
  const list = health.map((_health, port): Node => ({ host: 'node', port }))
  const nodes = new Nodes({
    nodes: list,
    async healthCheck({ port }, { signal, isThorough }) {
      looks[port] = (looks[port] ?? 0) + 1
      if (health[port] === 'is silent' || (health[port] === 'hangs' && isThorough))
        await new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason))
        })
      // Longer than a check may take where there is another node.
      if (health[port] === 'is slow') await fast.sleep(CHECK_TIMEOUT_MS * 2, signal)
      if (health[port] === 'refuses') throw unavailable(`node ${port} refuses`)
      return health[port] === 'spare' ? 'spare' : 'healthy'
    },
    left: ({ port }) => left.push(port),
    clock: fast,
    log: silentLog,
  })
  opened.push(nodes)
  nodes.start()
  const at = (port: number): Node => {
    const node = list[port]
    if (node === undefined) throw new Error(`there is no node ${port}`)
    return node
  }
  const chosen = () =>
    nodes.choose().then(
      ({ port }) => port,
      () => 'none' as const,
    )
  return { nodes, health, looks, left, at, chosen }
}

it('is the first healthy one or else the first spare, whatever the others are, and all are looked at together', async () => {
  const each: readonly Health[] = ['healthy', 'spare', 'refuses', 'is silent']
  const all = each.flatMap((a) => each.flatMap((b) => each.map((c) => [a, b, c])))
  await Promise.all(
    all.map(async (healths) => {
      const { looks, chosen } = fixture(...healths)
      // All at once: one after the other, three silent ones would take three times as long.
      expect(looks).toStrictEqual([1, 1, 1])
      const first = healths.indexOf(healths.includes('healthy') ? 'healthy' : 'spare')
      expect(await chosen()).toBe(first === -1 ? 'none' : first)
    }),
  )
})

it('when the one in use is left, the next is looked at before it is used', async () => {
  const { nodes, health, left, at, chosen } = fixture('healthy', 'healthy', 'healthy')
  expect(await chosen()).toBe(0)
  health[0] = 'refuses'
  health[1] = 'refuses'
  nodes.leave(at(0), unavailable('as the test wants'))
  expect(nodes.isChosen(at(0))).toBe(false)
  expect(await chosen()).toBe(2)
  expect(left).toStrictEqual([0, 1])
})

it('a check that finds a node away leaves it, and those that ask together share it', async () => {
  const { nodes, health, looks, at, chosen } = fixture('healthy', 'healthy')
  await chosen()
  const before = looks[0] ?? 0
  expect(await Promise.all([1, 2, 3].map(() => nodes.check(at(0))))).toStrictEqual([
    'healthy',
    'healthy',
    'healthy',
  ])
  expect(looks[0]).toBe(before + 1)
  health[0] = 'is silent'
  expect(await Promise.all([nodes.check(at(0)), nodes.check(at(0))])).toStrictEqual([
    'away',
    'away',
  ])
  expect(await chosen()).toBe(1)
})

it('a node is given the time that its answers usually take', async () => {
  const { nodes, health, at, chosen } = fixture('healthy', 'healthy')
  await chosen()
  for (let n = 0; n < 5; n += 1) nodes.answered(at(0), 900)
  expect(nodes.doubtAfterMs(at(0))).toBeGreaterThan(900)
  expect(nodes.doubtAfterMs(at(1))).toBeLessThan(300)
  health[0] = 'is slow'
  health[1] = 'is slow'
  // A check may have begun before the node became slow.
  await eventually('the other is away', async () => {
    const [usual, other] = await Promise.all([nodes.check(at(0)), nodes.check(at(1))])
    expect(usual).toBe('healthy')
    return other === 'away'
  })
})

it('whoever uses a node that becomes a spare is not cut off, and goes to the next healthy one', async () => {
  const { nodes, health, left, at, chosen } = fixture('healthy', 'refuses')
  expect(await chosen()).toBe(0)
  health[0] = 'spare'
  expect(await nodes.check(at(0))).toBe('healthy')
  expect(await chosen()).toBe(0)
  expect(nodes.isChosen(at(0))).toBe(true)
  health[1] = 'healthy'
  await eventually('the other one is used', async () => (await chosen()) === 1)
  expect(left).toStrictEqual([1])
  health[0] = 'healthy'
  await eventually('the first is preferred again', async () => (await chosen()) === 0)
  expect(left).toStrictEqual([1])
})

it('a spare that does not serve any more is left', async () => {
  const { nodes, health, left, at, chosen } = fixture('spare', 'refuses')
  expect(await chosen()).toBe(0)
  health[0] = 'refuses'
  expect(await nodes.check(at(0))).toBe('away')
  expect(await chosen()).toBe('none')
  expect(left).toContain(0)
})

it('a node that falls silent is left at once for another one, and not soon for nobody', async () => {
  const timeToLeave = async (...healths: readonly Health[]) => {
    const { nodes, health, at, chosen } = fixture(...healths)
    await chosen()
    health[0] = 'is silent'
    const start = fast.monotonic()
    expect(await nodes.check(at(0))).toBe('away')
    return fast.monotonic() - start
  }
  const [alone, last, first] = await Promise.all([
    timeToLeave('healthy'),
    timeToLeave('healthy', 'refuses', 'is silent'),
    timeToLeave('healthy', 'refuses', 'healthy'),
  ])
  expect(alone).toBeGreaterThan(3_000)
  expect(last).toBeGreaterThan(3_000)
  // All three wait in one process, so a busy machine delays them alike.
  expect(first).toBeLessThan(Math.min(alone, last))
}, 15_000)

it('a node that is slow and the only one goes on, and so does whoever waits for it', async () => {
  const { nodes, health, left, at, chosen } = fixture('healthy', 'refuses')
  await chosen()
  health[0] = 'is slow'
  expect(await nodes.check(at(0))).toBe('healthy')
  expect(await chosen()).toBe(0)
  expect(left).not.toContain(0)
})

it('a node that disappoints again and again is trusted later and later', async () => {
  const { nodes, at, chosen } = fixture('healthy', 'healthy')
  const absencesMs: number[] = []
  for (let time = 0; time < 4; time += 1) {
    await chosen()
    const start = fast.monotonic()
    nodes.leave(at(0), unavailable('as the test wants'))
    await eventually('the first is chosen again', async () => (await chosen()) === 0, 20_000)
    absencesMs.push(fast.monotonic() - start)
  }
  expect(absencesMs[0]).toBeGreaterThan(1_000)
  expect(absencesMs[1]).toBeGreaterThan(2_000)
  expect(absencesMs[2]).toBeGreaterThan(4_000)
  expect(absencesMs[3]).toBeGreaterThan(8_000)
})

it('when there is no other, the first that comes back is used at once', async () => {
  const { health, chosen } = fixture('refuses', 'refuses')
  expect(await chosen()).toBe('none')
  health[1] = 'healthy'
  await eventually('somebody serves', async () => (await chosen()) !== 'none')
  expect(await chosen()).toBe(1)
})

it('one that answers checks and nothing else is left after a thorough one, and stays away until it passes one', async () => {
  const { nodes, health, looks, left, at, chosen } = fixture('healthy', 'healthy')
  await chosen()
  health[0] = 'hangs'
  expect(await nodes.check(at(0))).toBe('healthy')
  // Both at once: neither takes the other's answer for its own.
  const thorough = nodes.check(at(0), { isThorough: true })
  await nodes.check(at(0))
  expect(await thorough).toBe('away')
  expect(left).toStrictEqual([0])
  expect(await chosen()).toBe(1)
  const before = looks[0] ?? 0
  await eventually('it is looked at again and again', () => (looks[0] ?? 0) > before + 3, 20_000)
  expect(await chosen()).toBe(1)
  health[0] = 'healthy'
  await eventually('it is preferred again', async () => (await chosen()) === 0, 20_000)
}, 50_000)

it('what is known of the writes at a node is forgotten when it is left', async () => {
  const { nodes, at, chosen } = fixture('healthy', 'healthy')
  await chosen()
  const gate = nodes.gateOf(at(0))
  expect(gate.enter()).toBe(true)
  gate.leave('stuck')
  expect(nodes.gateOf(at(0)).enter()).toBe(false)
  expect(nodes.gateOf(at(1)).enter()).toBe(true)
  nodes.leave(at(0), unavailable('as the test wants'))
  expect(nodes.gateOf(at(0)).enter()).toBe(true)
})

it('once closed it looks at nobody', async () => {
  const { nodes, looks, chosen } = fixture('refuses', 'is silent')
  await chosen()
  nodes.close()
  const before = [...looks]
  await fast.sleep(5_000)
  expect(looks).toStrictEqual(before)
})

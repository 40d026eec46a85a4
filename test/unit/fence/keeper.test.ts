import { expect, it } from 'vitest'
import { type ClusterMember, FenceCluster, GUARDED, TIMES } from '../../kit/fence-cluster.ts'

const happened = ({ events }: ClusterMember, what: string) =>
  events.filter((event) => event.what === what)

/** Three hosts that have permission, of which `a` guards an instance. */
function running(): { readonly cluster: FenceCluster; readonly a: ClusterMember } {
  const cluster = new FenceCluster(['a', 'b', 'c'])
  const a = cluster.get('a')
  a.keeper.guard([GUARDED], () => undefined)
  cluster.pass(TIMES.promiseMs + 3 * TIMES.askMs)
  expect(a.keeper.mayRun()).toBe(true)
  a.events.length = 0
  return { cluster, a }
}

it('has no permission before members may promise, and then one term', () => {
  const cluster = new FenceCluster(['a', 'b', 'c'])
  cluster.pass(TIMES.promiseMs - 1)
  expect(cluster.members.map(({ keeper }) => keeper.mayRun())).toEqual([false, false, false])
  cluster.pass(2 * TIMES.askMs)
  expect(cluster.members.map(({ keeper }) => keeper.mayRun())).toEqual([true, true, true])
  cluster.pass(100 * TIMES.askMs)
  expect(cluster.members.map(({ keeper }) => keeper.permission.term)).toEqual([1, 1, 1])
})

it('arms before it asks, and promotes and feeds only what was granted', () => {
  const { cluster, a } = running()
  cluster.pass(TIMES.askMs)
  const order = a.events.map(({ what }) => what.replace(/\d+/, ''))
  expect(order).toEqual(['armed ', 'saved', 'promoted ', 'fed'])
})

it('asks nobody when the kernel does not take the permission', () => {
  const { cluster, a } = running()
  a.onArm = () => {
    throw new Error('ENOENT')
  }
  cluster.sent.length = 0
  for (const { name, keeper } of cluster.members) if (name !== 'a') keeper.close()
  cluster.pass(TIMES.askMs)
  expect(cluster.sent).toEqual([])
  cluster.pass(TIMES.permissionMs)
  expect(a.keeper.mayRun()).toBe(false)
})

it('stops everything when its permission ends, then disarms, and asks only after that', () => {
  const { cluster, a } = running()
  a.unkillable = 1
  cluster.cut.add(a.name)
  cluster.pass(TIMES.permissionMs + TIMES.askMs)
  expect(happened(a, 'killed').length).toBeGreaterThan(10)
  expect(happened(a, 'disarmed')).toEqual([])
  cluster.cut.delete(a.name)
  cluster.pass(10 * TIMES.askMs)
  // The watchdog is fed no more, whatever others would grant.
  expect(a.keeper.mayRun()).toBe(false)
  const [firstKill] = happened(a, 'killed')
  const fed = happened(a, 'fed').filter(({ atMs }) => atMs > (firstKill?.atMs ?? 0))
  expect(fed).toEqual([])
  a.unkillable = 0
  cluster.pass(2 * TIMES.askMs)
  expect(happened(a, 'disarmed')).toHaveLength(1)
  expect(a.keeper.mayRun()).toBe(true)
  expect(a.keeper.permission.term).toBe(2)
})

it('does not count an answer that has waited while the process was stopped', () => {
  const { cluster, a } = running()
  // Just after it has asked.
  while (!a.events.some(({ what }) => what.startsWith('armed'))) cluster.pass(1)
  a.events.length = 0
  a.stoppedUntilMs = cluster.nowMs + TIMES.permissionMs + 5_000
  cluster.pass(TIMES.permissionMs + 5_000 - 1)
  expect(a.events).toEqual([])
  cluster.pass(TIMES.askMs)
  expect(happened(a, 'killed').length).toBeGreaterThan(0)
  const killedAtMs = happened(a, 'killed')[0]?.atMs ?? 0
  expect(happened(a, 'fed').every(({ atMs }) => atMs > killedAtMs)).toBe(true)
  expect(happened(a, 'disarmed')).toHaveLength(1)
})

it('stops everything when it was stopped between a grant and the feeding', () => {
  const { cluster, a } = running()
  a.onFeed = () => {
    cluster.nowMs += TIMES.replyMs
    a.onFeed = () => undefined
  }
  cluster.pass(TIMES.askMs)
  expect(happened(a, 'fed')).toHaveLength(1)
  expect(happened(a, 'killed')).not.toEqual([])
  expect(happened(a, 'disarmed')).toHaveLength(1)
})

it('ends what is started too late', () => {
  const { cluster, a } = running()
  cluster.cut.add(a.name)
  cluster.pass(2 * TIMES.permissionMs)
  a.events.length = 0
  cluster.pass(1_000)
  expect(happened(a, 'killed').length).toBeGreaterThanOrEqual(3)
})

it('says that a list is taken when its watchdog is armed', () => {
  const { cluster } = running()
  const b = cluster.get('b')
  cluster.pass(10)
  let takenAtMs = 0
  b.keeper.guard([GUARDED], () => {
    takenAtMs = cluster.nowMs
  })
  expect(takenAtMs).toBe(0)
  cluster.pass(2 * TIMES.askMs)
  expect(takenAtMs).toBe(happened(b, 'fed')[0]?.atMs)
  b.keeper.guard([], () => undefined)
  expect(happened(b, 'disarmed')).toHaveLength(1)
})

it('goes on in the term of the process before, and in another one after its end', () => {
  const grantedAtMs = 1_000_000 - TIMES.permissionMs + 100
  const goesOn = new FenceCluster(['a'], { saved: { term: 7, grantedAtMs, id: 'x' } })
  expect(goesOn.get('a').keeper.mayRun()).toBe(true)
  expect(goesOn.get('a').keeper.permission.id).toBe('x')
  const ended = new FenceCluster(['a'], {
    saved: { term: 7, grantedAtMs: grantedAtMs - 100, id: 'x' },
  })
  expect(ended.get('a').keeper.mayRun()).toBe(false)
  ended.pass(TIMES.promiseMs + 2 * TIMES.askMs)
  expect(ended.get('a').keeper.permission).toMatchObject({
    ...{ term: 8, id: expect.stringMatching(/^[0-9a-f]{32}$/) },
  })
})

it('does not say that it feeds a watchdog which does not take it, and stops', () => {
  const { cluster, a } = running()
  expect(a.keeper.feeds()).toBe(true)
  a.onFeed = () => {
    throw new Error('EBUSY')
  }
  cluster.pass(2 * TIMES.askMs)
  expect(a.keeper.feeds()).toBe(false)
  cluster.pass(TIMES.permissionMs)
  expect(a.keeper.mayRun()).toBe(false)
  expect(happened(a, 'killed')).not.toEqual([])
  // Without anything to guard it is not fed, so nothing is known of it.
  a.keeper.guard([], () => undefined)
  expect(a.keeper.feeds()).toBe(true)
  cluster.pass(2 * TIMES.askMs)
  expect(a.keeper.mayRun()).toBe(true)
})

it('stops everything when it is asked to, disarms only after that, and asks nobody again', () => {
  const { cluster, a } = running()
  a.unkillable = 1
  let stoppedAtMs = 0
  a.keeper.stop(() => {
    stoppedAtMs = cluster.nowMs
  })
  expect(a.keeper.mayRun()).toBe(false)
  expect(a.keeper.permission.grantedAtMs).toBe(null)
  cluster.pass(2 * TIMES.permissionMs)
  expect(happened(a, 'killed').length).toBeGreaterThan(10)
  expect(happened(a, 'disarmed')).toEqual([])
  expect(stoppedAtMs).toBe(0)
  a.unkillable = 0
  cluster.pass(TIMES.askMs)
  expect(happened(a, 'disarmed')).toHaveLength(1)
  expect(stoppedAtMs).toBe(happened(a, 'disarmed')[0]?.atMs)
  cluster.pass(10 * TIMES.promiseMs)
  expect(a.keeper.mayRun()).toBe(false)
  const asked = a.events.filter(({ what }) => what === 'fed' || what.startsWith('armed'))
  expect(asked).toEqual([])
  a.keeper.close()
})

it('has stopped at once where nothing runs, or nothing may run already', () => {
  const { cluster } = running()
  let stopped = 0
  const count = () => {
    stopped += 1
  }
  // It guards nothing.
  cluster.get('b').keeper.stop(count)
  expect(stopped).toBe(1)
  const c = cluster.get('c')
  c.keeper.guard([GUARDED], () => undefined)
  cluster.cut.add(c.name)
  cluster.pass(2 * TIMES.permissionMs)
  expect(c.keeper.mayRun()).toBe(false)
  c.keeper.stop(count)
  expect(stopped).toBe(2)
})

it('leaves everything as it is when it is closed, for the process after it', () => {
  const { cluster, a } = running()
  a.keeper.close()
  cluster.pass(2 * TIMES.permissionMs)
  expect(a.events).toEqual([])
})

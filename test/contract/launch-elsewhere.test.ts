/**
 * What a launch in a VPC costs a host that has no instance there: nothing. Agents of three hosts
 * over one store and a real RabbitMQ; every way to the records is counted.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Agent, startAgent } from '../../src/agent/agent.ts'
import { runInstances } from '../../src/api/actions/run-instances.ts'
import type { Bell } from '../../src/bus/bus.ts'
import { ringConcerned } from '../../src/bus/ring.ts'
import { cidr, cidrAddress } from '../../src/model/addr.ts'
import type { HostName } from '../../src/model/ids.ts'
import { announcing } from '../../src/store/announce.ts'
import type { Store } from '../../src/store/store.ts'
import { createFakeMachine } from '../../tools/bench/scale/machine.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { type RabbitNode, startRabbit } from '../../tools/kit/rabbit.ts'
import { openTestBus, quiet, type TestBus } from '../../tools/kit/rabbit-bus.ts'
import { agentParts, countingService } from '../kit/agent.ts'
import { ALICE, type Cloud, openCloud } from '../kit/api-cloud.ts'
import { instanceId, instanceRecord, nicRecord, numbered } from '../kit/records.ts'

const PATIENCE_MS = 30_000
const NEVER_MS = 600_000
const ROOM = { vcpus: 64, memoryMiB: 65_536 }

interface TestHost {
  readonly end: TestBus
  readonly agent: Agent
  /** How often it asked the records for anything since it was last set to nothing. */
  readonly asked: { times: number }
  readonly heard: Bell[]
}

let broker: RabbitNode
let cloud: Cloud
let directory: string
/** Takes every launch; has an instance in the other VPC; has none. */
let launcher: TestHost
let far: TestHost
let empty: TestHost
const otherSubnet = numbered('subnet', 9)

/** The store; `asked` counts each time that it is asked for anything. */
function counted(store: Store, asked: { times: number }): Store {
  const count = () => {
    asked.times += 1
  }
  return {
    ...store,
    change: (work) => {
      count()
      return store.change(work)
    },
    claim: (work) => {
      count()
      return store.claim(work)
    },
    single: (work) => {
      count()
      return store.single(work)
    },
    read: (work, options) => {
      count()
      return store.read(work, options)
    },
  }
}

async function startHost(end: TestBus, runs: boolean): Promise<TestHost> {
  const { host, bus, metrics } = end
  const asked = { times: 0 }
  const heard: Bell[] = []
  bus.onBell((bell) => heard.push(bell))
  const store = announcing(counted(cloud.store, asked), (scopes) => ringConcerned(bus, scopes))
  const waker: { agent?: Agent } = {}
  const services = runs
    ? [createFakeMachine(() => waker.agent?.wake())]
    : [countingService('workloads').service]
  const agent = startAgent(
    agentParts(join(directory, host), {
      ...{ store, bus, services, metrics },
      watchKernel: () => () => undefined,
    }),
    { host, identity: host, intervalMs: NEVER_MS, resyncMs: NEVER_MS },
  )
  waker.agent = agent
  await eventually('it has looked', () => agent.status().passes > 0, PATIENCE_MS)
  return { end, agent, asked, heard }
}

/** A second VPC, in which `host` has an instance. */
async function addVpc(host: HostName): Promise<void> {
  const vpc = { ...cloud.vpc, id: numbered('vpc', 9), cidr: cidr('10.9.0.0/16'), isDefault: false }
  const block = cidr('10.9.0.0/20')
  const subnet = { ...cloud.subnet, id: otherSubnet, vpc: vpc.id, cidr: block, isDefault: false }
  const group = { ...cloud.group, id: numbered('sg', 9), vpc: vpc.id }
  const id = instanceId(9)
  await cloud.store.change(async (tx) => {
    await tx.insertVpc(vpc)
    await tx.insertSubnet(subnet)
    await tx.insertGroup(group)
    const state = { state: 'running', claimed: true, bootSeen: 1 } as const
    const of = { account: ALICE, image: cloud.image }
    await tx.insertInstance({ ...instanceRecord(id, host), ...state, ...of })
    const where = { vpc: vpc.id, subnet: subnet.id, ip: cidrAddress(block, 100) }
    await tx.insertNic({ ...nicRecord(id, 9), account: ALICE, ...where, groups: [group.id] })
  })
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-elsewhere-'))
  broker = await startRabbit()
  const [api, ...ends] = ['api', 'host1', 'host2', 'host3'].map((name) =>
    openTestBus(name, [broker.address]),
  )
  const [first, second, third] = ends
  if (api === undefined || first === undefined || second === undefined || third === undefined)
    throw new Error('there are four')
  await quiet(api, ...ends)
  cloud = await openCloud({ hosts: [ROOM, ROOM, ROOM], bus: api.bus })
  await addVpc(second.host)
  await cloud.store.change(async (tx) => {
    for (const { host } of [second, third]) await tx.setHostState(host, 'draining')
  })
  launcher = await startHost(first, true)
  far = await startHost(second, false)
  empty = await startHost(third, false)
  const { heard } = far
  await eventually('it follows its VPC', () => heard.includes(numbered('vpc', 9)), PATIENCE_MS)
  await eventually('and has looked', () => far.agent.status().passes > 1, PATIENCE_MS)
}, 120_000)
afterAll(async () => {
  for (const { agent, end } of [launcher, far, empty]) {
    await agent.close()
    await end.bus.close()
  }
  await cloud[Symbol.asyncDispose]()
  await broker[Symbol.asyncDispose]()
  await rm(directory, { recursive: true })
})

/**
 * Launches one instance, which the launcher runs in the end, and notes what that made the hosts do.
 */
async function launch(more: object): Promise<void> {
  for (const { asked, heard } of [launcher, far, empty]) {
    asked.times = 0
    heard.length = 0
  }
  await cloud.run(runInstances, { ImageId: cloud.image, MinCount: 1, MaxCount: 1, ...more })
  await eventually(
    'it runs',
    async () => {
      const all = await cloud.store.read((tx) => tx.instances({ hosts: [launcher.end.host] }))
      return all.length > 0 && all.every(({ state }) => state === 'running')
    },
    PATIENCE_MS,
  )
  expect(launcher.asked.times).toBeGreaterThan(0)
}

/** Rings a host for itself, after all that it was rung for before. */
async function readAgain({ end, asked, heard }: TestHost): Promise<void> {
  const before = asked.times
  cloud.parts.bus.ring(end.host)
  await eventually('it hears', () => heard.includes('own'), PATIENCE_MS)
  await eventually('it looks', () => asked.times > before, PATIENCE_MS)
}

it('asks the records nothing for a launch in a VPC that it has nothing of', async () => {
  await launch({})
  // A bell of its own comes after those of the launch, and costs one statement.
  for (const host of [far, empty]) {
    await readAgain(host)
    expect([host.heard, host.asked.times]).toEqual([['own'], 1])
  }
})

it('asks for a launch in a VPC that it has instances in, and a host without any does not', async () => {
  await launch({ SubnetId: otherSubnet })
  const { asked, heard } = far
  await eventually('it looks', () => asked.times > 0, PATIENCE_MS)
  expect(heard).toContain(numbered('vpc', 9))
  await readAgain(empty)
  expect([empty.heard, empty.asked.times]).toEqual([['own'], 1])
})

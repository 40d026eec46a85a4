/**
 * Someone who can write to the database puts something else into any column of any table: nothing,
 * text without end, text that is no JSON, numbers that nobody counts to, bytes, what belongs to
 * another row.
 *
 * The rows are those of one account. Everything of another account on the same host stays as it
 * was: what the host wants to be, all answers of the API, and launches. Neither account's requests
 * meet a bug, and the operator is told which row and column cannot be read.
 *
 * Before: an integer beyond 2^53 made every reading of its table fail, and so every pass of the
 * host. A size of half a GiB made the row of its host unreadable, which then followed nothing any
 * more. While any row was unreadable, all peerings of the host were gone; and while one of routes
 * or network ACLs was, no host followed a change of any account's routes. A NIC could be put into a
 * group of another VPC, and its address was admitted there. What referred to a row whose key was
 * another met a bug, such as a NAT gateway in a subnet of such a VPC. An address of a pool that
 * could not be read was given to somebody else, while its host went on using it. A volume that
 * named no instance was counted as gone, and nobody was told.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Agent, startAgent } from '../../src/agent/agent.ts'
import { createLedger } from '../../src/agent/ledger.ts'
import { allActions } from '../../src/api/actions/all.ts'
import { createLocalBus } from '../../src/bus/local.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { ipv4 } from '../../src/model/addr.ts'
import { AtollError } from '../../src/model/errors.ts'
import { type AccountId, parseAccountId } from '../../src/model/ids.ts'
import { NO_PREFERENCE } from '../../src/model/metadata-options.ts'
import { MIB } from '../../src/model/sizes.ts'
import type { HostWant } from '../../src/model/want.ts'
import { wantsByVpc } from '../../src/plan/vpc-wants.ts'
import { openSqliteStore } from '../../src/store/engines/sqlite/dialect.ts'
import { NOUNS } from '../../src/store/nouns.ts'
import type { AnyTable } from '../../src/store/records/noun.ts'
import { createRowWatch, type RowWatch } from '../../src/store/records/rows.ts'
import type { Store } from '../../src/store/store.ts'
import { LONE_FIREWALL, NO_HOST_ROUTING } from '../../tools/kit/instance.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { actionNamed, makeWorld, REQUESTS, type World } from '../kit/account-world.ts'
import { known } from '../kit/api.ts'
import { ALICE, BOB, type Cloud, hostRow, openCloud } from '../kit/api-cloud.ts'
import { hostName } from '../kit/records.ts'
import { renderRuleset } from '../kit/rules-text.ts'
import { isLong } from '../long-files.ts'

const HOST = hostName('host1')
const LONG_MS = 3_600_000
const CAPACITY = { vcpus: 64, memoryMiB: 65_536 }
/** Whom images are shared with. */
const CAROL = '000000000003'
const POOL = {
  name: 'public',
  ranges: [{ first: ipv4('203.0.113.10'), last: ipv4('203.0.113.40') }],
  zones: null,
}
/** Requests of the other account that choose something by what all accounts have. */
const CHOOSING = ['RunInstances', 'AllocateAddress', 'CreateNetworkInterface', 'CreateVpc']

/** Those that ask an instance's host, which answers nothing here. */
const ASKS_HOST = /^GetConsole/

interface Row {
  readonly rowid: number
  readonly [column: string]: SQLInputValue
}
/** What is put into a column; undefined: it would be what is there. */
type Damage = (column: string, row: Row, others: readonly Row[]) => SQLInputValue | undefined

const DAMAGES: Readonly<Record<string, Damage>> = {
  nothing: () => null,
  'an empty text': () => '',
  'a text of 1 MiB': () => 'x'.repeat(MIB),
  'half of a JSON object': () => '{"a": [',
  'control characters': () => 'a\u0000b\n\u001b[2J',
  'a negative number': () => -1,
  'a fraction': () => 0.5,
  'a number beyond 2^53': () => 2n ** 62n,
  bytes: () => Buffer.from([0xff, 0xfe, 0]),
  "another row's value": (column, row, others) =>
    others.map((other) => other[column]).find((value) => value !== row[column]),
  "another row's id": (_column, row, others) =>
    others.map(({ id }) => id).find((id) => id !== undefined && id !== row['id']),
}

const NAMES = Object.keys(DAMAGES)
/** Whether all accounts are shown the rows. What is free is not known while one of a VPC is bad. */
const isShared = ({ name }: AnyTable) => ['hosts', 'instanceTypes', 'vpcs'].includes(name)

/**
 * Whether the column says which address of a pool is taken. The host of one that cannot be read
 * goes on using it, so nobody is given an address of the pool until it is known which that is.
 */
const isTaken = ({ name }: AnyTable, column: string) => name === 'addresses' && column === 'ip'

/** The earlier answers, but requests that choose an address may be told that it is not known. */
function untold(
  before: Readonly<Record<string, unknown>>,
  now: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(before).map(([asked, answer]) => {
      const chooses = CHOOSING.some((name) => asked.startsWith(`${name} `))
      return [asked, chooses && now[asked] === 'Unavailable' ? 'Unavailable' : answer]
    }),
  )
}

let directory: string
let store: Store
let cloud: Cloud
let rows: RowWatch
let agent: Agent
/** A connection of its own, which asks for no foreign keys. */
let attacker: DatabaseSync
const worlds = new Map<AccountId, World>()
const wants: HostWant[] = []
const bus = createLocalBus()

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-damaged-'))
  const file = join(directory, 'atoll.db')
  rows = createRowWatch({ log: silentLog, monotonic: () => performance.now() })
  store = await openSqliteStore({ file, log: silentLog, rows })
  await store.migrate()
  // Nothing fits on the second.
  const hosts = [CAPACITY, { vcpus: 0, memoryMiB: 0 }]
  cloud = await openCloud({ store, bus, hosts, settings: { vpcPlace: 'own', pools: [POOL] } })
  await cloud.run(actionNamed('CreateDefaultVpc'), {}, BOB)
  for (const [account, name] of [
    [ALICE, 'alice'],
    [BOB, 'bob'],
  ] as const)
    worlds.set(account, await makeWorld(cloud, account, name))
  await fillTheRest()
  attacker = new DatabaseSync(file, { timeout: 5000, enableForeignKeyConstraints: false })
  attacker.prepare('update hosts set leaseUntilMs = ?').run(Date.now() + LONG_MS)
  agent = startHost()
  await eventually('the first pass', () => agent.status().passes >= 1)
}, 60_000)
afterAll(async () => {
  await agent?.close()
  await cloud?.[Symbol.asyncDispose]()
  await store.close()
  attacker?.close()
  await rm(directory, { recursive: true })
})

/** Tables that nothing else fills, and peerings of both accounts, also of one with the other. */
async function fillTheRest(): Promise<void> {
  const carol = known(parseAccountId(CAROL))
  await store.change((tx) =>
    tx.insertAccount({ id: carol, name: 'carol', metadata: NO_PREFERENCE }),
  )
  const [alice, bob] = [known(worlds.get(ALICE)), known(worlds.get(BOB))]
  const createdAt = new Date(Date.now() + LONG_MS).toISOString()
  const token = { action: 'CreateNatGateway', token: 't', parametersHash: 'h', result: 'r' }
  await store.change((tx) => tx.insertClientToken({ account: ALICE, ...token, createdAt }))
  const { Vpc } = (await cloud.run(
    actionNamed('CreateVpc'),
    { CidrBlock: '10.9.0.0/16' },
    BOB,
  )) as {
    Vpc: { VpcId: string }
  }
  const asked = { VpcId: alice.otherVpc, PeerVpcId: Vpc.VpcId, PeerOwnerId: BOB }
  const { VpcPeeringConnection: made } = (await cloud.run(
    actionNamed('CreateVpcPeeringConnection'),
    asked,
  )) as { VpcPeeringConnection: { VpcPeeringConnectionId: string } }
  const accept = actionNamed('AcceptVpcPeeringConnection')
  await cloud.run(accept, { VpcPeeringConnectionId: made.VpcPeeringConnectionId }, BOB)
  await cloud.run(accept, { VpcPeeringConnectionId: bob.peering }, BOB)
  for (const [account, world] of worlds) {
    const { image, dhcpOptions, vpc, placementName } = world
    const launch = { ImageId: image, InstanceType: 't3.micro', MinCount: 1, MaxCount: 1 }
    const more = { Placement: { GroupName: placementName } }
    await cloud.run(actionNamed('RunInstances'), { ...launch, ...more }, account)
    const options = { VpcId: vpc, DhcpOptionsId: dhcpOptions }
    await cloud.run(actionNamed('AssociateDhcpOptions'), options, account)
    const { aclAssociation: AssociationId, otherAcl: NetworkAclId, instance } = world
    const replaced = { AssociationId, NetworkAclId }
    await cloud.run(actionNamed('ReplaceNetworkAclAssociation'), replaced, account)
    const named = { Resources: [instance], Tags: [{ Key: 'Name', Value: 'web' }] }
    await cloud.run(actionNamed('CreateTags'), named, account)
    const shared = { ImageId: image, LaunchPermission: { Add: [{ UserId: CAROL }] } }
    await cloud.run(actionNamed('ModifyImageAttribute'), shared, account)
  }
}

/** The agent of the host, with a service that only looks at the want. It reads all in each pass. */
function startHost(): Agent {
  const metrics = createMetrics()
  const file = join(directory, 'ledger.json')
  const ledger = createLedger({ file, clock: systemClock, log: silentLog })
  const looks = {
    ...{ name: 'looks', gate: false, close: async () => undefined },
    async apply({ want }: { readonly want: HostWant }) {
      wants.push(want)
      const { own, vpcs } = wantsByVpc(want)
      for (const part of [own, ...[...vpcs.values()].map((one) => one.want)])
        renderRuleset(part, LONE_FIREWALL, NO_HOST_ROUTING)
      return []
    },
  }
  return startAgent(
    {
      ...{ store, bus, ledger, rows, services: [looks], metrics },
      watchKernel: () => () => undefined,
      onRecordsChanged: () => undefined,
      ...{ clock: systemClock, log: silentLog, random: () => 0 },
    },
    { host: HOST, identity: HOST, intervalMs: LONG_MS, resyncMs: 0 },
  )
}

/** What the host wants to be for Bob, after one more pass. */
async function wantForBob(): Promise<object> {
  const { passes } = agent.status()
  bus.ring(HOST)
  await eventually('a pass', () => agent.status().passes > passes)
  expect(agent.status()).toMatchObject({ source: 'records', failing: {} })
  const want = known(wants.at(-1))
  wants.length = 0
  // As its lease does from time to time, with the sizes of all volumes.
  await store.change((tx) => tx.upsertHost(hostRow(HOST, CAPACITY), LONG_MS))
  const hosts = await store.read((tx) => tx.hosts())
  expect(hosts.find(({ name }) => name === HOST)).toMatchObject({ live: true })
  const instances = want.local.instances.filter(({ account }) => account === BOB)
  const networks = new Set(instances.flatMap(({ nics }) => nics.map(({ network }) => network)))
  const parts = [...wantsByVpc(want).vpcs].filter(([network]) => networks.has(network))
  expect(parts.length).toBeGreaterThan(0)
  return {
    instances,
    usage: await store.read((tx) => tx.accountUsage(BOB)),
    parts: parts.map(([, { want: part }]) => ({ ...part, local: part.local.instances })),
  }
}

/** What the account is answered; a refusal by its code. Throws what no client should cause. */
async function answer(account: AccountId, name: string, input: object): Promise<unknown> {
  try {
    return await cloud.run(actionNamed(name), input, account)
  } catch (error) {
    if (error instanceof AtollError && (error.kind === 'refused' || isTold(error)))
      return error.code
    throw new Error(`${name} of ${account} met a bug`, { cause: error })
  }
}

/** Whether it says that what it depends on cannot be read. */
function isTold({ kind, message }: AtollError): boolean {
  return kind === 'unavailable' && /cannot be read, so .* `atoll status` names it/.test(message)
}

/** Answers to all reads of an account, and whether it may launch and choose. */
async function seenBy(account: AccountId): Promise<Readonly<Record<string, unknown>>> {
  const seen: Record<string, unknown> = {}
  const world = known(worlds.get(account))
  for (const { name, changes } of allActions) {
    if (ASKS_HOST.test(name)) continue
    const requests = (REQUESTS[name] ?? []).map((request) => request(world))
    if (changes !== true)
      for (const [at, input] of [{}, ...(isLong ? requests : [])].entries())
        seen[`${name} ${at}`] = await answer(account, name, input)
    else if (isLong || CHOOSING.includes(name))
      for (const [at, input] of requests.entries())
        seen[`${name} ${at}`] = await answer(account, name, { ...input, DryRun: true })
  }
  return seen
}

/** The tables with their columns, a row of Alice's in each, and other rows. */
function targets(): readonly { table: AnyTable; columns: string[]; row: Row; others: Row[] }[] {
  const tables: readonly AnyTable[] = NOUNS.flatMap((noun) => Object.values<AnyTable>(noun.tables))
  const select = ({ name }: AnyTable) =>
    attacker.prepare(`select rowid, * from "${name}"`).all() as unknown as Row[]
  const ids = new Set<SQLInputValue>([ALICE, 'host2'])
  for (const row of tables.flatMap(select)) if (row['account'] === ALICE) ids.add(row['id'] ?? null)
  ids.delete(null)
  return tables.flatMap((table) => {
    const all = select(table)
    const isAlices = (row: Row) => Object.values(row).some((value) => ids.has(value))
    const isBobs = (row: Row) => Object.values(row).includes(BOB)
    const row = all.find((one) => isAlices(one) && !isBobs(one)) ?? all[0]
    if (row === undefined) return []
    const others = all.filter((one) => one !== row)
    return { table, columns: Object.keys(row).filter((one) => one !== 'rowid'), row, others }
  })
}

/** Puts a value into a column. Returns what undoes it; undefined when the database refuses. */
function damage(table: string, column: string, row: Row, value: SQLInputValue) {
  const update = attacker.prepare(`update "${table}" set "${column}" = ? where rowid = ?`)
  try {
    update.run(value, row.rowid)
  } catch {
    return undefined
  }
  return () => update.run(row[column] ?? null, row.rowid)
}

it('has a row of most tables, and prints of which it has none', () => {
  const named = new Set<string>(targets().map(({ table }) => table.name))
  const tables = NOUNS.flatMap((noun) => Object.keys(noun.tables))
  const others = tables.filter((name) => !named.has(name))
  console.log(`not damaged, because nothing here has rows of them: ${others.join(', ')}`)
  expect(named.size).toBeGreaterThan(30)
})

it('harms nobody else, whatever is in whichever column', { timeout: 1_200_000 }, async () => {
  const before = { want: await wantForBob(), bob: await seenBy(BOB) }
  const faults: string[] = []
  let tried = 0
  for (const [number, { table, columns, row, others }] of targets().entries())
    for (const [at, column] of columns.entries())
      for (const [index, [what, of]] of Object.entries(DAMAGES).entries()) {
        // In the long mode each column has three of them, in the short mode a seventh of them one.
        const turn = number + at + index
        if (isLong ? turn % 4 !== 0 : at % 7 !== number % 7 || turn % NAMES.length !== 0) continue
        const value = of(column, row, others)
        const undo = value === undefined ? undefined : damage(table.name, column, row, value)
        if (undo === undefined) continue
        tried += 1
        try {
          expect(await wantForBob()).toEqual(before.want)
          const bob = await seenBy(BOB)
          if (!isShared(table) && !what.startsWith('another'))
            expect(bob).toEqual(isTaken(table, column) ? untold(before.bob, bob) : before.bob)
          await seenBy(ALICE)
          await store.read((tx) => tx.accountUsage(ALICE))
          // With another owner or key nobody looks for it; and primary addresses are those of NICs.
          const isRead =
            !['account', ...(table.key ?? ['id'])].includes(column) && row['isPrimary'] !== 1
          // The engine writes a number into a column of text as text.
          const isKept = typeof value === 'string' || typeof row[column] === 'number'
          const [issue] = table.schema.safeParse({ ...row, [column]: value }).error?.issues ?? []
          if (isRead && isKept && issue !== undefined)
            expect(rows.list().map(({ problem }) => problem)).toContainEqual(
              expect.stringContaining(String(issue.path[0] ?? issue.message)),
            )
        } catch (error) {
          faults.push(`${table.name}.${column}: ${what}: ${String(error)} ${causeOf(error)}`)
        } finally {
          undo()
        }
      }
  expect(faults).toEqual([])
  expect(tried).toBeGreaterThan(20)
  expect(await wantForBob()).toEqual(before.want)
  expect(await seenBy(BOB)).toEqual(before.bob)
})

it('tells of a key that others refer to and that is another one now', {
  timeout: 1_200_000,
}, async () => {
  const referred = new Set(
    targets().flatMap(({ table }) =>
      attacker
        .prepare(`pragma foreign_key_list("${table.name}")`)
        .all()
        .map((key) => key['table']),
    ),
  )
  // In the long mode all of them.
  const some = targets().filter(({ table: { name } }) =>
    isLong ? referred.has(name) : name === 'vpcs',
  )
  const asking = [...worlds].filter(([account]) => isLong || account === ALICE)
  const faults: string[] = []
  for (const { table, row } of some) {
    const [key = 'id'] = table.key ?? ['id']
    const undo = damage(table.name, key, row, 'damaged')
    for (const [account, world] of undo === undefined ? [] : asking)
      for (const { name, changes } of allActions)
        for (const request of changes === true ? (REQUESTS[name] ?? []) : [])
          await answer(account, name, { ...request(world), DryRun: true }).catch(
            (error: unknown) => {
              faults.push(`${table.name}.${key}: ${String(error)} ${causeOf(error)}`)
            },
          )
    undo?.()
  }
  expect(some.length).toBeGreaterThan(0)
  expect(faults).toEqual([])
})

function causeOf(error: unknown): string {
  return error instanceof Error && error.cause !== undefined ? String(error.cause) : ''
}

/**
 * A cloud for tests of API actions: real records in memory, a bus that notes which hosts were rung,
 * a clock that stands still, and a function that runs one action as one caller. It has no running
 * host.
 */

import { randomBytes } from 'node:crypto'
import { createKeyGeneration } from '../../src/api/accounts/key-generation.ts'
import type { Action, ApiParts, ApiSettings, Call } from '../../src/api/action.ts'
import { createBudget } from '../../src/api/budget.ts'
import { createCatalogue } from '../../src/api/launch/catalogue.ts'
import { type ActionAnswer, answerWithFallback } from '../../src/api/replica-fallback.ts'
import type { Bus } from '../../src/bus/bus.ts'
import { createLocalBus } from '../../src/bus/local.ts'
import { DOCKER } from '../../src/containers/declaration.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { createTurns } from '../../src/lib/turns.ts'
import { QEMU } from '../../src/machines/declaration.ts'
import { cidr } from '../../src/model/addr.ts'
import { AtollError, type ErrorCode } from '../../src/model/errors.ts'
import {
  type AccountId,
  formatId,
  type HostName,
  ID_BYTES,
  type ImageId,
  parseAccountId,
  parseHostName,
  type VpcId,
} from '../../src/model/ids.ts'
import { NO_PREFERENCE } from '../../src/model/metadata-options.ts'
import { DEFAULT_NIC_LIMITS } from '../../src/model/nic-limits.ts'
import { QUOTA_NAMES, QUOTAS, type Quotas } from '../../src/model/quotas.ts'
import type { Group, Subnet, Vpc } from '../../src/model/records.ts'
import { completeOlderVpcs } from '../../src/store/new-vpc.ts'
import { type InformedStore, withoutReplica } from '../../src/store/replica-reads.ts'
import type { Store } from '../../src/store/store.ts'
import { openMemoryStore } from './memory-store.ts'
import { defaultRules } from './records.ts'

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a literal of a test is malformed')
  return value
}

export const ALICE: AccountId = must(parseAccountId('000000000001'))
export const BOB: AccountId = must(parseAccountId('000000000002'))
export const NOW_MS = Date.parse('2026-11-22T08:00:00.000Z')
export const ZONE = 'atoll-1a'

const USUAL_QUOTAS = Object.fromEntries(
  QUOTA_NAMES.map((name) => [name, QUOTAS[name].usual]),
) as Quotas

/** What actions are limited by unless a test says otherwise: the defaults of the settings. */
export const LIMITS: Pick<
  ApiSettings,
  | 'quotas'
  | 'rates'
  | 'nicLimits'
  | 'pools'
  | 'flowLogBuckets'
  | 'reserve'
  | 'vpcPlace'
  | 'fabricMode'
  | 'defaultNetwork'
> = {
  quotas: USUAL_QUOTAS,
  pools: [],
  flowLogBuckets: null,
  reserve: 'none',
  rates: [],
  nicLimits: DEFAULT_NIC_LIMITS,
  vpcPlace: 'root',
  fabricMode: 'vxlan',
  defaultNetwork: { vpc: cidr('172.31.0.0/16'), subnet: cidr('172.31.0.0/20') },
}

export interface CloudOptions {
  /** Capacity of each host; they are called host1, host2, … */
  readonly hosts?: readonly {
    readonly vcpus: number
    readonly memoryMiB: number
    readonly diskGiB?: number
  }[]
  readonly subnet?: string
  /** The bus that actions ring on; it is closed with the cloud. */
  readonly bus?: Bus
  /** What differs from the settings of all tests. */
  readonly settings?: Partial<ApiSettings>
  /** Empty records, which are not closed with the cloud. Absent: records in memory. */
  readonly store?: Store
  /** What differs from the parts of all tests. */
  readonly parts?: Partial<ApiParts>
}

/** Who was rung, in order: hosts, those that follow a VPC, and all. */
interface Rung {
  readonly rung: HostName[]
  readonly rungVpcs: VpcId[]
  readonly rungAll: 'all'[]
}

export interface Cloud extends AsyncDisposable {
  readonly store: Store
  readonly parts: ApiParts
  readonly vpc: Vpc
  readonly subnet: Subnet
  readonly group: Group
  readonly image: ImageId
  /** Hosts rung so far, in order. */
  readonly rung: HostName[]
  /** All bells so far. */
  readonly bells: Rung
  run(action: Action, input?: object, account?: AccountId): Promise<Record<string, unknown>>
  /** As `run`, with a store of its own, for tests that make the records fail. */
  runOn(store: Store, action: Action, input?: object): Promise<Record<string, unknown>>
  /** As `run`, with records that a test watches. */
  runAs(
    store: InformedStore,
    action: Action,
    input: object,
    account: AccountId,
  ): Promise<Record<string, unknown>>
  /** As a host answers whose records are these: a refusal by a copy is asked once more. */
  answer(store: InformedStore, action: Action, input?: object): Promise<ActionAnswer>
  /** The code that the action refuses with; fails when it does not refuse. */
  refusal(action: Action, input?: object, account?: AccountId): Promise<ErrorCode>
}

function host(name: string): HostName {
  return must(parseHostName(name))
}

const fixedClock: Clock = {
  now: () => NOW_MS,
  monotonic: () => 0,
  sleep: async () => {},
  after: systemClock.after,
}

/**
 * An account (ALICE) with a default VPC, one default subnet, the default group, an image; and the
 * hosts.
 */
export async function openCloud(options: CloudOptions = {}): Promise<Cloud> {
  const store = options.store ?? (await openMemoryStore())
  const network = makeNetwork(options.subnet ?? '172.31.0.0/20')
  const image = formatId('ami', randomBytes(ID_BYTES))
  await fill(store, network, image, options.hosts ?? [{ vcpus: 64, memoryMiB: 65_536 }])
  const bells: Rung = { rung: [], rungVpcs: [], rungAll: [] }
  const bus = recordingBus(options.bus ?? createLocalBus(), bells)
  const parts = { ...makeParts(store, bus, options.settings), ...options.parts }
  const callOf = (on: ApiParts, input: object, account: AccountId): Omit<Call, 'records'> => ({
    input: { ...input },
    caller: { account, user: 'admin', accessKey: 'AKIDEXAMPLE', rights: 'all' },
    parts: on,
    budget: createBudget(on, { pageItems: 1000, answerBytes: 16 * 1024 * 1024 }, 'test'),
    signal: AbortSignal.timeout(30_000),
  })
  const runWith = async (on: ApiParts, action: Action, input: object, account: AccountId) =>
    (await answerWithFallback(action, callOf(on, input, account))).output as Record<string, unknown>
  const run: Cloud['run'] = (action, input = {}, account = ALICE) =>
    runWith(parts, action, input, account)
  return {
    store,
    parts,
    ...network,
    image,
    rung: bells.rung,
    bells,
    run,
    runOn: (other, action, input = {}) =>
      runWith({ ...parts, store: withoutReplica(other) }, action, input, ALICE),
    runAs: (other, action, input, account) =>
      runWith({ ...parts, store: other }, action, input, account),
    answer: (other, action, input = {}) =>
      answerWithFallback(action, callOf({ ...parts, store: other }, input, ALICE)),
    async refusal(action, input = {}, account = ALICE) {
      const outcome = await run(action, input, account).catch((error: unknown) => error)
      if (outcome instanceof AtollError && outcome.kind === 'refused') return outcome.code
      throw new Error(`${action.name} did not refuse`, { cause: outcome })
    },
    async [Symbol.asyncDispose]() {
      await bus.close()
      if (options.store === undefined) await store.close()
    },
  }
}

function recordingBus(bus: Bus, { rung, rungVpcs, rungAll }: Rung): Bus {
  return {
    ...bus,
    ring(name) {
      rung.push(name)
      bus.ring(name)
    },
    ringVpc(vpc) {
      rungVpcs.push(vpc)
      bus.ringVpc(vpc)
    },
    ringAll() {
      rungAll.push('all')
      bus.ringAll()
    },
  }
}

function makeParts(store: Store, bus: Bus, settings: Partial<ApiSettings> = {}): ApiParts {
  return {
    store: withoutReplica(store),
    bus,
    catalogue: createCatalogue(fixedClock, settings.reserve),
    clock: fixedClock,
    turns: createTurns(),
    keyGeneration: createKeyGeneration(),
    random: randomBytes,
    keepKey: async (_tx, key) => key,
    settings: {
      host: host('host1'),
      region: 'atoll',
      dnsZone: 'atoll.internal',
      endpoint: 'cloud.example:8773',
      drivers: [QEMU, DOCKER],
      maxInstancesPerLaunch: 100,
      ...LIMITS,
      ...settings,
    },
  }
}

function makeNetwork(block: string): Pick<Cloud, 'vpc' | 'subnet' | 'group'> {
  const vpc = formatId('vpc', randomBytes(ID_BYTES))
  return {
    vpc: {
      id: vpc,
      account: ALICE,
      cidr: cidr('172.31.0.0/16'),
      isDefault: true,
      network: null,
      dnsSupport: true,
      dnsHostnames: true,
    },
    subnet: {
      id: formatId('subnet', randomBytes(ID_BYTES)),
      vpc,
      account: ALICE,
      cidr: cidr(block),
      zone: ZONE,
      isDefault: true,
      mapPublicIp: false,
    },
    group: {
      id: formatId('sg', randomBytes(ID_BYTES)),
      vpc,
      account: ALICE,
      name: 'default',
      description: 'default VPC security group',
    },
  }
}

async function fill(
  store: Store,
  { vpc, subnet, group }: Pick<Cloud, 'vpc' | 'subnet' | 'group'>,
  image: ImageId,
  hosts: NonNullable<CloudOptions['hosts']>,
): Promise<void> {
  const at = new Date(NOW_MS).toISOString()
  await store.change(async (tx) => {
    for (const [index, account] of [ALICE, BOB].entries())
      await tx.insertAccount({ id: account, name: `account ${index}`, metadata: NO_PREFERENCE })
    await tx.insertVpc(vpc)
    await tx.insertSubnet(subnet)
    await tx.insertGroup(group)
    for (const rule of defaultRules(group)) await tx.insertGroupRule(rule)
    await completeOlderVpcs(tx)
    await tx.insertImage({
      id: image,
      account: ALICE,
      name: 'sample',
      description: '',
      location: 'docker://sample:latest',
      driver: null,
      architecture: 'x86_64',
      state: 'available',
      stateReason: null,
      digest: null,
      repositoryDigest: null,
      host: host('host1'),
      diskGiB: null,
      sourceInstance: null,
      capture: null,
      createdAt: at,
    })
    for (const [index, capacity] of hosts.entries())
      await tx.upsertHost(hostRow(`host${index + 1}`, capacity, at), 60_000)
  })
}

/** A host's row as its agent writes it. */
export function hostRow(
  name: string,
  capacity: { readonly vcpus: number; readonly memoryMiB: number; readonly diskGiB?: number },
  lastSeenAt = new Date(NOW_MS).toISOString(),
) {
  return {
    name: host(name),
    zone: ZONE,
    version: '0.4.0',
    diskGiB: null,
    ...capacity,
    fabricAddress: null,
    lastSeenAt,
    identity: name,
    shortOf: null,
  }
}

/** Everything in the records that an action may change, for comparing before and after. */
export async function everything(store: Store): Promise<object> {
  return await store.read(async (tx) => ({
    instances: await tx.instances({}),
    nics: await tx.nics({}),
    addresses: await tx.addresses({}),
    tags: await tx.tags({}),
    hosts: await tx.hosts(),
    images: await tx.images({}),
    keys: await tx.keyPairs({ account: ALICE }),
  }))
}

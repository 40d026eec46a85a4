/**
 * Load on the API: reads and writes at every host and through a list of all hosts. Measures for how
 * long either failed.
 */
import {
  AuthorizeSecurityGroupIngressCommand,
  type EC2Client,
  RevokeSecurityGroupIngressCommand,
} from '@aws-sdk/client-ec2'
import {
  type ApiClient,
  type ListClient,
  listClient,
  readOnce,
  statusOf,
  writeOnce,
} from './api.ts'
import { unless } from './tenants.ts'

const LIST_READ_EVERY_MS = 100
const LIST_WRITE_EVERY_MS = 200
const HOST_EVERY_MS = 500
/**
 * How long a client waits for one host before it asks the next. A host without power never answers,
 * so this is most of the gap. A host answers reads within half a second, possibly from its replica.
 */
const READ_MS = 800
/** The same for writes, which may have to wait until the databases have given up a node. */
const WRITE_MS = 3000
const FAILURES_TOLD = 5
const RULE_EVERY = 4
/** Of a rule that nothing needs. */
const RULE_PORT = 4444

type Kind = 'read' | 'write'

interface Call {
  readonly at: number
  readonly endedAt: number
  readonly ok: boolean
  /** HTTP status, when there was an answer. */
  readonly status: number | null
  readonly stale: boolean
}

interface Caller {
  readonly kind: Kind
  /** The host to ask. Null: any host of the list. */
  readonly host: string | null
  readonly calls: Call[]
}

export interface ApiLoad {
  readonly callers: readonly Caller[]
  /** Times without calls. */
  readonly pauses: readonly { readonly from: number; readonly to: number }[]
  /** Stops calling while `work` runs. */
  paused<T>(work: () => Promise<T>): Promise<T>
  stop(): Promise<void>
}

/** One client. */
interface Plan extends Pick<Caller, 'kind' | 'host'> {
  readonly everyMs: number
  readonly call: () => Promise<void>
  /** Whether the last answer came from a replica. */
  readonly isStale: () => boolean
}

/** Starts the load on one instance, and on rules of one group. */
export function startApiLoad(
  clients: readonly ApiClient[],
  { instance, group }: { readonly instance: string; readonly group: string },
): ApiLoad {
  const stopping = new AbortController()
  let pause: PromiseWithResolvers<void> | null = null
  const pauses: { readonly from: number; readonly to: number }[] = []
  const plans = plansFor(clients, instance, group)
  const callers = plans.map(({ kind, host }): Caller => ({ kind, host, calls: [] }))
  const loop = async ({ everyMs, call, isStale }: Plan, calls: Call[]) => {
    while (!stopping.signal.aborted) {
      if (pause !== null) await pause.promise
      const at = performance.now()
      calls.push(await timed(at, call, isStale))
      await sleep(Math.max(0, everyMs - (performance.now() - at)), stopping.signal)
    }
  }
  const loops = plans.map((plan, n) => loop(plan, callers[n]?.calls ?? []))
  return {
    callers,
    pauses,
    async paused(work) {
      const mine = Promise.withResolvers<void>()
      pause = mine
      const from = performance.now()
      try {
        return await work()
      } finally {
        pause = null
        pauses.push({ from, to: performance.now() })
        mine.resolve()
      }
    },
    async stop() {
      stopping.abort()
      pause?.resolve()
      await Promise.all(loops)
    },
  }
}

async function timed(at: number, call: Plan['call'], isStale: Plan['isStale']): Promise<Call> {
  const failure: unknown = await call().then(
    () => null,
    (error: unknown) => error ?? new Error('failed'),
  )
  const endedAt = performance.now()
  const ok = failure === null
  return { at, endedAt, ok, status: ok ? 200 : statusOf(failure), stale: ok && isStale() }
}

/** Two callers for the list of all hosts, and two for each host. */
function plansFor(clients: readonly ApiClient[], instance: string, group: string): readonly Plan[] {
  const reader: ListClient = listClient(clients, READ_MS)
  const writer: ListClient = listClient(clients, WRITE_MS)
  const isStale = () => false
  let writes = 0
  // Each fourth changes a rule of a group.
  const nextWrite = (ec2: EC2Client, signal: AbortSignal) => {
    writes += 1
    return writes % RULE_EVERY === 0
      ? changeRule(ec2, group, (writes / RULE_EVERY) % 2 === 1, signal)
      : writeOnce(ec2, instance, 'list', signal)
  }
  const ofList: readonly Plan[] = [
    {
      ...{ kind: 'read', host: null, everyMs: LIST_READ_EVERY_MS, isStale },
      call: () => reader.send((ec2, signal) => readOnce(ec2, instance, signal)),
    },
    {
      ...{ kind: 'write', host: null, everyMs: LIST_WRITE_EVERY_MS, isStale },
      call: () => writer.send((ec2, signal) => nextWrite(ec2, signal)),
    },
  ]
  const ofHosts = clients.flatMap(({ host, ec2, asOf }): readonly Plan[] => [
    {
      ...{ kind: 'read', host, everyMs: HOST_EVERY_MS, isStale: () => asOf() !== null },
      call: () => readOnce(ec2, instance, AbortSignal.timeout(READ_MS)),
    },
    {
      ...{ kind: 'write', host, everyMs: HOST_EVERY_MS, isStale },
      call: () => writeOnce(ec2, instance, host, AbortSignal.timeout(WRITE_MS)),
    },
  ])
  return [...ofList, ...ofHosts]
}

/** Authorizes a rule, or revokes it. What an answer that was lost has done is as good. */
async function changeRule(
  ec2: EC2Client,
  group: string,
  isThere: boolean,
  abortSignal: AbortSignal,
): Promise<void> {
  const ranges = [{ CidrIp: '203.0.113.0/24' }]
  const rule = { IpProtocol: 'tcp', FromPort: RULE_PORT, ToPort: RULE_PORT, IpRanges: ranges }
  const asked = { GroupId: group, IpPermissions: [rule] }
  if (isThere)
    await ec2
      .send(new AuthorizeSecurityGroupIngressCommand(asked), { abortSignal })
      .catch(unless('InvalidPermission.Duplicate'))
  else
    await ec2
      .send(new RevokeSecurityGroupIngressCommand(asked), { abortSignal })
      .catch(unless('InvalidPermission.NotFound'))
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}

export interface Gap {
  readonly ms: number
  readonly from: number
  readonly to: number
  /** Failed requests, with their duration and error. */
  readonly failures: readonly string[]
}

/** The longest time after `from` without a successful answer, except pauses. */
export function longestGap({ calls }: Caller, { pauses }: ApiLoad, from: number, to: number): Gap {
  const good = calls.filter((call) => call.ok && call.endedAt >= from && call.endedAt <= to)
  const moments = [from, ...good.map(({ endedAt }) => endedAt), to]
  const gaps = moments.slice(1).map((at, index) => {
    const before = moments[index] ?? at
    const paused = pauses.reduce(
      (sum, pause) => sum + Math.max(0, Math.min(at, pause.to) - Math.max(before, pause.from)),
      0,
    )
    return { ms: at - before - paused, from: before, to: at }
  })
  const longest = gaps.reduce((a, b) => (b.ms > a.ms ? b : a), { ms: 0, from, to: from })
  const failures = calls
    .filter((call) => !call.ok && call.endedAt > longest.from && call.at < longest.to)
    .map(
      ({ at, endedAt, status }) => `${status ?? 'no answer'} after ${Math.round(endedAt - at)} ms`,
    )
  const most = FAILURES_TOLD
  const told =
    failures.length <= most
      ? failures
      : [...failures.slice(0, most), `${failures.length - most} more`]
  return { ...longest, failures: told }
}

/** The callers of a kind: of the list with `null`, else of one host. */
export function callersOf(load: ApiLoad, kind: Kind, host: string | null): readonly Caller[] {
  return load.callers.filter((caller) => caller.kind === kind && caller.host === host)
}

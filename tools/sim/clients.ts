/**
 * Clients of a simulated cloud. They repeat what had no answer as SDKs do, and remember what was
 * accepted, so that it can be compared with what there is in the end.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { Action } from '../../src/api/action.ts'
import { createSecurityGroup } from '../../src/api/actions/create-security-group.ts'
import { createTags } from '../../src/api/actions/create-tags.ts'
import { createVpc } from '../../src/api/actions/create-vpc.ts'
import { rebootInstances } from '../../src/api/actions/reboot-instances.ts'
import { registerImage } from '../../src/api/actions/register-image.ts'
import { runInstances } from '../../src/api/actions/run-instances.ts'
import { startInstances } from '../../src/api/actions/start-instances.ts'
import { stopInstances } from '../../src/api/actions/stop-instances.ts'
import { terminateInstances } from '../../src/api/actions/terminate-instances.ts'
import { createBudget } from '../../src/api/budget.ts'
import { answerWithFallback } from '../../src/api/replica-fallback.ts'
import { AtollError, assertNever, messageOf } from '../../src/model/errors.ts'
import { FIRST_ACCOUNT } from '../../src/model/ids.ts'
import { TTL_TAG } from '../../src/model/lever.ts'
import type { SimulatedHost } from './host.ts'
import { instanceRows, Violation } from './invariants.ts'
import type { Stream } from './random.ts'
import type { Operation } from './scenario.ts'
import type { VirtualTime } from './time.ts'

const ATTEMPTS = 4
const PAUSE_MS = 400
/** A client does not wait longer. */
const PATIENCE_MS = 30_000
/** The type of all instances that clients launch. */
export const LAUNCHED_TYPE = 'at1.small'

/** What is known of an instance by the answers that clients got. */
interface Known {
  /** What it may be asked to be by now. */
  wanted: Set<string>
  /** Commits that there were when the last answer came. */
  commits: number
  isBusy: boolean
  /** Something else than clients may have changed it, too. */
  isFree: boolean
  /** Its acceptance was among commits that were lost. */
  mayBeGone: boolean
}

type Answer =
  | { readonly kind: 'done'; readonly output: Readonly<Record<string, unknown>> }
  | { readonly kind: 'refused'; readonly code: string }
  /** Nobody knows whether it was done. */
  | { readonly kind: 'unknown' }

interface ClientsParts {
  readonly hosts: readonly SimulatedHost[]
  readonly time: VirtualTime
  readonly random: Stream
  readonly truth: () => DatabaseSync
  readonly committed: () => number
  readonly trace: (line: string) => void
  readonly violated: (violation: Violation) => void
}

/** All clients of the cloud. */
export interface Clients {
  /** Registers the image that instances are launched from. */
  registerImage(): Promise<boolean>
  carryOut(operation: Operation, at: number): Promise<void>
  /** Something else than clients may have changed this instance. */
  free(instance: string): void
  /** The records have lost all commits but these. */
  lost(kept: number): void
  /** What was accepted is there. Throws a `Violation`. */
  check(): void
}

/** Clients that have asked for nothing yet. */
export function createClients(parts: ClientsParts): Clients {
  return new SimulatedClients(parts)
}

class SimulatedClients implements Clients {
  readonly #parts: ClientsParts
  readonly #ask: ReturnType<typeof createAsking>
  readonly #known = new Map<string, Known>()
  /** Client tokens of launches that may have been carried out. */
  readonly #launched = new Set<string>()
  #image = ''
  #hasLost = false

  constructor(parts: ClientsParts) {
    this.#parts = parts
    this.#ask = createAsking(parts)
  }

  async registerImage(): Promise<boolean> {
    const input = { Name: 'sample', ImageLocation: 'docker://sample:latest' }
    const answer = await this.#ask(registerImage, input, 0)
    if (answer.kind === 'done') this.#image = String(answer.output['ImageId'])
    return answer.kind === 'done'
  }

  async carryOut(operation: Operation, at: number): Promise<void> {
    const { host } = operation
    switch (operation.kind) {
      case 'run':
        return await this.#run(operation.count, host, `${at}`)
      case 'crowd':
        await Promise.all(
          Array.from({ length: operation.count }, (_one, number) =>
            this.#run(1, host + number, `${at}-${number}`),
          ),
        )
        return
      case 'stop':
        return await this.#act(stopInstances, 'stop', operation)
      case 'start':
        return await this.#act(startInstances, 'run', operation)
      case 'reboot':
        return await this.#act(rebootInstances, null, operation)
      case 'terminate':
        return await this.#act(terminateInstances, 'terminate', operation)
      case 'tag':
        return await this.#act(createTags, null, operation, (id) => this.#tag(id, operation.tag))
      case 'group':
        await this.#ask(createSecurityGroup, { GroupName: `g${at}`, Description: 'one' }, host)
        return
      case 'vpc': {
        const [octet = 0] = this.#parts.random.bytes(1)
        await this.#ask(createVpc, { CidrBlock: `10.${octet}.0.0/16` }, host)
        return
      }
      default:
        return assertNever(operation)
    }
  }

  free(instance: string): void {
    const one = this.#known.get(instance)
    if (one !== undefined) one.isFree = true
  }

  lost(kept: number): void {
    this.#hasLost = true
    for (const one of this.#known.values()) {
      if (one.commits <= kept) continue
      one.mayBeGone = true
      one.isFree = true
    }
  }

  check(): void {
    const rows = new Map(instanceRows(this.#parts.truth()).map((row) => [row.id, row]))
    for (const [id, { wanted, isFree, mayBeGone, isBusy }] of this.#known) {
      const row = rows.get(id)
      if (row === undefined && !mayBeGone)
        throw new Violation('accepted lost', `${id} is not in the records`)
      // Of what still waits for an answer, the client knows nothing yet.
      if (row !== undefined && !isFree && !isBusy && !wanted.has(row.wanted))
        throw new Violation(
          'accepted lost',
          `${id} is to ${row.wanted}, clients were told ${[...wanted].join(' or ')}`,
        )
    }
    if (this.#hasLost) return
    for (const { id, clientToken } of rows.values())
      if (!this.#known.has(id) && !this.#launched.has(clientToken ?? ''))
        throw new Violation('made of nothing', `nobody was told of ${id}`)
  }

  async #run(count: number, host: number, at: string): Promise<void> {
    const { truth, committed, trace } = this.#parts
    const token = `launch-${at}`
    this.#launched.add(token)
    const input = {
      ImageId: this.#image,
      InstanceType: LAUNCHED_TYPE,
      MinCount: count,
      MaxCount: count,
    }
    const answer = await this.#ask(runInstances, { ...input, ClientToken: token }, host)
    trace(`client launch ${at} ${answer.kind}`)
    if (answer.kind === 'refused') this.#launched.delete(token)
    if (answer.kind !== 'done') return
    const { Instances: made } = answer.output as { Instances: readonly { InstanceId: string }[] }
    const rows = instanceRows(truth())
    for (const { InstanceId: id } of made) {
      this.#known.set(id, { ...NEW, wanted: new Set(['run']), commits: committed() })
      if (!rows.some((row) => row.id === id) && !this.#hasLost)
        throw new Violation('accepted lost', `${id} was launched and is not in the records`)
    }
  }

  async #act(
    action: Action,
    wanted: string | null,
    { pick, host }: { readonly pick: number; readonly host: number },
    inputOf: (id: string) => object = (id) => ({ InstanceIds: [id] }),
  ): Promise<void> {
    const { committed, trace } = this.#parts
    const able = [...this.#known].filter(([, one]) => !one.isBusy)
    const [id, one] = able[Math.floor(pick * able.length)] ?? []
    if (id === undefined || one === undefined) return
    one.isBusy = true
    const before = committed()
    const answer = await this.#ask(action, inputOf(id), host)
    trace(`client ${action.name} ${id} ${answer.kind}`)
    one.isBusy = false
    one.commits = committed()
    if (before > committed()) one.isFree = true
    if (wanted === null || answer.kind === 'refused') return
    if (answer.kind === 'done') one.wanted = new Set([wanted])
    else one.wanted.add(wanted)
  }

  /** A name, or a time to live that ends the instance. */
  #tag(id: string, kind: 'name' | 'ttl'): object {
    if (kind === 'ttl') this.free(id)
    const tag = kind === 'ttl' ? { Key: TTL_TAG, Value: '1m' } : { Key: 'Name', Value: `web-${id}` }
    return { Resources: [id], Tags: [tag] }
  }
}

const NEW = { isBusy: false, isFree: false, mayBeGone: false }

/** Asks one host after the other until there is an answer. */
function createAsking({ hosts, time, violated }: ClientsParts) {
  async function once(host: SimulatedHost, action: Action, input: object): Promise<Answer> {
    const parts = host.api()
    if (parts === null) return { kind: 'unknown' }
    const limits = { pageItems: 1000, answerBytes: 16 * 1024 * 1024 }
    const answered = answerWithFallback(action, {
      input: { ...input },
      caller: { account: FIRST_ACCOUNT, user: 'admin', accessKey: 'AKIDEXAMPLE', rights: 'all' },
      parts,
      budget: createBudget(parts, limits, 'client'),
      signal: new AbortController().signal,
    }).then(
      ({ output }): Answer => ({ kind: 'done', output: { ...output } }),
      (error: unknown): Answer => {
        const isOurs = error instanceof AtollError
        if (isOurs && error.kind === 'unavailable') return { kind: 'unknown' }
        if (isOurs && error.kind === 'refused') return { kind: 'refused', code: error.code }
        violated(new Violation('bug', `${action.name}: ${messageOf(error)}`))
        return { kind: 'unknown' }
      },
    )
    const late = time.sleep(PATIENCE_MS).then((): Answer => ({ kind: 'unknown' }))
    return await Promise.race([answered, late])
  }

  return async (action: Action, input: object, first: number): Promise<Answer> => {
    let isUnknown = false
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const host = hosts[(first + attempt) % hosts.length]
      if (host === undefined) break
      const answer = await once(host, action, input)
      if (answer.kind === 'done' || (answer.kind === 'refused' && !isUnknown)) return answer
      isUnknown = true
      if (answer.kind === 'refused') break
      await time.sleep(PAUSE_MS * (attempt + 1))
    }
    return { kind: 'unknown' }
  }
}

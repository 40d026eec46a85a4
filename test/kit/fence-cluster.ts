/** Members of a cloud in one process, on one clock that a test advances, without a kernel. */
import { type Answers, createAnswers } from '../../src/fence/answers.ts'
import { encodeMessage, type Message, parseMessage } from '../../src/fence/datagram.ts'
import { Keeper, type KeptPermission } from '../../src/fence/keeper.ts'
import { createRounds, type Rounds } from '../../src/fence/rounds.ts'
import type { Guarded } from '../../src/model/guarded.ts'
import { type HostName, parseHostName, parseId } from '../../src/model/ids.ts'
import type { Membership } from '../../src/plan/failover/membership.ts'
import { FAILOVER_SETTINGS, failoverTimes } from '../../src/plan/failover/times.ts'

export const TIMES = failoverTimes(FAILOVER_SETTINGS)
const KEY = Buffer.alloc(32, 1)
const instance = parseId('i', 'i-00000000000000001')
if (instance === undefined) throw new Error('no id')
/** An instance that must be stopped. */
export const GUARDED: Guarded = { instance, containers: [], user: 5_000, links: [], addresses: [] }

const NONE = { term: 0, grantedAtMs: null, id: '' }

/** One member. What happened to it is in `events`, each with its time. */
export interface ClusterMember {
  readonly name: HostName
  readonly answers: Answers
  readonly rounds: Rounds
  readonly keeper: Keeper
  /** `armed 1`, `promoted 1`, `fed`, `disarmed`, `saved`, `killed`. */
  readonly events: { readonly what: string; readonly atMs: number }[]
  /** Processes that do not end. */
  unkillable: number
  /** It hears and does nothing until then, and time passes. */
  stoppedUntilMs: number
  /** Called in the middle of feeding. */
  onFeed: () => void
  onArm: () => void
}

/** A network of them. */
export class FenceCluster {
  nowMs = 1_000_000
  readonly members: ClusterMember[] = []
  readonly sent: { readonly to: HostName; readonly bytes: Buffer }[] = []
  readonly membership: Membership
  /** Those that are on no network. */
  readonly cut = new Set<HostName>()
  /** Whether what one sends to another is lost. */
  loses: (from: HostName, to: HostName) => boolean = () => false
  #timers: { atMs: number; readonly run: () => void }[] = []
  #seed = 0

  constructor(names: readonly string[], options: { readonly saved?: KeptPermission } = {}) {
    const members = names.flatMap((name) => parseHostName(name) ?? [])
    this.membership = { version: 1, members }
    for (const name of members) this.members.push(this.#open(name, options.saved))
    for (const { answers, keeper } of this.members) {
      answers.adopt(this.membership)
      keeper.adopt(this.membership)
      keeper.begin()
    }
  }

  get(name: string): ClusterMember {
    const found = this.members.find((member) => member.name === name)
    if (found === undefined) throw new Error(`no member ${name}`)
    return found
  }

  /** Lets time pass, and what is due happen in its order. */
  pass(ms: number): void {
    const untilMs = this.nowMs + ms
    for (;;) {
      const [next] = this.#timers.toSorted((a, b) => a.atMs - b.atMs)
      if (next === undefined || next.atMs > untilMs) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.nowMs = Math.max(this.nowMs, next.atMs)
      next.run()
    }
    this.nowMs = Math.max(this.nowMs, untilMs)
  }

  /** Has a member hear a datagram. */
  deliver(to: HostName, bytes: Buffer): void {
    const member = this.get(to)
    const message = parseMessage(bytes, KEY)
    if (message === null) return
    const reply = member.answers.to(message)
    if (reply !== null) this.#send(to, message.by, reply)
    else member.rounds.hear(message)
  }

  /** The machine of a member starts again. Who the members are its process hears from `adopt`. */
  restart(name: HostName): { readonly adopt: () => void } {
    const before = this.get(name)
    before.keeper.close()
    const next = this.#open(name)
    this.members[this.members.indexOf(before)] = next
    const { answers, keeper } = next
    return {
      adopt: () => {
        answers.adopt(this.membership)
        keeper.adopt(this.membership)
        keeper.begin()
      },
    }
  }

  #send(from: HostName, to: HostName, message: Message): void {
    const bytes = encodeMessage(message, KEY)
    this.sent.push({ to, bytes })
    if (this.cut.has(from) || this.cut.has(to) || this.loses(from, to)) return
    this.#after(1, () => this.#awake(to, () => this.deliver(to, bytes)))
  }

  #after(ms: number, run: () => void): () => void {
    const timer = { atMs: this.nowMs + ms, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer)
    }
  }

  #awake(name: HostName, run: () => void): void {
    const waitMs = this.get(name).stoppedUntilMs - this.nowMs
    if (waitMs > 0) this.#after(waitMs, () => this.#awake(name, run))
    else run()
  }

  #open(host: HostName, saved: KeptPermission = NONE): ClusterMember {
    const events: ClusterMember['events'] = []
    const note = (what: string) => events.push({ what, atMs: this.nowMs })
    const nowMs = () => this.nowMs
    const randomBytes = (bytes: number) => Buffer.alloc(bytes, ++this.#seed)
    const after = (ms: number, run: () => void) => this.#after(ms, () => this.#awake(host, run))
    const shared = { host, times: TIMES, nowMs, randomBytes, after }
    const answers = createAnswers({ ...shared, startedAtMs: this.nowMs })
    const rounds = createRounds({
      ...shared,
      send: (to, message) => this.#send(host, to, message),
      answerSelf: answers.toSelf,
    })
    let serials = 0
    const member: Omit<ClusterMember, 'keeper'> = {
      ...{ name: host, answers, rounds, events, unkillable: 0, stoppedUntilMs: 0 },
      onFeed: () => undefined,
      onArm: () => undefined,
    }
    const parts = {
      ...shared,
      rounds,
      serial: () => ++serials,
      gates: {
        arm: (serial: number) => {
          member.onArm()
          note(`armed ${serial}`)
        },
        promote: (serial: number) => note(`promoted ${serial}`),
      },
      watchdog: {
        feed: () => {
          note('fed')
          member.onFeed()
        },
        disarm: () => note('disarmed'),
      },
      stopper: {
        kill: (guarded: readonly Guarded[]) => {
          if (guarded.length > 0) note('killed')
          return member.unkillable
        },
      },
      save: () => note('saved'),
      changed: () => undefined,
      trouble: (what: string) => note(what),
    }
    return Object.assign(member, { keeper: new Keeper(parts, saved, []) })
  }
}

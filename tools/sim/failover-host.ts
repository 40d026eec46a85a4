/**
 * A host of the simulated failover: its clock, what it remembers, and whether the instance runs
 * there. It follows the rules of `src/plan/failover` as a daemon would.
 */
import type { HostName } from '../../src/model/ids.ts'
import {
  granted,
  type Holder,
  mayRun,
  NO_PERMISSION,
  permittedUntilMs,
} from '../../src/plan/failover/holder.ts'
import type { Membership } from '../../src/plan/failover/membership.ts'
import { answer, type Peer, type Question, startPeer } from '../../src/plan/failover/peer.ts'
import { type Answer, beginRound, counted, type Round } from '../../src/plan/failover/round.ts'
import {
  type Assignment,
  durableAtMs,
  mayCommit,
  mayStart,
  type OwnCommit,
  type Takeover,
} from '../../src/plan/failover/taker.ts'
import { CLOCK_ERROR, FAILOVER_SETTINGS, failoverTimes } from '../../src/plan/failover/times.ts'
import type { Stream } from './random.ts'

/** The rules, of which a test may replace one by a wrong one. */
export const RULES = {
  times: failoverTimes(FAILOVER_SETTINGS),
  ...{ answer, startPeer, granted, mayRun, beginRound, mayCommit, durableAtMs, mayStart },
  /** Whether a commit goes by the epoch that was read. */
  isSameEpoch: (found: string, read: string): boolean => found === read,
}
/** The same, of others. */
export type Rules = typeof RULES

/** When the instance ran where, in real milliseconds. */
export interface Run {
  readonly host: HostName
  readonly fromMs: number
  untilMs: number
}

/** The records: one instance, and an epoch for each host. */
export interface Records {
  readonly assignment: Assignment
  readonly epochs: ReadonlyMap<HostName, string>
}

/** What is around a host. */
export interface FailoverCloud {
  readonly random: Stream
  readonly rules: Rules
  readonly membership: Membership
  readonly names: readonly HostName[]
  readonly runs: Run[]
  readonly records: {
    readonly answers: (to: HostName) => boolean
    readonly newest: () => Records
    readonly stale: () => Records
    readonly commit: (value: Records) => void
  }
  readonly nowMs: () => number
  readonly after: (ms: number, run: () => void) => void
  /** Never the same twice. */
  readonly newId: () => string
  /** Delivers a message, unless it is lost. */
  send(from: HostName, to: HostName, run: () => void): void
}

/** A host, as others and its troubles see it. */
export type SimulatedHost = ReturnType<typeof createHost>

/** A host that has just started. Nothing that it promised before counts any more. */
export function createHost(
  name: HostName,
  cloud: FailoverCloud,
  peerAt: (name: HostName) => SimulatedHost | undefined,
) {
  const host = new Host(name, cloud, peerAt)
  host.begin()
  return host
}

class Host {
  readonly #name: HostName
  readonly #cloud: FailoverCloud
  readonly #peerAt: (name: HostName) => SimulatedHost | undefined
  readonly #rate: number
  readonly #offsetMs: number
  #frozenUntilMs = 0
  /** Advances when the process ends: what it waited for concerns nobody any more. */
  #life = 0
  #peer: Peer
  #holder: Holder = NO_PERMISSION
  /** The term in which the instance was last asked for. */
  #termUsed = 0
  #grants: Round | null = null
  #takeover: Takeover | null = null
  #running: Run | null = null
  #fedAtMs = Number.NaN

  constructor(
    name: HostName,
    cloud: FailoverCloud,
    peerAt: (name: HostName) => SimulatedHost | undefined,
  ) {
    this.#name = name
    this.#cloud = cloud
    this.#peerAt = peerAt
    this.#rate = 1 + cloud.random.between(-CLOCK_ERROR, CLOCK_ERROR)
    this.#offsetMs = cloud.random.between(0, 1e9)
    const { rules, membership } = cloud
    const longAgoMs = this.#clock() - rules.times.promiseMs
    this.#peer = rules.startPeer(membership, longAgoMs, rules.times)
  }

  begin(): void {
    const { random, rules } = this.#cloud
    this.#later(random.between(0, rules.times.askMs), () => this.#ask())
    this.#later(random.between(0, rules.times.askMs), () => this.#seek())
  }

  /** The process does nothing for so long, and then goes on. The instance runs meanwhile. */
  freeze(ms: number): void {
    this.#frozenUntilMs = this.#cloud.nowMs() + ms
  }

  /** The machine starts again. */
  restart(): void {
    const { membership, rules } = this.#cloud
    this.#stop()
    this.#life += 1
    this.#frozenUntilMs = this.#cloud.nowMs()
    this.#peer = rules.startPeer(membership, this.#clock(), rules.times)
    this.#holder = NO_PERMISSION
    this.#termUsed = 0
    this.#grants = null
    this.#takeover = null
    this.#fedAtMs = Number.NaN
    this.begin()
  }

  /** A question comes. */
  hear(
    question: Question,
    about: HostName,
    version: number,
    reply: (yes: boolean, version: number) => void,
  ): void {
    const { rules } = this.#cloud
    this.#awake(() => {
      const now = this.#clock()
      const said = rules.answer(this.#peer, question, about, version, now, rules.times)
      this.#peer = said.peer
      reply(said.yes, said.peer.membership.version)
    })
  }

  /** An answer comes. */
  told(said: Answer): void {
    this.#awake(() => {
      this.#grants &&= counted(this.#grants, said)
      this.#heardGrant()
      if (this.#takeover === null) return
      this.#takeover = { ...this.#takeover, round: counted(this.#takeover.round, said) }
      this.#heardConsent()
    })
  }

  #clock(): number {
    return this.#offsetMs + this.#cloud.nowMs() * this.#rate
  }

  #mayRun(): boolean {
    const { rules } = this.#cloud
    return rules.mayRun(this.#holder, this.#clock(), rules.times)
  }

  /** Runs it when this process runs, if it is still the same process. */
  #awake(run: () => void, of = this.#life): void {
    if (of !== this.#life) return
    const waitMs = this.#frozenUntilMs - this.#cloud.nowMs()
    if (waitMs <= 0) run()
    else this.#cloud.after(waitMs, () => this.#awake(run, of))
  }

  #later(localMs: number, run: () => void): void {
    const of = this.#life
    this.#cloud.after(localMs / this.#rate, () => this.#awake(run, of))
  }

  /** Asks the records; nothing comes back when they cannot be reached. */
  #askRecords<T>(ask: () => T, done: (result: T) => void): void {
    const of = this.#life
    const { random, after, records } = this.#cloud
    after(random.between(0, random.chance(0.15) ? 30_000 : 200), () => {
      if (!records.answers(this.#name)) return
      const result = ask()
      after(random.between(0, 200), () => this.#awake(() => done(result), of))
    })
  }

  #start(): void {
    const fromMs = this.#cloud.nowMs()
    this.#running = { host: this.#name, fromMs, untilMs: Number.POSITIVE_INFINITY }
    this.#cloud.runs.push(this.#running)
  }

  #stop(): void {
    if (this.#running !== null) this.#running.untilMs = this.#cloud.nowMs()
    this.#running = null
  }

  #beginToStop(): void {
    const { random, rules } = this.#cloud
    if (this.#running !== null)
      this.#later(random.between(0, rules.times.stopMs * 0.99), () => this.#stop())
  }

  /** Feeds the watchdog, which ends the instance if nobody else does. */
  #feed(): void {
    const { random, rules, after } = this.#cloud
    const at = this.#clock()
    this.#fedAtMs = at
    const limitMs = rules.times.watchdogMs + random.between(0, rules.times.watchdogStepMs)
    after(limitMs / this.#rate, () => {
      if (this.#fedAtMs === at) this.restart()
    })
  }

  /** Sends a question to all members, itself included. */
  #put(question: Question, about: HostName, { id, membership: { version } }: Round): void {
    const { names, send } = this.#cloud
    const from = this.#name
    for (const to of names)
      send(from, to, () =>
        this.#peerAt(to)?.hear(question, about, version, (yes, known) =>
          send(to, from, () => this.told({ round: id, by: to, version: known, yes })),
        ),
      )
  }

  #ask(): void {
    const { rules, membership, newId } = this.#cloud
    if (!this.#mayRun()) this.#beginToStop()
    this.#grants = rules.beginRound(newId(), membership, this.#clock())
    this.#put('grant', this.#name, this.#grants)
    this.#later(rules.times.askMs, () => this.#ask())
  }

  #heardGrant(): void {
    const { rules } = this.#cloud
    if (this.#grants === null) return
    const before = this.#holder
    this.#holder = rules.granted(before, this.#grants, this.#clock(), rules.times)
    if (this.#holder === before) return
    this.#feed()
    this.#later(permittedUntilMs(this.#holder, rules.times) - this.#clock(), () => {
      if (!this.#mayRun()) this.#beginToStop()
    })
    const { term } = this.#holder
    if (term !== this.#termUsed && this.#running === null) this.#resume(term)
  }

  /** Runs its own instance again, if the records let it. */
  #resume(term: number): void {
    this.#termUsed = term
    this.#askRecords(this.#cloud.records.stale, ({ assignment, epochs }) => {
      if (assignment.host === this.#name)
        this.#assign(this.#name, epochs.get(this.#name) ?? '', term)
      else this.#termUsed = 0
    })
  }

  /** Makes what this host has its own, if the host's epoch is still this one. */
  #assign(of: HostName, epoch: string, term: number): void {
    const { rules, records, newId } = this.#cloud
    const id = newId()
    const commit = () => {
      const { assignment, epochs } = records.newest()
      if (!rules.isSameEpoch(epochs.get(of) ?? '', epoch) || assignment.host !== of) return null
      const next = { host: this.#name, run: assignment.run + 1, id }
      records.commit({ assignment: next, epochs: new Map(epochs).set(of, id) })
      return next
    }
    this.#askRecords(commit, (own) => {
      if (own === null) return
      const written = { ...own, confirmedAtMs: this.#clock() }
      const waitMs = rules.durableAtMs(written, rules.times) - this.#clock()
      this.#later(waitMs, () => this.#startIfOwn(written, term))
    })
  }

  #startIfOwn(own: OwnCommit, term: number): void {
    const { rules, records } = this.#cloud
    const readAtMs = this.#clock()
    const read = () => records.newest().assignment
    this.#askRecords(read, (found) => {
      const may = rules.mayStart(own, found, readAtMs, rules.times)
      const isOn = this.#holder.term === term && this.#mayRun()
      if (may && isOn && this.#running === null) this.#start()
    })
  }

  /** Tries to take whatever another host has. */
  #seek(): void {
    const { random, rules, records, membership, newId } = this.#cloud
    this.#later(random.between(300, 3_000), () => this.#seek())
    if (this.#running !== null || this.#holder.term === 0) return
    this.#askRecords(records.stale, ({ assignment: { host }, epochs }) => {
      if (host === this.#name) return this.#resume(this.#holder.term)
      const round = rules.beginRound(newId(), membership, this.#clock())
      this.#takeover = { host, epoch: epochs.get(host) ?? '', round }
      this.#put('consent', host, round)
    })
  }

  #heardConsent(): void {
    const { rules } = this.#cloud
    if (this.#takeover === null || !rules.mayCommit(this.#takeover, this.#clock(), rules.times))
      return
    const { host, epoch } = this.#takeover
    this.#takeover = null
    this.#assign(host, epoch, this.#holder.term)
  }
}

/**
 * What a QEMU is asked to do in a live migration, and who lets the machine run when an answer is
 * lost or the other host vanishes at any command. The QEMU here does as 7.2 was seen to do.
 */
import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Host } from '../../../../src/host/host.ts'
import type { Clock } from '../../../../src/lib/clock.ts'
import { resume } from '../../../../src/machines/live/receive.ts'
import { send, undo } from '../../../../src/machines/live/send.ts'
import type { Qmp } from '../../../../src/machines/qmp.ts'
import { unavailable } from '../../../../src/model/errors.ts'

/** Time passes when somebody sleeps. */
function sleepingClock(): Clock {
  let nowMs = 0
  const due = new Set<{ readonly atMs: number; readonly run: () => void }>()
  return {
    now: () => nowMs,
    monotonic: () => nowMs,
    async sleep(ms, signal) {
      nowMs += ms
      for (const one of [...due]) if (one.atMs <= nowMs && due.delete(one)) one.run()
      await Promise.resolve()
      signal?.throwIfAborted()
    },
    after(ms, run) {
      const one = { atMs: nowMs + ms, run }
      due.add(one)
      return () => void due.delete(one)
    },
  }
}

type Job = { status: string; error?: string }

/** A QEMU with a machine, as seen over QMP. */
class FakeQemu {
  status = 'none'
  state = 'running'
  job: Job | undefined
  isPeerThere = true
  isPeerSilent = false
  /** The guest writes too much for a shorter stop. */
  neededMs = 0
  downtimeMs = 0
  readonly commands: string[] = []
  /** Is called before each command. */
  fault: (at: number) => 'cut' | 'unheard' | 'unanswered' | null = () => null

  /** The other host is gone. */
  cut(): void {
    this.isPeerThere = false
    if (this.job !== undefined && this.job.status !== 'concluded')
      this.job = { status: 'concluded', error: 'Input/output error' }
    if (this.status === 'active' || this.status === 'device') this.goOn('failed')
  }

  goOn(status: string): void {
    this.status = status
    this.state = 'running'
  }

  async execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    await Promise.resolve()
    const fault = this.fault(this.commands.length)
    this.commands.push(command)
    if (fault === 'cut') this.cut()
    if (fault === 'unheard') throw unavailable('lost')
    const answer = this.#answer(command, args)
    if (fault === 'unanswered') throw unavailable('lost')
    return answer
  }

  #answer(command: string, args: Readonly<Record<string, unknown>>): unknown {
    switch (command) {
      case 'query-jobs': {
        const found = this.job === undefined ? [] : [{ id: 'move', ...this.job, ...PROGRESS }]
        if (this.job?.status === 'running') this.job = { status: 'ready' }
        return found
      }
      case 'blockdev-mirror':
        this.job = this.isPeerThere ? { status: 'running' } : { status: 'concluded', error: 'gone' }
        return {}
      case 'block-job-cancel':
        if (this.job === undefined) throw unavailable('there is no job')
        if (!this.isPeerSilent || args['force'] === true)
          this.job = { status: 'concluded', ...(this.job.error && { error: this.job.error }) }
        return {}
      case 'job-dismiss':
        this.job = undefined
        return {}
      case 'migrate':
        this.status = this.isPeerThere ? 'setup' : 'failed'
        return {}
      case 'migrate-continue':
        if (this.status !== 'pre-switchover') throw unavailable('it is not there')
        this.status = 'device'
        return {}
      case 'migrate_cancel':
        if (!OVER.has(this.status)) this.goOn('cancelled')
        return {}
      case 'migrate-set-parameters':
        this.downtimeMs = Number(args['downtime-limit'])
        return {}
      case 'query-migrate':
        return this.#migration()
      case 'query-status':
        return { status: this.state }
      case 'cont':
        this.state = 'running'
        return {}
      default:
        return {}
    }
  }

  #migration(): unknown {
    const answer = { status: this.status }
    if (this.status === 'setup') this.status = 'active'
    else if (this.status === 'active' && this.downtimeMs >= this.neededMs) {
      this.status = 'pre-switchover'
      this.state = 'finish-migrate'
    } else if (this.status === 'device' && !this.isPeerThere) this.goOn('failed')
    else if (this.status === 'device' && !this.isPeerSilent) {
      this.status = 'completed'
      this.state = 'postmigrate'
    }
    return answer
  }
}

const PROGRESS = { 'current-progress': 1, 'total-progress': 2 }
const OVER = new Set(['none', 'completed', 'failed', 'cancelled'])

function sending(qemu: FakeQemu, signal = new AbortController().signal): Promise<void> {
  const [disk, memory] = [new PassThrough(), new PassThrough()]
  disk.on('close', () => qemu.cut())
  const there = { fd: -1, close: () => undefined }
  const host = { pairedUnix: () => ({ here: new PassThrough(), there }) }
  const qmp = {
    execute: (...asked: Parameters<Qmp['execute']>) => qemu.execute(...asked),
    executeWithFile: (command: string) => qemu.execute(command),
  }
  const parts = { host: host as unknown as Pick<Host, 'pairedUnix'>, clock: sleepingClock() }
  return send(
    qmp as unknown as Qmp,
    parts,
    { disk, memory },
    { progress: () => undefined, still: () => undefined, signal },
  )
}

const outcomeOf = (work: Promise<void>) =>
  work.then(
    () => 'sent' as const,
    () => 'failed' as const,
  )

test('the memory follows the disk, and the rest of the memory the rest of the disk', async () => {
  const qemu = new FakeQemu()
  await sending(qemu)
  expect(qemu).toMatchObject({ status: 'completed', state: 'postmigrate', job: undefined })
  const asked = qemu.commands.filter((one) => !one.startsWith('query'))
  expect(asked.slice(asked.indexOf('blockdev-add'))).toEqual([
    ...['blockdev-add', 'blockdev-mirror', 'getfd', 'migrate'],
    ...['block-job-cancel', 'job-dismiss', 'blockdev-del', 'migrate-continue'],
  ])
})

test('a machine that writes much stands still longer, but not longer than two seconds', async () => {
  const busy = Object.assign(new FakeQemu(), { neededMs: 2_000 })
  await sending(busy)
  expect(busy).toMatchObject({ status: 'completed', downtimeMs: 2_000 })
  const tooBusy = Object.assign(new FakeQemu(), { neededMs: 2_001 })
  const cancel = new AbortController()
  tooBusy.fault = (at) => {
    if (at === 100_000) cancel.abort(unavailable('cancelled'))
    return null
  }
  expect(await outcomeOf(sending(tooBusy, cancel.signal))).toBe('failed')
  expect(tooBusy).toMatchObject({ state: 'running', downtimeMs: 2_000 })
})

test('whatever is lost at whichever command: it has stopped for good, or it goes on here', async () => {
  const counted = new FakeQemu()
  await sending(counted)
  const faults = fc.record({
    at: fc.nat(counted.commands.length),
    kind: fc.constantFrom('cut', 'unheard', 'unanswered', 'cancel'),
  })
  await fc.assert(
    fc.asyncProperty(faults, async ({ at, kind }) => {
      const qemu = new FakeQemu()
      const cancel = new AbortController()
      qemu.fault = (now) => {
        if (now === at && kind === 'cancel') cancel.abort(unavailable('cancelled'))
        return now === at && kind !== 'cancel' ? kind : null
      }
      const outcome = await outcomeOf(sending(qemu, cancel.signal))
      // Only `resume` lets it run after QEMU has said that all was sent.
      expect(qemu.commands).not.toContain('cont')
      expect(qemu.job).toBeUndefined()
      if (qemu.status === 'completed') expect(outcome).toBe('sent')
      if (outcome === 'sent') {
        expect(qemu).toMatchObject({ status: 'completed', state: 'postmigrate' })
        return
      }
      await resume(qemu, sleepingClock())
      expect(qemu.state).toBe('running')
    }),
    { numRuns: 300 },
  )
})

test.each(['disk', 'memory'])(
  'a host that is silent while the rest of the %s is sent is given up',
  async (what) => {
    const qemu = new FakeQemu()
    qemu.fault = () => {
      if (qemu.status === (what === 'disk' ? 'pre-switchover' : 'device')) qemu.isPeerSilent = true
      return null
    }
    expect(await outcomeOf(sending(qemu))).toBe('failed')
    expect(qemu).toMatchObject({ state: 'running', job: undefined })
  },
)

test('a disk that could not be copied to its end is not taken for one', async () => {
  const qemu = new FakeQemu()
  qemu.fault = () => {
    if (qemu.status === 'pre-switchover' && qemu.job?.status === 'ready')
      qemu.job = { status: 'ready', error: 'No space left on device' }
    return null
  }
  expect(await outcomeOf(sending(qemu))).toBe('failed')
  expect(qemu.commands).not.toContain('migrate-continue')
  expect(qemu.state).toBe('running')
})

test.each([
  ['runs', { state: 'running' }, []],
  ['was sent', { status: 'completed', state: 'postmigrate' }, ['nbd-server-stop', 'cont']],
  ['was received', { status: 'completed', state: 'paused' }, ['nbd-server-stop', 'cont']],
  ['never came', { status: 'none', state: 'inmigrate' }, ['quit']],
  [
    'stands still since its daemon died',
    { status: 'pre-switchover', state: 'finish-migrate', job: { status: 'ready' } },
    ['migrate_cancel', 'block-job-cancel', 'job-dismiss', 'blockdev-del'],
  ],
] as const)('resume, of one that %s', async (_name, found, expected) => {
  const qemu = Object.assign(new FakeQemu(), found)
  await resume(qemu, sleepingClock())
  const asked = qemu.commands.filter((one) => !one.startsWith('query'))
  if (expected.length === 2) expect(asked.slice(-2)).toEqual(expected)
  else expect(asked).toEqual(expected)
  if (found.state !== 'inmigrate') expect(qemu.state).toBe('running')
})

test.each(['nbd-server-stop', 'cont'])(
  'one that was received goes on in five commands, and when %s is refused at first',
  async (refused) => {
    const arrived = { status: 'completed', state: 'paused' }
    const quick = Object.assign(new FakeQemu(), arrived)
    await resume(quick, sleepingClock())
    const asked = ['query-status', 'query-migrate', 'nbd-server-stop', 'cont', 'query-status']
    expect(quick.commands).toEqual(asked)
    const late = Object.assign(new FakeQemu(), arrived)
    late.fault = (at) => (at === asked.indexOf(refused) ? 'unheard' : null)
    await resume(late, sleepingClock())
    expect(late.state).toBe('running')
  },
)

test('what an earlier daemon has begun is ended, unless it has come to its end', async () => {
  const half = Object.assign(new FakeQemu(), { status: 'active', job: { status: 'running' } })
  expect(await undo(half, sleepingClock())).toBe('runs')
  expect(half).toMatchObject({ state: 'running', job: undefined })
  const sent = Object.assign(new FakeQemu(), { status: 'completed', state: 'postmigrate' })
  expect(await undo(sent, sleepingClock())).toBe('completed')
  expect(sent.state).toBe('postmigrate')
})

/**
 * One call of an action through a transport of plain objects, which shows what the pipeline gives
 * to all transports.
 */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Action } from '../../../src/api/action.ts'
import { type Asked, type CallLimits, createCalls, type Encoding } from '../../../src/api/call.ts'
import { createCallMetrics } from '../../../src/api/call-metrics.ts'
import { unknownKey } from '../../../src/api/http/auth.ts'
import { parseInput } from '../../../src/api/parameters.ts'
import type { Log } from '../../../src/lib/log.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { AtollError, refused, unavailable } from '../../../src/model/errors.ts'
import { actionOf, KEY, parts } from '../../kit/api.ts'

interface Plain {
  readonly key: string
  readonly action?: string
  readonly input?: object
}

/** Whoever names a key has it. */
const plain: Encoding<Plain, Plain, Asked> = {
  clientOf: ({ key }) => ({ owner: key, origin: 'here' }),
  sourceOf: () => undefined,
  async authenticate({ key }, findKey) {
    const found = await findKey(key, null)
    if (found === undefined) throw refused('AuthFailure', 'no such key')
    return { account: found.account, user: found.user, accessKey: found.id, rights: 'all' }
  },
  read: ({ action, input = {} }) => ({
    action,
    input: () => ({ ...input }),
    nameOf: (_words, path) => `the ${path.join('.')}`,
  }),
  write: async ({ output }) => JSON.stringify(output),
  note: ({ key }) => ({ sender: key }),
}

const LIMITS: CallLimits = {
  actionTimeoutMs: 30_000,
  maxInFlight: 10,
  pageItems: 10,
  answerBytes: 1000,
  requestBurst: 100,
  requestsPerSecond: 100,
  maxInFlightOfOne: 10,
  unreadBytesOfOne: 1000,
}

function open(run: Action['run'], limits: Partial<CallLimits> = {}) {
  const lines: Record<string, unknown>[] = []
  const note = (level: string) => (fields: object, message: string) =>
    lines.push({ level, message, ...fields })
  const log: Log = {
    debug: note('debug'),
    info: note('info'),
    warn: note('warn'),
    error: note('error'),
    child: () => log,
  }
  const metrics = createMetrics()
  const calls = createCalls({
    parts: parts(),
    actions: [actionOf('DescribeTags', run)],
    encoding: plain,
    limits: { ...LIMITS, ...limits },
    log,
    measures: createCallMetrics(metrics, 'commands'),
    what: 'command',
  })
  return { calls, lines, metrics }
}

const stays = new AbortController().signal
const ask = { key: KEY.id, action: 'DescribeTags' }
const never = () => new Promise<never>(() => {})

/** What a call with this action comes to, with its one line. */
async function outcomeOf(run: Action['run'], request: Plain = ask) {
  const { calls, lines, metrics } = open(run)
  const { result } = await calls.run(request, stays)
  expect(lines).toHaveLength(1)
  const exposed = await metrics.render()
  const { action, code } = lines[0] ?? {}
  expect(exposed).toContain(`atoll_commands_total{action="${action}",code="${code}"} 1`)
  expect(exposed).toContain('atoll_commands_in_flight 0')
  return { result, line: lines[0] }
}

const aBug = new TypeError('secret: hunter2')
const served = async () => ({ Tags: [] })

describe('a call ends in one outcome, one count and one line', () => {
  it('when it is answered', async () => {
    expect(await outcomeOf(served)).toEqual({
      result: { kind: 'answer', text: '{"Tags":[]}', asOf: null },
      line: {
        level: 'info',
        message: 'command',
        request: expect.stringMatching(/^[0-9a-f-]{36}$/),
        action: 'DescribeTags',
        code: 'OK',
        status: 200,
        ms: expect.any(Number),
        account: KEY.account,
        user: KEY.user,
        sender: KEY.id,
      },
    })
  })

  it.each<[string, Action['run'], Plain, object, object]>([
    [
      'refused by the action',
      () => Promise.reject(refused('InvalidVpcID.NotFound', 'no such VPC')),
      ask,
      { kind: 'refused', code: 'InvalidVpcID.NotFound', status: 400, message: 'no such VPC' },
      { level: 'info', message: 'command', reason: 'no such VPC', user: 'admin' },
    ],
    [
      'refused by a parameter, with the name of the transport',
      async ({ input }) => parseInput(z.strictObject({ A: z.array(z.string()) }), input),
      { ...ask, input: { A: ['x', 1] } },
      { code: 'InvalidParameterValue', message: expect.stringContaining('the A.1') },
      { level: 'info', code: 'InvalidParameterValue' },
    ],
    [
      'unavailable',
      () => Promise.reject(unavailable('the records are away')),
      ask,
      { kind: 'unavailable', code: 'Unavailable', status: 503 },
      { level: 'warn', message: 'command could not be served', action: 'DescribeTags' },
    ],
    [
      'failed because of a bug, which only the log names',
      () => Promise.reject(aBug),
      ask,
      {
        kind: 'bug',
        code: 'InternalError',
        status: 500,
        message: expect.not.stringMatching(/hunter2/),
      },
      { level: 'error', message: 'command failed because of a bug', error: aBug, user: 'admin' },
    ],
    [
      'thrown at by something that is no error',
      () => Promise.reject('just text'),
      ask,
      { kind: 'bug', code: 'InternalError' },
      { level: 'error', error: 'just text' },
    ],
    [
      'from nobody that is known',
      served,
      { ...ask, key: 'AKIDNOBODY' },
      { code: 'AuthFailure' },
      { level: 'info', action: 'unknown', account: undefined, sender: 'AKIDNOBODY' },
    ],
    [
      'of an action that there is none of',
      served,
      { ...ask, action: 'MakeCoffee' },
      { code: 'InvalidAction', message: expect.stringContaining('MakeCoffee') },
      { level: 'info', action: 'unknown', user: 'admin' },
    ],
    [
      'of no action',
      served,
      { key: KEY.id },
      { code: 'MissingParameter' },
      { level: 'info', action: 'unknown', user: 'admin' },
    ],
  ])('when it is %s', async (_, run, request, fault, line) => {
    expect(await outcomeOf(run, request)).toEqual({
      result: { kind: 'fault', fault: expect.objectContaining(fault) },
      line: expect.objectContaining(line),
    })
  })
})

describe('a call is cut off', () => {
  it('at its deadline, and the action is told', async () => {
    let reason: unknown
    const { calls } = open(
      ({ signal }) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason
        })
        return never()
      },
      { actionTimeoutMs: 10 },
    )
    const { result } = await calls.run(ask, stays)
    expect(result).toMatchObject({ kind: 'fault', fault: { kind: 'unavailable', status: 503 } })
    expect(reason).toBeInstanceOf(AtollError)
  })

  it('when nobody waits for it any more', async () => {
    const ended = new AbortController()
    const { calls } = open(async () => {
      ended.abort(unavailable('The client is gone'))
      return await never()
    })
    const { result } = await calls.run(ask, ended.signal)
    expect(result).toMatchObject({ kind: 'fault', fault: { kind: 'unavailable' } })
  })

  it('before it began, when its sender had already gone', async () => {
    const { calls } = open(served)
    const { result } = await calls.run(ask, AbortSignal.abort(unavailable('The client is gone')))
    expect(result).toMatchObject({ kind: 'fault', fault: { kind: 'unavailable' } })
  })
})

describe('the share of a key', () => {
  const tooMany = { kind: 'fault', fault: { code: 'RequestLimitExceeded', status: 503 } }

  it('holds until the answer has gone, and is given back once', async () => {
    const { calls } = open(served, { maxInFlightOfOne: 1 })
    for (let round = 0; round < 3; round += 1) {
      const ended = new AbortController()
      expect((await calls.run(ask, ended.signal)).result.kind).toBe('answer')
      expect((await calls.run(ask, stays)).result).toMatchObject(tooMany)
      ended.abort()
    }
  })

  it('covers answers that are not read yet', async () => {
    const { calls } = open(async () => ({ Tags: 'x'.repeat(600) }))
    const ended = new AbortController()
    expect((await calls.run(ask, ended.signal)).result.kind).toBe('answer')
    expect((await calls.run(ask, stays)).result).toMatchObject(tooMany)
    ended.abort()
  })

  it('is not all: so many calls at once and no more, whoever makes them', async () => {
    const release = Promise.withResolvers<object>()
    const { calls, metrics } = open(() => release.promise, { maxInFlight: 2 })
    const held = [calls.run(ask, stays), calls.run(ask, stays)]
    expect((await calls.run(ask, stays)).result).toMatchObject(tooMany)
    expect(await metrics.render()).toContain('atoll_commands_in_flight 2')
    release.resolve({})
    const ends = await Promise.all(held)
    expect(ends.map(({ result }) => result.kind)).toEqual(['answer', 'answer'])
  })
})

describe('checkHead', () => {
  const claimed = (accessKey: string) => () => ({
    accessKey,
    token: null,
    unknown: () =>
      unknownKey({ accessKey, token: null, time: '', scope: '', signedHeaders: [], signature: '' }),
  })

  it('lets those pass whose key exists, and says nothing of it', async () => {
    const { calls, lines } = open(served)
    expect(await calls.checkHead(ask, claimed(KEY.id))).toBeUndefined()
    expect(lines).toEqual([])
  })

  it('turns others away with one line each, and not with as many as they like', async () => {
    const { calls, lines } = open(served)
    for (let count = 0; count < 100; count += 1) {
      const outcome = await calls.checkHead(ask, claimed('AKIDNOBODY'))
      expect(outcome?.result).toMatchObject({ kind: 'fault', fault: { code: 'AuthFailure' } })
    }
    expect(lines.length).toBeGreaterThan(0)
    expect(lines.length).toBeLessThan(50)
  })

  it('turns away what cannot even claim a key', async () => {
    const { calls } = open(served)
    const outcome = await calls.checkHead(ask, () => {
      throw refused('MissingAuthenticationToken', 'not signed')
    })
    expect(outcome?.result).toMatchObject({ fault: { code: 'MissingAuthenticationToken' } })
  })
})
